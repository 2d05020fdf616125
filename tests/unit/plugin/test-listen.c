/* test-listen.c - listening sockets: made, shared, inherited, refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "plugin/instance.h"

static const struct pb_option table[] = {
	{ .name = "listen", .type = PB_ADDRESSES, .value = "", .help = "Where to listen." },
	{ .name = "mode", .type = PB_STRING, .value = "0620", .help = "A socket file's mode." },
	{ 0 }
};

static void *open_all(struct pb_self *self, struct pb_error *err)
{
	const char *const *list = pb_list(self, "listen");
	for (size_t i = 0; list[i] != NULL; i++)
		if (instance_listen(self, "listen", i, err) < 0)
			return NULL;
	return self;
}

const char *const *pb_list(const struct pb_self *self, const char *name)
{
	return options_list(self->options, name);
}

static void close_nothing(void *state)
{
	(void)state;
}

static const struct pb_plugin plugin = {
	.size = sizeof plugin, .option_size = sizeof(struct pb_option), .name = "listener",
	.source = PB_SOURCE(.options = table, .open = open_all, .close = close_nothing),
};

struct bench {
	struct metrics metrics;
	struct instance_env env;
	struct plugin_use *use;
	struct config_instance in;
	struct pb_self self;
	struct pb_error err;
};

static bool bench_open(struct bench *b, const char *listen, const struct pb_self *first, bool shares)
{
	char key[] = "listen", plugin_key[] = "plugin", plugin_name[] = "listener", title[] = "source s";
	char kind[] = "source", name[] = "s", *value = strdup(listen);
	struct setting settings[] = { { .key = key, .value = value },
				      { .key = plugin_key, .value = plugin_name } };
	struct section section = { .kind = kind, .name = name, .title = title, .settings = settings, .n = 2 };
	struct report report;
	report_init(&report);
	metrics_init(&b->metrics);
	error_init(&b->err);
	b->env = (struct instance_env){ .clock = &clock_system, .metrics = &b->metrics, .max_event = 1000 };
	b->in = (struct config_instance){ .kind = CONFIG_SOURCE, .name = name, .title = title,
		.plugin = plugin_name,
		.options = options_read(&section, table, config_common_table(CONFIG_SOURCE), &report) };
	assert_int_equal(report.errors, 0);
	report_free(&report);
	free(value);
	b->use = plugin_use_new(&plugin, &b->env);
	instance_init(&b->self, &b->in, b->use, &b->env, 0);
	b->self.first = first;
	b->self.shares_port = shares;
	return instance_open(&b->self, &b->err);
}

static void bench_close(struct bench *b)
{
	instance_close(&b->self);
	instance_fini(&b->self);
	plugin_use_free(b->use);
	options_free(b->in.options);
	error_free(&b->err);
	metrics_free(&b->metrics);
}

static unsigned port_of(int fd)
{
	struct sockaddr_in at;
	socklen_t len = sizeof at;
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	return ntohs(at.sin_port);
}

static void several_addresses(void **state)
{
	(void)state;
	struct bench b;
	assert_true(bench_open(&b, "127.0.0.1:0, 127.0.0.2:0", NULL, false));
	assert_int_equal(b.self.n_listeners, 2);
	for (int i = 0; i < 2; i++) {
		int fd = b.self.listeners[i].fd;
		assert_true(port_of(fd) != 0);
		assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
		assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	}
	bench_close(&b);
}

static void workers_share_the_first_ones_port(void **state)
{
	(void)state;
	struct bench one, two;
	assert_true(bench_open(&one, "127.0.0.1:0", NULL, true));
	assert_true(bench_open(&two, "127.0.0.1:0", &one.self, true));
	assert_int_equal(port_of(one.self.listeners[0].fd), port_of(two.self.listeners[0].fd));
	bench_close(&two);
	bench_close(&one);
}

static void workers_share_a_unix_socket(void **state)
{
	(void)state;
	struct bench one, two;
	char folder[] = "/tmp/pb-listen-XXXXXX", address[64];
	assert_non_null(mkdtemp(folder));
	snprintf(address, sizeof address, "unix:%s/s", folder);
	assert_true(bench_open(&one, address, NULL, true));
	assert_true(bench_open(&two, address, &one.self, true));
	bench_close(&two);
	assert_int_equal(access(address + 5, F_OK), 0);
	bench_close(&one);
	assert_int_equal(access(address + 5, F_OK), -1);
	rmdir(folder);
}

static void a_taken_port_is_named(void **state)
{
	(void)state;
	struct bench one, two;
	char again[64];
	assert_true(bench_open(&one, "127.0.0.1:0", NULL, false));
	snprintf(again, sizeof again, "127.0.0.1:%u", port_of(one.self.listeners[0].fd));
	assert_false(bench_open(&two, again, NULL, false));
	assert_string_equal(two.err.first->option, "listen");
	assert_non_null(strstr(error_text(&two.err), again));
	assert_non_null(strstr(error_text(&two.err), strerror(EADDRINUSE)));
	assert_int_equal(two.self.n_listeners, 0);
	bench_close(&two);
	bench_close(&one);
}

static void a_stale_socket_file_is_replaced_and_a_live_one_is_not(void **state)
{
	(void)state;
	struct bench one, two;
	char folder[] = "/tmp/pb-listen-XXXXXX", address[64];
	assert_non_null(mkdtemp(folder));
	snprintf(address, sizeof address, "unix:%s/s", folder);
	assert_true(bench_open(&one, address, NULL, false));
	assert_false(bench_open(&two, address, NULL, false));
	bench_close(&two);
	assert_int_equal(access(address + 5, F_OK), 0);
	close(one.self.listeners[0].fd);	/* as a crash leaves it: stale */
	free(one.self.listeners[0].text);
	one.self.listeners[0] = (struct listening){ .fd = -1 };
	assert_true(bench_open(&two, address, NULL, false));
	bench_close(&two);
	bench_close(&one);
	rmdir(folder);
}

