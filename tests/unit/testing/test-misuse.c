/* What a plugin, or a test, must not do ends the program with one line that says it. */
#include "unit/testing/tool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define NONE ((struct pb_span){ NULL, 0 })

static struct pb_event *make(struct tool *t)
{
	struct pb_event *ev = pb_event_new(t->self, (struct pb_span){ "x", 1 });
	pb_event_set(ev, "type", "t");
	return ev;
}

/*** Sinks. ***/

static void answer_twice(struct tool *t, struct pb_delivery *const d[], size_t n)
{
	(void)t;
	(void)n;
	pb_answer(d[0], PB_OK, 0, NONE, NULL);
	pb_answer(d[0], PB_RETRY, 0, NONE, NULL);
}

static void answer_two_lines(struct tool *t, struct pb_delivery *const d[], size_t n)
{
	(void)t;
	(void)n;
	pb_answer(d[0], PB_REJECT, 0, NONE, "one\ntwo");
}

static void answer_code(struct tool *t, struct pb_delivery *const d[], size_t n)
{
	(void)t;
	(void)n;
	pb_answer(d[0], (enum pb_code)9, 0, NONE, NULL);
}

static void answer_past_a_retry(struct tool *t, struct pb_delivery *const d[], size_t n)
{
	(void)t;
	for (size_t i = 0; i < n; i++)
		pb_answer(d[i], i == 1 ? PB_RETRY : PB_OK, 0, NONE, NULL);
}

static struct pb_delivery *kept;

static void answer_next_time(struct tool *t, struct pb_delivery *const d[], size_t n)
{
	(void)t;
	(void)n;
	if (kept != NULL)
		pb_answer(kept, PB_OK, 0, NONE, NULL);
	kept = d[0];
}

static void look_again(struct tool *t, struct pb_delivery *const d[], size_t n)
{
	(void)t;
	(void)n;
	pb_answer(d[0], PB_OK, 0, NONE, NULL);
	pb_delivery_event(d[0]);
}

static void ask_unknown(struct tool *t, struct pb_delivery *const d[], size_t n)
{
	(void)d;
	(void)n;
	pb_str(t->self, "colour");
}

static void ask_wrong_type(struct tool *t, struct pb_delivery *const d[], size_t n)
{
	(void)d;
	(void)n;
	pb_str(t->self, "size");
}

static void emit_in_a_sink(struct tool *t, struct pb_delivery *const d[], size_t n)
{
	(void)d;
	(void)n;
	pb_emit(t->self, NULL, 0, NULL, NULL);
}

static void pass_in_a_sink(struct tool *t, struct pb_delivery *const d[], size_t n)
{
	(void)d;
	(void)n;
	pb_pass(t->self, make(t));
}

static void listen_late(struct tool *t, struct pb_delivery *const d[], size_t n)
{
	(void)d;
	(void)n;
	pb_listen(t->self, "listen", 0, NULL);
}

static void free_twice(struct tool *t, struct pb_delivery *const d[], size_t n)
{
	struct pb_event *ev = make(t);
	(void)d;
	(void)n;
	pb_event_free(ev);
	pb_event_free(ev);
}

/*** Filters. ***/

static int pass_twice(struct tool *t, struct pb_event *ev, struct pb_error *err)
{
	(void)err;
	pb_pass(t->self, ev);
	pb_pass(t->self, ev);
	return 0;
}

static int free_own(struct tool *t, struct pb_event *ev, struct pb_error *err)
{
	(void)t;
	(void)err;
	pb_event_free(ev);
	return 0;
}

static int change_passed(struct tool *t, struct pb_event *ev, struct pb_error *err)
{
	(void)err;
	pb_pass(t->self, ev);
	return pb_event_set(ev, "type", "late");
}

static void *pass_it(void *arg)
{
	struct tool *t = arg;
	pb_pass(t->self, make(t));
	return NULL;
}

static int pass_elsewhere(struct tool *t, struct pb_event *ev, struct pb_error *err)
{
	pthread_t thread;
	(void)ev;
	(void)err;
	pthread_create(&thread, NULL, pass_it, t);
	pthread_join(thread, NULL);
	return 0;
}

/*** Sources. ***/

static int emit_and_wait(struct tool *t)
{
	tool_emit(t, "x", NULL);
	return tool_wait(t);
}

static void wait_in_settled(struct tool *t, void *token, const struct pb_receipt *receipt)
{
	(void)token;
	(void)receipt;
	pb_wait(t->self, -1, 0);
}

static void commit_in_settled(struct tool *t, void *token, const struct pb_receipt *receipt)
{
	(void)token;
	(void)receipt;
	pb_commit(t->self);
}

static int emit_twice(struct tool *t)
{
	struct pb_event *ev = make(t);
	pb_emit(t->self, &ev, 1, NULL, NULL);
	pb_emit(t->self, &ev, 1, NULL, NULL);
	return 0;
}

