/* exec as a source: emits, receipts, marks, lines, and how a program begins and ends. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugins/exec-bench.h"

static void body_is(const struct pb_event *ev, const char *body)
{
	struct pb_span is = pb_event_body(ev);
	assert_int_equal(is.len, strlen(body));
	assert_memory_equal(is.data, body, is.len);
}

static void events_are_stored_and_then_receipted(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = bench_open(b, "source s", "read -r h; echo \"$h\" >&2\n"
		"echo '{\"ready\":{\"protocol\":1,\"x_new\":[1]}}'\n"
		"printf '%s\\n' '{\"emit\":{\"token\":9007199254740991,\"events\":[{\"type\":\"t\",\"subject\":\"a\\u00e4\",\"n\":1.50,\"b\":true,"
		"\"data\":{\"a\" : [1, 2.0]}},{\"id\":\"own\",\"time\":\"2026-01-02T03:04:05Z\",\"datacontenttype\":\"text/plain\","
		"\"data\":\"line\\n\\ud83d\\ude00\"},{\"data_base64\":\"AAEC\"},{\"data\":\"json\"},{}]}}'\n" TELL,
		"options = a=b, \"c=d e\"\ntype = plain\nmax_unsettled = 7");
	assert_true(pbt_wait_logged(b->host, "{\"hello\":{\"protocol\":1,\"kind\":\"source\",\"name\":\"s\",\"patchbay\":\"", PBT_LONG));
	assert_true(pbt_logged(b->host, "\"options\":{\"a\":\"b\",\"c\":\"d e\"},\"max_event\":1048576,\"max_message\":3145728,"
			       "\"timeout\":20000,\"max_unsettled\":7}}"));
	pbt_start(in);
	assert_true(pbt_wait_stored(in, 5, PBT_LONG));
	const struct pb_event *ev = pbt_stored(in, 0);
	body_is(ev, "{\"a\" : [1, 2.0]}");
	assert_string_equal(pb_event_type(ev), "t");
	assert_string_equal(pb_event_subject(ev), "a\xc3\xa4");
	assert_string_equal(pb_event_attr(ev, "n"), "1.50");
	assert_string_equal(pb_event_attr(ev, "b"), "true");
	body_is(pbt_stored(in, 1), "line\n\xf0\x9f\x98\x80");
	assert_string_equal(pb_event_id(pbt_stored(in, 1)), "own");
	assert_int_equal(pb_event_time(pbt_stored(in, 1)), 1767323045000);
	assert_memory_equal(pb_event_body(pbt_stored(in, 2)).data, "\0\1\2", 3);
	body_is(pbt_stored(in, 3), "\"json\"");
	body_is(pbt_stored(in, 4), "");
	assert_string_equal(pb_event_type(pbt_stored(in, 4)), "plain");
	assert_true(pbt_wait_logged(b->host, "{\"receipt\":{\"token\":9007199254740991,\"outcome\":\"accepted\",\"ids\":[\"", PBT_LONG));
	assert_true(pbt_logged(b->host, "\",\"own\",\""));
	pbt_reopen(in);
	assert_true(pbt_wait_logged(b->host, "{\"reopen\":{}}", PBT_LONG));
	assert_true(pbt_stop(in, PBT_LONG));
	assert_true(pbt_logged(b->host, "{\"stop\":{}}"));
	assert_false(pbt_logged(b->host, "warning"));
}

static void no_receipt_before_the_commit(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = bench_open(b, "source s", READY
		"echo '{\"emit\":{\"token\":1,\"events\":[{}],\"keys\":[\"k\"]}}'\n"
		"echo '{\"emit\":{\"token\":2,\"events\":[{}],\"keys\":[\"k\"]}}'\n" TELL, "dedupe = 1h");
	pbt_store(in, PBT_HOLDS, 0);
	pbt_start(in);
	assert_true(pbt_wait_held(in, PBT_LONG));
	assert_false(pbt_logged(b->host, "receipt"));
	pbt_store(in, PBT_STORES, 0);
	assert_true(pbt_wait_logged(b->host, "\"token\":1,\"outcome\":\"accepted\"", PBT_LONG));
	assert_true(pbt_wait_logged(b->host, "\"duplicates\":[0]", PBT_LONG));
	assert_int_equal(pbt_n_stored(in), 1);
	pbt_store(in, PBT_REFUSES, 0);
	assert_true(pbt_stop(in, PBT_LONG));
}

static void what_cannot_be_stored_is_told(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = bench_open(b, "source s", READY
		"echo '{\"emit\":{\"token\":1,\"events\":[{}]}}'\n" TELL, "");
	pbt_store(in, PBT_REFUSES, 1);
	pbt_start(in);
	assert_true(pbt_wait_logged(b->host, "{\"receipt\":{\"token\":1,\"outcome\":\"failed\",\"reason\":\"", PBT_LONG));
	assert_true(pbt_stop(in, PBT_LONG));
}

static void marks_come_back(void **state)
{
	static const char script[] = READY "echo '{\"restore\":{\"key\":\"pos\"}}'\nprintf '%s\\n' '{\"restore\":{\"key\":\"bin\"}}'\n"
		"printf '%s\\n' '{\"emit\":{\"mark\":{\"key\":\"pos\",\"value\":\"47\\u000a11\"}}}'\n"
		"echo '{\"emit\":{\"mark\":{\"key\":\"bin\",\"value_base64\":\"/w==\"},\"token\":0}}'\n" TELL;
	struct bench *b = *state;
	struct pb_span value;
	struct pbt_instance *in = bench_open(b, "source s", script, "");
	pbt_start(in);
	assert_true(pbt_wait_logged(b->host, "{\"mark\":{\"key\":\"pos\",\"value\":null}}", PBT_LONG));
	assert_true(pbt_wait_logged(b->host, "{\"receipt\":{\"token\":0,\"outcome\":\"accepted\",\"ids\":[]}}", PBT_LONG));
	assert_true(pbt_mark(in, "pos", &value));
	assert_int_equal(value.len, 5);
	pbt_close(in);
	in = bench_open(b, "source s", script, "");
	pbt_start(in);
	assert_true(pbt_wait_logged(b->host, "{\"mark\":{\"key\":\"pos\",\"value\":\"47\\u000a11\"}}", PBT_LONG));
	assert_true(pbt_wait_logged(b->host, "{\"mark\":{\"key\":\"bin\",\"value_base64\":\"/w==\"}}", PBT_LONG));
	pbt_close(in);
	in = bench_open(b, "source s", READY "echo '{\"emit\":{\"token\":5,\"mark\":{\"key\":\"pos\",\"value\":null}}}'\n" TELL, "");
	pbt_start(in);
	assert_true(pbt_wait_logged(b->host, "\"token\":5,", PBT_LONG));
	assert_false(pbt_mark(in, "pos", &value));
}

static void a_program_that_emits_too_fast_waits(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = bench_open(b, "source s", READY
		"i=0; while [ $i -lt 200 ]; do i=$((i+1)); echo \"{\\\"emit\\\":{\\\"events\\\":[{}]}}\"; done\n" TELL,
		"max_unsettled = 3");
	pbt_store(in, PBT_HOLDS, 0);
	pbt_start(in);
	assert_true(pbt_wait_held(in, PBT_LONG));
	assert_true(pbt_n_emitted(in) <= 3);
	pbt_store(in, PBT_STORES, 0);
	assert_true(pbt_wait_stored(in, 200, PBT_LONG));
}

static void what_it_emitted_before_it_died_is_stored(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = bench_open(b, "source s", READY
		"echo '{\"emit\":{\"token\":1,\"events\":[{},{}]}}'\nexit 3\n", "");
	pbt_start(in);
	assert_true(pbt_wait_stored(in, 6, PBT_LONG));
	assert_true(pbt_logged(b->host, "warning [source s] /bin/sh exited with 3; it is started again in 1 ms"));
	assert_true(pbt_metric(in, "restarts") >= 2);
	assert_true(pbt_stop(in, PBT_LONG));
}

static void one_that_fails_too_often_is_left_alone(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = bench_open(b, "source s", "exit 4", "max_restarts = 2");
	pbt_start(in);
	assert_true(pbt_wait_logged(b->host, "error [source s] /bin/sh failed 3 times in a row and is not started any more: "
				    "exited with 4", PBT_LONG));
	assert_true(pbt_stop(in, PBT_LONG));
}

static void plain_lines(void **state)
{
	struct bench *b = *state;
	pbt_set_max_event(b->host, 2000);
	struct pbt_instance *in = bench_open(b, "source s", "printf 'one\\n\\n{\"two\":2}\\n'\n"
		"head -c 3000 /dev/zero | tr '\\0' x; echo\nprintf '\\377\\ntail'\n", "format = plain\ntype = line");
	pbt_start(in);
	assert_true(pbt_wait_stored(in, 5, PBT_LONG));
	body_is(pbt_stored(in, 0), "one");
	body_is(pbt_stored(in, 1), "{\"two\":2}");
	body_is(pbt_stored(in, 2), "\xff");
	body_is(pbt_stored(in, 3), "tail");
	body_is(pbt_stored(in, 4), "one");
	assert_string_equal(pb_event_type(pbt_stored(in, 4)), "line");
	assert_true(pbt_logged(b->host, "dropped 1 lines that were longer than max_event"));
	assert_true(pbt_stop(in, PBT_LONG));
}

static void its_surroundings(void **state)
{
	struct bench *b = *state;
	int extra = open("/dev/null", O_RDONLY);	/* not close-on-exec */
	setenv("EXEC_SECRET", "no", 1);
	setenv("EXEC_ALLOWED", "yes", 1);
	struct pbt_instance *in = bench_open(b, "source s",
		"env | sort | tr '\\n' ' ' >&2; echo >&2\n"
		"echo \"at $PWD, descriptors $(ls -1 /proc/$$/fd | tr '\\n' ' ')\" >&2\n"
		/* Less 32 and 33, the C library's own, which its posix_spawn() lets be ignored. */
		"grep -E 'Sig(Blk|Ign)' /proc/$$/status | sed 's/[01][08]\\(.\\{7\\}\\)$/00\\1/' | tr -d '\\n\\t' >&2; echo >&2\n"
		"echo \"limits $(ulimit -n) $(ulimit -t) $(ulimit -c) $(ulimit -d)\" >&2\n"
		"[ \"$(cut -d' ' -f5,6 /proc/$$/stat)\" = \"$$ $$\" ] && echo 'a group of its own' >&2\n" READY TELL,
		"environment = EXEC_ALLOWED, \"EXEC_GIVEN=a b\", EXEC_NOT_THERE\ndirectory = /usr\nopen_files = 77\ncpu_time = 1500ms\n"
		"memory = 512MiB");
	assert_true(pbt_wait_logged(b->host, "a group of its own", PBT_LONG));
	assert_true(pbt_logged(b->host, "EXEC_ALLOWED=yes EXEC_GIVEN=a b PATCHBAY_FORMAT=json PATCHBAY_KIND=source PATCHBAY_NAME=s PWD="));
	assert_false(pbt_logged(b->host, "EXEC_SECRET"));
	assert_true(pbt_logged(b->host, "at /usr, descriptors 0 1 10 2 ") || pbt_logged(b->host, "at /usr, descriptors 0 1 2 "));
	assert_true(pbt_logged(b->host, "SigBlk:0000000000000000SigIgn:0000000000000000"));
	assert_true(pbt_logged(b->host, "limits 77 2 0 524288"));
	pbt_close(in);
	close(extra);
}

