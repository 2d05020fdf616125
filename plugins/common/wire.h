/*
 * wire.h - the frames of doc/exec-protocol.md: messages in and out, as JSON lines or msgpack.
 *
 * Written on plugin.h alone, so that host and program may both link it. Reading makes no tree: a
 * message is checked whole once, and a value is then a place in it, borrowed as long as
 * that is. Nothing here trusts a length before the bytes are there, or allocates by what a message says.
 */
#ifndef COMMON_WIRE_H
#define COMMON_WIRE_H

#include <patchbay/plugin.h>

#define WIRE_NESTING_MAX 16		/* msgpack; JSON has the scanner's */
#define WIRE_INT_MAX ((int64_t)1 << 53)	/* what every language's numbers hold */
#define WIRE_NAME_MAX 64		/* bytes of an attribute's name */
#define WIRE_VALUE_MAX (8 * 1024)	/* bytes of an attribute's value */
#define WIRE_EVENTS_MAX 1024		/* events of one message */

enum wire_format {
	WIRE_JSON,	/* a line each */
	WIRE_MSGPACK,	/* four bytes of length before each */
	WIRE_LINES	/* no messages: lines of any bytes */
};

/*** Frames out of a stream of bytes. ***/

struct wire_frames {
	enum wire_format format;
	size_t max;		/* bytes of one message */
	char *data;
	size_t from, to, room;	/* what is not taken yet */
	size_t searched;	/* of it, without a line feed in it */
	bool skipping;		/* WIRE_LINES: inside a line that is too long */
	size_t dropped;		/* WIRE_LINES: lines that were too long */
};

/* None yet. Give it back with wire_frames_free(). */
void wire_frames_init(struct wire_frames *, enum wire_format, size_t max);
void wire_frames_free(struct wire_frames *);
/* Forget what was not taken. */
void wire_frames_reset(struct wire_frames *);
/* Room for at least some bytes of the message to come, *len of them; then say how many were put there.
 * NULL: out of memory. */
char *wire_frames_room(struct wire_frames *, size_t *len);
void wire_frames_put(struct wire_frames *, size_t len);
/* The next whole frame, without line feed or length, until the next call of any of these: 1, 0: there is none
 * yet, -EMSGSIZE: it is longer than `max`. Empty lines are passed over. */
int wire_frames_next(struct wire_frames *, struct pb_span *frame);

/*** Values. ***/

enum wire_type {
	WIRE_ABSENT = 0,
	WIRE_NULL = 1,
	WIRE_BOOL = 2,
	WIRE_NUMBER = 4,
	WIRE_TEXT = 8,
	WIRE_BYTES = 16,	/* msgpack's bin */
	WIRE_LIST = 32,
	WIRE_MAP = 64
};

struct wire_value {
	enum wire_format format;
	enum wire_type type;
	struct pb_span raw;	/* as it stands in the message */
};

/* What is wrong with a message: one line. */
struct wire_fault {
	char text[256];
};
/* Say it. Returns false. */
bool wire_fail(struct wire_fault *, const char *fmt, ...) PB_PRINTF(2, 3);

/* Is it one whole message, a map with one key? `kind` is that key, `body` its value, a map. */
bool wire_open(enum wire_format, struct pb_span frame, struct pb_span *kind, struct wire_value *body,
	       struct wire_fault *);
/* The members of a map or list in turn, `rest` being the whole first: `key` is text as it stands (with an escape in it, it is
 * no key of ours), {NULL, 0} in a list. False at the end. */
struct wire_cursor {
	struct wire_value in;
	struct pb_span rest;
	size_t left;		/* msgpack: members to come */
};
void wire_begin(struct wire_cursor *, const struct wire_value *in);
bool wire_next(struct wire_cursor *, struct pb_span *key, struct wire_value *);

/* A map's members by name: out[i] for fields[i], WIRE_ABSENT if it is not there or null where null is not of its types. `unknown`
 * is a key that is in no field and does not begin with x_, or {NULL, 0}. False: one is missing, twice, or of another type. */
struct wire_field {
	const char *name;
	unsigned types;		/* of enum wire_type, or'ed */
	bool required;
};
bool wire_fields(const struct wire_value *map, const struct wire_field fields[], size_t n, struct wire_value out[],
		 struct pb_span *unknown, struct wire_fault *);

