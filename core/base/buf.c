/* buf.c - bytes that grow up to a limit set at birth. */
#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = 0;
	if (b->data != NULL)
		b->data[0] = '\0';
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = BUF_INIT(b->limit);
}

static int buf_fail(struct buf *b, int error)
{
	b->failed = error;
	return error;
}

/* Doubling keeps many small appends linear; the limit's own NUL is the most ever needed. */
static size_t grown_cap(const struct buf *b, size_t need)
{
	size_t cap = b->cap < FIRST_CAP ? FIRST_CAP : b->cap * 2;
	if (cap > b->limit + 1)
		cap = b->limit + 1;
	return cap < need ? need : cap;
}

int buf_reserve(struct buf *b, size_t more)
{
	assert(b->limit < PTRDIFF_MAX && b->len <= b->limit);
	if (b->failed != 0)
		return b->failed;
	if (more > b->limit - b->len)
		return buf_fail(b, -EMSGSIZE);
	size_t need = b->len + more + 1;
	if (need <= b->cap)
		return 0;
	size_t cap = grown_cap(b, need);
	char *data = realloc(b->data, cap);
	if (data == NULL)
		return buf_fail(b, -ENOMEM);
	b->data = data;
	b->cap = cap;
	b->data[b->len] = '\0';
	return 0;
}

int buf_add(struct buf *b, const void *data, size_t len)
{
	int r = buf_reserve(b, len);
	if (r != 0)
		return r;
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return 0;
}

int buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int buf_add_char(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	int r = buf_vprintf(b, fmt, args);
	va_end(args);
	return r;
}

int buf_vprintf(struct buf *b, const char *fmt, va_list args)
{
	if (b->failed != 0)
		return b->failed;
	va_list again;
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, fmt, args);
	int r = len < 0 ? buf_fail(b, -EMSGSIZE) : buf_reserve(b, (size_t)len);
	if (r == 0) {
		vsnprintf(b->data + b->len, (size_t)len + 1, fmt, again);
		b->len += (size_t)len;
	}
	va_end(again);
	return r;
}

void buf_consume(struct buf *b, size_t len)
{
	assert(len <= b->len);
	if (len == 0)
		return;
	b->len -= len;
	memmove(b->data, b->data + len, b->len + 1);
}

char *buf_take(struct buf *b)
{
	char *taken = NULL;
	if (b->failed == 0 && buf_reserve(b, 0) == 0) {
		taken = b->data;
		b->data = NULL;
	}
	buf_free(b);
	return taken;
}

struct pb_span buf_span(const struct buf *b)
{
	return (struct pb_span){ b->data, b->len };
}
