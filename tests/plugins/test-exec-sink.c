/* exec as a sink: answers, order, what becomes of deliveries when a program dies, exit statuses. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/exec-bench.h"

#define N 5

/* A program that does with each delivery what its body says. */
#define LOOP								\
	"answer() { printf '%s\\n' '{\"answer\":{\"token\":'$token',\"code\":\"'$1'\"'\"$2\"'}}'; }\n" \
	"while read -r line; do\n"					\
	"case $line in *'\"deliver\"'*) ;; *'\"stop\"'*) exit 0;; *) echo \"$line\" >&2; continue;; esac\n" \
	"token=${line#*'\"token\":'}; token=${token%%,*}; body=${line#*'\"data\":'}; body=${body%\\}\\}\\}}\n" \
	"echo \"got $token $body\" >&2\n"				\
	"case $body in\n"
#define END "esac; done\n"
#define WORDS								\
	"'\"response\"') answer retry ',\"after\":5000,\"response\":\"busy\\n\",\"reason\":\"later\\r\\non\"';;\n" \
	"'\"base64\"') answer reject ',\"response_base64\":\"AP8=\",\"reason\":\"no\"';;\n" \
	"'\"die\"') exit 9;;\n'\"hang\"') ;;\n'\"twice\"') answer ok; answer ok;;\n" \
	"'\"unknown\"') token=77; answer ok;;\n'\"what\"') answer what;;\n" \
	"'\"raw\"') printf '{\"\\\\u0001\":{}}\\r\\n';;\n" \
	"*) body=${body#\\\"}; answer ${body%\\\"};;\n"

static struct pb_delivery *deliver(struct bench *b, struct pbt_instance *sink, const char *body)
{
	struct pb_delivery *d = pbt_delivery(sink, bench_event(b, body));
	pbt_send(sink, &d, 1);
	return d;
}

static void send_all(struct bench *b, struct pbt_instance *sink, const char *const bodies[], size_t n, struct pb_delivery *d[])
{
	for (size_t i = 0; i < n; i++)
		d[i] = pbt_delivery(sink, bench_event(b, bodies[i]));
	pbt_send(sink, d, n);
}

static void codes_are(struct pb_delivery *const d[], size_t n, const enum pb_code codes[])
{
	assert_true(pbt_wait(d, n, PBT_LONG));
	for (size_t i = 0; i < n; i++)
		assert_int_equal(pbt_answer(d[i]).code, codes[i]);
}

static void each_answer_is_given(void **state)
{
	static const char *const bodies[] = { "ok", "retry", "reject", "down", "gone", "untried" };
	static const enum pb_code codes[] = { PB_OK, PB_RETRY, PB_REJECT, PB_DOWN, PB_GONE, PB_UNTRIED };
	struct bench *b = *state;
	struct pb_delivery *d[COUNT(bodies)];
	struct pbt_instance *sink = bench_open(b, "sink s", READY LOOP WORDS END, "");
	send_all(b, sink, bodies, COUNT(bodies), d);
	codes_are(d, COUNT(bodies), codes);
	struct pbt_answer a = pbt_deliver(sink, bench_event(b, "response"));
	assert_int_equal(a.code, PB_RETRY);
	assert_int_equal(a.after, 5000);
	assert_string_equal(a.reason, "later  on");
	assert_int_equal(a.response.len, 5);
	a = pbt_deliver(sink, bench_event(b, "base64"));
	assert_int_equal(a.response.len, 2);
	assert_memory_equal(a.response.data, "\0\xff", 2);
	assert_true(pbt_logged(b->host, "got 6 \"untried\""));
	pbt_reopen(sink);
	assert_true(pbt_wait_logged(b->host, "{\"reopen\":{}}", PBT_LONG));
	assert_int_equal(pbt_metric(sink, "restarts"), 0);
}

