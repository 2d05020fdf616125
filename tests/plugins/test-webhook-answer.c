/* What came of an attempt, as an answer; and headers that nothing forges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "webhook/answer.h"
#include "webhook/head.h"

#define COUNT(a) (sizeof (a) / sizeof *(a))

static void test_reply(void **state)
{
	static const struct {
		struct reply reply;
		enum pb_code code;
		int64_t after;
		const char *reason;
	} cases[] = {
		{ { .status = 200 }, PB_OK, 0, "HTTP 200" },
		{ { .status = 204, .retry_after = 5 }, PB_OK, 0, "HTTP 204" },
		{ { .status = 299 }, PB_OK, 0, "HTTP 299" },
		{ { .status = 300 }, PB_REJECT, 0, "HTTP 300: redirects are not followed" },
		{ { .status = 302, .location = "https://a/b" }, PB_REJECT, 0,
		  "HTTP 302: redirects are not followed; it points to https://a/b" },
		{ { .status = 400 }, PB_REJECT, 0, "HTTP 400" },
		{ { .status = 401, .retry_after = 9 }, PB_REJECT, 0, "HTTP 401" },
		{ { .status = 404 }, PB_REJECT, 0, "HTTP 404" },
		{ { .status = 408 }, PB_RETRY, 0, "HTTP 408" },
		{ { .status = 410 }, PB_GONE, 0, "HTTP 410" },
		{ { .status = 425 }, PB_RETRY, 0, "HTTP 425" },
		{ { .status = 429, .retry_after = 7000 }, PB_RETRY, 7000, "HTTP 429" },
		{ { .status = 499 }, PB_REJECT, 0, "HTTP 499" },
		{ { .status = 500 }, PB_RETRY, 0, "HTTP 500" },
		{ { .status = 503, .retry_after = 1000 }, PB_RETRY, 1000, "HTTP 503" },
		{ { .status = 999 }, PB_RETRY, 0, "HTTP 999" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct answer answer;
		answer_reply(&answer, &cases[i].reply);
		assert_string_equal(answer.reason, cases[i].reason);
		assert_int_equal(answer.code, cases[i].code);
		assert_int_equal(answer.after, cases[i].after);
	}
}

static void test_failure(void **state)
{
	static const struct {
		struct failure failure;
		const char *reason;
	} cases[] = {
		{ { .code = CURLE_OPERATION_TIMEDOUT, .phase = PHASE_CONNECTING, .timeout = 10000,
		    .detail = "x" }, "no answer within 10s: connecting" },
		{ { .code = CURLE_OPERATION_TIMEDOUT, .phase = PHASE_WAITING, .timeout = 250,
		    .detail = "x" }, "no answer within 250ms: waiting for the answer" },
		{ { .code = CURLE_COULDNT_CONNECT, .os_error = 111, .detail = "Failed to connect" },
		  "cannot connect: Connection refused" },
		{ { .code = CURLE_COULDNT_CONNECT, .detail = "" }, "cannot connect" },
		{ { .code = CURLE_COULDNT_RESOLVE_HOST, .detail = "Could not resolve host: a.test" },
		  "cannot resolve the name: Could not resolve host: a.test" },
		{ { .code = CURLE_PEER_FAILED_VERIFICATION, .detail = "SSL: self-signed\r\nX: y" },
		  "TLS verification failed: SSL: self-signed  X: y" },
		{ { .code = CURLE_GOT_NOTHING, .detail = "" },
		  "the connection was closed without an answer" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct answer answer;
		answer_failure(&answer, &cases[i].failure);
		assert_string_equal(answer.reason, cases[i].reason);
		assert_int_equal(answer.code, PB_RETRY);
		assert_int_equal(answer.after, 0);
	}
}

static void test_retry_after(void **state)
{
	const time_t now = 1700000000;		/* Tue, 14 Nov 2023 22:13:20 GMT */
	static const struct {
		const char *value;
		int64_t ms;
	} cases[] = {
		{ "0", 0 }, { "1", 1000 }, { "120", 120000 }, { "000120", 120000 },
		{ "999999999999999999999999", 366LL * 86400 * 1000 },
		{ "-5", 0 }, { "", 0 }, { "soon", 0 }, { "12x", 0 }, { "1.5", 0 },
		{ "Tue, 14 Nov 2023 22:13:30 GMT", 10000 },
		{ "Tuesday, 14-Nov-23 22:14:20 GMT", 60000 },
		{ "Tue Nov 14 22:13:21 2023", 1000 },
		{ "Tue, 14 Nov 2023 22:13:20 GMT", 0 },
		{ "Tue, 14 Nov 2000 22:13:20 GMT", 0 },
		{ "Tue, 14 Nov 2999 22:13:20 GMT", 366LL * 86400 * 1000 },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (retry_after_parse(cases[i].value, now) != cases[i].ms)
			fail_msg("%s: %lld", cases[i].value,
				 (long long)retry_after_parse(cases[i].value, now));
}

