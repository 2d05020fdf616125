/* test-message.c - what is said arrives as it was; what is no message is refused, whatever its bytes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/span.h"
#include "plugin/message.h"

static struct pb_span packed(struct buf *b, const struct message *m)
{
	buf_reset(b);
	assert_int_equal(message_add(b, m), 0);
	unsigned char *at = (unsigned char *)b->data;
	assert_int_equal((size_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3], b->len - MESSAGE_HEAD);
	return span_of(b->data + MESSAGE_HEAD, b->len - MESSAGE_HEAD);
}

static void assert_span(struct pb_span span, const char *text)
{
	assert_int_equal(span.len, strlen(text));
	assert_memory_equal(span.data, text, span.len);
}

static void an_answer_arrives(void **state)
{
	struct buf b = BUF_INIT(1 << 20);
	struct message got;
	(void)state;
	struct message m = {
		.kind = MESSAGE_ANSWER, .token = UINT32_MAX, .code = PB_REJECT, .after = -5,
		.response = span_of("\0\xff", 2), .reason = span_str("is wrong"),
	};
	assert_int_equal(message_read(packed(&b, &m), &got), 0);
	assert_int_equal(got.kind, MESSAGE_ANSWER);
	assert_true(got.token == UINT32_MAX && got.after == -5 && got.code == PB_REJECT);
	assert_memory_equal(got.response.data, "\0\xff", 2);
	assert_span(got.reason, "is wrong");
	message_free(&got);
	buf_free(&b);
}

static void numbers_of_all_widths_arrive(void **state)
{
	static const int64_t numbers[] = {
		0, 1, 127, 128, 255, 256, 65535, 65536, UINT32_MAX, (int64_t)UINT32_MAX + 1, INT64_MAX, -1, -32, -33, -128, -129,
		INT16_MIN, INT16_MIN - 1, INT32_MIN, (int64_t)INT32_MIN - 1, INT64_MIN,
	};
	struct buf b = BUF_INIT(1 << 20);
	(void)state;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		struct message m = { .kind = MESSAGE_METRIC, .name = span_str("n"), .value = numbers[i] }, got;
		assert_int_equal(message_read(packed(&b, &m), &got), 0);
		assert_true(got.value == numbers[i]);
		message_free(&got);
	}
	buf_free(&b);
}

static void lists_arrive_with_what_is_missing(void **state)
{
	struct buf b = BUF_INIT(1 << 20);
	struct message m = { .kind = MESSAGE_HELLO, .name = span_str("team"), .plugin = span_str("webhook") }, got;
	(void)state;
	char long_value[70000];
	memset(long_value, 'x', sizeof long_value);
	message_list_add(&m.options, span_str("url"));
	message_list_add(&m.options, span_of(long_value, sizeof long_value));
	message_list_add(&m.options, span_str("retry"));
	message_list_add(&m.options, span_str(""));
	assert_int_equal(message_read(packed(&b, &m), &got), 0);
	assert_int_equal(got.options.n, 4);
	assert_span(got.options.at[2], "retry");
	assert_int_equal(got.options.at[1].len, sizeof long_value);
	assert_int_equal(got.options.at[3].len, 0);
	message_free(&got);
	message_free(&m);

	struct message e = { .kind = MESSAGE_EMIT, .records = span_of("", 0) };
	for (unsigned i = 0; i < 20; i++)
		message_list_add(&e.keys, i % 2 == 0 ? SPAN_NONE : span_str("k1"));
	assert_int_equal(message_read(packed(&b, &e), &got), 0);
	assert_int_equal(got.keys.n, 20);
	assert_null(got.keys.at[4].data);
	assert_span(got.keys.at[5], "k1");
	assert_non_null(got.records.data);
	message_free(&got);
	message_free(&e);
	buf_free(&b);
}

#define READS(text, result) do {						\
		struct message got;						\
		assert_int_equal(message_read(span_of(text, sizeof text - 1), &got), result); \
		message_free(&got);						\
	} while (0)

static void what_is_unknown_is_passed_over_and_what_is_wrong_refused(void **state)
{
	(void)state;
	READS("\x81\xa4stop\x80", 0);
	READS("\x81\xa4stop\x81\xa3new\x93\x01\xc0\x81\xa1x\xcb" "12345678", 0);
	READS("\x81\xa4mark\x80", 0);
	READS("", -EBADMSG);
	READS("\x80", -EBADMSG);
	READS("\x81\xa4stop", -EBADMSG);
	READS("\x81\xa4stop\x80\x80", -EBADMSG);				/* more than one */
	READS("\x81\xa4stip\x80", -EBADMSG);
	READS("\x82\xa4stop\x80\xa4stop\x80", -EBADMSG);
	READS("\x81\xa4mark\x81\xa4mark\x05", -EBADMSG);			/* a wrong type */
	READS("\x81\xa5" "apply\x81\xa5token\xcf\xff\xff\xff\xff\xff\xff\xff\xff", -EBADMSG);
	READS("\x81\xa6" "answer\x81\xa4" "code\xa5never", -EBADMSG);
	READS("\x81\xa4stop\x81\xa3new\xdf\xff\xff\xff\xff", -EBADMSG);		/* a length without bytes */
	READS("\x81\xa6passed\x81\xa6" "events\xdd\xff\xff\xff\xff", -EBADMSG);
	READS("\x81\xa4mark\x81\xa4mark\xc6\xff\xff\xff\xff", -EBADMSG);
}