static void a_socket_file_has_its_mode_and_ends_with_its_socket(void **state)
{
	(void)state;
	struct bench b;
	char folder[] = "/tmp/pb-listen-XXXXXX", address[64];
	const char *path = address + strlen("unix:");
	assert_non_null(mkdtemp(folder));
	snprintf(address, sizeof address, "unix:%s/s", folder);
	struct stat st;
	for (int round = 0; round < 2; round++) {
		assert_true(bench_open(&b, address, NULL, false));
		assert_int_equal(lstat(path, &st), 0);
		assert_true(S_ISSOCK(st.st_mode));
		assert_int_equal(st.st_mode & 07777, 0620);
		bench_close(&b);
		assert_int_equal(access(path, F_OK), -1);
	}
	/* What somebody else has put there since is not ours to remove. */
	assert_true(bench_open(&b, address, NULL, false));
	assert_int_equal(unlink(path), 0);
	int fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	bench_close(&b);
	assert_int_equal(unlink(path), 0);
	rmdir(folder);
}

/* sd_listen_fds(3): descriptor 3 is bound to what the configuration wants. */
static void a_socket_of_the_service_manager_is_taken_over(void **state)
{
	(void)state;
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char address[64], pid[16];
	struct bench b;
	int kept = fcntl(3, F_DUPFD_CLOEXEC, 10);	/* whoever has 3 gets it back */
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof any), 0);
	assert_int_equal(listen(fd, 5), 0);
	snprintf(address, sizeof address, "127.0.0.1:%u", port_of(fd));
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	if (fd != 3) {
		assert_int_equal(dup2(fd, 3), 3);
		close(fd);
	}
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	assert_true(bench_open(&b, address, NULL, false));
	assert_int_not_equal(b.self.listeners[0].fd, 3);
	bench_close(&b);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	close(3);
	if (kept >= 0) {
		dup2(kept, 3);
		close(kept);
	}
}

static void what_cannot_be_listened_on(void **state)
{
	(void)state;
	static const char *const cases[] = { "udp:127.0.0.1:514", "tls:127.0.0.1:514" };
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bench b;
		assert_false(bench_open(&b, cases[i], NULL, false));
		assert_non_null(strstr(error_text(&b.err), "cannot listen on"));
		bench_close(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_addresses), cmocka_unit_test(workers_share_the_first_ones_port),
		cmocka_unit_test(workers_share_a_unix_socket),
		cmocka_unit_test(a_taken_port_is_named),
		cmocka_unit_test(a_stale_socket_file_is_replaced_and_a_live_one_is_not),
		cmocka_unit_test(a_socket_file_has_its_mode_and_ends_with_its_socket),
		cmocka_unit_test(a_socket_of_the_service_manager_is_taken_over),
		cmocka_unit_test(what_cannot_be_listened_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
