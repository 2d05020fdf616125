/* exec as a filter: what is passed, dropped, tried again. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "plugins/exec-bench.h"

/* Answers the n-th event with the n-th of these. */
#define ANSWERS(lines) READY "n=0; while read -r line; do case $line in *'\"stop\"'*) exit 0;; esac; n=$((n+1))\n" \
	"case $n in\n" lines "*) printf '%s\\n' '{\"passed\":{\"token\":'$n'}}';; esac; done\n"
#define PASSED(n, events) #n ") printf '%s\\n' '{\"passed\":{\"token\":" #n ",\"events\":[" events "]}}';;\n"

static struct pb_event *an_event(struct bench *b)
{
	return pbt_event(b->host, "{\"a\":1}", 7, (const char *[]){ "id = i", "type = t", "subject = s", "more = m", NULL });
}

static void body_is(struct pbt_instance *in, size_t i, const char *body)
{
	struct pb_span is = pb_event_body(pbt_passed(in, i));
	assert_int_equal(is.len, strlen(body));
	assert_memory_equal(is.data, body, is.len);
}

static void what_it_passes(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = bench_open(b, "filter f", ANSWERS(
		PASSED(1, "{}")
		PASSED(2, "")
		PASSED(3, "{\"type\":\"u\",\"subject\":null,\"data\":[2],\"id\":\"other\"},{\"data_base64\":\"\"},{\"new\":7}")
		PASSED(4, "{\"datacontenttype\":\"text/plain\",\"data\":\"text\"}")), "");
	struct pb_event *ev = an_event(b);
	assert_int_equal(pbt_apply(in, ev), 0);
	assert_int_equal(pbt_n_passed(in), 1);
	body_is(in, 0, "{\"a\":1}");
	assert_string_equal(pb_event_subject(pbt_passed(in, 0)), "s");
	assert_string_equal(pb_event_attr(pbt_passed(in, 0), "more"), "m");
	assert_int_equal(pbt_apply(in, ev), 0);
	assert_int_equal(pbt_n_passed(in), 0);
	assert_int_equal(pbt_apply(in, ev), 0);
	assert_int_equal(pbt_n_passed(in), 3);
	assert_string_equal(pb_event_type(pbt_passed(in, 0)), "u");
	assert_string_equal(pb_event_subject(pbt_passed(in, 0)), "");
	assert_string_equal(pb_event_id(pbt_passed(in, 0)), "i");
	assert_string_equal(pb_event_id(pbt_passed(in, 1)), "i~2");
	body_is(in, 0, "[2]");
	body_is(in, 1, "");
	assert_string_equal(pb_event_attr(pbt_passed(in, 2), "new"), "7");
	assert_int_equal(pbt_apply(in, ev), 0);
	body_is(in, 0, "text");
	assert_int_equal(pbt_apply(in, ev), 0);		/* without `events`: as it came */
	assert_int_equal(pbt_n_passed(in), 1);
	pb_event_free(ev);
}

static void what_fails(void **state)
{
	static const struct {
		int result;
		const char *reason;
	} table[] = {
		{ -EAGAIN, "locked" }, { -EBADMSG, "never" },
		{ -EAGAIN, "the program ended before it answered: exited with 3" },
	};
	struct bench *b = *state;
	struct pbt_instance *in = bench_open(b, "filter f", ANSWERS(
		"1) printf '%s\\n' '{\"failed\":{\"token\":1,\"retry\":true,\"reason\":\"locked\"}}';;\n"
		"2) printf '%s\\n' '{\"failed\":{\"token\":2,\"reason\":\"never\"}}';;\n"
		"3) exit 3;;\n"), "");
	struct pb_event *ev = an_event(b);
	for (size_t i = 0; i < COUNT(table); i++) {
		assert_int_equal(pbt_apply(in, ev), table[i].result);
		assert_string_equal(pbt_reason(in), table[i].reason);
	}
	assert_int_equal(pbt_apply(in, ev), -EAGAIN);	/* the next run's first is `locked` again */
	assert_string_equal(pbt_reason(in), "locked");
	pb_event_free(ev);
}

