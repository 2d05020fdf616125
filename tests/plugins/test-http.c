/* The http source as a whole: what a sender is told, and when, whatever comes of the commit. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <patchbay/testing.h>

extern const struct pb_plugin patchbay_plugin;

#define BODY "{\"event\":\"report_run_started\"}"
#define NONE ""

static int set_up(void **state)
{
	*state = pbt_new(&patchbay_plugin);
	return 0;
}

static int tear_down(void **state)
{
	return pbt_free(*state);
}

/* A running source; `more` is further lines of its section. */
static struct pbt_instance *source_of(struct pbt_host *host, const char *more)
{
	struct pbt_instance *in = pbt_open(host, "[source hooks]\nlisten = 127.0.0.1:0\n%s", more);
	if (in == NULL)
		fail_msg("%s", pbt_errors(host));
	pbt_start(in);
	return in;
}

/* Send one event on a connection of its own, with further header lines. */
static int post(const struct pbt_instance *in, const char *headers)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)pbt_port(in, 0)) };
	char request[1024];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	int len = snprintf(request, sizeof request, "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
			   "Content-Length: %zu\r\n%s\r\n%s", strlen(BODY), headers, BODY);
	assert_int_equal(send(fd, request, (size_t)len, 0), len);
	return fd;
}

/* The whole answer, until the other side closes; it stays until the next call. */
static const char *answer_of(int fd)
{
	static char text[4096];
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	size_t len = 0;
	for (;;) {
		assert_int_equal(poll(&ready, 1, PBT_LONG), 1);
		ssize_t n = recv(fd, text + len, sizeof text - 1 - len, 0);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	close(fd);
	return text;
}

static void assert_answer(int fd, const char *status, const char *part)
{
	const char *answer = answer_of(fd);
	if (strncmp(answer, "HTTP/1.1 ", 9) != 0 || strncmp(answer + 9, status, 3) != 0 ||
	    strcasestr(answer, part) == NULL)
		fail_msg("%s %s: %s", status, part, answer);
}

static void a_sender_hears_yes_when_it_is_stored(void **state)
{
	struct pbt_instance *in = source_of(*state, "event = json:event");
	char byte, id[128];
	pbt_store(in, PBT_HOLDS, 0);
	int fd = post(in, "Content-Type: application/json\r\n");
	assert_true(pbt_wait_held(in, PBT_LONG));
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	pbt_store(in, PBT_STORES, 0);
	assert_true(pbt_wait_stored(in, 1, PBT_LONG));
	const struct pb_event *ev = pbt_stored(in, 0);
	snprintf(id, sizeof id, "{\"id\":\"%s\"}", pb_event_id(ev));
	assert_answer(fd, "202", id);
	assert_string_equal(pb_event_type(ev), "report_run_started");
	assert_string_equal(pb_event_source(ev), "hooks");
	assert_string_equal(pb_event_content_type(ev), "application/json");
	assert_int_equal(pb_event_body(ev).len, strlen(BODY));
	assert_memory_equal(pb_event_body(ev).data, BODY, strlen(BODY));
}

static void a_sender_is_told_to_come_back(void **state)
{
	static const struct {
		enum pbt_store store;
		unsigned fail_at;
	} cases[] = {
		{ PBT_FULL, 0 }, { PBT_REFUSES, 0 }, { PBT_STORES, 1 },
	};
	struct pbt_instance *in = source_of(*state, NONE);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		pbt_store(in, cases[i].store, 1);
		pbt_fail_at(PBT_EVENT_NEW, cases[i].fail_at);
		assert_answer(post(in, NONE), "503", "Retry-After: ");
		assert_int_equal(pbt_n_stored(in), i);
		pbt_store(in, PBT_STORES, 0);
		assert_answer(post(in, NONE), "202", "\"id\"");
	}
}

/* Each call that can be short of memory, in turn: an answer always, and never a yes for nothing. */
static void short_of_memory_it_still_answers(void **state)
{
	static const enum pbt_call calls[] = { PBT_EVENT_NEW, PBT_EVENT_SET, PBT_TEXT };
	struct pbt_instance *in = source_of(*state, "dedupe = 1h");
	size_t stored = 0;
	char key[64];
	for (size_t c = 0; c < sizeof calls / sizeof *calls; c++)
		for (unsigned n = 1, made = n; made >= n; n++) {
			snprintf(key, sizeof key, "Idempotency-Key: \"%zu-%u\"\r\n", c, n);
			pbt_fail_at(calls[c], n);
			bool yes = strncmp(answer_of(post(in, key)), "HTTP/1.1 202", 12) == 0;
			made = pbt_calls(calls[c]);
			pbt_fail_at(calls[c], 0);
			stored += yes;
			assert_int_equal(pbt_n_stored(in), stored);
			assert_int_equal(yes, made < n);
		}
}

static void a_repeat_is_told_the_first_id(void **state)
{
	struct pbt_instance *in = source_of(*state, "dedupe = 1h");
	char id[128];
	assert_answer(post(in, "Idempotency-Key: \"k\"\r\n"), "202", "\"id\"");
	snprintf(id, sizeof id, "{\"id\":\"%s\"}", pb_event_id(pbt_stored(in, 0)));
	assert_answer(post(in, "Idempotency-Key: \"k\"\r\n"), "202", id);
	assert_answer(post(in, "Idempotency-Key: \"k\"\r\n"), "202", "Idempotency-Replayed: true");
	assert_int_equal(pbt_n_stored(in), 1);
}

static void who_waits_at_a_stop_is_answered(void **state)
{
	struct pbt_instance *in = source_of(*state, NONE);
	pbt_store(in, PBT_HOLDS, 0);
	int fd = post(in, NONE);
	assert_true(pbt_wait_held(in, PBT_LONG));
	pbt_ask_stop(in);
	pbt_store(in, PBT_STORES, 0);
	assert_true(pbt_stop(in, PBT_LONG));
	assert_answer(fd, "202", "\"id\"");
	assert_int_equal(pbt_n_stored(in), 1);
}

static void what_is_wrong_is_said_at_its_line(void **state)
{
	static const char *const cases[][2] = {
		{ "listen = 127.0.0.1", "test.ini:2: [source hooks] listen: " },
		{ "", "test.ini:1: [source hooks] listen: is missing" },
		{ "listen = 127.0.0.1:0\nmax_body = 0", "test.ini:3: [source hooks] max_body: " },
		{ "listen = 127.0.0.1:0\nevent = json:", "test.ini:3: [source hooks] event: " },
		{ "listen = 127.0.0.1:0\npath = x", "test.ini:3: [source hooks] path: " },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_null(pbt_open(*state, "[source hooks]\n%s", cases[i][0]));
		if (strncmp(pbt_errors(*state), cases[i][1], strlen(cases[i][1])) != 0)
			fail_msg("%s: %s", cases[i][0], pbt_errors(*state));
	}
	pbt_fail_at(PBT_LISTEN, 2);
	assert_null(pbt_open(*state, "[source hooks]\nlisten = 127.0.0.1:0, 127.0.0.2:0"));
	assert_string_equal(pbt_errors(*state), "test.ini:2: [source hooks] listen: cannot listen: "
			    "Address already in use\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_sender_hears_yes_when_it_is_stored, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_sender_is_told_to_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(short_of_memory_it_still_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_repeat_is_told_the_first_id, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_waits_at_a_stop_is_answered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_wrong_is_said_at_its_line, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
