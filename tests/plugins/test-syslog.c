/* The syslog sink against sockets: datagram, stream, UDP, and each of them gone. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <patchbay/testing.h>


#define COUNT(a) (sizeof (a) / sizeof *(a))

extern const struct pb_plugin patchbay_plugin;

struct bench {
	struct pbt_host *host;
	char folder[64], path[96], target[128];
};

static int bench_up(void **state)
{
	struct bench *bench = calloc(1, sizeof *bench);
	snprintf(bench->folder, sizeof bench->folder, "/tmp/patchbay-syslog-XXXXXX");
	if (mkdtemp(bench->folder) == NULL)
		return -1;
	snprintf(bench->path, sizeof bench->path, "%s/log", bench->folder);
	snprintf(bench->target, sizeof bench->target, "target = unix:%s", bench->path);
	bench->host = pbt_new(&patchbay_plugin);
	*state = bench;
	return 0;
}

static int bench_down(void **state)
{
	struct bench *bench = *state;
	int open = pbt_free(bench->host);
	unlink(bench->path);
	rmdir(bench->folder);
	free(bench);
	return open;
}

static int local_socket(const struct bench *bench, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", bench->path);
	unlink(bench->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 5), 0);
	return fd;
}

/* A UDP socket of 127.0.0.1, and how a sink reaches it. */
static int udp_socket(char target[static 64])
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	snprintf(target, 64, "target = udp:127.0.0.1:%d", ntohs(address.sin_port));
	return fd;
}

static struct pbt_instance *sink_of(const struct bench *bench, const char *target, const char *more)
{
	struct pbt_instance *sink = pbt_open(bench->host, "[sink s]\n%s\n%s", target, more);
	if (sink == NULL)
		fail_msg("%s", pbt_errors(bench->host));
	return sink;
}

/* `n` events "m0", "m1", …, handed over. */
static void send_some(struct pbt_instance *sink, struct pb_delivery *d[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char body[32];
		snprintf(body, sizeof body, "m%zu", i);
		d[i] = pbt_delivery(sink, pbt_event(pbt_host(sink), body, strlen(body), NULL));
	}
	pbt_send(sink, d, n);
}

static void assert_next(int fd, const char *end)
{
	char text[8192];
	ssize_t len = recv(fd, text, sizeof text, MSG_DONTWAIT);
	assert_true(len > (ssize_t)strlen(end));
	assert_memory_equal(text + len - strlen(end), end, strlen(end));
}

static void assert_nothing(int fd)
{
	char byte;
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
}

static void test_datagram(void **state)
{
	const struct bench *bench = *state;
	int fd = local_socket(bench, SOCK_DGRAM);
	struct pbt_instance *sink = sink_of(bench, bench->target, "");
	struct pb_delivery *d[5];
	send_some(sink, d, 5);
	for (int i = 0; i < 5; i++) {
		char end[32];
		snprintf(end, sizeof end, "patchbay[%d]: m%d", (int)getpid(), i);
		assert_int_equal(pbt_answer(d[i]).code, PB_OK);
		assert_next(fd, end);
	}
	assert_nothing(fd);
	pbt_close(sink);
	close(fd);
}

/* More than one batch, read meanwhile as slowly as one likes: nothing is lost. */
static void test_stream(void **state)
{
	const struct bench *bench = *state;
	int listener = local_socket(bench, SOCK_STREAM);
	struct pbt_instance *sink = sink_of(bench, bench->target, "format = rfc5424");
	struct pb_delivery *d[300];
	char text[65536];
	size_t have = 0, lines = 0;
	send_some(sink, d, 300);
	int fd = accept(listener, NULL, NULL);
	for (ssize_t n; lines < 300 && (n = recv(fd, text + have, sizeof text - 1 - have, 0)) > 0; ) {
		have += (size_t)n;
		lines = 0;
		for (size_t i = 0; i < have; i++)
			lines += text[i] == '\n';
	}
	text[have] = '\0';
	char *rest = text;
	for (int i = 0; i < 300; i++) {
		char end[16], *line = strsep(&rest, "\n");
		snprintf(end, sizeof end, "] m%d", i);
		assert_int_equal(pbt_answer(d[i]).code, PB_OK);
		assert_memory_equal(line, "<14>1 ", 6);
		assert_string_equal(line + strlen(line) - strlen(end), end);
	}
	pbt_close(sink);
	close(fd);
	close(listener);
}

