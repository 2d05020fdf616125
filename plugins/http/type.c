/* type.c - where an event's type comes from: a field of its body, a header, or the INI. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/strict.h"
#include "http/type.h"

static const char *after(const char *option, const char *prefix)
{
	size_t len = strlen(prefix);
	return strncmp(option, prefix, len) == 0 ? option + len : NULL;
}

const char *type_parse(struct type_rule *rule, const char *option)
{
	const char *name;
	if ((name = after(option, "json:")) != NULL) {
		*rule = (struct type_rule){ TYPE_JSON, name };
		return *name != '\0' ? NULL : "a field is missing after json:";
	}
	if ((name = after(option, "header:")) != NULL) {
		*rule = (struct type_rule){ TYPE_HEADER, name };
		return strict_token(name, strlen(name)) ? NULL :
			"the name of a header is expected after header:";
	}
	name = after(option, "type:");
	/* Anything else before a colon is a slip of the pen that would name every event. */
	if (name == NULL && strchr(option, ':') != NULL)
		return "json:FIELD, header:NAME or a type is expected; a fixed type that has a "
		       "colon in it is written type:TYPE";
	*rule = (struct type_rule){ TYPE_FIXED, name != NULL ? name : option };
	return *rule->name != '\0' ? NULL : "json:FIELD, header:NAME or a type is expected";
}

static int type_set(struct pb_event *ev, const char *type)
{
	return *type != '\0' ? pb_event_set(ev, "type", type) : -EINVAL;
}

static int type_from_body(struct pb_event *ev, const char *path)
{
	struct pb_span value = pb_field(ev, path);
	if (value.data == NULL)
		return pb_field(ev, "").data == NULL ? -EBADMSG : -ENOENT;
	if (*(const char *)value.data != '"')
		return -EINVAL;
	char *text = pb_text(value);
	if (text == NULL)
		return -ENOMEM;
	int rc = type_set(ev, text);
	free(text);
	return rc;
}

int type_apply(const struct type_rule *rule, struct pb_event *ev, const char *header)
{
	switch (rule->from) {
	case TYPE_JSON:
		return type_from_body(ev, rule->name);
	case TYPE_HEADER:
		return header != NULL ? type_set(ev, header) : -ENOENT;
	case TYPE_FIXED:
		break;
	}
	return type_set(ev, rule->name);
}

void type_complain(const struct type_rule *rule, int error, char *text, size_t size)
{
	const char *thing = rule->from == TYPE_JSON ? "member" : "header";
	if (error == -EBADMSG)
		snprintf(text, size, "the body is not JSON, and member `%s` is to be the event's type",
			 rule->name);
	else if (error == -ENOENT && rule->from == TYPE_JSON)
		snprintf(text, size, "the body has no member `%s`, which is to be the event's type",
			 rule->name);
	else if (error == -ENOENT)
		snprintf(text, size, "there is no header `%s`, which is to be the event's type",
			 rule->name);
	else
		snprintf(text, size, "%s `%s` is no text usable as a type", thing, rule->name);
}
