/*
 * buf.h - bytes that grow up to a limit set at birth.
 *
 * A failed call leaves the contents as they were and marks the buffer, so that a
 * writer may make many calls and ask once at the end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <patchbay/plugin.h>

struct buf {
	char *data;	/* NUL-terminated once something was added; NULL before */
	size_t len;
	size_t cap;	/* bytes allocated */
	size_t limit;	/* `len` never passes it */
	int failed;	/* 0, or the first failure: -EMSGSIZE, -ENOMEM */
};

#define BUF_MAX ((size_t)PTRDIFF_MAX - 1)	/* the largest limit: as long as memory lasts */
#define BUF_INIT(bytes) ((struct buf){ .limit = (bytes) })

/* Forget the contents and any failure; keep the memory. */
void buf_reset(struct buf *);
/* Give the memory back; the buffer is as after BUF_INIT(). */
void buf_free(struct buf *);
/* Room for `more` bytes at data + len. 0, -EMSGSIZE or -ENOMEM. */
int buf_reserve(struct buf *, size_t more);
/* Append. 0, -EMSGSIZE or -ENOMEM; once failed, every append fails alike. What is added must not
 * lie in the buffer itself. */
int buf_add(struct buf *, const void *data, size_t len);
int buf_add_str(struct buf *, const char *s);
int buf_add_char(struct buf *, char c);
int buf_printf(struct buf *, const char *fmt, ...) PB_PRINTF(2, 3);
int buf_vprintf(struct buf *, const char *fmt, va_list) PB_PRINTF(2, 0);
/* Drop the first `len` bytes (at most what is there); moves the rest. */
void buf_consume(struct buf *, size_t len);
/* The contents as a string that the caller frees; the buffer is empty afterwards.
 * NULL if it has failed or memory is short. */
char *buf_take(struct buf *);
/* The contents, borrowed until the next change. */
struct pb_span buf_span(const struct buf *);

#endif