static void a_group_is_ended_whole(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = bench_open(b, "source s", "trap '' TERM\n"
		"(while :; do read -r never < /dev/zero; done) &\necho $$ $! > $0.pids\n" READY
		"while :; do read -r line || exec cat /dev/zero > /dev/null; done\n", "stop_timeout = 10ms\nkill_timeout = 10ms");
	pbt_start(in);
	assert_true(pbt_wait_asleep(in, PBT_LONG, NULL));
	assert_true(pbt_stop(in, PBT_LONG));
	assert_true(pbt_logged(b->host, "did not end within 10 ms of stop"));
	assert_true(pbt_logged(b->host, "was ended by SIGKILL at a stop, having ignored SIGTERM"));
	assert_int_equal(bench_all_gone(b), 2);
}

static void what_is_refused_at_a_start(void **state)
{
	static const struct {
		const char *script, *more, *error;
	} table[] = {
		{ HELLO "printf '%s\\n' '{\"error\":{\"option\":\"path\",\"reason\":\"no such\\nfolder\"}}'; exec cat >/dev/null\n",
		  "options = path=/nowhere", ":5: [source s] options: path: no such folder\n" },
		{ "", "options = path", ":5: [source s] options: expected NAME=value, with a name of letters, digits and _, at "
		  "place 1\n" },
		{ "", "options = a=1, a=2", ":5: [source s] options: a twice\n" },
		{ "", "environment = A-B", ":5: [source s] environment: expected NAME or NAME=value at place 1\n" },
		{ "", "memory = 512", ":5: [source s] memory: is too small for a program; expected 0, which is no limit, or "
		  "at least 1MiB\n" },
		{ "", "user = nobody-of-this-name", ":5: [source s] user: there is no user nobody-of-this-name\n" },
		{ "", "directory = /no/such/folder", ":2: [source s] command: /no/such/folder: its directory: No such file or "
		  "directory\n" },
	};
	struct bench *b = *state;
	for (size_t i = 0; i < COUNT(table); i++) {
		assert_null(bench_try(b, "source s", table[i].script, table[i].more));
		if (strstr(pbt_errors(b->host), table[i].error) == NULL)
			fail_msg("%zu: %s", i, pbt_errors(b->host));
	}
	assert_null(pbt_open(b->host, "[source s]\ncommand = no-such-program"));
	assert_string_equal(pbt_errors(b->host), "test.ini:2: [source s] command: no-such-program: No such file or directory\n");
}

