/*
 * values.h - one option's text to its value, by the type that its table gives it.
 *
 * What was written is quoted in errors unless it is a secret, or came from one.
 */
#ifndef CONFIG_VALUES_H
#define CONFIG_VALUES_H

#include <patchbay/plugin.h>

#include "base/buf.h"
#include "base/error.h"
#include "event/template.h"

#define VALUE_TYPES (PB_TEMPLATE + 1)

struct value {
	char *text;		/* the whole; "" when unset */
	int64_t number;		/* PB_BOOL: 0 or 1; ms; bytes */
	char **list;		/* the list types: ends in NULL; else NULL */
	struct template *template;	/* PB_TEMPLATE that is set */
};

/* Parse `text`; with `hide` it is not quoted in an error. "" is the unset value of every type.
 * False after error_add(err, option's name, what is wrong and what was expected); *value is
 * then unset. */
bool value_parse(struct value *, const struct pb_option *, const char *text, bool hide,
		 struct pb_error *err);
void value_free(struct value *);
bool value_equal(const struct value *, const struct value *);

/* Is it a list in the INI? */
bool value_is_list(enum pb_type);
/* Do `min` and `max` apply? */
bool value_is_number(enum pb_type);
/* "duration", "list of paths"; and what stands before it: "a ", "an " or "". */
const char *value_type_name(enum pb_type);
const char *value_article(enum pb_type);
/* "a number with its unit, such as …" */
const char *value_expected(enum pb_type);
/* Append "1s to 1h", "at least 1", "at most 64KiB"; nothing when there is no limit. */
void value_limits(struct buf *, const struct pb_option *);

#endif