static void what_is_not_right(void **state)
{
	static const struct {
		const char *message, *said;
	} table[] = {
		{ "{\"passed\":{\"token\":2}}", "passed: token 2 is unknown, or was answered already" },
		{ "{\"passed\":{\"token\":1,\"events\":[{},{\"a b\":1}]}}", "an event's attribute \"a b\" has a name" },
		{ "{\"passed\":{\"token\":1,\"events\":{}}}", "\"events\" is of the wrong type" },
		{ "{\"answer\":{\"token\":1,\"code\":\"ok\"}}", "answer is not for a filter" },
		{ "{\"failed\":{}}", "failed: \"token\" is missing" },
	};
	struct bench *b = *state;
	char script[512], name[16];
	struct pb_event *ev = an_event(b);
	for (size_t i = 0; i < COUNT(table); i++) {
		snprintf(script, sizeof script, READY "read -r line; [ -n \"$line\" ] && printf '%%s\\n' '%s'\n" TELL, table[i].message);
		snprintf(name, sizeof name, "filter f%zu", i);
		struct pbt_instance *in = bench_open(b, name, script, "");
		assert_int_equal(pbt_apply(in, ev), -EAGAIN);
		if (!pbt_wait_logged(b->host, table[i].said, PBT_LONG))
			fail_msg("%s", table[i].said);
		pbt_close(in);
	}
	pb_event_free(ev);
}

static void one_that_hangs(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = bench_open(b, "filter f", READY TELL, "timeout = 30ms");
	struct pb_event *ev = an_event(b);
	assert_int_equal(pbt_apply(in, ev), -EAGAIN);
	assert_string_equal(pbt_reason(in), "the program ended before it answered: has not answered an event within 30 ms");
	pbt_close(in);
	in = bench_open(b, "filter g", "exit 1", "timeout = 30ms\nrestart_pause = 10s\nrestart_max_pause = 10s");
	assert_int_equal(pbt_apply(in, ev), -EAGAIN);
	assert_string_equal(pbt_reason(in), "the program does not run: exited with 1");
	pb_event_free(ev);
}

static void plain(void **state)
{
	static const struct {
		const char *script;
		int result;
		const char *passed;	/* NULL: nothing */
	} table[] = {
		{ "tr a-z A-Z", 0, "{\"A\":1}" },
		{ "cat > /dev/null", 0, NULL },
		{ "echo $PATCHBAY_TYPE", 0, "t\n" },
		{ "exit 65", -EBADMSG, NULL },
		{ "cat; exit 1", -EAGAIN, NULL },
		{ "kill -9 $$", -EAGAIN, NULL },
		{ "cat /dev/zero | head -c 2000000", -EBADMSG, NULL },
		{ "while :; do read -r l < /dev/zero; done", -EAGAIN, NULL },
	};
	struct bench *b = *state;
	struct pb_event *ev = an_event(b);
	char name[16];
	for (size_t i = 0; i < COUNT(table); i++) {
		snprintf(name, sizeof name, "filter f%zu", i);
		struct pbt_instance *in = bench_open(b, name, table[i].script,
						     i + 1 == COUNT(table) ? "format = plain\ntimeout = 50ms" : "format = plain");
		if (pbt_apply(in, ev) != table[i].result || pbt_n_passed(in) != (table[i].passed != NULL))
			fail_msg("%s: %s", table[i].script, pbt_reason(in));
		if (table[i].passed != NULL) {
			body_is(in, 0, table[i].passed);
			assert_string_equal(pb_event_subject(pbt_passed(in, 0)), "s");
		}
		pbt_close(in);
	}
	pb_event_free(ev);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_up, bench_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_it_passes), TEST(what_fails), TEST(what_is_not_right), TEST(one_that_hangs), TEST(plain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
