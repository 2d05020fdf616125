/* wire-frames.c - messages out of a stream of bytes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire.h"

#define ROOM_FIRST ((size_t)64 * 1024)	/* what a pipe holds */
#define ROOM_KEPT (4 * ROOM_FIRST)	/* a larger buffer is not kept for one message */

void wire_frames_init(struct wire_frames *f, enum wire_format format, size_t max)
{
	*f = (struct wire_frames){ .format = format, .max = max };
}

void wire_frames_free(struct wire_frames *f)
{
	free(f->data);
	*f = (struct wire_frames){ .format = f->format, .max = f->max };
}

void wire_frames_reset(struct wire_frames *f)
{
	f->from = f->to = f->searched = 0;
	f->skipping = false;
}

/* The whole of what a message may need, in doublings, so that memory follows what was sent and not what was said. */
static bool grow(struct wire_frames *f)
{
	size_t room = f->room == 0 ? ROOM_FIRST : f->room * 2;
	char *data = realloc(f->data, room);
	if (data == NULL)
		return false;
	f->data = data;
	f->room = room;
	return true;
}

static void shrink(struct wire_frames *f)
{
	char *data = f->room > ROOM_KEPT ? realloc(f->data, ROOM_FIRST) : NULL;
	if (data == NULL)
		return;
	f->data = data;
	f->room = ROOM_FIRST;
}

char *wire_frames_room(struct wire_frames *f, size_t *len)
{
	if (f->from == f->to) {
		f->from = f->to = 0;
		shrink(f);
	} else if (f->from > 0) {
		memmove(f->data, f->data + f->from, f->to - f->from);
		f->to -= f->from;
		f->from = 0;
	}
	if (f->to == f->room && !grow(f))
		return NULL;
	*len = f->room - f->to;
	return f->data + f->to;
}

void wire_frames_put(struct wire_frames *f, size_t len)
{
	f->to += len;
}

static void take(struct wire_frames *f, size_t len)
{
	f->from += len;
	f->searched = 0;
}

/* A line of WIRE_LINES that is too long: it is dropped as it comes. */
static int skip(struct wire_frames *f, const char *end)
{
	if (f->format != WIRE_LINES)
		return -EMSGSIZE;
	f->dropped += !f->skipping;
	f->skipping = end == NULL;
	take(f, end == NULL ? f->to - f->from : (size_t)(end - (f->data + f->from)) + 1);
	return 0;
}

static int next_line(struct wire_frames *f, struct pb_span *frame)
{
	while (f->from < f->to) {
		const char *line = f->data + f->from;
		size_t have = f->to - f->from;
		const char *end = memchr(line + f->searched, '\n', have - f->searched);
		size_t len = end != NULL ? (size_t)(end - line) : have;
		if (len > f->max || f->skipping) {
			if (skip(f, end) < 0)
				return -EMSGSIZE;
			continue;
		}
		if (end == NULL) {
			f->searched = have;
			return 0;
		}
		take(f, len + 1);
		if (len > 0) {
			*frame = (struct pb_span){ line, len };
			return 1;
		}
	}
	return 0;
}

static int next_counted(struct wire_frames *f, struct pb_span *frame)
{
	const unsigned char *s = (const unsigned char *)f->data + f->from;
	size_t have = f->to - f->from;
	if (have < 4)
		return 0;
	size_t len = (size_t)s[0] << 24 | (size_t)s[1] << 16 | (size_t)s[2] << 8 | s[3];
	if (len > f->max)
		return -EMSGSIZE;
	if (have - 4 < len)
		return 0;
	take(f, 4 + len);
	*frame = (struct pb_span){ s + 4, len };
	return 1;
}

int wire_frames_next(struct wire_frames *f, struct pb_span *frame)
{
	if (f->from == f->to)
		return 0;
	return f->format == WIRE_MSGPACK ? next_counted(f, frame) : next_line(f, frame);
}