/* An integer within limits, both included. False: it is none. */
bool wire_int(const struct wire_value *, int64_t min, int64_t max, int64_t *to);
bool wire_is_true(const struct wire_value *);
/* Text, bytes, a number or a truth value as text, with a NUL behind it. Its length, or -ERANGE, or -EINVAL: it is none of these, or has a
 * NUL in it. */
long wire_text(const struct wire_value *, char *to, size_t size);
/* The same, but cut to what fits, at a character; other bytes than text stay as they are. "" if it is absent. */
void wire_text_cut(const struct wire_value *, char *to, size_t size);
/* Append a text's or bytes' content, of any length. 0, -EINVAL or -ENOMEM. */
int wire_content(const struct wire_value *, struct pb_bytes *to);
/* Append what base64 text stands for: strict, padded. 0, -EINVAL or -ENOMEM; then `to` is as it was. */
int wire_content_base64(const struct wire_value *, struct pb_bytes *to);
/* Is it this text? */
bool wire_is(struct pb_span text, const char *what);

/*** Events. ***/

/* The event that a map describes; with `from` a copy of that, changed by it; else with `type` if it names none. 0; -ENOMEM; or
 * -EBADMSG after wire_fail(). */
int wire_event_make(struct pb_self *, const struct wire_value *map, const struct pb_event *from, const char *type,
		    struct pb_event **ev, struct wire_fault *);

/*** Messages out. ***/

struct wire_writer {
	enum wire_format format;
	struct pb_bytes out;	/* whole messages, and the one that is being written */
	size_t begin;		/* of that one */
	bool comma;
	bool failed;		/* out of memory: the message will be taken back */
};

/* Begin a message {KIND: {…}} with `n` members, and end it. 0 or -ENOMEM; then nothing of it is in `out`. */
void wire_message(struct wire_writer *, const char *kind, size_t n);
int wire_message_end(struct wire_writer *);
/* What is in it: a map's members are a key and a value each; msgpack needs the number ahead. */
void wire_put_key(struct wire_writer *, const char *key);
void wire_put_map(struct wire_writer *, size_t n);
void wire_put_list(struct wire_writer *, size_t n);
void wire_put_map_end(struct wire_writer *);
void wire_put_list_end(struct wire_writer *);
void wire_put_int(struct wire_writer *, int64_t);
void wire_put_bool(struct wire_writer *, bool);
void wire_put_null(struct wire_writer *);
/* Text; in JSON what is not UTF-8 becomes U+FFFD. */
void wire_put_text(struct wire_writer *, const char *);
void wire_put_span(struct wire_writer *, struct pb_span);
/* A key and bytes: text if they are; else msgpack's bin, or base64 under NAME_base64. */
void wire_put_bytes(struct wire_writer *, const char *name, struct pb_span);
void wire_put_event(struct wire_writer *, const struct pb_event *);

/*** Bytes and text. ***/

/* Append. False: out of memory. */
bool wire_bytes_add(struct pb_bytes *, const void *data, size_t len);
/* The length of the UTF-8 character at `s`, of which `left` bytes are there; 0: it is none. */
size_t wire_utf8(const char *s, size_t left);
/* Is it UTF-8 without NUL? */
bool wire_is_text(struct pb_span);
/* Append in base64. False: out of memory. */
bool wire_base64(struct pb_bytes *, struct pb_span);
/* Append as a JSON string with its quotes. False: out of memory. */
bool wire_quote(struct pb_bytes *, struct pb_span);
/* Append the content of a valid JSON string, which `raw` is without its quotes. False: out of memory. */
bool wire_unescape(struct pb_bytes *, struct pb_span raw);

/*** What the two encodings do; for the files of this folder. ***/

/* As wire_open(), wire_next() and wire_begin(). */
bool wire_json_open(struct pb_span, struct pb_span *kind, struct wire_value *body, struct wire_fault *);
bool wire_json_next(struct wire_cursor *, struct pb_span *key, struct wire_value *);
bool wire_msgpack_open(struct pb_span, struct pb_span *kind, struct wire_value *body, struct wire_fault *);
bool wire_msgpack_next(struct wire_cursor *, struct pb_span *key, struct wire_value *);
void wire_msgpack_begin(struct wire_cursor *);
/* The content of a str or bin. */
struct pb_span wire_msgpack_content(const struct wire_value *);
/* An integer; false for any other number. */
bool wire_msgpack_int(const struct wire_value *, int64_t *to);
/* A number as text, as snprintf(3) does it. */
int wire_msgpack_number(const struct wire_value *, char *to, size_t size);

#endif
