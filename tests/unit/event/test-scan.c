/* test-scan.c - what is JSON and what is not, what is found in it, and what it says. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/span.h"
#include "event/scan.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define BYTES(s) { s, sizeof(s) - 1 }
#define SHOW(s) (int)(s).len, (const char *)(s).data

/* In memory of the exact size, so that a sanitizer sees a step too far. */
static struct pb_span exact(struct pb_span text)
{
	char *copy = malloc(text.len);

	if (text.len > 0) {
		assert_non_null(copy);
		memcpy(copy, text.data, text.len);
	}
	return span_of(copy, text.len);
}

static bool valid(struct pb_span text, size_t *at)
{
	struct pb_span json = exact(text);
	bool yes = scan_valid(json, at);

	free((void *)json.data);
	return yes;
}

static const struct pb_span accepted[] = {
	/* structure */
	BYTES("[]"), BYTES("{}"), BYTES("[[]   ]"), BYTES("[{}]"), BYTES("[\"\"]"),
	BYTES("[null,1,\"1\",{}]"),
	BYTES("[1\n]"), BYTES(" [1]"), BYTES("[2] "), BYTES("\t\n\r [ ] \t\n\r"),
	BYTES("[1,null,null,null,2]"),
	BYTES("{\"a\":[]}"), BYTES("{\"\":0}"), BYTES("{\"a\":\"b\",\"a\":\"b\"}"),
	BYTES("{\"a\":1,\"a\":2}"),
	BYTES("{\n\"a\": \"b\"\n}"), BYTES("{\"a\" : {\"b\" : [ true , false ] } }"),
	BYTES("{\"a\\u0000\":1}"),
	/* a scalar alone */
	BYTES("true"), BYTES("false"), BYTES("null"), BYTES("42"), BYTES("-0.1"), BYTES("\"asd\""),
	BYTES("\"\""), BYTES(" 7 "),
	/* numbers */
	BYTES("[0]"), BYTES("[-0]"), BYTES("[-1]"), BYTES("[123]"), BYTES("[123e65]"),
	BYTES("[0e+1]"), BYTES("[0e1]"),
	BYTES("[1E22]"), BYTES("[1E-2]"), BYTES("[1E+2]"), BYTES("[123.456e78]"),
	BYTES("[123.456789]"), BYTES("[20e1]"),
	BYTES("[-123]"), BYTES("[ 4]"), BYTES("[0.5]"), BYTES("[1e400]"), BYTES("[-1e-400]"),
	BYTES("[100000000000000000000000000000000000000]"),
	BYTES("[-0.0000000000000000000000000000000000000001]"),
	/* strings */
	BYTES("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"), BYTES("[\"\\u0060\\u012a\\u12AB\"]"),
	BYTES("[\"\\uD801\\udc37\"]"),
	BYTES("[\"\\ud83d\\ude39\\ud83d\\udc8d\"]"), BYTES("[\"\\\\u0000\"]"),
	BYTES("[\"\\u0000\"]"),
	BYTES("[\"\\uFFFF\"]"), BYTES("[\"\\uDBFF\\uDFFE\"]"), BYTES("[\"a/*b*/c/*d//e\"]"),
	BYTES("[\"\x7f\"]"),
	BYTES("[\"\xc3\xa9\"]"), BYTES("[\"\xe2\x82\xac\xf0\x9d\x84\x9e\"]"),
	BYTES("[\"\xef\xbf\xbf\"]"),
	BYTES("[\"\xf4\x8f\xbf\xbf\"]"), BYTES("[\"\xed\x9f\xbf\xee\x80\x80\"]"),
	BYTES("[\"\xe2\x80\xa8\"]"),
	BYTES("[\"\xc2\x80\"]"), BYTES("[\"\xe0\xa0\x80\"]"), BYTES("[\"\xf0\x90\x80\x80\"]"),
	BYTES("[\"\xef\xbb\xbf\"]"),
};