static void the_event_is_a_cloudevent(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *sink = bench_open(b, "sink s", READY "read -r line; echo \"$line\" >&2\n"
		"printf '%s\\n' '{\"answer\":{\"token\":1,\"code\":\"ok\"}}'\n" TELL, "order = strict\nmax_in_flight = 9");
	struct pb_delivery *d = pbt_delivery(sink, pbt_event(b->host, "{\"a\":\n1}", 8, (const char *[]){
		"id = 1", "subject = \"q\"", NULL }));
	pbt_set_attempt(d, 3);
	pbt_send(sink, &d, 1);
	assert_true(pbt_wait(&d, 1, PBT_LONG));
	assert_true(pbt_wait_logged(b->host, "{\"deliver\":{\"token\":1,\"attempt\":3,\"event\":{\"specversion\":\"1.0\",\"id\":\"1\","
		"\"source\":\"test\",\"type\":\"test\",\"subject\":\"\\\"q\\\"\",\"time\":\"2026-01-01T00:00:00.000Z\",\"data\":{\"a\": 1}}}}",
		PBT_LONG));
}

/* `more` says that the next comes at once, and the limit is the smaller of both. */
static void several_are_under_way(void **state)
{
	static const char *const bodies[N] = { "1", "2", "3", "4", "5" };
	static const enum pb_code codes[N] = { PB_OK, PB_OK, PB_OK, PB_OK, PB_OK };
	struct bench *b = *state;
	struct pb_delivery *d[N];
	struct pbt_instance *sink = bench_open(b, "sink s", HELLO "echo '{\"ready\":{\"protocol\":1,\"max_in_flight\":3}}'\n"
		"while read -r line; do case $line in *'\"stop\"'*) exit 0;; *'\"more\":true'*) echo more >&2;;\n"
		"*) echo last >&2; for t in $((n=n+3)) $((n-1)) $((n-2)); do [ $t -gt 5 ] ||\n"
		"echo '{\"answer\":{\"token\":'$t',\"code\":\"ok\"}}'; done;; esac; done\n", "");
	send_all(b, sink, bodies, N, d);
	/* Three in reverse; what follows is sent when there is room, and asked for once two are there. */
	codes_are(d, 3, codes);
	assert_true(pbt_logged(b->host, "stderr: more\ninfo [sink s] stderr: more\ninfo [sink s] stderr: last\n"));
	pbt_break_off(sink);
}

static void strict_order_is_kept(void **state)
{
	static const char *const bodies[N] = { "ok", "reject", "retry", "ok", "ok" };
	static const enum pb_code codes[N] = { PB_OK, PB_REJECT, PB_RETRY, PB_UNTRIED, PB_UNTRIED };
	struct bench *b = *state;
	struct pb_delivery *d[N];
	struct pbt_instance *sink = bench_open(b, "sink s", READY LOOP WORDS END, "order = strict");
	send_all(b, sink, bodies, N, d);
	codes_are(d, N, codes);
	assert_false(pbt_logged(b->host, "got 4"));
}

static void strict_order_is_not_broken_by_a_program(void **state)
{
	static const struct {
		const char *answers, *said;
		enum pb_code codes[3];
	} table[] = {
		{ "echo '{\"answer\":{\"token\":2,\"code\":\"ok\"}}'", "answer: token 2 before an earlier one, in strict order",
		  { PB_RETRY, PB_UNTRIED, PB_UNTRIED } },
		{ "echo '{\"answer\":{\"token\":1,\"code\":\"down\"}}'; echo '{\"answer\":{\"token\":2,\"code\":\"ok\"}}'",
		  "answer: token 2 is behind one that failed", { PB_DOWN, PB_UNTRIED, PB_UNTRIED } },
		{ "for c in ok retry untried; do echo '{\"answer\":{\"token\":'$((i=i+1))',\"code\":\"'$c'\"}}'; done; echo fine >&2",
		  "fine", { PB_OK, PB_RETRY, PB_UNTRIED } },
	};
	static const char *const bodies[3] = { "1", "2", "3" };
	struct bench *b = *state;
	char script[512], name[16];
	for (size_t i = 0; i < COUNT(table); i++) {
		struct pb_delivery *d[3];
		snprintf(script, sizeof script, HELLO "echo '{\"ready\":{\"protocol\":1,\"max_in_flight\":3}}'\n"
			 "read -r l; read -r l; read -r l; [ -n \"$l\" ] || exit 0\n%s\n" TELL, table[i].answers);
		snprintf(name, sizeof name, "sink s%zu", i);
		struct pbt_instance *sink = bench_open(b, name, script, "order = strict");
		send_all(b, sink, bodies, 3, d);
		codes_are(d, 3, table[i].codes);
		assert_true(pbt_wait_logged(b->host, table[i].said, PBT_LONG));
		pbt_close(sink);
	}
}