/* Whatever is done to a message, it is read or refused: a sanitizer, or valgrind, sees the rest. */
/* A byte each, but sixteen where they are read. */
static void a_list_has_its_end(void **state)
{
	static const char head[] = "\x81\xa6passed\x81\xa6" "events\xdd\0\x40\0\1";
	size_t n = MESSAGE_LIST_MAX + 1, len = sizeof head - 1;
	char *bytes = malloc(len + n);
	struct message m;
	(void)state;
	memcpy(bytes, head, len);
	memset(bytes + len, 0xc0, n);
	assert_int_equal(message_read(span_of(bytes, len + n), &m), -EBADMSG);
	message_free(&m);
	bytes[len - 1] = 0;
	assert_int_equal(message_read(span_of(bytes, len + n - 1), &m), 0);
	assert_int_equal(m.events.n, n - 1);
	message_free(&m);
	free(bytes);
}

static void no_bytes_do_harm(void **state)
{
	struct buf b = BUF_INIT(1 << 20);
	struct message m = { .kind = MESSAGE_PASSED, .token = 7 };
	unsigned long seed = 1;
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		message_list_add(&m.events, span_str("event"));
	struct pb_span bytes = packed(&b, &m);
	for (unsigned i = 0; i < 20000; i++) {
		struct message got;
		size_t len = bytes.len - i % 3;
		char *copy = malloc(len);
		memcpy(copy, bytes.data, len);
		for (unsigned k = 0; k < 1 + i % 4; k++) {
			seed = seed * 6364136223846793005ul + 1442695040888963407ul;
			copy[(seed >> 33) % len] = (char)(seed >> 24);
		}
		int result = message_read(span_of(copy, len), &got);
		assert_true(result == 0 || result == -EBADMSG);
		message_free(&got);
		free(copy);
	}
	message_free(&m);
	buf_free(&b);
}

static void what_is_too_long_leaves_nothing_behind(void **state)
{
	struct buf b = BUF_INIT(100);
	char big[200] = { 0 };
	(void)state;
	struct message small = { .kind = MESSAGE_STOP }, large = { .kind = MESSAGE_MARK, .mark = span_of(big, sizeof big) };
	assert_int_equal(message_add(&b, &small), 0);
	size_t before = b.len;
	assert_int_equal(message_add(&b, &large), -EMSGSIZE);
	assert_int_equal(b.len, before);
	assert_int_equal(message_add(&b, &small), 0);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_arrives),
		cmocka_unit_test(numbers_of_all_widths_arrive),
		cmocka_unit_test(lists_arrive_with_what_is_missing),
		cmocka_unit_test(what_is_unknown_is_passed_over_and_what_is_wrong_refused),
		cmocka_unit_test(a_list_has_its_end),
		cmocka_unit_test(no_bytes_do_harm),
		cmocka_unit_test(what_is_too_long_leaves_nothing_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