static int emit_untyped(struct tool *t)
{
	struct pb_event *ev = pb_event_new(t->self, (struct pb_span){ "x", 1 });
	pb_emit(t->self, &ev, 1, NULL, NULL);
	return 0;
}

static void *emit_it(void *arg)
{
	tool_emit(arg, "x", NULL);
	return NULL;
}

static int emit_elsewhere(struct tool *t)
{
	pthread_t thread;
	pthread_create(&thread, NULL, emit_it, t);
	pthread_join(thread, NULL);
	return 0;
}

static int log_oddly(struct tool *t)
{
	pb_log(t->self, (enum pb_level)9, "x");
	return 0;
}

/*** Opening. ***/

static bool open_and_complain(struct tool *t, struct pb_error *err)
{
	(void)t;
	pb_error(err, "size", "no");
	return true;
}

static bool open_metric(struct tool *t, struct pb_error *err)
{
	(void)err;
	pb_counter(t->self, "unhelpful", "");
	return true;
}

static bool open_bad_metric(struct tool *t, struct pb_error *err)
{
	(void)err;
	pb_counter(t->self, "Not-Good", "Its name is none.");
	return true;
}

static void check_emits(struct pb_self *self, struct pb_error *err)
{
	(void)err;
	pb_emit(self, NULL, 0, NULL, NULL);
}

/*** The test's own. ***/

static const struct pb_plugin *chosen;

static void send_too_many(struct pbt_host *host)
{
	struct pb_delivery *d[4];
	struct pbt_instance *in = pbt_open(host, "[sink s]\nmax_batch = 3");
	for (int i = 0; i < 4; i++)
		d[i] = pbt_delivery(in, pbt_event(host, "x", 1, NULL));
	pbt_send(in, d, 4);
}

static void send_again(struct pbt_host *host)
{
	struct pbt_instance *in = pbt_open(host, "[sink s]");
	struct pb_delivery *d = pbt_delivery(in, pbt_event(host, "x", 1, NULL));
	pbt_send(in, &d, 1);
	pbt_send(in, &d, 1);
}

static void start_a_sink(struct pbt_host *host)
{
	pbt_start(pbt_open(host, "[sink s]"));
}

static void open_two(struct pbt_host *host)
{
	pbt_open(host, "[sink s]\n[sink t]");
}

static void open_route(struct pbt_host *host)
{
	pbt_open(host, "[route r]\nto = s");
}

static const struct {
	const char *ini;		/* opened, and its plugin set to work */
	struct tool_hooks hooks;
	void (*test)(struct pbt_host *);	/* or this */
	const char *line;
} cases[] = {
	{ "[sink s]", { .write = answer_twice }, NULL,
	  "[sink s] answered one delivery twice: code 1, and now 2\n" },
	{ "[sink s]", { .write = answer_two_lines }, NULL,
	  "[sink s] gave a reason that is more than one line: one\n" },
	{ "[sink s]", { .write = answer_code }, NULL, "[sink s] answered with code 9, which is none\n" },
	{ "[sink s]", { .write = answer_past_a_retry }, NULL,
	  "[sink s] in strict order: answered number 3 of a batch with code 1, though number 2 is "
	  "neither ok nor rejected\n" },
	{ "[sink s]", { .write = answer_next_time }, NULL,
	  "[sink s] answered a delivery after write() had returned\n" },
	{ "[sink s]", { .write = look_again }, NULL,
	  "[sink s] called pb_delivery_event() of a delivery that it has answered\n" },
	{ "[sink s]", { .write = ask_unknown }, NULL,
	  " error option colour was asked for, which is in no table\n" },
	{ "[sink s]", { .write = ask_wrong_type }, NULL,
	  " error option size was asked for, which is of another type\n" },
	{ "[sink s]", { .write = emit_in_a_sink }, NULL,
	  "[sink s] called pb_emit(), which is for a source's run()\n" },
	{ "[sink s]", { .write = pass_in_a_sink }, NULL,
	  "[sink s] called pb_pass() outside apply()\n" },
	{ "[sink s]", { .write = listen_late }, NULL, "[sink s] called pb_listen() outside open()\n" },
	{ "[sink s]", { .write = free_twice }, NULL,
	  "pb_event_free(): an event that was handed over or freed before\n" },
	{ "[filter f]", { .apply = pass_twice }, NULL,
	  "[filter f] pb_pass(): an event that was handed over or freed before\n" },
	{ "[filter f]", { .apply = free_own }, NULL,
	  "pb_event_free(): the event that apply() was given, which the core frees\n" },
	{ "[filter f]", { .apply = change_passed }, NULL,
	  "pb_event_set(): an event that was handed over or freed before\n" },
	{ "[filter f]", { .apply = pass_elsewhere }, NULL,
	  "[filter f] called pb_pass() outside apply()\n" },
	{ "[source s]", { .run = emit_and_wait, .settled = wait_in_settled }, NULL,
	  "[source s] called pb_wait() in settled()\n" },
	{ "[source s]", { .run = emit_and_wait, .settled = commit_in_settled }, NULL,
	  "[source s] called pb_commit() in settled()\n" },
	{ "[source s]", { .run = emit_twice }, NULL,
	  "[source s] pb_emit(): an event that was handed over or freed before\n" },
	{ "[source s]", { .run = emit_untyped }, NULL, "[source s] emits an event without a type\n" },
	{ "[source s]", { .run = emit_elsewhere }, NULL,
	  "[source s] called pb_emit() outside run()'s thread\n" },
	{ "[source s]", { .run = log_oddly }, NULL, "[source s] logs with level 9, which is none\n" },
	{ "[source s]", { .open = open_and_complain }, NULL,
	  "[source s] open() returned a state after pb_error(): no\n" },
	{ "[source s]", { .open = open_metric }, NULL, "[source s] metric unhelpful has no help\n" },
	{ "[source s]", { .open = open_bad_metric }, NULL,
	  "[source s] metric \"Not-Good\": a name is lower_case_with_underscores\n" },
	{ "[source s]", { .check = check_emits }, NULL,
	  "[source s] called pb_emit(), which is for a source's run()\n" },
	{ NULL, { 0 }, send_too_many, "[sink s] pbt_send() of 4 at once; its max_batch is 3\n" },
	{ NULL, { 0 }, send_again, "[sink s] pbt_send() of a delivery that was handed over before\n" },
	{ NULL, { 0 }, start_a_sink, "[sink s] pbt_start() is for a source\n" },
	{ NULL, { 0 }, open_two, "pbt_open() of 2 sections; expected one\n" },
	{ NULL, { 0 }, open_route, "pbt_open() of [route r]; expected a source, filter or sink\n" },
};