static void what_a_dying_program_had_may_have_been_sent(void **state)
{
	static const char *const bodies[N] = { "ok", "die", "ok", "ok", "ok" };
	static const enum pb_code codes[N] = { PB_OK, PB_RETRY, PB_OK, PB_OK, PB_OK };
	struct bench *b = *state;
	struct pb_delivery *d[N];
	struct pbt_instance *sink = bench_open(b, "sink s", READY LOOP WORDS END, "");
	send_all(b, sink, bodies, N, d);
	codes_are(d, N, codes);
	assert_string_equal(pbt_answer(d[1]).reason, "the program ended before it answered: exited with 9");
	assert_true(pbt_wait_logged(b->host, "runs again", PBT_LONG));
	assert_int_equal(pbt_metric(sink, "restarts"), 1);
}

/* It never read the large one whole: nothing can have become of it. */
static void what_was_not_written_whole_is_sent_again(void **state)
{
	static char large[300000];
	struct bench *b = *state;
	memset(large, 'x', sizeof large - 1);
	struct pbt_instance *sink = bench_open(b, "sink s", READY "[ -e $0.ran ] || { : > $0.ran; read -r l; exit 1; }\n"
		"rm $0.ran\n" LOOP WORDS "esac; done\n", "");
	struct pb_delivery *d = deliver(b, sink, large);
	assert_true(pbt_wait_logged(b->host, "started again", PBT_LONG));
	assert_true(pbt_wait(&d, 1, PBT_LONG));
	assert_true(pbt_answer(d).code == PB_RETRY || pbt_answer(d).code == PB_OK);
}

static void a_hung_program_is_ended(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *sink = bench_open(b, "sink s", READY LOOP WORDS END, "timeout = 50ms");
	struct pbt_answer a = pbt_deliver(sink, bench_event(b, "hang"));
	assert_int_equal(a.code, PB_RETRY);
	assert_string_equal(a.reason, "the program ended before it answered: has not answered a delivery within 50 ms");
	assert_true(pbt_wait_logged(b->host, "runs again", PBT_LONG));
	assert_int_equal(pbt_metric(sink, "faults"), 1);
}

static void answers_that_are_not_right(void **state)
{
	static const struct {
		const char *body, *said;
		enum pb_code code;
	} table[] = {
		{ "twice", "answer: token 1 is unknown, or was answered already", PB_OK },
		{ "raw", "is no kind of message: in {\"\\u0001", PB_RETRY },
		{ "unknown", "answer: token 77 is unknown, or was answered already", PB_RETRY },
		{ "what", "answer: \"code\" is none of ok, retry, reject, down, gone, untried", PB_RETRY },
	};
	struct bench *b = *state;
	char name[16];
	for (size_t i = 0; i < COUNT(table); i++) {
		snprintf(name, sizeof name, "sink s%zu", i);
		struct pbt_instance *sink = bench_open(b, name, READY LOOP WORDS END, "");
		assert_int_equal(pbt_deliver(sink, bench_event(b, table[i].body)).code, table[i].code);
		assert_true(pbt_wait_logged(b->host, table[i].said, PBT_LONG));
		pbt_close(sink);
	}
}