static void test_location(void **state)
{
	static const char *const cases[][2] = {
		{ "https://a.test/b", "https://a.test/b" },
		{ "https://user:word@a.test/b?token=1#x", "https://a.test/b" },
		{ "https://u:p@q@a.test", "https://a.test" },
		{ "//u@a/b@c", "//a/b@c" },
		{ "/login?next=http://u:p@h/", "/login" },
		{ "/a@b", "/a@b" },
		{ "https://a/\x1b[31m\xff", "https://a/?[31m?" },
		{ "", "" }, { "https://", "https://" }, { "https://u:p@", "https://" },
	};
	char shown[LOCATION_SIZE], *longest = NULL;
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		location_show(cases[i][0], shown);
		assert_string_equal(shown, cases[i][1]);
	}
	assert_int_not_equal(asprintf(&longest, "https://a/%0500d", 7), -1);
	location_show(longest, shown);
	assert_int_equal(strlen(shown), LOCATION_SIZE - 1);
	free(longest);
}

static void test_header_fault(void **state)
{
	static const struct {
		const char *header, *fault;
	} cases[] = {
		{ "X-A: b", NULL }, { "X-A:b", NULL }, { "X-A:", NULL }, { "x!#$%&'*+-.^_`|~9: b", NULL },
		{ "Authorization: Bearer a:b", NULL }, { "X-A: b\tc", NULL }, { "X-A: \xc3\xa4", NULL },
		{ "X-A", "is not of the form" }, { ": b", "is not of the form" },
		{ "", "is not of the form" }, { "X A: b", "is not of the form" },
		{ "X-A : b", "is not of the form" }, { "X\xc3: b", "is not of the form" },
		{ "X-A: b\r\nX-B: c", "holds a control" }, { "X-A: b\x7f", "holds a control" },
		{ "Content-Length: 5", "patchbay's own" }, { "webhook-ID: 5", "patchbay's own" },
		{ "Transfer-Encoding: chunked", "patchbay's own" }, { "webhook-idx: 5", NULL },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *fault = header_fault(cases[i].header);
		if (cases[i].fault == NULL ? fault != NULL
					   : fault == NULL || strstr(fault, cases[i].fault) == NULL)
			fail_msg("%s: %s", cases[i].header, fault == NULL ? "no fault" : fault);
	}
}

static void test_header_encode(void **state)
{
	static const char *const cases[][2] = {
		{ "0190-abc~2", "0190-abc~2" }, { "a b", "a%20b" }, { "a\r\nX: y", "a%0D%0AX:%20y" },
		{ "100%", "100%25" }, { "\"q\"", "%22q%22" }, { "\xc3\xa4\x7f", "%C3%A4%7F" }, { "", "" },
	};
	char out[32];
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_true(header_encode(cases[i][0], out, sizeof out));
		assert_string_equal(out, cases[i][1]);
	}
	assert_true(header_encode("1234567", out, 8));
	assert_false(header_encode("12345678", out, 8));
	assert_false(header_encode("12345 ", out, 8));
}

static void test_media_type(void **state)
{
	(void)state;
	assert_true(media_type_sound("application/json; charset=utf-8"));
	assert_false(media_type_sound(""));
	assert_false(media_type_sound(" "));
	assert_false(media_type_sound("text/plain\r\nX: y"));
	assert_false(media_type_sound("text/\xc3\xa4"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reply), cmocka_unit_test(test_failure),
		cmocka_unit_test(test_retry_after), cmocka_unit_test(test_location),
		cmocka_unit_test(test_header_fault), cmocka_unit_test(test_header_encode),
		cmocka_unit_test(test_media_type),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