static void what_is_json(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(accepted); i++) {
		size_t at = 0;

		if (!valid(accepted[i], &at))
			fail_msg("%.*s: fault at %zu", SHOW(accepted[i]), at);
	}
}

/* What stands at the offset, or begins there, cannot be right. */
static const struct {
	struct pb_span text;
	size_t at;
} refused[] = {
	/* structure */
	{ BYTES(""), 0 }, { BYTES(" "), 1 }, { BYTES("["), 1 }, { BYTES("{"), 1 },
	{ BYTES("]"), 0 }, { BYTES("}"), 0 },
	{ BYTES("[1"), 2 }, { BYTES("[1,"), 3 }, { BYTES("[1,]"), 3 }, { BYTES("[,1]"), 1 },
	{ BYTES("[1,,2]"), 3 },
	{ BYTES("[1 2]"), 3 }, { BYTES("[1}"), 2 }, { BYTES("[1]x"), 3 }, { BYTES("[][]"), 2 },
	{ BYTES("1 2"), 2 },
	{ BYTES("[]]"), 2 }, { BYTES("[\"a\"\n:1]"), 5 }, { BYTES("[1:2]"), 2 },
	{ BYTES("[\"\"],"), 4 },
	{ BYTES("{\"a\""), 4 }, { BYTES("{\"a\":"), 5 }, { BYTES("{\"a\":1"), 6 },
	{ BYTES("{\"a\":1,"), 7 },
	{ BYTES("{\"a\":1,}"), 7 }, { BYTES("{\"a\" 1}"), 5 }, { BYTES("{\"a\",1}"), 4 },
	{ BYTES("{\"a\"::1}"), 5 },
	{ BYTES("{\"a\":}"), 5 }, { BYTES("{a:1}"), 1 }, { BYTES("{1:1}"), 1 },
	{ BYTES("{'a':1}"), 1 },
	{ BYTES("{null:1}"), 1 }, { BYTES("{,}"), 1 }, { BYTES("{\"a\":1]"), 6 },
	{ BYTES("{[]:1}"), 1 },
	{ BYTES("{\"a\":\"b\"}#"), 9 }, { BYTES("{\"a\":1 \"b\":2}"), 7 }, { BYTES("[/**/]"), 1 },
	{ BYTES("// x\n1"), 0 },
	/* white space that is none */
	{ BYTES("[\f]"), 1 }, { BYTES("[\v]"), 1 }, { BYTES("[\xc2\xa0]"), 1 },
	{ BYTES("[\xe2\x81\xa0]"), 1 },
	{ BYTES("\xef\xbb\xbf{}"), 0 }, { BYTES("\x00"), 0 }, { BYTES("1\x00"), 1 },
	{ BYTES("[1]\x00"), 3 },
	/* words */
	{ BYTES("[nul]"), 4 }, { BYTES("[nulll]"), 5 }, { BYTES("[True]"), 1 },
	{ BYTES("[tru"), 4 }, { BYTES("nan"), 1 },
	{ BYTES("[NaN]"), 1 }, { BYTES("[Infinity]"), 1 }, { BYTES("[-Infinity]"), 2 },
	{ BYTES("[fals\0]"), 5 },
	/* numbers */
	{ BYTES("-"), 1 }, { BYTES("[-]"), 2 }, { BYTES("[+1]"), 1 }, { BYTES("[.5]"), 1 },
	{ BYTES("[1.]"), 3 },
	{ BYTES("[01]"), 2 }, { BYTES("[-01]"), 3 }, { BYTES("[1.e1]"), 3 }, { BYTES("[1e]"), 3 },
	{ BYTES("[1e+]"), 4 },
	{ BYTES("[1eE2]"), 3 }, { BYTES("[0x1F]"), 2 }, { BYTES("[1+2]"), 2 },
	{ BYTES("[--1]"), 2 }, { BYTES("[1-]"), 2 },
	{ BYTES("[0.1.2]"), 4 }, { BYTES("[1_000]"), 2 }, { BYTES("[1e1.5]"), 4 },
	{ BYTES("[\xef\xbc\x91]"), 1 }, { BYTES("1e"), 2 },
	/* strings */
	{ BYTES("\""), 1 }, { BYTES("\"a"), 2 }, { BYTES("\"\\\""), 3 }, { BYTES("\"\\"), 1 },
	{ BYTES("\"\\x\""), 1 },
	{ BYTES("\"\\u\""), 1 }, { BYTES("\"\\u12\""), 1 }, { BYTES("\"\\u123g\""), 1 },
	{ BYTES("\"\\U0041\""), 1 },
	{ BYTES("\"\\u 123\""), 1 }, { BYTES("\"\\u-123\""), 1 }, { BYTES("\"\\a\""), 1 },
	{ BYTES("\"\\0\""), 1 }, { BYTES("\"\\'\""), 1 },
	{ BYTES("\"\n\""), 1 }, { BYTES("\"\t\""), 1 }, { BYTES("\"\x1f\""), 1 },
	{ BYTES("\"a\0b\""), 2 }, { BYTES("'a'"), 0 },
	{ BYTES("\"\\ud800\""), 7 }, { BYTES("\"\\udc00\""), 1 },
	{ BYTES("\"\\ud800\\u0041\""), 7 },
	{ BYTES("\"\\ud800\\ud800\""), 7 }, { BYTES("\"\\udc00\\ud800\""), 1 },
	{ BYTES("\"\\ud83d\\\""), 7 }, { BYTES("\"\\ud83dx\""), 7 },
	/* not UTF-8 */
	{ BYTES("\"\x80\""), 1 }, { BYTES("\"\xff\""), 1 }, { BYTES("\"\xc0\xaf\""), 1 },
	{ BYTES("\"\xc1\xbf\""), 1 },
	{ BYTES("\"\xc3\""), 1 }, { BYTES("\"\xe0\x9f\xbf\""), 1 },
	{ BYTES("\"\xed\xa0\x80\""), 1 }, { BYTES("\"\xe4\xb8\""), 1 },
	{ BYTES("\"\xf0\x8f\xbf\xbf\""), 1 }, { BYTES("\"\xf4\x90\x80\x80\""), 1 },
	{ BYTES("\"\xf5\x80\x80\x80\""), 1 },
	{ BYTES("\"\xc3\xa9\xe9\""), 3 }, { BYTES("\"\xf0\x9f\x98"), 1 },
	{ BYTES("[\xc3\xa9]"), 1 }, { BYTES("[\"a\"\xe5]"), 4 },
};

