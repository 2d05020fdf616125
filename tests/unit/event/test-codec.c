#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>
#include <msgpack.h>

#include "base/span.h"
#include "event/codec.h"

#define WHEN 1767323045678

static struct pb_event *sample(struct pb_span body)
{
	struct pb_event *ev = event_new(body, WHEN);

	assert_non_null(ev);
	assert_int_equal(event_set(ev, "id", "0190a6e0-0000-7000-8000-000000000000"), 0);
	assert_int_equal(event_set(ev, "type", "report_created"), 0);
	assert_int_equal(event_set(ev, "source", "hooks"), 0);
	assert_int_equal(event_set(ev, "datacontenttype", "application/json"), 0);
	assert_int_equal(event_set(ev, "tenant", "acme"), 0);
	assert_int_equal(event_set(ev, "empty", ""), 0);
	event_set_origin(ev, 4000000000);
	return ev;
}

static void assert_same(const struct pb_event *a, const struct pb_event *b)
{
	struct pb_span x = event_body(a), y = event_body(b);
	const char *an, *av, *bn, *bv;

	assert_string_equal(event_id(a), event_id(b));
	assert_string_equal(event_type(a), event_type(b));
	assert_string_equal(event_source(a), event_source(b));
	assert_string_equal(event_subject(a), event_subject(b));
	assert_string_equal(event_content_type(a), event_content_type(b));
	assert_int_equal(event_time(a), event_time(b));
	assert_int_equal(event_origin(a), event_origin(b));
	assert_int_equal(x.len, y.len);
	assert_memory_equal(x.data, y.data, x.len);
	for (size_t i = 0; event_attr_at(a, i, &an, &av); i++) {
		assert_true(event_attr_at(b, i, &bn, &bv));
		assert_string_equal(an, bn);
		assert_string_equal(av, bv);
	}
}

/* Lengths around every change of msgpack's headers. */
static void bodies_come_back(void **state)
{
	static const size_t lengths[] = { 0, 1, 31, 32, 255, 256, 65535, 65536, 1000000 };

	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		char *body = calloc(1, lengths[i] + 1);
		struct pb_event *ev, *back;
		struct buf buf = BUF_INIT(2000000);

		assert_non_null(body);
		for (size_t j = 0; j < lengths[i]; j++)
			body[j] = (char)(j * 7);
		ev = sample(span_of(body, lengths[i]));
		assert_int_equal(codec_pack(&buf, ev), 0);
		assert_int_equal(codec_size(ev), buf.len);
		back = codec_unpack(buf_span(&buf));
		assert_non_null(back);
		assert_same(ev, back);
		assert_int_equal(event_seq(back), 0);
		event_unref(ev);
		event_unref(back);
		buf_free(&buf);
		free(body);
	}
}

static void attributes_come_back(void **state)
{
	static const int64_t times[] = { 0, -1, INT64_MIN, INT64_MAX, WHEN };
	char name[16], value[EVENT_VALUE_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		struct pb_event *ev = event_new(SPAN_NONE, times[i]), *back;
		struct buf buf = BUF_INIT(2000000);

		for (unsigned j = 0; j < EVENT_ATTRS_MAX; j++) {
			snprintf(name, sizeof name, "a%u", j);
			memset(value, 'v', sizeof value - 1);
			value[EVENT_VALUE_MAX * j / (EVENT_ATTRS_MAX - 1)] = '\0';
			assert_int_equal(event_set(ev, name, value), 0);
		}
		assert_int_equal(codec_pack(&buf, ev), 0);
		back = codec_unpack(buf_span(&buf));
		assert_non_null(back);
		assert_same(ev, back);
		event_unref(ev);
		event_unref(back);
		buf_free(&buf);
	}
}

/* What is packed is what msgpack-c makes of the same values. */
static void same_as_msgpack_c(const struct buf *buf)
{
	msgpack_unpacked unpacked;
	msgpack_sbuffer again;
	msgpack_packer pk;
	size_t at = 0;

	msgpack_unpacked_init(&unpacked);
	msgpack_sbuffer_init(&again);
	msgpack_packer_init(&pk, &again, msgpack_sbuffer_write);
	assert_int_equal(msgpack_unpack_next(&unpacked, buf->data, buf->len, &at), MSGPACK_UNPACK_SUCCESS);
	assert_int_equal(at, buf->len);
	assert_int_equal(msgpack_pack_object(&pk, unpacked.data), 0);
	assert_int_equal(again.size, buf->len);
	assert_memory_equal(again.data, buf->data, buf->len);
	msgpack_sbuffer_destroy(&again);
	msgpack_unpacked_destroy(&unpacked);
}

