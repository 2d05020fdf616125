/* test-server.c - the control socket under clients that are many, slow, silent, rude, or strangers. */
#include "unit/control/lab.h"

#include <grp.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "control/server.h"

#define REOPEN "{\"verb\":\"reopen\"}\n"
#define END "{\"end\":true}\n"
#define NOBODY 65534
#define LANES 40000	/* an answer of some megabytes, more than sockets hold */

struct served {
	struct lab lab;
	struct dispatch engine;
	struct control *control;
};

static void open_control(struct served *s, const char *group)
{
	struct pb_error err;
	error_init(&err);
	*s = (struct served){ .engine.reason = "" };
	lab_begin(&s->lab);
	s->control = control_open(s->lab.path, group, &s->engine, &err);
	if (s->control == NULL)
		fail_msg("%s", error_text(&err));
}

/* Serve with this limit; 0: the usual. */
static void serve(struct served *s, int64_t timeout_ms)
{
	open_control(s, NULL);
	if (timeout_ms > 0)
		control_set_timeout(s->control, timeout_ms);
	assert_int_equal(control_start(s->control), 0);
}

static void serve_end(struct served *s)
{
	control_close(s->control);
	assert_int_equal(access(s->lab.path, F_OK), -1);
	lab_end(&s->lab);
}

static void send_text(int fd, const char *text)
{
	lab_send(fd, text, strlen(text));
}

static void expect_line(int fd, const char *expected)
{
	char line[1024];
	lab_read(fd, line, sizeof line, 1);
	if (strstr(line, expected) == NULL)
		fail_msg("\"%s\" lacks \"%s\"", line, expected);
}

/* It still serves a new client. */
static void expect_alive(struct served *s)
{
	int fd = lab_connect(&s->lab);
	send_text(fd, REOPEN);
	expect_line(fd, END);
	close(fd);
}

static void a_client_asks_again_and_again(void **state)
{
	(void)state;
	struct served s;
	serve(&s, 0);
	int fd = lab_connect(&s.lab);
	send_text(fd, REOPEN);
	expect_line(fd, END);
	send_text(fd, "{\"verb\":\"no\"}\n");
	expect_line(fd, "\"code\":\"usage\"");
	/* in pieces, and several at once */
	for (const char *c = REOPEN; *c != '\0'; c++)
		lab_send(fd, c, 1);
	expect_line(fd, END);
	send_text(fd, REOPEN REOPEN "\n" REOPEN "{\"verb\":\"reo");
	expect_line(fd, END);
	expect_line(fd, END);
	expect_line(fd, "\"code\":\"usage\"");
	expect_line(fd, END);
	send_text(fd, "pen\"}\n");
	/* done asking, not yet done listening */
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	expect_line(fd, END);
	lab_expect_end(fd);
	close(fd);
	assert_int_equal(atomic_load(&s.engine.reopened), 6);
	serve_end(&s);
}

static void a_request_has_its_limit(void **state)
{
	(void)state;
	struct served s;
	char *request = xcalloc(CONTROL_REQUEST_MAX + 1, 1);
	serve(&s, 0);

	/* the longest there may be */
	int fd = lab_connect(&s.lab);
	memset(request, ' ', CONTROL_REQUEST_MAX);
	memcpy(request, REOPEN, strlen(REOPEN) - 1);
	request[CONTROL_REQUEST_MAX - 1] = '\n';
	lab_send(fd, request, CONTROL_REQUEST_MAX);
	expect_line(fd, END);

	request[CONTROL_REQUEST_MAX - 1] = ' ';
	lab_send(fd, request, CONTROL_REQUEST_MAX);
	expect_line(fd, "at most 65536 bytes");
	lab_expect_end(fd);
	close(fd);
	assert_int_equal(atomic_load(&s.engine.reopened), 1);

	/* one that never ends is heard no longer than that */
	fd = lab_connect(&s.lab);
	for (int i = 0; i < 100; i++)
		lab_send(fd, request, CONTROL_REQUEST_MAX);
	expect_line(fd, "at most 65536 bytes");
	close(fd);
	expect_alive(&s);
	free(request);
	serve_end(&s);
}