static void what_is_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		size_t at = 1000;

		if (valid(refused[i].text, &at))
			fail_msg("case %zu was taken: %.*s", i, SHOW(refused[i].text));
		if (at != refused[i].at)
			fail_msg("case %zu, %.*s: fault at %zu", i, SHOW(refused[i].text), at);
		assert_false(valid(refused[i].text, NULL));
	}
}

/* `depth` containers, one in the other; the innermost is an empty array. */
static struct pb_span nested(char *text, const char *open, char close, size_t depth)
{
	size_t len = 0;

	for (size_t i = 1; i < depth; i++) {
		memcpy(text + len, open, strlen(open));
		len += strlen(open);
	}
	memcpy(text + len, "[]", 2);
	len += 2;
	memset(text + len, close, depth - 1);
	return span_of(text, len + depth - 1);
}

static void nesting_ends_at_its_limit(void **state)
{
	char *text = malloc(6 * SCAN_DEPTH_MAX + 16);
	size_t at = 0;

	(void)state;
	assert_non_null(text);
	assert_true(valid(nested(text, "[", ']', SCAN_DEPTH_MAX), NULL));
	assert_true(valid(nested(text, "{\"\":", '}', SCAN_DEPTH_MAX), NULL));
	assert_false(valid(nested(text, "[", ']', SCAN_DEPTH_MAX + 1), &at));
	assert_int_equal(at, SCAN_DEPTH_MAX);
	assert_false(valid(nested(text, "{\"\":", '}', SCAN_DEPTH_MAX + 1), &at));
	assert_int_equal(at, 4 * SCAN_DEPTH_MAX);
	free(text);
}