/* Numbers, texts and counts around every change of its headers. */
static void others_read_it(void **state)
{
	static const uint64_t edges[] = { 0, 1, 15, 16, 31, 32, 127, 128, 255, 256, 65535, 65536, UINT32_MAX,
					  (uint64_t)UINT32_MAX + 1, INT64_MAX };
	char text[EVENT_VALUE_MAX + 1], name[16];

	(void)state;
	for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
		for (int sign = -1; sign <= 1; sign += 2) {
			size_t len = edges[i] < EVENT_VALUE_MAX ? (size_t)edges[i] : EVENT_VALUE_MAX;
			struct buf buf = BUF_INIT(2000000);
			struct pb_event *ev;

			memset(text, 'x', len);
			text[len] = '\0';
			ev = event_new(span_of(text, len), (int64_t)edges[i] * sign);
			assert_int_equal(event_set(ev, "subject", text), 0);
			for (unsigned j = 0; j < edges[i] && j < EVENT_ATTRS_MAX; j++) {
				snprintf(name, sizeof name, "a%u", j);
				assert_int_equal(event_set(ev, name, "v"), 0);
			}
			event_set_origin(ev, (uint32_t)edges[i]);
			assert_int_equal(codec_pack(&buf, ev), 0);
			assert_int_equal(codec_size(ev), buf.len);
			same_as_msgpack_c(&buf);
			event_unref(ev);
			buf_free(&buf);
		}
}

static void appends_within_the_limit(void **state)
{
	struct pb_event *ev = sample(span_str("{\"a\":1}"));
	struct buf buf = BUF_INIT(400), small = BUF_INIT(100);
	struct pb_event *back;
	size_t first;

	(void)state;
	assert_int_equal(codec_pack(&buf, ev), 0);
	first = buf.len;
	assert_int_equal(codec_pack(&buf, ev), 0);
	assert_int_equal(buf.len, 2 * first);
	back = codec_unpack(span_of(buf.data + first, first));
	assert_non_null(back);
	assert_same(ev, back);
	assert_int_equal(codec_pack(&small, ev), -EMSGSIZE);
	assert_int_equal(small.len, 0);
	event_unref(back);
	event_unref(ev);
	buf_free(&buf);
	buf_free(&small);
}

#define HEAD "\x9a\x01\x00\xa1i\xa1t\xa1s\xa0\xa0\x00"