static void rude_clients_do_no_harm(void **state)
{
	(void)state;
	static const struct {
		const char *sent;
		size_t len;
	} cases[] = {
		{ "", 0 }, { "{\"verb\":\"reo", 12 }, { "\0\0\0\0", 4 }, { "\xff\xfe\n", 3 },
		{ "\n\n\n\n\n\n\n\n", 8 }, { REOPEN REOPEN REOPEN, 3 * (sizeof REOPEN - 1) },
		{ "{\"verb\":\"status\"}\n{\"verb\":\"status\"}\n", 36 },
	};
	struct served s;
	serve(&s, 0);
	s.engine.lanes = LANES;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int fd = lab_connect(&s.lab);
		lab_send(fd, cases[i].sent, cases[i].len);
		close(fd);	/* without reading a byte */
		expect_alive(&s);
	}
	int fd = lab_connect(&s.lab);
	lab_send(fd, "\0\0\n", 3);
	expect_line(fd, "\"code\":\"usage\"");
	close(fd);
	serve_end(&s);
}

static void silence_has_its_limit(void **state)
{
	(void)state;
	static const char *const sent[] = { "", "{\"verb\":", REOPEN };
	struct served s;
	serve(&s, 500);
	for (size_t i = 0; i < 3; i++) {
		int fd = lab_connect(&s.lab);
		send_text(fd, sent[i]);
		if (strcmp(sent[i], REOPEN) == 0)
			expect_line(fd, END);
		expect_line(fd, "no request came within 500 ms");
		lab_expect_end(fd);
		close(fd);
	}
	serve_end(&s);
}

static void an_answer_must_be_taken(void **state)
{
	(void)state;
	struct served s;
	serve(&s, 200);
	s.engine.lanes = LANES;
	int fd = lab_connect(&s.lab);
	send_text(fd, "{\"verb\":\"status\"}\n");
	/* It is hung up on: only then does poll() say so without a byte being read. */
	struct pollfd polled = { .fd = fd, .events = POLLRDHUP };
	assert_int_equal(poll(&polled, 1, PATIENCE_MS), 1);
	close(fd);
	serve_end(&s);
}

static void a_large_answer_comes_whole(void **state)
{
	(void)state;
	struct served s;
	size_t size = LANES * 512, lines = 0;
	char *all = xcalloc(size, 1);
	serve(&s, 0);
	s.engine.lanes = LANES;
	int fd = lab_connect(&s.lab), other = lab_connect(&s.lab);
	send_text(fd, "{\"verb\":\"status\"}\n");
	expect_line(fd, "\"daemon\"");
	send_text(other, REOPEN);	/* others need not wait for its end */
	expect_line(other, END);
	size_t len = 0;
	while (len < sizeof END || memcmp(all + len - strlen(END), END, strlen(END)) != 0) {
		struct pollfd polled = { .fd = fd, .events = POLLIN };
		assert_int_equal(poll(&polled, 1, PATIENCE_MS), 1);
		ssize_t n = recv(fd, all + len, size - len, 0);
		assert_true(n > 0);
		len += (size_t)n;
	}
	for (size_t i = 0; i < len; i++)
		lines += all[i] == '\n';
	assert_int_equal(lines, LANES + 2);
	close(fd);
	close(other);
	free(all);
	serve_end(&s);
}

static void connections_have_their_limit(void **state)
{
	(void)state;
	struct served s;
	int fds[CONTROL_CONNECTIONS];
	serve(&s, 0);
	for (int i = 0; i < CONTROL_CONNECTIONS; i++)
		fds[i] = lab_connect(&s.lab);
	int more = lab_connect(&s.lab);
	expect_line(more, "too many others are asking");
	lab_expect_end(more);
	close(more);
	for (int i = 0; i < CONTROL_CONNECTIONS; i++) {
		send_text(fds[i], REOPEN);
		expect_line(fds[i], END);
	}
	/* Whoever leaves makes room, at once: it is seen before who comes next. */
	close(fds[7]);
	fds[7] = lab_connect(&s.lab);
	send_text(fds[7], REOPEN);
	expect_line(fds[7], END);
	for (int i = 0; i < CONTROL_CONNECTIONS; i++)
		close(fds[i]);
	serve_end(&s);
}

/* Let the process have no descriptor more than it has. */
static void forbid_descriptors(struct rlimit *before)
{
	int next = dup(0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, before), 0);
	struct rlimit none = { .rlim_cur = (rlim_t)next, .rlim_max = before->rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
}