/* Three events to a sink, twice; one to a filter; a source's run(). */
static void work(struct pbt_host *host, struct pbt_instance *in, const char *ini)
{
	if (strncmp(ini, "[source", 7) == 0) {
		pbt_start(in);
		if (!pbt_wait_ended(in, PBT_LONG, NULL))
			return;
	} else if (strncmp(ini, "[filter", 7) == 0) {
		pbt_apply(in, pbt_event(host, "x", 1, NULL));
	}
	for (int i = 0; i < 2 && strncmp(ini, "[sink", 5) == 0; i++) {
		struct pb_delivery *d[3];
		for (int k = 0; k < 3; k++)
			d[k] = pbt_delivery(in, pbt_event(host, "x", 1, NULL));
		pbt_send(in, d, 3);
	}
}

/* The child's: what goes wrong in it goes to `to`. */
static void misuse_it(size_t i, int to)
{
	dup2(to, STDERR_FILENO);
	tool_hooks = cases[i].hooks;
	struct pbt_host *host = pbt_new(chosen);
	if (cases[i].test != NULL)
		cases[i].test(host);
	else
		work(host, pbt_open(host, "%s", cases[i].ini), cases[i].ini);
	_exit(0);
}

/* Call `child` in a process of its own; what it says on standard error, and how it ended. */
static int said(void (*child)(size_t i, int to), size_t i, char *text, size_t size)
{
	int ends[2], status;
	size_t len = 0;
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0)
		child(i, ends[1]);
	close(ends[1]);
	for (ssize_t n; (n = read(ends[0], text + len, size - 1 - len)) > 0; )
		len += (size_t)n;
	text[len] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void misuse_ends_the_program_with_a_line(void **state)
{
	(void)state;
	chosen = &tool_plugin;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[4096];
		int status = said(misuse_it, i, text, sizeof text);
		size_t len = strlen(cases[i].line), all = strlen(text);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
			fail_msg("%zu ended with %d, not by abort(): %s", i, status, text);
		if (all < len || strcmp(text + all - len, cases[i].line) != 0 ||
		    strchr(text, '\n') != text + all - 1)
			fail_msg("%zu said %s instead of %s", i, text, cases[i].line);
	}
}

static struct pb_plugin wrong_abi, no_kind;

static void load_wrong(size_t i, int to)
{
	dup2(to, STDERR_FILENO);
	_exit(pbt_new(i == 0 ? &wrong_abi : &no_kind) == NULL);
}

static void a_descriptor_is_checked(void **state)
{
	static const char *const lines[] = {
		"patchbay-testing: plugin tool is made for ABI 99.0; this patchbay has ",
		"patchbay-testing: plugin tool: it is neither source, filter nor sink\n",
	};
	(void)state;
	wrong_abi = no_kind = tool_plugin;
	wrong_abi.abi_major = 99;
	no_kind.source = NULL;
	no_kind.filter = NULL;
	no_kind.sink = NULL;
	for (size_t i = 0; i < 2; i++) {
		char text[4096];
		int status = said(load_wrong, i, text, sizeof text);
		assert_true(WIFSIGNALED(status));
		text[strlen(lines[i])] = '\0';
		assert_string_equal(text, lines[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(misuse_ends_the_program_with_a_line),
		cmocka_unit_test(a_descriptor_is_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
