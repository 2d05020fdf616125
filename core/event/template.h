/*
 * template.h - {{type}}, {{data.field}}, {{json x}}, {{url x}}: compiled once, rendered per event.
 *
 * x is an attribute's name, data.PATH (a field of a JSON body, see pb_field()) or data (the body).
 * {{x}} is text, {{json x}} JSON, {{url x}} percent-encoded (RFC 3986 unreserved kept). Blanks
 * around x do not count. "{{{{" stands for "{{"; "}}" outside a field stands for itself.
 */
#ifndef EVENT_TEMPLATE_H
#define EVENT_TEMPLATE_H

#include "base/buf.h"
#include "base/error.h"
#include "event/event.h"

struct template;

/* NULL after error_add() that names the place and what was expected. */
struct template *template_compile(const char *text, struct pb_error *);
void template_free(struct template *);
/* Append to `out`. 0; -ENOENT with the missing field's name in *missing (the template's own
 * string), or -EINVAL with the name of one whose text contains NUL; -EMSGSIZE, -ENOMEM. Then `out`
 * holds what it held before. [any] */
int template_render(const struct template *, const struct pb_event *, struct buf *out,
		    const char **missing);

#endif
