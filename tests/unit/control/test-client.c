/* test-client.c - whatever answers, the client ends, and says how. */
#include "unit/control/lab.h"

#include <pthread.h>

#include "control/client.h"
#include "control/server.h"

/* A daemon that says `answer` to whatever it is asked, and hangs up. */
struct script {
	struct lab lab;
	struct socket_file file;
	const char *answer;
	char asked[256];
	pthread_t thread;
};

static void *play(void *arg)
{
	struct script *s = arg;
	struct pollfd polled = { .fd = s->file.fd, .events = POLLIN };
	poll(&polled, 1, PATIENCE_MS);
	int fd = accept(s->file.fd, NULL, NULL);
	lab_read(fd, s->asked, sizeof s->asked, 1);
	lab_send(fd, s->answer, strlen(s->answer));
	close(fd);
	return NULL;
}

static void play_begin(struct script *s, const char *answer)
{
	struct pb_error err;
	error_init(&err);
	*s = (struct script){ .answer = answer };
	lab_begin(&s->lab);
	assert_int_equal(socket_listen(&s->file, s->lab.path, SOCKET_NO_GROUP, &err), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, play, s), 0);
}

static void play_end(struct script *s)
{
	pthread_join(s->thread, NULL);
	socket_close(&s->file, s->lab.path);
	lab_end(&s->lab);
}

static void count_object(void *arg, const json_t *object)
{
	assert_true(json_is_object(object));
	++*(int *)arg;
}

static void expect(const char *path, json_t *args, enum client_result result, int objects,
		   const char *error)
{
	struct pb_error err;
	int n = 0;
	error_init(&err);
	assert_int_equal(client_ask(path, "status", args, count_object, &n, &err), result);
	assert_int_equal(n, objects);
	if (strstr(error_text(&err), error) == NULL || (*error == '\0') != (err.count == 0))
		fail_msg("\"%s\" lacks \"%s\"", error_text(&err), error);
	error_free(&err);
}

#define UNEXPECTED "the daemon hung up before the end of its answer"
#define NO_JSON "the daemon answers with what is no JSON object"

static void answers_are_understood(void **state)
{
	(void)state;
	static const struct {
		const char *answer;
		enum client_result result;
		int objects;
		const char *error;
	} cases[] = {
		{ "{\"end\":true}\n", CLIENT_DONE, 0, "" },
		{ "{\"a\":1}\n{\"end\":false}\n{\"end\":true}\n", CLIENT_DONE, 2, "" },
		{ "{\"end\":true}\n{\"a\":1}\nxyz\n", CLIENT_DONE, 0, "" },
		{ "", CLIENT_FAILED, 0, UNEXPECTED },
		{ "{\"a\":1}\n", CLIENT_FAILED, 1, UNEXPECTED },
		{ "{\"end\":true}", CLIENT_FAILED, 0, UNEXPECTED },
		{ "\n", CLIENT_FAILED, 0, NO_JSON },
		{ "{\"a\":1}\nHTTP/1.1 400\r\n", CLIENT_FAILED, 1, NO_JSON },
		{ "[]\n", CLIENT_FAILED, 0, NO_JSON },
		{ "{\"error\":\"no\",\"code\":\"denied\"}\n", CLIENT_DENIED, 0, "no" },
		{ "{\"a\":1}\n{\"error\":\"no\",\"code\":\"failed\"}\n", CLIENT_FAILED, 1, "no" },
		{ "{\"error\":\"no\",\"code\":\"usage\"}\n", CLIENT_USAGE, 0, "no" },
		{ "{\"error\":\"no\",\"code\":\"later\"}\n", CLIENT_FAILED, 0, "no" },
		{ "{\"error\":\"no\"}\n", CLIENT_FAILED, 0, "no" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct script s;
		play_begin(&s, cases[i].answer);
		expect(s.lab.path, NULL, cases[i].result, cases[i].objects, cases[i].error);
		play_end(&s);
		assert_string_equal(s.asked, "{\"verb\":\"status\"}\n");
	}
}

static void arguments_are_sent(void **state)
{
	(void)state;
	struct script s;
	json_t *args = json_pack("{s:s}", "sink", "a\nb");
	play_begin(&s, "{\"end\":true}\n");
	expect(s.lab.path, args, CLIENT_DONE, 0, "");
	play_end(&s);
	assert_string_equal(s.asked, "{\"verb\":\"status\",\"args\":{\"sink\":\"a\\nb\"}}\n");
	json_decref(args);
}

static void a_line_has_its_limit(void **state)
{
	(void)state;
	struct script s;
	size_t len = 3 * CLIENT_LINE_MAX;
	char *line = xcalloc(len + 1, 1);
	memset(line, ' ', len);
	play_begin(&s, line);
	expect(s.lab.path, NULL, CLIENT_FAILED, 0, "the daemon answers with a line that is too long");
	play_end(&s);
	free(line);
}

static void no_daemon_is_told_from_no_permission(void **state)
{
	(void)state;
	struct lab lab;
	struct socket_file file;
	struct pb_error err;
	error_init(&err);
	lab_begin(&lab);
	expect(lab.path, NULL, CLIENT_NO_DAEMON, 0, "there is no such socket");
	assert_int_equal(socket_listen(&file, lab.path, SOCKET_NO_GROUP, &err), 0);
	if (geteuid() == 0) {
		assert_int_equal(seteuid(65534), 0);
		expect(lab.path, NULL, CLIENT_DENIED, 0, "not permitted to use");
		assert_int_equal(seteuid(0), 0);
	}
	close(file.fd);		/* as if killed: the file stays */
	expect(lab.path, NULL, CLIENT_NO_DAEMON, 0, "it is not running");
	lab_end(&lab);
}

static void the_real_server_is_understood(void **state)
{
	(void)state;
	struct lab lab;
	struct dispatch engine = { .lanes = 5000, .reason = "" };
	struct pb_error err;
	error_init(&err);
	lab_begin(&lab);
	struct control *control = control_open(lab.path, NULL, &engine, &err);
	assert_non_null(control);
	assert_int_equal(control_start(control), 0);
	expect(lab.path, NULL, CLIENT_DONE, 5002, "");
	control_close(control);
	expect(lab.path, NULL, CLIENT_NO_DAEMON, 0, "there is no such socket");
	lab_end(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_understood),
		cmocka_unit_test(arguments_are_sent),
		cmocka_unit_test(a_line_has_its_limit),
		cmocka_unit_test(no_daemon_is_told_from_no_permission),
		cmocka_unit_test(the_real_server_is_understood),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