static void it_outlives_a_lack_of_descriptors(void **state)
{
	(void)state;
	struct served s;
	struct rlimit before;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	serve(&s, 0);
	snprintf(addr.sun_path, sizeof addr.sun_path, "%.100s", s.lab.path);
	int first = lab_connect(&s.lab), second = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	send_text(first, REOPEN);
	expect_line(first, END);
	forbid_descriptors(&before);
	assert_int_equal(connect(second, (struct sockaddr *)&addr, sizeof addr), 0);
	/* who is there is served; by the second answer the server has tried to accept */
	for (int i = 0; i < 2; i++) {
		send_text(first, REOPEN);
		expect_line(first, END);
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	send_text(second, REOPEN);
	expect_line(second, END);
	close(first);
	close(second);
	serve_end(&s);
}

static void stopping_hangs_up(void **state)
{
	(void)state;
	struct served s;
	serve(&s, 0);
	int idle = lab_connect(&s.lab), half = lab_connect(&s.lab);
	send_text(half, "{\"verb\"");
	expect_alive(&s);
	serve_end(&s);
	lab_expect_end(idle);
	lab_expect_end(half);
	close(idle);
	close(half);

	open_control(&s, "");	/* never started */
	serve_end(&s);
	control_close(NULL);
}

static void opening_can_fail(void **state)
{
	(void)state;
	struct served s;
	struct pb_error err;
	open_control(&s, NULL);
	error_init(&err);
	assert_null(control_open(s.lab.path, NULL, &s.engine, &err));
	assert_non_null(strstr(error_text(&err), "another daemon answers there"));
	error_free(&err);
	assert_null(control_open("/nonexistent/control.sock", NULL, &s.engine, &err));
	assert_non_null(strstr(error_text(&err), "/nonexistent/control.sock"));
	error_free(&err);
	assert_null(control_open(s.lab.path, "no such group", &s.engine, &err));
	assert_string_equal(err.first->option, "control_group");
	assert_non_null(strstr(error_text(&err), "there is no group no such group"));
	error_free(&err);
	serve_end(&s);
}

/* In a child: become someone, ask, and tell by the exit status. */
enum { ALLOWED, REFUSED, NO_ANSWER };

static int ask_as(const char *path, gid_t first, gid_t further)
{
	char line[256] = "";
	if (setgroups(1, &further) != 0 || setgid(first) != 0 || setuid(NOBODY) != 0)
		return NO_ANSWER;
	int fd = socket_connect(path);
	if (fd < 0)
		return NO_ANSWER;
	(void)!send(fd, REOPEN, strlen(REOPEN), MSG_NOSIGNAL);	/* may be hung up on already */
	struct pollfd polled = { .fd = fd, .events = POLLIN };
	if (poll(&polled, 1, PATIENCE_MS) != 1 || recv(fd, line, sizeof line - 1, 0) <= 0)
		return NO_ANSWER;
	if (strcmp(line, END) == 0)
		return ALLOWED;
	return strstr(line, "\"code\":\"denied\"") != NULL ? REFUSED : NO_ANSWER;
}

static void strangers_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *group;
		gid_t first, further;
		int expected;
	} cases[] = {
		{ NULL, NOBODY, NOBODY, REFUSED },
		{ NULL, 0, 0, REFUSED },		/* the group of the file is not the rule */
		{ "daemon", NOBODY, NOBODY, REFUSED },
		{ "daemon", NOBODY, 0, REFUSED },
		{ "daemon", 1, NOBODY, ALLOWED },
		{ "daemon", NOBODY, 1, ALLOWED },
	};
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct served s;
		int status;
		open_control(&s, cases[i].group);
		assert_int_equal(chmod(s.lab.folder, 0755), 0);
		assert_int_equal(chmod(s.lab.path, 0666), 0);
		/* a child of many threads may do little: it is made before the server's */
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0)
			_exit(ask_as(s.lab.path, cases[i].first, cases[i].further));
		assert_int_equal(control_start(s.control), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), cases[i].expected);
		assert_int_equal(atomic_load(&s.engine.reopened), cases[i].expected == ALLOWED);
		expect_alive(&s);
		serve_end(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_asks_again_and_again),
		cmocka_unit_test(a_request_has_its_limit),
		cmocka_unit_test(rude_clients_do_no_harm),
		cmocka_unit_test(silence_has_its_limit),
		cmocka_unit_test(an_answer_must_be_taken),
		cmocka_unit_test(a_large_answer_comes_whole),
		cmocka_unit_test(connections_have_their_limit),
		cmocka_unit_test(it_outlives_a_lack_of_descriptors),
		cmocka_unit_test(stopping_hangs_up),
		cmocka_unit_test(opening_can_fail),
		cmocka_unit_test(strangers_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
