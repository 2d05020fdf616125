/* text.c - an event as one syslog message, RFC 5424 or RFC 3164. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "syslog/text.h"

#define SD_ID "patchbay@32473"	/* RFC 5612's number for documentation */
#define PARAM_NAME_MAX 32
#define MSGID_MAX 32

struct line {
	char *data;
	size_t len, max;
	bool full;		/* something did not fit; all else is refused */
};

static void line_add(struct line *line, const void *data, size_t len)
{
	if (line->full || len > line->max - line->len) {
		line->full = true;
		return;
	}
	memcpy(line->data + line->len, data, len);
	line->len += len;
}

static void line_str(struct line *line, const char *s)
{
	line_add(line, s, strlen(s));
}

/* Bytes of the character at `p` that may be shown as they are; 0: it is to be escaped. */
static size_t shown(const unsigned char *p, size_t left)
{
	if (*p < 0x80)
		return *p >= ' ' && *p != 127;
	size_t len = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
	if (*p < 0xc2 || *p > 0xf4 || left < len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	bool c1 = *p == 0xc2 && p[1] < 0xa0;
	bool overlong = (*p == 0xe0 && p[1] < 0xa0) || (*p == 0xf0 && p[1] < 0x90);
	bool surrogate = *p == 0xed && p[1] > 0x9f, beyond = *p == 0xf4 && p[1] > 0x8f;
	return c1 || overlong || surrogate || beyond ? 0 : len;
}

static bool is_plain(unsigned char c, bool quoted)
{
	return c >= ' ' && c < 127 && !(quoted && (c == '"' || c == '\\' || c == ']'));
}

/* One character, whole or not at all. The number of bytes it took from the text. */
static size_t line_character(struct line *line, const unsigned char *p, size_t left)
{
	char escaped[4] = { '\\', (char)*p };
	size_t len = shown(p, left);
	if (len == 1) {			/* is_plain() has let it pass: a quoted one */
		line_add(line, escaped, 2);
		return 1;
	}
	if (len > 0) {
		line_add(line, p, len);
		return len;
	}
	escaped[0] = '#';
	escaped[1] = (char)('0' + (*p >> 6));
	escaped[2] = (char)('0' + (*p >> 3 & 7));
	escaped[3] = (char)('0' + (*p & 7));
	line_add(line, escaped, 4);
	return 1;
}

/* Text, as much as fits. `quoted`: within a structured data value. */
static void line_text(struct line *line, const void *text, size_t len, bool quoted)
{
	const unsigned char *p = text, *end = p + len;
	while (p < end && !line->full) {
		const unsigned char *from = p;
		while (p < end && is_plain(*p, quoted))
			p++;
		size_t run = (size_t)(p - from), room = line->max - line->len;
		line_add(line, from, run < room ? run : room);
		line->full = run > room;
		if (p < end && !line->full)
			p += line_character(line, p, (size_t)(end - p));
	}
}

/* A header field: visible ASCII, "-" when empty. */
static void line_field(struct line *line, const char *value, size_t max)
{
	size_t len = 0;
	for (; value[len] != '\0' && len < max; len++) {
		char c = value[len] > ' ' && value[len] < 127 ? value[len] : '_';
		line_add(line, &c, 1);
	}
	line_str(line, len == 0 ? "- " : " ");
}

static void line_time(struct line *line, const struct text_style *style, int64_t ms)
{
	char text[128];
	struct tm tm;
	time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));
	int rest = (int)(ms - (int64_t)seconds * 1000);
	bool known = (style->rfc5424 ? gmtime_r(&seconds, &tm) : localtime_r(&seconds, &tm)) != NULL;
	if (!style->rfc5424) {
		static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
						  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
		if (!known)
			memset(&tm, 0, sizeof tm);
		snprintf(text, sizeof text, "%s %2d %02d:%02d:%02d ", months[tm.tm_mon],
			 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	} else if (!known || tm.tm_year < -1900 || tm.tm_year > 8099) {
		snprintf(text, sizeof text, "- ");
	} else {
		snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ ", tm.tm_year + 1900,
			 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, rest);
	}
	line_str(line, text);
}

/* One name="value", whole or not at all. */
static bool line_param(struct line *line, const char *name, const char *value)
{
	size_t before = line->len;
	if (*value == '\0')
		return true;
	line_str(line, " ");
	line_add(line, name, strnlen(name, PARAM_NAME_MAX));
	line_str(line, "=\"");
	line_text(line, value, strlen(value), true);
	line_str(line, "\"");
	if (!line->full)
		return true;
	line->full = false;
	line->len = before;
	return false;
}

static bool line_data(struct line *line, const struct pb_event *ev)
{
	const char *name, *value;
	line_str(line, "[" SD_ID);
	bool all = line_param(line, "id", pb_event_id(ev));
	all &= line_param(line, "type", pb_event_type(ev));
	all &= line_param(line, "source", pb_event_source(ev));
	all &= line_param(line, "subject", pb_event_subject(ev));
	all &= line_param(line, "datacontenttype", pb_event_content_type(ev));
	for (size_t i = 0; pb_event_attr_at(ev, i, &name, &value); i++)
		all &= line_param(line, name, value);
	return all;
}

static void head_5424(struct line *line, const struct text_style *style, const struct pb_event *ev,
		      bool *cut)
{
	char text[32];
	size_t max = line->max;
	snprintf(text, sizeof text, "<%d>1 ", style->priority);
	line_str(line, text);
	line_time(line, style, pb_event_time(ev));
	line_field(line, style->host, 255);
	line_field(line, style->app, 48);
	snprintf(text, sizeof text, "%ld ", style->pid);
	line_str(line, text);
	line_field(line, pb_event_type(ev), MSGID_MAX);
	/* Half is kept for the body; a long host name may have taken more already. */
	line->max = line->len + sizeof "[" SD_ID < max / 2 ? max / 2 : line->len + sizeof "[" SD_ID;
	*cut |= !line_data(line, ev);
	line->max = max;
	line_str(line, "] ");
}

static void head_3164(struct line *line, const struct text_style *style, const struct pb_event *ev)
{
	char text[80];
	snprintf(text, sizeof text, "<%d>", style->priority);
	line_str(line, text);
	line_time(line, style, pb_event_time(ev));
	if (style->with_host)
		line_field(line, style->host, 255);
	snprintf(text, sizeof text, "%.48s[%ld]: ", style->app, style->pid);
	line_str(line, text);
}

size_t text_format(const struct text_style *style, const struct pb_event *ev, char *out, bool *cut)
{
	struct line line = { .data = out, .max = style->max };
	struct pb_span body = pb_event_body(ev);
	const char *text = body.data;
	*cut = false;
	if (style->rfc5424)
		head_5424(&line, style, ev, cut);
	else
		head_3164(&line, style, ev);
	while (body.len > 0 && (text[body.len - 1] == '\n' || text[body.len - 1] == '\r'))
		body.len--;		/* the end of a line is the message's end */
	size_t head = line.len;
	line_text(&line, text, body.len, false);
	if (!line.full)
		return line.len;
	/* Once more, shorter: only what is cut pays for it. */
	line = (struct line){ .data = out, .len = head, .max = style->max - strlen(TEXT_CUT) };
	line_text(&line, text, body.len, false);
	memcpy(out + line.len, TEXT_CUT, strlen(TEXT_CUT));
	*cut = true;
	return line.len + strlen(TEXT_CUT);
}