/* A string is read sixteen bytes at a time: what is special may stand anywhere. */
static void special_bytes_at_every_place(void **state)
{
	static const struct {
		struct pb_span bytes;
		bool ok;
	} specials[] = {
		{ BYTES("\\n"), true }, { BYTES("\xc3\xa9"), true },
		{ BYTES("\xf0\x9f\x98\x80"), true },
		{ BYTES("\n"), false }, { BYTES("\xff"), false }, { BYTES("\\x"), false },
		{ BYTES("\""), false },
		{ BYTES("\x7f"), true }, { BYTES(" "), true }, { BYTES("\\u0041"), true },
		{ BYTES("\xe4\xb8"), false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(specials); i++) {
		for (size_t place = 0; place < 40; place++) {
			char text[64] = "\"";
			size_t len = specials[i].bytes.len;

			memset(text + 1, 'x', 50);
			memcpy(text + 1 + place, specials[i].bytes.data, len);
			memcpy(text + 1 + 45, "\"", 1);
			if (valid(span_of(text, 47), NULL) != specials[i].ok)
				fail_msg("special %zu at %zu", i, place);
		}
	}
}

static const char whole[] = "{\"a\":[1,-2.5e3,true,null],\"b\\u0063\":\"\xe4\xb8\xad\\ud83d\\ude00\"}";

static void no_part_of_it_is_valid(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof whole - 1; len++) {
		size_t at = 1000;

		assert_false(valid(span_of(whole, len), &at));
		assert_true(at <= len);
	}
	assert_true(valid(span_of(whole, sizeof whole - 1), NULL));
}

static const struct {
	const char *json, *path, *found;
} finds[] = {
	{ " {\"a\":1} ", "", "{\"a\":1}" },
	{ " 12 ", "", "12" },
	{ "12", "a", NULL },
	{ "{\"a\":1,\"b\":2}", "b", "2" },
	{ "{\"a\":1}", "b", NULL },
	{ "{\"a\" : { \"b\" : [ 1 , 2 ] } }", "a", "{ \"b\" : [ 1 , 2 ] }" },
	{ "{\"a\" : { \"b\" : [ 1 , 2 ] } }", "a.b", "[ 1 , 2 ]" },
	{ "{\"a\" : { \"b\" : [ 1 , 2 ] } }", "a.b.1", "2" },
	{ "{\"a\" : { \"b\" : [ 1 , 2 ] } }", "a.b.2", NULL },
	{ "{\"a\":{\"b\":1}}", "a.b.c", NULL },
	{ "{\"a\":\"text\"}", "a", "\"text\"" },
	{ "{\"a\":\"text\"}", "a.0", NULL },
	{ "{\"ab\":1,\"a\":2,\"abc\":3}", "a", "2" },
	{ "{\"ab\":1,\"abc\":3}", "a", NULL },
	/* arrays by number, objects by name */
	{ "[\"x\",[\"y\",{\"z\":7}]]", "1.1.z", "7" },
	{ "[1,2,3,4,5,6,7,8,9,10,11]", "10", "11" },
	{ "[1,2]", "00", NULL }, { "[1,2]", "01", NULL }, { "[1,2]", "-1", NULL },
	{ "[1,2]", "1x", NULL },
	{ "[1,2]", "4294967296", NULL }, { "[1,2]", "99999999999999999999", NULL },
	{ "{\"0\":\"zero\",\"01\":\"one\"}", "01", "\"one\"" },
	{ "{\"0\":\"zero\"}", "0", "\"zero\"" },
	{ "[]", "0", NULL },
	{ "[[],[[],[3]]]", "1.1.0", "3" },
	/* the last of equal keys, and what is inside it only */
	{ "{\"a\":1,\"a\":2}", "a", "2" },
	{ "{\"a\":{\"b\":1},\"a\":{\"c\":2}}", "a.b", NULL },
	{ "{\"a\":{\"b\":1},\"a\":{\"c\":2}}", "a.c", "2" },
	{ "{\"a\":{\"b\":1},\"a\":7}", "a.b", NULL },
	{ "{\"a\":7,\"a\":{\"b\":1}}", "a.b", "1" },
	{ "{\"a\":{\"b\":1,\"b\":2},\"x\":{\"b\":3}}", "a.b", "2" },
	{ "{\"x\":{\"a\":1},\"a\":2}", "a", "2" },
	/* keys are compared unescaped */
	{ "{\"\\u0061\":1}", "a", "1" },
	{ "{\"\\u0061\":1,\"a\":2}", "a", "2" },
	{ "{\"\\ud83d\\ude00\":1}", "\xf0\x9f\x98\x80", "1" },
	{ "{\"a\\/b\":1}", "a/b", "1" },
	{ "{\"a\\nb\":1}", "a\\nb", NULL },
	{ "{\"a\\\\nb\":1}", "a\\nb", "1" },
	{ "{\"a\\u0000\":1}", "a", NULL },
	{ "{\"ab\\u0063\":1}", "ab", NULL },
	{ "{\"\xc3\xa9\":1}", "\xc3\xa9", "1" },
	/* empty keys stand between dots; a dot in a key cannot be named */
	{ "{\"\":{\"\":1}}", ".", "1" },
	{ "{\"a\":{\"\":1}}", "a.", "1" },
	{ "{\"a.b\":1}", "a.b", NULL },
	/* only of what is valid as a whole */
	{ "{\"a\":1", "a", NULL }, { "{\"a\":1}}", "a", NULL }, { "{\"a\":1,\"b\":01}", "a", NULL },
	{ "", "", NULL },
};

