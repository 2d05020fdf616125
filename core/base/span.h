/* span.h - struct pb_span helpers: bytes that are borrowed, never owned. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <string.h>

#include <patchbay/plugin.h>

#define SPAN_NONE ((struct pb_span){ NULL, 0 })

static inline struct pb_span span_of(const void *data, size_t len)
{
	return (struct pb_span){ data, len };
}

/* The text of `s` without its NUL. `s` may be NULL: no span. */
static inline struct pb_span span_str(const char *s)
{
	return s == NULL ? SPAN_NONE : span_of(s, strlen(s));
}

static inline bool span_is(struct pb_span a, const char *s)
{
	return a.data != NULL && strlen(s) == a.len && memcmp(a.data, s, a.len) == 0;
}

#endif