static void a_silent_program_is_started_again(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = bench_open(b, "source s", "exec cat > /dev/null\n", "start_timeout = 20ms\nmax_restarts = 1");
	pbt_start(in);
	assert_true(pbt_wait_logged(b->host, "in a row and is not started any more: did not say that it is ready within 20 ms",
				    PBT_LONG));
	assert_true(pbt_stop(in, PBT_LONG));
}

/* All that is not right, after it is ready: what the log says of it. */
static void what_is_not_right_ends_it(void **state)
{
	static const struct {
		const char *message, *said;
	} table[] = {
		{ "not json", "not a JSON object: in not json" },
		{ "{\"emit\":{}", "more than one member" },
		{ "{\"emit\":{}} x", "not valid JSON" },
		{ "{\"emit\":{},\"log\":{}}", "more than one member" },
		{ "{\"emit\":{\"events\":[{\"data\":{\"a\":1{\"b\":2}}}]}}", "not valid JSON" },
		{ "{\"emit\":{\"events\":[{\"data\":01}]}}", "not valid JSON" },
		{ "{\"emit\":{\"events\":[{\"data\":\"\\377\"}]}}", "not valid JSON" },
		{ "{\"emit\":[]}", "what belongs to its kind is not a map" },
		{ "{\"emitt\":{}}", "\"emitt\" is no kind of message" },
		{ "{\"answer\":{\"token\":1,\"code\":\"ok\"}}", "answer is not for a source" },
		{ "{\"ready\":{\"protocol\":1}}", "ready a second time" },
		{ "{\"emit\":{\"token\":-1}}", "emit: \"token\" is no integer from 0 to 9007199254740991" },
		{ "{\"emit\":{\"token\":1.0}}", "emit: \"token\" is no integer" },
		{ "{\"emit\":{\"token\":\"1\"}}", "emit: \"token\" is of the wrong type" },
		{ "{\"emit\":{\"token\":1,\"token\":2}}", "emit: \"token\" twice" },
		{ "{\"emit\":{\"events\":[1]}}", "an event is not a map" },
		{ "{\"emit\":{\"events\":[{\"type\":\"a\",\"type\":\"b\"}]}}", "an event's \"type\" twice" },
		{ "{\"emit\":{\"events\":[{\"TYPE\":\"a\"}]}}", "an event's attribute \"TYPE\" has a name or a value" },
		{ "{\"emit\":{\"events\":[{\"subject\":\"a\\\\u0000b\"}]}}", "an event's attribute \"subject\"" },
		{ "{\"emit\":{\"events\":[{\"subject\":[]}]}}", "an event's attribute \"subject\"" },
		{ "{\"emit\":{\"events\":[{\"time\":\"yesterday\"}]}}", "an event's attribute \"time\"" },
		{ "{\"emit\":{\"events\":[{\"specversion\":\"0.3\"}]}}", "specversion is not \"1.0\"" },
		{ "{\"emit\":{\"events\":[{\"data\":1,\"data_base64\":\"\"}]}}", "data_base64 where only data may be" },
		{ "{\"emit\":{\"events\":[{\"data_base64\":\"A\"}]}}", "data or data_base64 is not what it should be" },
		{ "{\"emit\":{\"events\":[{}],\"keys\":[]}}", "\"keys\" is not as long as \"events\"" },
		{ "{\"emit\":{\"events\":[],\"keys\":[null]}}", "\"keys\" is not as long as \"events\"" },
		{ "{\"emit\":{\"mark\":{\"key\":\"\",\"value\":\"x\"}}}", "a mark needs a key" },
		{ "{\"emit\":{\"mark\":{\"key\":\"k\"}}}", "a mark needs a key" },
		{ "{\"emit\":{\"mark\":{\"value\":\"v\"}}}", "\"key\" is missing" },
		{ "{\"restore\":{}}", "restore: \"key\" is missing" },
		{ "{\"log\":{\"level\":\"loud\",\"text\":\"x\"}}", "\"level\" is none of error, warning, info, debug" },
		{ "{\"error\":{\"reason\":\"x\"}}", "error after ready" },
		{ "{\"metric\":{\"name\":\"rows\",\"add\":-1}}", "rows is a counter, which only grows" },
	};
	struct bench *b = *state;
	char script[1024];
	for (size_t i = 0; i < COUNT(table); i++) {
		snprintf(script, sizeof script, HELLO "echo '{\"ready\":{\"protocol\":1,\"metrics\":[{\"name\":\"rows\",\"kind\":\"counter\"}]}}'\n"
			 "printf '%%b\\n' '%s'\nexec cat > /dev/null\n", table[i].message);
		char name[16];
		snprintf(name, sizeof name, "source s%zu", i);
		struct pbt_instance *in = bench_open(b, name, script, "max_restarts = 1");
		pbt_start(in);
		char said[64];
		snprintf(said, sizeof said, "error [source s%zu] /bin/sh failed 2 times", i);
		if (!pbt_wait_logged(b->host, said, PBT_LONG) || !pbt_logged(b->host, table[i].said))
			fail_msg("%s", table[i].message);
		assert_int_equal(pbt_metric(in, "faults"), 2);
		assert_int_equal(pbt_n_emitted(in), 0);
		pbt_close(in);
	}
}