static void what_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(finds); i++) {
		struct pb_span json = exact(span_str(finds[i].json));
		struct pb_span found = scan_find(json, finds[i].path);

		if (finds[i].found == NULL ? found.data != NULL : !span_is(found, finds[i].found))
			fail_msg("%s in %s: \"%.*s\"", finds[i].path, finds[i].json, SHOW(found));
		free((void *)json.data);
	}
}

static void several_paths_in_one_pass(void **state)
{
	static const char *const paths[16] = {
		"", "event", "run", "run.id", "run.rows", "run.rows.0", "run.rows.1.x", "run.none",
		"event", "run.id.x", "none", "run.rows.2", "tail", "run.rows.1", "0", "run.rows.1.x.y",
	};
	static const char *const wanted[16] = {
		"{\"event\":\"e\",\"run\":{\"id\":4,\"rows\":[1,{\"x\":2}]},\"tail\":true}", "\"e\"",
		"{\"id\":4,\"rows\":[1,{\"x\":2}]}", "4", "[1,{\"x\":2}]", "1", "2", NULL,
		"\"e\"", NULL, NULL, NULL, "true", "{\"x\":2}", NULL, NULL,
	};
	struct pb_span found[16];

	(void)state;
	assert_true(scan_find_all(span_str(wanted[0]), paths, 16, found));
	for (size_t i = 0; i < 16; i++)
		if (wanted[i] == NULL ? found[i].data != NULL : !span_is(found[i], wanted[i]))
			fail_msg("%s: \"%.*s\"", paths[i], SHOW(found[i]));
	assert_false(scan_find_all(span_str("{\"event\":1,\"run\":2"), paths, 16, found));
	for (size_t i = 0; i < 16; i++)
		assert_null(found[i].data);
	assert_true(scan_find_all(span_str("1"), paths, 0, NULL));
}