static const struct {
	const char *what, *bytes;
	size_t len;
	int error;
} records[] = {
#define BYTES(s) s, sizeof(s) - 1
	{ "the least", BYTES(HEAD "\x80\xc4\x00"), 0 },
	{ "further attributes", BYTES(HEAD "\x81\xa1k\xa1v\xc4\x02hi"), 0 },
	{ "a longer array", BYTES("\x9b\x01\x00\xa1i\xa1t\xa1s\xa0\xa0\x00\x80\xc4\x00\xc3"), 0 },
	{ "nothing", BYTES(""), EBADMSG },
	{ "nil", BYTES("\xc0"), EBADMSG },
	{ "the byte that msgpack never uses", BYTES("\xc1"), EBADMSG },
	{ "the same in a longer array", BYTES("\x9b\x01\x00\xa1i\xa1t\xa1s\xa0\xa0\x00\x80\xc4\x00\xc1"), EBADMSG },
	{ "a longer array, cut", BYTES("\x9b\x01\x00\xa1i\xa1t\xa1s\xa0\xa0\x00\x80\xc4\x00"), EBADMSG },
	{ "an empty array", BYTES("\x90"), EBADMSG },
	{ "a map", BYTES("\x81\x01\x02"), EBADMSG },
	{ "version 2", BYTES("\x92\x02\x00"), EPROTONOSUPPORT },
	{ "version 0", BYTES("\x91\x00"), EPROTONOSUPPORT },
	{ "a version of text", BYTES("\x91\xa1" "1"), EBADMSG },
	{ "a negative version", BYTES("\x91\xff"), EBADMSG },
	{ "too short an array", BYTES("\x99\x01\x00\xa1i\xa1t\xa1s\xa0\xa0\x00\x80"), EBADMSG },
	{ "cut", BYTES(HEAD "\x80\xc4"), EBADMSG },
	{ "cut in the body", BYTES(HEAD "\x80\xc4\x05" "abcd"), EBADMSG },
	{ "bytes after it", BYTES(HEAD "\x80\xc4\x00\x00"), EBADMSG },
	{ "a body of text", BYTES(HEAD "\x80\xa1x"), EBADMSG },
	{ "an attribute of a number", BYTES(HEAD "\x81\xa1k\x01\xc4\x00"), EBADMSG },
	{ "a name of a number", BYTES(HEAD "\x81\x01\xa1v\xc4\x00"), EBADMSG },
	{ "a bad name", BYTES(HEAD "\x81\xa1K\xa1v\xc4\x00"), EBADMSG },
	{ "a reserved name", BYTES(HEAD "\x81\xa4time\xa1v\xc4\x00"), EBADMSG },
	{ "a value that is not UTF-8", BYTES(HEAD "\x81\xa1k\xa1\xff\xc4\x00"), EBADMSG },
	{ "a list of attributes", BYTES(HEAD "\x90\xc4\x00"), EBADMSG },
	{ "an id of a number", BYTES("\x9a\x01\x00\x01\xa1t\xa1s\xa0\xa0\x00\x80\xc4\x00"), EBADMSG },
	{ "an origin of 33 bits",
	  BYTES("\x9a\x01\xcf\x00\x00\x00\x01\x00\x00\x00\x00\xa1i\xa1t\xa1s\xa0\xa0\x00\x80\xc4\x00"),
	  EBADMSG },
	{ "a time over 63 bits",
	  BYTES("\x9a\x01\x00\xa1i\xa1t\xa1s\xa0\xa0\xcf\xff\xff\xff\xff\xff\xff\xff\xff\x80\xc4\x00"),
	  EBADMSG },
	{ "an array of 2^32 - 1", BYTES("\xdd\xff\xff\xff\xff\x01"), EBADMSG },
	{ "a map of 2^32 - 1", BYTES(HEAD "\xdf\xff\xff\xff\xff"), EBADMSG },
	{ "a body of 2^32 - 1", BYTES(HEAD "\x80\xc6\xff\xff\xff\xff"), EBADMSG },
	{ "arrays of arrays", BYTES("\xdd\x00\x00\x00\x05\xdd\x00\x00\x00\x05\xdd\x00\x00\x00\x05"),
	  EBADMSG },
};

static void records_from_outside(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
		/* Its own allocation, so that a sanitizer sees a read past the end. */
		char *bytes = malloc(records[i].len + 1);
		struct pb_event *ev;

		assert_non_null(bytes);
		memcpy(bytes + 1, records[i].bytes, records[i].len);
		errno = 0;
		ev = codec_unpack(span_of(bytes + 1, records[i].len));
		if ((ev == NULL ? errno : 0) != records[i].error)
			fail_msg("%s: %s", records[i].what, strerror(errno));
		event_unref(ev);
		free(bytes);
	}
}

/* Deep nesting is damage, not a crash. */
static void deep_nesting_is_refused(void **state)
{
	char bytes[2000];

	(void)state;
	memset(bytes, '\x91', sizeof bytes);
	bytes[sizeof bytes - 1] = 1;
	assert_null(codec_unpack(span_of(bytes, sizeof bytes)));
	assert_int_equal(errno, EBADMSG);
}

static void every_cut_is_refused(void **state)
{
	struct pb_event *ev = sample(span_str("{\"a\":1}"));
	struct buf buf = BUF_INIT(1000);

	(void)state;
	assert_int_equal(codec_pack(&buf, ev), 0);
	for (size_t len = 0; len < buf.len; len++) {
		assert_null(codec_unpack(span_of(buf.data, len)));
		assert_int_equal(errno, EBADMSG);
	}
	event_unref(ev);
	buf_free(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_come_back),
		cmocka_unit_test(attributes_come_back),
		cmocka_unit_test(others_read_it),
		cmocka_unit_test(appends_within_the_limit),
		cmocka_unit_test(records_from_outside),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(every_cut_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
