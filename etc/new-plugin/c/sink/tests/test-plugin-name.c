/* What plugin-name sends, and what it makes of each answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <patchbay/testing.h>

extern const struct pb_plugin patchbay_plugin;

#define LINE_MAX_BYTES 1000

/* The program that answers, on a thread of its own: its answers are known before. */
struct receiver {
	const char *const *answers;	/* one a line; NULL: it hangs up */
	int listener;
	pthread_t thread;
	char lines[8][LINE_MAX_BYTES];
	size_t n;
};

struct bench {
	struct pbt_host *host;
	char folder[80], path[100];
	struct receiver receiver;
};

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof *b);
	if (b == NULL)
		return -1;
	*state = b;
	snprintf(b->folder, sizeof b->folder, "/tmp/test-plugin-name-XXXXXX");
	if (mkdtemp(b->folder) == NULL)
		return -1;
	snprintf(b->path, sizeof b->path, "%s/socket", b->folder);
	b->host = pbt_new(&patchbay_plugin);
	return 0;
}

/* The test fails when the plugin has left something behind. */
static int tear_down(void **state)
{
	struct bench *b = *state;
	int left = pbt_free(b->host);
	unlink(b->path);
	rmdir(b->folder);
	free(b);
	return left;
}

/* Answer the lines of one connection; false at the end of the answers. */
static int serve(struct receiver *r, int fd)
{
	FILE *in = fdopen(fd, "r");
	int more = 1;
	while (more && r->n < 8 && fgets(r->lines[r->n], LINE_MAX_BYTES, in) != NULL) {
		const char *answer = r->answers[r->n++];
		more = answer != NULL && dprintf(fd, "%s\n", answer) > 0;
	}
	fclose(in);
	return more;
}

static void *receiver_run(void *arg)
{
	struct receiver *r = arg;
	int fd;
	while ((fd = accept(r->listener, NULL, NULL)) >= 0)
		serve(r, fd);
	return NULL;
}

static int listener_at(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void receiver_start(struct bench *b, const char *const answers[])
{
	struct receiver *r = &b->receiver;
	*r = (struct receiver){ .answers = answers, .listener = listener_at(b->path) };
	assert_int_equal(pthread_create(&r->thread, NULL, receiver_run, r), 0);
}

/* Closes the sink first, so that the receiver's connection ends. */
static void receiver_stop(struct bench *b, struct pbt_instance *sink)
{
	pbt_close(sink);
	shutdown(b->receiver.listener, SHUT_RDWR);
	pthread_join(b->receiver.thread, NULL);
	close(b->receiver.listener);
	unlink(b->path);
}

static struct pbt_instance *sink(const struct bench *b, const char *more)
{
	struct pbt_instance *in = pbt_open(b->host, "[sink s]\npath = %s\n%s", b->path, more);
	if (in == NULL)
		fail_msg("%s", pbt_errors(b->host));
	return in;
}

static struct pb_event *event(const struct bench *b, const char *body)
{
	static const char *const attributes[] = { "id = 7", NULL };
	return pbt_event(b->host, body, strlen(body), attributes);
}

static void each_answer_means_what_it_says(void **state)
{
	static const struct {
		const char *said;
		enum pb_code code;
		int64_t after;
		const char *reason;
	} cases[] = {
		{ "ok", PB_OK, 0, "taken" },
		{ "no such customer", PB_REJECT, 0, "refused: such customer" },
		{ "later 90", PB_RETRY, 90000, "not now" },
		{ "later or never", PB_RETRY, 0, "not now" },
		{ "gone", PB_GONE, 0, "it does not come back" },
		{ "okay", PB_RETRY, 0, "answered neither ok, later, no nor gone" },
		{ NULL, PB_RETRY, 0, "no answer: Connection reset by peer" },
	};
	struct bench *b = *state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		receiver_start(b, &cases[i].said);
		struct pbt_instance *in = sink(b, "");
		struct pbt_answer answer = pbt_deliver(in, event(b, "{}"));
		assert_int_equal(answer.code, cases[i].code);
		assert_int_equal(answer.after, cases[i].after);
		assert_string_equal(answer.reason, cases[i].reason);
		receiver_stop(b, in);
	}
}