static const struct {
	const char *json, *members;	/* key=value; */
} walks[] = {
	{ "{}", "" }, { "[]", "" }, { " [ ] ", "" }, { "1", "" }, { "\"a\"", "" }, { "", "" },
	{ "null", "" },
	{ "[1]", "=1;" },
	{ " [ 1 , [ 2 ] , \"x\" , { } ] ", "=1;=[ 2 ];=\"x\";={ };" },
	{ "[\"a\",\"b\"]", "=\"a\";=\"b\";" },
	{ "{\"a\":1}", "\"a\"=1;" },
	{ " { \"a\" : \"b\" , \"c\\\"\" : { \"d\" : [ ] } } ", "\"a\"=\"b\";\"c\\\"\"={ \"d\" : [ ] };" },
	{ "{\"a\":1,\"a\":2}", "\"a\"=1;\"a\"=2;" },
	/* not valid: it ends, wherever */
	{ "[1,2", "=1;=2;" }, { "[1,,2]", "=1;" }, { "[1 2]", "=1;" }, { "{\"a\":}", "" },
	{ "[", "" }, { "{\"a", "" },
};

static void members_in_turn(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(walks); i++) {
		struct pb_span json = exact(span_str(walks[i].json)), rest = json, key, value;
		char text[256] = "";
		size_t len = 0;

		while (scan_each(&rest, &key, &value)) {
			len += (size_t)snprintf(text + len, sizeof text - len, "%.*s=%.*s;",
						SHOW(key), SHOW(value));
		}
		assert_null(key.data);
		assert_null(value.data);
		assert_string_equal(text, walks[i].members);
		free((void *)json.data);
	}
}

static const struct {
	struct pb_span json;
	const char *text;	/* NULL: refused */
} texts[] = {
	{ BYTES("\"\""), "" },
	{ BYTES(" \"plain\" "), "plain" },
	{ BYTES("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), "\"\\/\b\f\n\r\t" },
	{ BYTES("\"a\\u00e9b\\u4E2dc\\ud83d\\uDE00d\""), "a\xc3\xa9" "b\xe4\xb8\xad" "c\xf0\x9f\x98\x80" "d" },
	{ BYTES("\"\\u007f\\u0080\\u07ff\\u0800\\uffff\""), "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf" },
	{ BYTES("\"\\ud800\\udc00\\udbff\\udfff\""), "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf" },
	{ BYTES("12.50"), "12.50" },
	{ BYTES(" true "), "true" },
	{ BYTES("null"), "null" },
	{ BYTES("[ 1, \"x\" ]"), "[ 1, \"x\" ]" },
	{ BYTES("{\"a\":\"\\u0000\"}"), "{\"a\":\"\\u0000\"}" },
	{ BYTES("\"a\\u0000b\""), NULL },
	{ BYTES("\"\\u0000\""), NULL },
	{ BYTES(""), NULL }, { BYTES("  "), NULL }, { BYTES("\"open"), NULL },
	{ BYTES("\""), NULL }, { BYTES("1 2"), NULL }, { BYTES("nul"), NULL },
};

static void what_it_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct pb_span json = exact(texts[i].json);
		char out[64];
		long len = scan_text(json, out, sizeof out);

		if (texts[i].text == NULL) {
			assert_int_equal(len, -EINVAL);
		} else {
			assert_int_equal(len, strlen(texts[i].text));
			assert_string_equal(out, texts[i].text);
			/* exactly enough room, and one too few */
			assert_int_equal(scan_text(json, out, (size_t)len + 1), len);
			assert_int_equal(scan_text(json, out, (size_t)len), -ERANGE);
		}
		free((void *)json.data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_json),
		cmocka_unit_test(what_is_not),
		cmocka_unit_test(nesting_ends_at_its_limit),
		cmocka_unit_test(special_bytes_at_every_place),
		cmocka_unit_test(no_part_of_it_is_valid),
		cmocka_unit_test(what_is_found),
		cmocka_unit_test(several_paths_in_one_pass),
		cmocka_unit_test(members_in_turn),
		cmocka_unit_test(what_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