static void test_udp(void **state)
{
	const struct bench *bench = *state;
	char target[64];
	int fd = udp_socket(target);
	struct pbt_instance *sink = sink_of(bench, target, "facility = local7");
	struct pb_delivery *d[100];
	send_some(sink, d, 100);
	for (int i = 0; i < 100; i++) {
		char end[16];
		snprintf(end, sizeof end, "] m%d", i);
		assert_int_equal(pbt_answer(d[i]).code, PB_OK);
		assert_next(fd, end);
	}
	assert_nothing(fd);
	pbt_close(sink);
	close(fd);
}

/* The daemon starts before syslog does; syslog is started again; it goes for good. */
static void test_coming_and_going(void **state)
{
	const struct bench *bench = *state;
	struct pbt_instance *sink = sink_of(bench, bench->target, "");
	struct pb_delivery *d[3];
	send_some(sink, d, 3);
	assert_int_equal(pbt_answer(d[0]).code, PB_DOWN);
	assert_non_null(strstr(pbt_answer(d[0]).reason, "/log: cannot connect: No such file or directory"));
	assert_false(pbt_answer(d[1]).given || pbt_answer(d[2]).given);
	for (int round = 0; round < 3; round++) {
		int fd = local_socket(bench, SOCK_DGRAM);
		send_some(sink, d, 2);
		assert_int_equal(pbt_answer(d[0]).code, PB_OK);
		assert_int_equal(pbt_answer(d[1]).code, PB_OK);
		assert_next(fd, "m0");
		assert_next(fd, "m1");
		close(fd);
	}
	send_some(sink, d, 2);
	assert_int_equal(pbt_answer(d[0]).code, PB_DOWN);
	assert_non_null(strstr(pbt_answer(d[0]).reason, "Connection refused"));
	assert_false(pbt_answer(d[1]).given);
	pbt_close(sink);
}

/* Whoever does not read is down, after the sink's timeout and no sooner than its queue is full. */
static void test_not_reading(void **state)
{
	static const int types[] = { SOCK_DGRAM, SOCK_STREAM };
	const struct bench *bench = *state;
	for (size_t t = 0; t < COUNT(types); t++) {
		int fd = local_socket(bench, types[t]);
		struct pbt_instance *sink = sink_of(bench, bench->target, "timeout = 100ms");
		struct pb_delivery *d[1024];
		size_t ok = 0;
		bool down = false;
		while (!down) {
			send_some(sink, d, COUNT(d));
			for (ok = 0; ok < COUNT(d) && pbt_answer(d[ok]).given && pbt_answer(d[ok]).code == PB_OK; ok++)
				;
			down = ok < COUNT(d);
			if (down) {
				assert_int_equal(pbt_answer(d[ok]).code, PB_DOWN);
				assert_non_null(strstr(pbt_answer(d[ok]).reason, "the receiver does not read"));
				assert_true(ok + 1 == COUNT(d) || !pbt_answer(d[ok + 1]).given);
			}
		}
		pbt_close(sink);
		close(fd);
	}
}

static void test_udp_refused(void **state)
{
	const struct bench *bench = *state;
	char target[64];
	int fd = udp_socket(target);
	struct pbt_instance *sink = sink_of(bench, target, "");
	struct pb_delivery *d[3];
	send_some(sink, d, 3);
	assert_int_equal(pbt_answer(d[2]).code, PB_OK);
	close(fd);
	/* The first may vanish unnoticed; nobody is taken for delivered to after that. */
	send_some(sink, d, 1);
	for (int round = 0; round < 3; round++) {
		send_some(sink, d, 2);
		assert_int_equal(pbt_answer(d[0]).code, PB_DOWN);
		assert_non_null(strstr(pbt_answer(d[0]).reason, "Connection refused"));
		assert_false(pbt_answer(d[1]).given);
	}
	pbt_close(sink);
}

