/*
 * fuzz-wire.c - what programs send: any bytes as a stream of frames, each refused with a reason or a message in
 * which every place is there; its events come back from both encodings as they were. The first byte says which.
 */
#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <patchbay/testing.h>

#include "exec/message.h"
#include "fuzz/fuzz.h"

#define LONGEST 4096

static void *box_open(struct pb_self *self, struct pb_error *err)
{
	(void)err;
	return self;
}

static void box_close(void *state)
{
	(void)state;
}

static int box_run(void *state)
{
	(void)state;
	return 0;
}

PB_PLUGIN(.name = "box", .version = "1", .summary = "Makes events",
	  .source = PB_SOURCE(.open = box_open, .close = box_close, .run = box_run));

/* One for all inputs. */
static struct pb_self *box(void)
{
	static struct pbt_instance *in;
	if (in == NULL)
		in = pbt_open(pbt_new(&patchbay_plugin), "[source s]");
	assert(in != NULL);
	return pbt_self(in);
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void check_same(const struct pb_event *a, const struct pb_event *b)
{
	const char *name, *value;
	struct pb_span one = pb_event_body(a), two = pb_event_body(b);
	assert(one.len == two.len && (one.len == 0 || memcmp(one.data, two.data, one.len) == 0));
	assert(strcmp(pb_event_id(a), pb_event_id(b)) == 0 && strcmp(pb_event_type(a), pb_event_type(b)) == 0);
	assert(pb_event_time(a) == pb_event_time(b));
	for (size_t i = 0; pb_event_attr_at(a, i, &name, &value); i++)
		assert(same_text(value, pb_event_attr(b, name)));
}

/* Out and in again; JSON may write white space in a body anew, so there the text counts. */
static void check_comes_back(const struct pb_event *ev, enum wire_format format)
{
	struct wire_writer w = { .format = format };
	struct wire_value body, value;
	struct wire_fault fault;
	struct pb_event *again = NULL;
	struct pb_span kind, unknown = { NULL, 0 };
	static const struct wire_field field[] = { { "event", WIRE_MAP, true } };
	wire_message(&w, "deliver", 1);
	wire_put_key(&w, "event");
	wire_put_event(&w, ev);
	assert(wire_message_end(&w) == 0);
	size_t skip = format == WIRE_MSGPACK ? 4 : 0, line = format == WIRE_JSON;
	assert(wire_open(format, (struct pb_span){ w.out.data + skip, w.out.len - skip - line }, &kind, &body, &fault));
	assert(wire_fields(&body, field, 1, &value, &unknown, &fault) && unknown.data == NULL);
	assert(wire_event_make(box(), &value, NULL, NULL, &again, &fault) == 0);
	if (format == WIRE_MSGPACK)
		check_same(ev, again);
	pb_event_free(again);
	free(w.out.data);
}

static void check_events(const struct wire_value *list)
{
	struct wire_cursor c;
	struct pb_span key;
	struct wire_value value;
	struct wire_fault fault = { "" };
	struct pb_event *ev, *changed;
	wire_begin(&c, list);
	while (wire_next(&c, &key, &value)) {
		int failed = wire_event_make(box(), &value, NULL, "t", &ev, &fault);
		assert(failed == 0 || (failed == -EBADMSG && *fault.text != '\0' && ev == NULL));
		if (failed < 0)
			continue;
		check_comes_back(ev, WIRE_JSON);
		check_comes_back(ev, WIRE_MSGPACK);
		failed = wire_event_make(box(), &value, ev, NULL, &changed, &fault);
		if (failed == 0)
			pb_event_free(changed);
		pb_event_free(ev);
	}
}

/* Whatever is in a value can be asked for. */
static void check_value(const struct wire_value *value)
{
	struct pb_bytes bytes = { 0 };
	char text[64];
	int64_t number;
	if (value->type == WIRE_ABSENT)
		return;
	wire_int(value, INT64_MIN, INT64_MAX, &number);
	assert(wire_text(value, text, sizeof text) < (long)sizeof text);
	wire_text_cut(value, text, sizeof text);
	assert(strlen(text) < sizeof text);
	wire_content(value, &bytes);
	bytes.len = 0;
	wire_content_base64(value, &bytes);
	free(bytes.data);
}

/* What is taken for JSON is JSON: jansson says so, but for what it alone refuses. */
static void check_json(struct pb_span frame)
{
	json_error_t error;
	json_t *tree = json_loadb(frame.data, frame.len, JSON_ALLOW_NUL, &error);
	assert(tree != NULL || json_error_code(&error) == json_error_numeric_overflow ||
	       json_error_code(&error) == json_error_null_byte_in_key);
	json_decref(tree);
}

static void check_frame(enum wire_format format, struct pb_span frame)
{
	struct message m;
	struct wire_fault fault = { "" };
	struct wire_value body;
	struct pb_span kind;
	if (format == WIRE_LINES)
		return;
	if (format == WIRE_JSON && wire_open(format, frame, &kind, &body, &fault))
		check_json(frame);
	if (!message_read(format, frame, &m, &fault)) {
		assert(*fault.text != '\0');
		return;
	}
	for (size_t i = 0; i < MESSAGE_VALUES; i++)
		check_value(&m.values[i]);
	if (m.kind == MESSAGE_EMIT && m.values[EMIT_EVENTS].type == WIRE_LIST)
		check_events(&m.values[EMIT_EVENTS]);
}

/* In pieces, as a pipe gives them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_frames frames;
	if (size == 0)
		return 0;
	enum wire_format format = *data == 'm' ? WIRE_MSGPACK : *data == 'l' ? WIRE_LINES : WIRE_JSON;
	size_t piece = 1 + size / 3, room;
	int found = 0;
	struct pb_span frame;
	wire_frames_init(&frames, format, LONGEST);
	for (size_t at = 1; at < size && found >= 0; ) {
		char *to = wire_frames_room(&frames, &room);
		size_t n = size - at < piece ? size - at : piece;
		assert(to != NULL && room > 0);
		n = n < room ? n : room;
		memcpy(to, data + at, n);
		wire_frames_put(&frames, n);
		at += n;
		while ((found = wire_frames_next(&frames, &frame)) > 0) {
			assert(frame.len <= LONGEST);
			check_frame(format, frame);
		}
	}
	wire_frames_free(&frames);
	return 0;
}