static void without_a_program_the_sink_is_down(void **state)
{
	struct bench *b = *state;
	static const char *const bodies[2] = { "1", "2" };
	struct pb_delivery *d[2];
	struct pbt_instance *sink = bench_open(b, "sink s", "exit 5", "timeout = 30ms\nrestart_pause = 10s\nrestart_max_pause = 10s");
	send_all(b, sink, bodies, 2, d);
	codes_are(d, 2, (const enum pb_code[]){ PB_DOWN, PB_UNTRIED });
	assert_string_equal(pbt_answer(d[0]).reason, "the program does not run: exited with 5");
	pbt_close(sink);
	sink = bench_open(b, "sink t", "exit 6", "max_restarts = 1");
	assert_int_equal(pbt_deliver(sink, bench_event(b, "x")).code, PB_DOWN);
}

static void what_is_under_way_is_answered_at_a_stop(void **state)
{
	static const char *const bodies[2] = { "first", "second" };
	struct bench *b = *state;
	struct pb_delivery *d[2];
	struct pbt_instance *sink = bench_open(b, "sink s", READY
		"read -r line; echo begun >&2; while [ ! -e $0.go ]; do :; done; rm $0.go; echo '{\"answer\":{\"token\":1,\"code\":\"ok\"}}'\n" TELL, "");
	char go[128];
	send_all(b, sink, bodies, 2, d);
	assert_true(pbt_wait_logged(b->host, "begun", PBT_LONG));
	pbt_sink_stop(sink);
	assert_true(pbt_wait(d + 1, 1, PBT_LONG));
	snprintf(go, sizeof go, "%s.go", b->program);
	fclose(fopen(go, "w"));
	codes_are(d, 2, (const enum pb_code[]){ PB_OK, PB_UNTRIED });
	assert_true(pbt_wait_logged(b->host, "{\"stop\":{}}", PBT_LONG));
}

static void a_stop_that_is_broken_off(void **state)
{
	static const char *const bodies[2] = { "hang", "ok" };
	struct bench *b = *state;
	struct pb_delivery *d[2];
	struct pbt_instance *sink = bench_open(b, "sink s", READY LOOP WORDS END, "stop_timeout = 20ms\nkill_timeout = 20ms");
	send_all(b, sink, bodies, 2, d);
	assert_true(pbt_wait_logged(b->host, "got 1 \"hang\"", PBT_LONG));
	pbt_break_off(sink);
	codes_are(d, 2, (const enum pb_code[]){ PB_RETRY, PB_UNTRIED });
}

static void exit_statuses_are_answers(void **state)
{
	static const enum pb_code codes[] = {
		[0] = PB_OK, [1] = PB_RETRY, [64] = PB_RETRY, [65] = PB_REJECT, [66] = PB_RETRY, [67] = PB_RETRY,
		[68] = PB_DOWN, [69] = PB_DOWN, [70] = PB_RETRY, [71] = PB_RETRY, [72] = PB_DOWN, [73] = PB_RETRY,
		[74] = PB_RETRY, [75] = PB_RETRY, [76] = PB_RETRY, [77] = PB_DOWN, [78] = PB_DOWN, [126] = PB_DOWN,
		[127] = PB_DOWN, [200] = PB_RETRY,
	};
	struct bench *b = *state;
	char body[8];
	struct pbt_instance *sink = bench_open(b, "sink s", "read -r n; echo out; echo err >&2; exit $n", "format = plain\ninput = body");
	for (int i = 0; i < (int)COUNT(codes); i++) {
		if (codes[i] == PB_UNTRIED)
			continue;
		snprintf(body, sizeof body, "%d", i);
		struct pbt_answer a = pbt_deliver(sink, bench_event(b, body));
		if (a.code != codes[i])
			fail_msg("%d: %d", i, a.code);
		assert_int_equal(a.response.len, 4);
		assert_memory_equal(a.response.data, "out\n", 4);
	}
	assert_true(pbt_logged(b->host, "info [sink s] stderr: err"));
}