static void an_event_is_a_line(void **state)
{
	static const char *const answers[] = { "ok", "ok" };
	struct bench *b = *state;
	receiver_start(b, answers);
	struct pbt_instance *in = sink(b, "format = body");
	assert_int_equal(pbt_deliver(in, event(b, "{\"a\": 1}")).code, PB_OK);
	struct pbt_answer answer = pbt_deliver(in, event(b, "two\nlines"));
	assert_int_equal(answer.code, PB_REJECT);
	assert_string_equal(answer.reason, "a line break in the body");
	pbt_close(in);
	in = sink(b, "");
	assert_int_equal(pbt_deliver(in, event(b, "{\"a\":\n1}")).code, PB_OK);
	receiver_stop(b, in);
	assert_string_equal(b->receiver.lines[0], "{\"a\": 1}\n");
	assert_non_null(strstr(b->receiver.lines[1], "\"id\":\"7\""));
	assert_non_null(strstr(b->receiver.lines[1], "\"data\":{\"a\": 1}"));
}

/* What has to wait holds up what is behind it; what is refused does not. */
static void a_batch_keeps_its_order(void **state)
{
	static const char *const answers[] = { "ok", "no", "no way", "later 1" };
	static const enum pb_code codes[] = { PB_OK, PB_RETRY, PB_UNTRIED, PB_UNTRIED };
	struct bench *b = *state;
	struct pb_delivery *d[4], *again[3];
	receiver_start(b, answers);
	struct pbt_instance *in = sink(b, "max_batch = 4");
	for (size_t i = 0; i < 4; i++)
		d[i] = pbt_delivery(in, event(b, "{}"));
	pbt_send(in, d, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pbt_answer(d[i]).code, codes[i]);
	for (size_t i = 0; i < 3; i++)
		again[i] = pbt_delivery(in, event(b, "{}"));
	pbt_send(in, again, 3);
	assert_int_equal(pbt_answer(again[0]).code, PB_REJECT);
	assert_int_equal(pbt_answer(again[1]).code, PB_RETRY);
	assert_false(pbt_answer(again[2]).given);
	receiver_stop(b, in);
}

static void a_receiver_that_is_not_there_is_down(void **state)
{
	static const char *const answers[] = { "ok", "ok" };
	struct bench *b = *state;
	struct pbt_instance *in = sink(b, "");
	struct pbt_answer answer = pbt_deliver(in, event(b, "{}"));
	assert_int_equal(answer.code, PB_DOWN);
	assert_non_null(strstr(answer.reason, "No such file"));
	receiver_start(b, answers);
	assert_int_equal(pbt_deliver(in, event(b, "{}")).code, PB_OK);
	assert_int_equal(pbt_deliver(in, event(b, "{}")).code, PB_OK);
	receiver_stop(b, in);
}

/* Here nobody accepts: the kernel takes the line, and no answer comes. */
static void silence_ends_with_the_timeout(void **state)
{
	struct bench *b = *state;
	int listener = listener_at(b->path);
	struct pbt_answer answer = pbt_deliver(sink(b, "timeout = 20ms"), event(b, "{}"));
	assert_int_equal(answer.code, PB_RETRY);
	assert_string_equal(answer.reason, "no answer: Connection timed out");
	close(listener);
}

static void short_memory_is_no_reason_to_give_up(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = sink(b, "");
	pbt_fail_at(PBT_CLOUDEVENT, 1);
	assert_int_equal(pbt_deliver(in, event(b, "{}")).code, PB_RETRY);
}

static void what_is_wrong_is_refused_at_its_line(void **state)
{
	struct bench *b = *state;
	assert_null(pbt_open(b->host, "[sink s]\npath = /%0120d", 0));
	assert_string_equal(pbt_errors(b->host), "test.ini:2: [sink s] path: a socket's path has "
			    "less than 108 bytes\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_answer_means_what_it_says, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_event_is_a_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_batch_keeps_its_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_receiver_that_is_not_there_is_down,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(silence_ends_with_the_timeout, set_up, tear_down),
		cmocka_unit_test_setup_teardown(short_memory_is_no_reason_to_give_up,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_wrong_is_refused_at_its_line,
						set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
