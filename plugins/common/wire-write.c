/* wire-write.c - messages to be sent. */
#include <errno.h>
#include <inttypes.h>
#include <msgpack/pack.h>
#include <stdio.h>
#include <string.h>

#include "common/wire.h"

static void add(struct wire_writer *w, const void *data, size_t len)
{
	w->failed = w->failed || !wire_bytes_add(&w->out, data, len);
}

/* msgpack-c's writer. */
static int append(void *data, const char *bytes, size_t len)
{
	add(data, bytes, len);
	return 0;
}

static msgpack_packer packer(struct wire_writer *w)
{
	msgpack_packer pk;
	msgpack_packer_init(&pk, w, append);
	return pk;
}

/* A comma before all but the first, in JSON. */
static void separate(struct wire_writer *w)
{
	if (w->comma)
		add(w, ",", 1);
	w->comma = true;
}

void wire_message(struct wire_writer *w, const char *kind, size_t n)
{
	w->begin = w->out.len;
	w->failed = w->comma = false;
	if (w->format == WIRE_MSGPACK)
		add(w, "\0\0\0", 4);
	wire_put_map(w, 1);
	wire_put_key(w, kind);
	wire_put_map(w, n);
}

int wire_message_end(struct wire_writer *w)
{
	wire_put_map_end(w);
	wire_put_map_end(w);
	if (w->format == WIRE_JSON)
		add(w, "\n", 1);
	if (w->failed) {
		w->out.len = w->begin;
		return -ENOMEM;
	}
	if (w->format == WIRE_MSGPACK) {
		size_t len = w->out.len - w->begin - 4;
		for (int i = 3; i >= 0; i--, len >>= 8)
			w->out.data[w->begin + (size_t)i] = (char)len;
	}
	return 0;
}

void wire_put_map(struct wire_writer *w, size_t n)
{
	if (w->format == WIRE_MSGPACK) {
		msgpack_packer pk = packer(w);
		msgpack_pack_map(&pk, n);
		return;
	}
	separate(w);
	add(w, "{", 1);
	w->comma = false;
}

void wire_put_list(struct wire_writer *w, size_t n)
{
	if (w->format == WIRE_MSGPACK) {
		msgpack_packer pk = packer(w);
		msgpack_pack_array(&pk, n);
		return;
	}
	separate(w);
	add(w, "[", 1);
	w->comma = false;
}

static void put_end(struct wire_writer *w, const char *bracket)
{
	if (w->format != WIRE_MSGPACK)
		add(w, bracket, 1);
	w->comma = true;
}

void wire_put_map_end(struct wire_writer *w)
{
	put_end(w, "}");
}

void wire_put_list_end(struct wire_writer *w)
{
	put_end(w, "]");
}

void wire_put_key(struct wire_writer *w, const char *key)
{
	wire_put_text(w, key);
	if (w->format == WIRE_MSGPACK)
		return;
	add(w, ":", 1);
	w->comma = false;
}

void wire_put_int(struct wire_writer *w, int64_t n)
{
	char text[24];
	if (w->format == WIRE_MSGPACK) {
		msgpack_packer pk = packer(w);
		msgpack_pack_int64(&pk, n);
		return;
	}
	separate(w);
	add(w, text, (size_t)snprintf(text, sizeof text, "%" PRId64, n));
}

void wire_put_bool(struct wire_writer *w, bool yes)
{
	msgpack_packer pk = packer(w);
	if (w->format != WIRE_MSGPACK) {
		separate(w);
		add(w, yes ? "true" : "false", yes ? 4 : 5);
	} else if (yes) {
		msgpack_pack_true(&pk);
	} else {
		msgpack_pack_false(&pk);
	}
}

void wire_put_null(struct wire_writer *w)
{
	msgpack_packer pk = packer(w);
	if (w->format == WIRE_MSGPACK) {
		msgpack_pack_nil(&pk);
		return;
	}
	separate(w);
	add(w, "null", 4);
}

void wire_put_span(struct wire_writer *w, struct pb_span text)
{
	if (w->format == WIRE_MSGPACK) {
		msgpack_packer pk = packer(w);
		msgpack_pack_str_with_body(&pk, text.data, text.len);
		return;
	}
	separate(w);
	w->failed = w->failed || !wire_quote(&w->out, text);
}

void wire_put_text(struct wire_writer *w, const char *text)
{
	wire_put_span(w, (struct pb_span){ text, strlen(text) });
}

void wire_put_bytes(struct wire_writer *w, const char *name, struct pb_span bytes)
{
	char base64[80];
	bool text = wire_is_text(bytes);
	snprintf(base64, sizeof base64, "%s_base64", name);
	wire_put_key(w, text || w->format == WIRE_MSGPACK ? name : base64);
	if (text) {
		wire_put_span(w, bytes);
	} else if (w->format == WIRE_MSGPACK) {
		msgpack_packer pk = packer(w);
		msgpack_pack_bin_with_body(&pk, bytes.data, bytes.len);
	} else {
		separate(w);
		add(w, "\"", 1);
		w->failed = w->failed || !wire_base64(&w->out, bytes);
		add(w, "\"", 1);
	}
}

static void put_if_set(struct wire_writer *w, const char *name, const char *value, size_t *n)
{
	if (*value == '\0')
		return;
	(*n)++;
	if (w == NULL)
		return;
	wire_put_key(w, name);
	wire_put_text(w, value);
}

/* Put the attributes, or with no writer only count them. */
static size_t put_attributes(struct wire_writer *w, const struct pb_event *ev)
{
	const char *name, *value;
	size_t n = 0;
	put_if_set(w, "id", pb_event_id(ev), &n);
	put_if_set(w, "source", pb_event_source(ev), &n);
	put_if_set(w, "type", pb_event_type(ev), &n);
	put_if_set(w, "subject", pb_event_subject(ev), &n);
	put_if_set(w, "datacontenttype", pb_event_content_type(ev), &n);
	for (size_t i = 0; pb_event_attr_at(ev, i, &name, &value); i++, n++)
		if (w != NULL) {
			wire_put_key(w, name);
			wire_put_text(w, value);
		}
	return n;
}

static void put_packed(struct wire_writer *w, const struct pb_event *ev)
{
	msgpack_packer pk = packer(w);
	struct pb_span body = pb_event_body(ev);
	msgpack_pack_map(&pk, put_attributes(NULL, ev) + 2);
	put_attributes(w, ev);
	wire_put_key(w, "time");
	msgpack_pack_int64(&pk, pb_event_time(ev));
	wire_put_key(w, "data");
	msgpack_pack_bin_with_body(&pk, body.data, body.len);
}

void wire_put_event(struct wire_writer *w, const struct pb_event *ev)
{
	if (w->format == WIRE_MSGPACK) {
		put_packed(w, ev);
		return;
	}
	separate(w);
	w->failed = w->failed || pb_cloudevent(ev, &w->out) < 0;
}
