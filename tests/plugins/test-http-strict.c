/* test-http-strict.c - tables of header fields that are fine or are to be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/strict.h"

struct field {
	const char *name, *value;
};

struct head {
	const char *fault;	/* NULL: taken */
	const char *version;	/* NULL: HTTP/1.1 */
	const char *method;	/* NULL: POST */
	const char *target;	/* NULL: / */
	struct field fields[4];
};

#define HOST { "Host", "a" }

static const struct head heads[] = {
	{ NULL, .fields = { HOST, { "Content-Length", "0" } } },
	{ NULL, .fields = { HOST, { "content-length", "18446744073709551605" } } },
	{ NULL, .fields = { HOST, { "Transfer-Encoding", "Chunked" } } },
	{ NULL, .fields = { { "host", "" } } },
	{ NULL, .fields = { { "Host", "[::1]:80" }, { "X", "a\tb \xc3\xa4" } } },
	{ NULL, .version = "HTTP/1.0", .fields = { { "Content-Length", "5" } } },
	{ NULL, .method = "M-SEARCH", .fields = { HOST } },

	{ "Host is missing", .fields = { { "Content-Length", "1" } } },
	{ "more than one Host", .fields = { HOST, HOST } },
	{ "more than one Host", .fields = { HOST, { "hOST", "b" } } },
	{ "Host is malformed", .fields = { { "Host", "a/b" } } },
	{ "Host is malformed", .fields = { { "Host", "u@a" } } },
	{ "Host is malformed", .fields = { { "Host", "a, b" } } },
	{ "more than one Content-Length",
	  .fields = { HOST, { "Content-Length", "1" }, { "Content-Length", "1" } } },
	{ "Content-Length is not a number", .fields = { HOST, { "Content-Length", "" } } },
	{ "Content-Length is not a number", .fields = { HOST, { "Content-Length", "+1" } } },
	{ "Content-Length is not a number", .fields = { HOST, { "Content-Length", "-1" } } },
	{ "Content-Length is not a number", .fields = { HOST, { "Content-Length", "0x10" } } },
	{ "Content-Length is not a number", .fields = { HOST, { "Content-Length", "1, 1" } } },
	{ "Content-Length is not a number", .fields = { HOST, { "Content-Length", "1 1" } } },
	{ "Content-Length is not a number",
	  .fields = { HOST, { "Content-Length", "18446744073709551617" } } },
	{ "both Content-Length and Transfer-Encoding",
	  .fields = { HOST, { "Content-Length", "1" }, { "Transfer-Encoding", "chunked" } } },
	{ "more than one Transfer-Encoding",
	  .fields = { HOST, { "Transfer-Encoding", "chunked" }, { "Transfer-Encoding", "chunked" } } },
	{ "a Transfer-Encoding other than chunked",
	  .fields = { HOST, { "Transfer-Encoding", "gzip, chunked" } } },
	{ "a Transfer-Encoding other than chunked",
	  .fields = { HOST, { "Transfer-Encoding", "chunked " } } },
	{ "a Transfer-Encoding other than chunked", .fields = { HOST, { "Transfer-Encoding", "" } } },
	{ "Transfer-Encoding in HTTP/1.0", .version = "HTTP/1.0",
	  .fields = { { "Transfer-Encoding", "chunked" } } },
	{ "the name of a header field is not a token", .fields = { HOST, { "X ", "a" } } },
	{ "the name of a header field is not a token", .fields = { HOST, { "X[", "a" } } },
	{ "the name of a header field is not a token", .fields = { HOST, { "\xc3\xa4", "a" } } },
	{ "a header field has a control character", .fields = { HOST, { "X", "a\rb" } } },
	{ "a header field has a control character", .fields = { HOST, { "X", "\x7f" } } },
	{ "the method is not a token", .method = "PO ST", .fields = { HOST } },
	{ "the method is not a token", .method = "", .fields = { HOST } },
	{ "the request target is malformed", .target = "", .fields = { HOST } },
	{ "the request target is malformed", .target = "/a\x01", .fields = { HOST } },
	{ "the request target is malformed", .target = "/a b", .fields = { HOST } },
};

static struct strict look(const struct head *head)
{
	struct strict s = { 0 };
	strict_target(&s, head->target != NULL ? head->target : "/");
	strict_method(&s, head->method != NULL ? head->method : "POST");
	for (const struct field *f = head->fields; f->name != NULL; f++)
		strict_field(&s, f->name, strlen(f->name), f->value, strlen(f->value));
	return s;
}

static void test_verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
		struct strict s = look(&heads[i]);
		const char *version = heads[i].version != NULL ? heads[i].version : "HTTP/1.1";
		const char *fault = strict_verdict(&s, version);
		if (heads[i].fault == NULL)
			assert_null(fault);
		else if (fault == NULL)
			fail_msg("row %zu is taken, expected: %s", i, heads[i].fault);
		else
			assert_string_equal(fault, heads[i].fault);
	}
}

/* A NUL inside a value ends neither the check nor the value. */
static void test_nul(void **state)
{
	(void)state;
	struct strict s = { 0 };
	strict_field(&s, "Host", 4, "a", 1);
	strict_field(&s, "X", 1, "a\0b", 3);
	assert_string_equal(strict_verdict(&s, "HTTP/1.1"), "a header field has a control character");
	s = (struct strict){ 0 };
	strict_field(&s, "Ho\0st", 5, "a", 1);
	assert_string_equal(strict_verdict(&s, "HTTP/1.1"),
			    "the name of a header field is not a token");
}

static void test_facts(void **state)
{
	(void)state;
	struct strict s = look(&(struct head){ .fields = { HOST, { "Content-Length", "42" } } });
	assert_true(strict_sized(&s) && s.length == 42 && !s.coded && !s.expects);
	s = look(&(struct head){ .fields = { HOST, { "Transfer-Encoding", "chunked" } } });
	assert_true(strict_sized(&s));
	s = look(&(struct head){ .fields = { HOST } });
	assert_false(strict_sized(&s));
	s = look(&(struct head){ .fields = { HOST, { "Content-Encoding", "Identity" } } });
	assert_false(s.coded);
	s = look(&(struct head){ .fields = { { "Content-Encoding", "gzip" }, { "Content-Encoding", "" } } });
	assert_true(s.coded);
	s = look(&(struct head){ .fields = { HOST, { "Expect", "100-continue" } } });
	assert_true(s.expects);
}

static void test_token(void **state)
{
	(void)state;
	assert_true(strict_token("!#$%&'*+-.^_`|~09azAZ", 21));
	assert_false(strict_token("", 0));
	assert_false(strict_token("a\0", 2));
	for (const char *c = "\"(),/:;<=>?@[\\]{} \t\x7f\x80"; *c != '\0'; c++)
		assert_false(strict_token(c, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_token),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
