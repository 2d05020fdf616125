/* json.c - an event as a CloudEvents JSON object; strings and their text. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/span.h"
#include "event/attributes.h"
#include "event/base64.h"
#include "event/json.h"
#include "event/scan.h"
#include "event/scan_part.h"

static void add_escaped(struct buf *to, unsigned char c)
{
	static const char *const short_forms[] = {
		['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f", ['\r'] = "\\r",
		['"'] = "\\\"", ['\\'] = "\\\\",
	};

	if (c < sizeof short_forms / sizeof *short_forms && short_forms[c] != NULL)
		buf_add(to, short_forms[c], 2);
	else
		buf_printf(to, "\\u%04x", c);
}

int json_quote(struct buf *to, struct pb_span text)
{
	const char *s = text.len == 0 ? "" : text.data, *end = s + text.len;

	buf_add_char(to, '"');
	while (s < end) {
		const char *plain = s;

		s = scan_plain(s, end);
		for (size_t len; s < end && (unsigned char)*s >= 0x80; s += len)
			if ((len = utf8_length(s, (size_t)(end - s))) == 0)
				break;
		buf_add(to, plain, (size_t)(s - plain));
		if (s == end || s > plain)
			continue;
		if ((unsigned char)*s >= 0x80)
			buf_add_str(to, "\xef\xbf\xbd");
		else
			add_escaped(to, (unsigned char)*s);
		s++;
	}
	return buf_add_char(to, '"');
}

int json_unquote(struct buf *to, struct pb_span json)
{
	struct pb_span value = scan_trim(json);
	const char *s = value.data, *end;
	char utf8[4];
	int rc = 0;

	if (value.len == 0 || *s != '"')
		return buf_add(to, value.data, value.len);
	end = s++ + value.len - 1;
	while (rc == 0 && s < end) {
		struct pb_span piece = scan_piece(&s, end, utf8);

		rc = buf_add(to, piece.data, piece.len);
	}
	return rc;
}

bool json_is_type(const char *type)
{
	size_t len = strcspn(type, ";");

	while (len > 0 && (type[len - 1] == ' ' || type[len - 1] == '\t'))
		len--;
	return len == 0 || (len > 5 && (strncasecmp(type + len - 5, "/json", 5) == 0 ||
					strncasecmp(type + len - 5, "+json", 5) == 0));
}

static void add_member(struct buf *to, const char *name, struct pb_span value)
{
	buf_add(to, ",\"", 2);
	buf_add_str(to, name);
	buf_add(to, "\":", 2);
	json_quote(to, value);
}

static void add_known(struct buf *to, const char *name, const struct attributes *set,
		      enum attribute_known which)
{
	const struct attribute *attr = set->known[which];

	if (attr != NULL)
		add_member(to, name, span_of(attribute_value(attr), attr->value_len));
}

static void add_attributes(struct buf *to, const struct pb_event *ev)
{
	const struct attributes *set = event_attributes(ev);
	char time[TIME_TEXT_SIZE];

	add_known(to, "id", set, ATTRIBUTE_ID);
	add_known(to, "source", set, ATTRIBUTE_SOURCE);
	add_known(to, "type", set, ATTRIBUTE_TYPE);
	add_known(to, "subject", set, ATTRIBUTE_SUBJECT);
	time_format(event_time(ev), time);
	add_member(to, "time", span_str(time));
	add_known(to, "datacontenttype", set, ATTRIBUTE_CONTENT_TYPE);
	for (const struct attribute *a = set->further; a != NULL; a = a->next)
		add_member(to, a->text, span_of(attribute_value(a), a->value_len));
}

/* Line breaks of valid JSON are white space between tokens, never inside a string. */
static void add_on_one_line(struct buf *to, struct pb_span json)
{
	size_t start = to->len;

	if (buf_add(to, json.data, json.len) < 0)
		return;
	for (char *s = to->data + start; s < to->data + to->len; s++)
		if (*s == '\n' || *s == '\r')
			*s = ' ';
}

/* curl -d and its like call whatever they send a form, and no form begins with a brace. */
static bool may_be_json(const struct pb_event *ev)
{
	static const char form[] = "application/x-www-form-urlencoded";
	struct pb_span body = scan_trim(event_body(ev));
	const char *type = event_content_type(ev);

	return json_is_type(type) || (body.len > 0 && *(const char *)body.data == '{' &&
				      strncasecmp(type, form, sizeof form - 1) == 0);
}

static void add_body(struct buf *to, const struct pb_event *ev)
{
	struct pb_span body = event_body(ev);

	if (body.len == 0)
		return;
	if (may_be_json(ev) && scan_valid(body, NULL)) {
		buf_add_str(to, ",\"data\":");
		add_on_one_line(to, scan_trim(body));
	} else if (memchr(body.data, '\0', body.len) == NULL && utf8_valid(body.data, body.len)) {
		add_member(to, "data", body);
	} else {
		buf_add_str(to, ",\"data_base64\":\"");
		base64_encode(to, body);
		buf_add_char(to, '"');
	}
}

int json_event(struct buf *to, const struct pb_event *ev)
{
	size_t before = to->len;

	buf_add_str(to, "{\"specversion\":\"1.0\"");
	add_attributes(to, ev);
	add_body(to, ev);
	if (buf_add_char(to, '}') < 0 && to->data != NULL) {
		to->len = before;
		to->data[before] = '\0';
	}
	return to->failed;
}

int json_cloudevent(const struct pb_event *ev, struct pb_bytes *to)
{
	struct buf out = { .data = to->data, .len = to->len, .cap = to->room, .limit = BUF_MAX };
	int failed = json_event(&out, ev);
	to->data = out.data;
	to->room = out.cap;
	if (failed == 0)
		to->len = out.len;
	return failed == 0 ? 0 : -ENOMEM;
}