static void test_cut(void **state)
{
	const struct bench *bench = *state;
	int fd = local_socket(bench, SOCK_DGRAM);
	struct pbt_instance *sink = sink_of(bench, bench->target, "max_message = 480");
	char body[1000], text[2000];
	memset(body, 'x', sizeof body);
	struct pb_delivery *d = pbt_delivery(sink, pbt_event(pbt_host(sink), body, sizeof body, NULL));
	pbt_send(sink, &d, 1);
	assert_int_equal(pbt_answer(d).code, PB_OK);
	assert_int_equal(recv(fd, text, sizeof text, 0), 480);
	assert_memory_equal(text + 480 - 9, "x...[cut]", 9);
	assert_int_equal(pbt_metric(sink, "cut"), 1);
	pbt_close(sink);
	close(fd);
}

/* A message that had to come again is one message. */
static void test_cut_counts_once(void **state)
{
	const struct bench *bench = *state;
	struct pbt_instance *sink = sink_of(bench, bench->target, "max_message = 480");
	char body[1000];
	memset(body, 'x', sizeof body);
	for (int round = 0; round < 3; round++) {
		int fd = round == 2 ? local_socket(bench, SOCK_DGRAM) : -1;
		struct pb_delivery *d[2];
		for (size_t i = 0; i < 2; i++)
			d[i] = pbt_delivery(sink, pbt_event(pbt_host(sink), body, sizeof body, NULL));
		pbt_send(sink, d, 2);
		assert_int_equal(pbt_answer(d[0]).code, round == 2 ? PB_OK : PB_DOWN);
		assert_int_equal(pbt_metric(sink, "cut"), round == 2 ? 2 : 0);
		if (fd >= 0)
			close(fd);
	}
	pbt_close(sink);
}

static void test_priority(void **state)
{
	static const char *const cases[][3] = {
		{ "facility = kern", "severity = emerg", "<0>" },
		{ "facility = user", "severity = info", "<14>" },
		{ "facility = daemon", "severity = debug", "<31>" },
		{ "facility = authpriv", "severity = err", "<83>" },
		{ "facility = local0", "severity = notice", "<133>" },
		{ "facility = local7", "severity = alert", "<185>" },
	};
	const struct bench *bench = *state;
	int fd = local_socket(bench, SOCK_DGRAM);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pbt_instance *sink = pbt_open(bench->host, "[sink s]\n%s\n%s\n%s\napp_name = me",
						     bench->target, cases[i][0], cases[i][1]);
		struct pb_delivery *d;
		char text[256];
		assert_non_null(sink);
		send_some(sink, &d, 1);
		assert_true(recv(fd, text, sizeof text, 0) > 10);
		assert_memory_equal(text, cases[i][2], strlen(cases[i][2]));
		assert_non_null(memmem(text, 64, " me[", 4));
		pbt_close(sink);
	}
	close(fd);
}

static void test_check(void **state)
{
	static const char *const cases[][2] = {
		{ "target = tcp:h:514", "target: expected unix:/PATH or udp:HOST:PORT" },
		{ "target = h:514", "target: expected unix:/PATH or udp:HOST:PORT" },
		{ "app_name = a b", "app_name: expected 1 to 48 visible ASCII characters" },
		{ "app_name = ", "app_name: expected 1 to 48 visible ASCII characters" },
		{ "facility = local8", "facility: \"local8\" is not a choice; " },
		{ "max_message = 479", "max_message: \"479\" is out of range" },
		{ "max_message = 64KiB", "max_message: \"64KiB\" is out of range" },
	};
	const struct bench *bench = *state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char error[256];
		snprintf(error, sizeof error, "test.ini:2: [sink s] %s", cases[i][1]);
		assert_null(pbt_open(bench->host, "[sink s]\n%s", cases[i][0]));
		if (strncmp(pbt_errors(bench->host), error, strlen(error)) != 0)
			fail_msg("%s: %s", error, pbt_errors(bench->host));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_datagram, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_stream, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_udp, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_coming_and_going, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_not_reading, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_udp_refused, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_cut, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_cut_counts_once, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_priority, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_check, bench_up, bench_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
