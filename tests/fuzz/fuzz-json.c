/*
 * fuzz-json.c - CloudEvents JSON in: refused with a reason, or an event whose own JSON is valid,
 * on one line, and comes back as the same. The bytes as a body, too.
 */
#include <assert.h>
#include <jansson.h>
#include <string.h>

#include "base/span.h"
#include "event/base64.h"
#include "event/json.h"
#include "event/scan.h"
#include "fuzz/fuzz.h"

#define NOW 1767323045678

static void check_out(const struct buf *out)
{
	json_error_t error;
	json_t *tree = json_loadb(out->data, out->len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);

	assert(scan_valid(buf_span(out), NULL));
	assert(memchr(out->data, '\n', out->len) == NULL);
	/* data may hold what jansson alone refuses */
	assert(tree != NULL || json_error_code(&error) == json_error_numeric_overflow ||
	       json_error_code(&error) == json_error_null_byte_in_key ||
	       json_error_code(&error) == json_error_duplicate_key);
	json_decref(tree);
}

static void check_event(const struct pb_event *ev)
{
	struct buf first = BUF_INIT(16 << 20), second = BUF_INIT(16 << 20);
	struct pb_event *again;
	struct pb_error err;

	error_init(&err);
	assert(json_event(&first, ev) == 0);
	check_out(&first);
	again = json_event_parse(buf_span(&first), 0, &err);
	assert(again != NULL && err.count == 0);
	assert(json_event(&second, again) == 0);
	assert(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
	event_unref(again);
	buf_free(&first);
	buf_free(&second);
}

static void check_body(const uint8_t *data, size_t size)
{
	static const char *const types[] = {
		"", "application/json", "text/plain; charset=utf-8", "application/cloudevents+json"
	};
	struct pb_event *ev = event_new(span_of(data, size), NOW);

	assert(ev != NULL && event_set(ev, "id", "1") == 0 && event_set(ev, "type", "t") == 0 &&
	       event_set(ev, "source", "s") == 0);
	if (size > 0)
		assert(event_set(ev, "datacontenttype", types[data[0] % 4]) == 0);
	check_event(ev);
	event_unref(ev);
}

static void check_base64(const uint8_t *data, size_t size)
{
	struct buf text = BUF_INIT(16 << 20), back = BUF_INIT(16 << 20);

	assert(base64_encode(&text, span_of(data, size)) == 0);
	assert(base64_decode(&back, buf_span(&text)) == 0);
	assert(back.len == size && (size == 0 || memcmp(back.data, data, size) == 0));
	buf_free(&back);
	base64_decode(&back, span_of(data, size));
	buf_free(&back);
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pb_error err;
	struct pb_event *ev;

	error_init(&err);
	ev = json_event_parse(span_of(data, size), NOW, &err);
	assert((ev == NULL) == (err.count > 0));
	if (ev != NULL)
		check_event(ev);
	event_unref(ev);
	error_free(&err);
	check_body(data, size);
	check_base64(data, size);
	return 0;
}