static void what_has_no_end_ends(void **state)
{
	static const struct {
		const char *script, *said;
	} table[] = {
		{ READY "tr '\\0' x < /dev/zero\n", "a message is longer than max_message, 1056576 bytes" },
		{ READY "cat /dev/zero >&2 & exec cat /dev/zero\n", "a message is longer than max_message" },
		{ READY "exec >&-; while :; do read -r line < /dev/zero; done\n", "closed its standard output and goes on" },
		{ READY "yes '{\"restore\":{\"key\":\"k\"}}'\n", "has read nothing of its standard input for 200 ms" },
		{ "yes\n", "not a JSON object: in y" },
	};
	struct bench *b = *state;
	pbt_set_max_event(b->host, 4000);
	for (size_t i = 0; i < COUNT(table); i++) {
		struct pbt_instance *in = bench_open(b, "source s", table[i].script, "max_restarts = 1\ntimeout = 200ms\nkill_timeout = 10ms");
		pbt_start(in);
		if (!pbt_wait_logged(b->host, table[i].said, PBT_LONG))
			fail_msg("%s", table[i].said);
		assert_true(pbt_stop(in, PBT_LONG));
		pbt_close(in);
	}
}

static void a_plain_program_forks_and_exits(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = bench_open(b, "source s", "(trap '' TERM HUP; while :; do read -r l < /dev/zero; done) &\n"
		"echo $! > $0.pids\necho event\n", "format = plain\nrestart_pause = 10s\nrestart_max_pause = 20s");
	pbt_start(in);
	assert_true(pbt_wait_stored(in, 1, PBT_LONG));
	assert_true(pbt_wait_logged(b->host, "exited with 0; it is started again in 10000 ms", PBT_LONG));
	assert_int_equal(bench_all_gone(b), 1);
	assert_true(pbt_stop(in, PBT_LONG));
}

