/* head.h - request headers: the operator's own, and values from events. Pure: no I/O. */
#ifndef WEBHOOK_HEAD_H
#define WEBHOOK_HEAD_H

#include <stdbool.h>
#include <stddef.h>

/* What is wrong with an own header "Name: value" ("is …", "holds …"), or NULL. */
const char *header_fault(const char *header);
/* True when `header` is one of that name (lower case). */
bool header_is(const char *header, const char *name);
/* `value` as a header may carry it, by the CloudEvents HTTP binding (section 3.1.3.2):
 * all but visible ASCII, and '"' and '%', percent-encoded. False when it does not fit. */
bool header_encode(const char *value, char *out, size_t size);
/* True when `value` can be a media type as it stands: visible ASCII and spaces. */
bool media_type_sound(const char *value);

#endif
