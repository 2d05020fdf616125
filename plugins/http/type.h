/*
 * type.h - where an event's type comes from: the option `event`.
 */
#ifndef HTTP_TYPE_H
#define HTTP_TYPE_H

#include <patchbay/plugin.h>

enum type_from { TYPE_FIXED, TYPE_JSON, TYPE_HEADER };

struct type_rule {
	enum type_from from;
	const char *name;	/* the type, the path into the body, or the header; borrowed */
};

/* Read "json:FIELD", "header:NAME", "type:TYPE" or, if it has no colon, a fixed type. NULL, or what is wrong with it; `rule`
 * then is not to be used. It borrows from `option`. */
const char *type_parse(struct type_rule *rule, const char *option);

/* Set the type of `ev`; `header` is the value of the header that a TYPE_HEADER names, NULL
 * when the request lacks it. 0; -EBADMSG: the body is not JSON; -ENOENT: the body's field or the
 * header is missing; -EINVAL: it is no text that can be a type; -ENOMEM. */
int type_apply(const struct type_rule *rule, struct pb_event *ev, const char *header);
/* The same error as a sentence that names the field, for the sender; cut to `size`. */
void type_complain(const struct type_rule *rule, int error, char *text, size_t size);

#endif
