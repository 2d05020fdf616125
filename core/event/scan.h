/*
 * scan.h - a strict RFC 8259 scanner: validates, finds, iterates; no tree, no allocation.
 *
 * Routing needs one or two fields of a body, and a tree costs twenty times the time.
 * Strict: valid UTF-8, no lone surrogate in \u, no leading zeros, nothing after the
 * value, nesting up to SCAN_DEPTH_MAX. Judged against jansson in a fuzz test.
 */
#ifndef EVENT_SCAN_H
#define EVENT_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include <patchbay/plugin.h>

#define SCAN_DEPTH_MAX 512

/* Is it one whole JSON text? On false *at (may be NULL) is the offset of the fault. */
bool scan_valid(struct pb_span json, size_t *at);
/* The value at `path` ("report.name", "rows.0"; see pb_field()), {NULL, 0} when absent or when the
 * text is not valid as a whole. An empty path is the whole value, without white space around it. */
struct pb_span scan_find(struct pb_span json, const char *path);
/* Several paths in one pass: found[i] for paths[i], up to 16. False when not valid JSON; then all
 * are {NULL, 0}. One pass validates and finds: this is what a source uses per event. */
bool scan_find_all(struct pb_span json, const char *const paths[], size_t n,
		   struct pb_span found[]);
/* As pb_each(): `key` is JSON text, quotes included, for scan_text(). What is not valid ends the
 * members where it begins. `key` and `value` are {NULL, 0} after the last. */
bool scan_each(struct pb_span *rest, struct pb_span *key, struct pb_span *value);
/* A JSON string's text, unescaped into `out` (size bytes, NUL-terminated); any other scalar as it
 * is written, an object or array as its JSON. Its length; or -ERANGE, or -EINVAL (it contains
 * \u0000, or is not JSON), and `out` means nothing. */
long scan_text(struct pb_span json, char *out, size_t size);
/* The same text, which the caller frees; "" when it has none. NULL: no memory. */
char *scan_text_new(struct pb_span json);

#endif