static void msgpack_frames(void **state)
{
	struct bench *b = *state;
	/* {"emit": {"token": 7, "events": [{"type": "t", "time": 1, "data": bin 00 ff}], "mark": {"key": "k", "value": bin ff}}} */
	struct pbt_instance *in = bench_open(b, "source s",
		"printf '\\000\\000\\000\\022\\201\\245ready\\201\\250protocol\\001'\n"
		"printf '\\000\\000\\000\\102\\201\\244emit\\203\\245token\\007\\246events\\221\\203\\244type\\241t\\244time\\001\\244data\\304\\002\\000\\377"
		"\\244mark\\202\\243key\\241k\\245value\\304\\001\\377'\n"
		"tr -c '[:print:]' . >&2\n", "format = msgpack");
	struct pb_span value;
	pbt_start(in);
	assert_true(pbt_wait_stored(in, 1, PBT_LONG));
	assert_int_equal(pb_event_body(pbt_stored(in, 0)).len, 2);
	assert_memory_equal(pb_event_body(pbt_stored(in, 0)).data, "\0\xff", 2);
	assert_int_equal(pb_event_time(pbt_stored(in, 0)), 1);
	assert_true(pbt_mark(in, "k", &value) && value.len == 1);
	assert_true(pbt_stop(in, PBT_LONG));
	assert_true(pbt_logged(b->host, "receipt..token..outcome.accepted.ids"));
	assert_true(pbt_logged(b->host, "..stop."));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_up, bench_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(events_are_stored_and_then_receipted), TEST(no_receipt_before_the_commit),
		TEST(what_cannot_be_stored_is_told), TEST(marks_come_back), TEST(a_program_that_emits_too_fast_waits),
		TEST(what_it_emitted_before_it_died_is_stored), TEST(one_that_fails_too_often_is_left_alone),
		TEST(plain_lines), TEST(its_surroundings), TEST(a_group_is_ended_whole), TEST(what_is_refused_at_a_start),
		TEST(a_silent_program_is_started_again), TEST(what_is_not_right_ends_it), TEST(what_has_no_end_ends),
		TEST(a_plain_program_forks_and_exits), TEST(msgpack_frames),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
