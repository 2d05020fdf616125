/* json_parse.c - the event in a CloudEvents 1.0 JSON object (structured mode). */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/span.h"
#include "event/base64.h"
#include "event/json.h"
#include "event/scan.h"
#include "event/scan_part.h"

/* What must be known before the event can be made. */
enum member {
	MEMBER_VERSION,
	MEMBER_CONTENT_TYPE,
	MEMBER_DATA,
	MEMBER_DATA_BASE64,
	MEMBERS
};

static const char *const member_names[MEMBERS] = {
	[MEMBER_VERSION] = "specversion",
	[MEMBER_CONTENT_TYPE] = "datacontenttype",
	[MEMBER_DATA] = "data",
	[MEMBER_DATA_BASE64] = "data_base64",
};

static bool is_kind(struct pb_span json, char first)
{
	return json.len > 0 && *(const char *)json.data == first;
}

/* An attribute that is null is one that is not set (CloudEvents JSON format, section 2.2). */
static bool is_set(struct pb_span json)
{
	return json.data != NULL && !span_is(json, "null");
}

static bool find_members(struct pb_span json, struct pb_span found[MEMBERS], struct pb_error *err)
{
	size_t at = 0;

	if (!scan_find_all(json, member_names, MEMBERS, found)) {
		scan_valid(json, &at);
		error_add(err, NULL, "not valid JSON: fault at byte %zu", at);
		return false;
	}
	if (!is_kind(scan_trim(json), '{')) {
		error_add(err, NULL, "expected a JSON object");
		return false;
	}
	if (!is_set(found[MEMBER_VERSION])) {
		error_add(err, NULL, "specversion is missing, expected \"1.0\"");
		return false;
	}
	char version[8];
	if (scan_text(found[MEMBER_VERSION], version, sizeof version) < 0 ||
	    !is_kind(found[MEMBER_VERSION], '"') || strcmp(version, "1.0") != 0) {
		error_add(err, NULL, "specversion is not supported, expected \"1.0\"");
		return false;
	}
	return true;
}

/* Does datacontenttype say that a string in `data` is the body's text, not its JSON? */
static bool says_text(struct pb_span content_type)
{
	char type[EVENT_VALUE_MAX + 1];

	return is_kind(content_type, '"') &&
	       scan_text(content_type, type, sizeof type) >= 0 && !json_is_type(type);
}

/* Text into `body`, by way of `text`. */
static int decode_body(struct buf *body, struct pb_span encoded)
{
	struct buf text = BUF_INIT(encoded.len);
	int rc = json_unquote(&text, encoded);

	if (rc == 0)
		rc = base64_decode(body, buf_span(&text));
	buf_free(&text);
	return rc;
}

static bool take_body(struct buf *body, const struct pb_span found[MEMBERS], struct pb_error *err)
{
	struct pb_span data = found[MEMBER_DATA], base64 = found[MEMBER_DATA_BASE64];
	int rc = 0;

	if (is_set(base64) && data.data != NULL) {
		error_add(err, NULL, "data and data_base64: expected one of them");
		return false;
	}
	if (is_set(base64))
		rc = is_kind(base64, '"') ? decode_body(body, base64) : -EINVAL;
	else if (is_kind(data, '"') && says_text(found[MEMBER_CONTENT_TYPE]))
		rc = json_unquote(body, data);
	else if (data.data != NULL)
		rc = buf_add(body, data.data, data.len);
	if (rc == -EINVAL)
		error_add(err, NULL, "data_base64: expected a string of padded base64");
	else if (rc < 0)
		error_add(err, NULL, "%s", strerror(-rc));
	return rc == 0;
}

static int set_value(struct pb_event *ev, const char *name, struct pb_span value)
{
	char text[EVENT_VALUE_MAX + 1];

	if (is_kind(value, '{') || is_kind(value, '['))
		return -EINVAL;
	if (!is_set(value))
		return strcmp(name, "time") == 0 ? 0 : event_set(ev, name, NULL);
	if (scan_text(value, text, sizeof text) < 0)
		return -EINVAL;
	return event_set(ev, name, text);
}

static const char *expected(struct pb_event *ev, const char *name)
{
	if (strcmp(name, "time") == 0)
		return "an RFC 3339 date and time";
	if (event_set(ev, name, NULL) == -EINVAL)
		return "a name of 1 to 64 characters of [a-z0-9_.-]";
	return "text without control characters, a number, true or false, within the limits";
}

static bool set_member(struct pb_event *ev, struct pb_span key, struct pb_span value,
		       struct pb_error *err)
{
	char name[EVENT_NAME_MAX + 1];
	int rc;

	if (scan_text(key, name, sizeof name) < 0)
		*name = '\0';
	for (size_t i = 0; i < MEMBERS; i++)
		if (i != MEMBER_CONTENT_TYPE && strcmp(name, member_names[i]) == 0)
			return true;
	rc = set_value(ev, name, value);
	if (rc == -EINVAL)
		error_add(err, NULL, "attribute \"%s\": expected %s", name, expected(ev, name));
	else if (rc < 0)
		error_add(err, NULL, "%s", strerror(-rc));
	return rc == 0;
}

static bool set_members(struct pb_event *ev, struct pb_span json, struct pb_error *err)
{
	static const char *const required[] = { "id", "source", "type" };
	struct pb_span key, value;
	bool ok = true;

	while (scan_each(&json, &key, &value))
		ok = set_member(ev, key, value, err) && ok;
	for (size_t i = 0; ok && i < sizeof required / sizeof *required; i++) {
		if (event_attr(ev, required[i]) != NULL)
			continue;
		error_add(err, NULL, "%s is missing", required[i]);
		ok = false;
	}
	return ok;
}

struct pb_event *json_event_parse(struct pb_span json, int64_t now_ms, struct pb_error *err)
{
	struct pb_span found[MEMBERS];
	struct buf body = BUF_INIT(json.len);
	struct pb_event *ev = NULL;

	if (!find_members(json, found, err) || !take_body(&body, found, err))
		goto out;
	ev = event_new(buf_span(&body), now_ms);
	if (ev == NULL)
		error_add(err, NULL, "%s", strerror(ENOMEM));
	else if (!set_members(ev, json, err)) {
		event_unref(ev);
		ev = NULL;
	}
out:
	buf_free(&body);
	return ev;
}