static void a_plain_program_gets_the_event(void **state)
{
	static const char *const bodies[3] = { "1", "2", "3" };
	struct bench *b = *state;
	struct pb_delivery *d[3];
	struct pbt_instance *sink = bench_open(b, "sink s",
		"echo \"$PATCHBAY_ID $PATCHBAY_TYPE $PATCHBAY_SUBJECT $PATCHBAY_TIME $PATCHBAY_ATTEMPT $PATCHBAY_OPTION_A_B\"\ncat\n",
		"format = plain\nbatch = 2\noptions = a_b=c");
	struct pbt_answer a = pbt_deliver(sink, pbt_event(b->host, "7", 1, (const char *[]){ "id = i", "subject = s", NULL }));
	static const char all[] = "i test s 2026-01-01T00:00:00.000Z 1 c\n{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"test\","
		"\"type\":\"test\",\"subject\":\"s\",\"time\":\"2026-01-01T00:00:00.000Z\",\"data\":7}\n";
	assert_int_equal(a.response.len, strlen(all));
	assert_memory_equal(a.response.data, all, a.response.len);
	send_all(b, sink, bodies, 3, d);
	codes_are(d, 3, (const enum pb_code[]){ PB_OK, PB_OK, PB_OK });
	assert_true(pbt_answer(d[0]).response.len > pbt_answer(d[2]).response.len);
	assert_memory_equal(pbt_answer(d[0]).response.data, pbt_answer(d[1]).response.data, pbt_answer(d[0]).response.len);
}

static void a_plain_program_that_does_not_end(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *sink = bench_open(b, "sink s", "trap '' TERM; (while :; do read -r l < /dev/zero; done) & echo $$ $! > $0.pids\n"
		"while :; do read -r l < /dev/zero; done\n", "format = plain\ntimeout = 1s\nkill_timeout = 10ms");
	struct pbt_answer a = pbt_deliver(sink, bench_event(b, "x"));
	assert_int_equal(a.code, PB_RETRY);
	assert_string_equal(a.reason, "has not exited within 1000 ms, and ignored SIGTERM");
	assert_int_equal(bench_all_gone(b), 2);
}

static void strict_and_plain(void **state)
{
	static const char *const bodies[3] = { "0", "75", "0" };
	struct bench *b = *state;
	struct pb_delivery *d[3];
	struct pbt_instance *sink = bench_open(b, "sink s", "read -r n; exit $n", "format = plain\ninput = body\norder = strict");
	send_all(b, sink, bodies, 3, d);
	codes_are(d, 3, (const enum pb_code[]){ PB_OK, PB_RETRY, PB_UNTRIED });
	assert_null(bench_try(b, "sink t", "", "format = plain\ninput = body\nbatch = 2"));
	assert_non_null(strstr(pbt_errors(b->host), "batch: expected 1 with `input = body`"));
}

static void a_plain_program_at_a_stop(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *sink = bench_open(b, "sink s", "echo begun >&2; while :; do read -r l < /dev/zero; done\n", "format = plain");
	struct pb_delivery *d = deliver(b, sink, "x");
	assert_true(pbt_wait_logged(b->host, "begun", PBT_LONG));
	pbt_break_off(sink);
	codes_are(&d, 1, (const enum pb_code[]){ PB_RETRY });
	assert_string_equal(pbt_answer(d).reason, "patchbay stops");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_up, bench_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_answer_is_given), TEST(the_event_is_a_cloudevent), TEST(several_are_under_way),
		TEST(strict_order_is_kept), TEST(strict_order_is_not_broken_by_a_program),
		TEST(what_a_dying_program_had_may_have_been_sent), TEST(what_was_not_written_whole_is_sent_again),
		TEST(a_hung_program_is_ended), TEST(answers_that_are_not_right), TEST(without_a_program_the_sink_is_down),
		TEST(what_is_under_way_is_answered_at_a_stop), TEST(a_stop_that_is_broken_off),
		TEST(exit_statuses_are_answers), TEST(a_plain_program_gets_the_event),
		TEST(a_plain_program_that_does_not_end), TEST(strict_and_plain), TEST(a_plain_program_at_a_stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
