/* events.c - events for sinks and filters: an ordinary one, and those that a plugin would rather not see. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "conform/conform.h"

#define LARGE (1024 * 1024)
#define DEEP 10000
#define MANY 60

struct hostile {
	const char *what;
	const char *body;
	size_t len;
	const char *attributes[3];
};

#define BODY(text) .body = (text), .len = sizeof(text) - 1

static const struct hostile hostile[] = {
	{ "an empty body", BODY("") },
	{ "an empty body that is said to be JSON", BODY(""), { "datacontenttype = application/json" } },
	{ "NUL bytes", BODY("a\0b\0\0c\0") },
	{ "bytes that are not UTF-8", BODY("\xff\xfe\xc3\x28\xed\xa0\x80\xf8\x88\x80\x80\x80") },
	{ "bytes that are not UTF-8 in JSON", BODY("{\"a\":\"\xc3\x28\xff\"}"),
	  { "datacontenttype = application/json" } },
	{ "no content type", BODY("plain") },
	{ "a content type that is none", BODY("plain"), { "datacontenttype = ;;/;" } },
	{ "broken JSON", BODY("{\"a\": [1, 2, {\"b\""), { "datacontenttype = application/json" } },
	{ "JSON that is no object", BODY("[null, 1e999, \"\\ud800\"]"),
	  { "datacontenttype = application/json" } },
	{ "keys that stand twice", BODY("{\"id\":1,\"id\":{},\"\":\"\",\"a.b\":0}"),
	  { "datacontenttype = application/json" } },
	{ "line breaks and control bytes", BODY("one\r\n\r\ntwo\n\x1b[2J\x7f\x01") },
	{ "format strings", BODY("%s%n%p%99999999d"), { "type = %s%n", "subject = %n%s{{type}}${x}" } },
	{ "a type that is a path", BODY("{}"), { "type = ../../../../etc/x", "subject = /" } },
	{ "text in other scripts", BODY("\xe2\x80\xae\xf0\x9f\x92\xa9\xcc\x81"), { "subject = \xe2\x80\xae\xf0\x9f\x92\xa9" } },
};
#define N_FIXED (sizeof hostile / sizeof *hostile)

struct pb_event *event_ordinary(struct check *c)
{
	char *type = xasprintf("type = %s", c->wanted->type);
	const char *const attributes[] = {
		type, "subject = conform", "datacontenttype = application/json", NULL,
	};
	struct pb_event *ev = pbt_event(c->host, c->wanted->body, strlen(c->wanted->body), attributes);
	free(type);
	return ev;
}

static struct pb_event *filled(struct check *c, char with, size_t len)
{
	char *body = xcalloc(1, len);
	memset(body, with, len);
	struct pb_event *ev = pbt_event(c->host, body, len, NULL);
	free(body);
	return ev;
}

static struct pb_event *large_json(struct check *c)
{
	static const char head[] = "{\"text\":\"", tail[] = "\"}";
	char *body = xcalloc(1, LARGE);
	memset(body, 'a', LARGE);
	memcpy(body, head, sizeof head - 1);
	memcpy(body + LARGE - (sizeof tail - 1), tail, sizeof tail - 1);
	const char *const attributes[] = { "datacontenttype = application/json", NULL };
	struct pb_event *ev = pbt_event(c->host, body, LARGE, attributes);
	free(body);
	return ev;
}

static struct pb_event *many_attributes(struct check *c)
{
	char texts[MANY][64];
	const char *attributes[MANY + 1] = { NULL };
	for (size_t i = 0; i < MANY; i++) {
		snprintf(texts[i], sizeof texts[i], "attribute-%zu = \"]\\ '=%zu", i, i);
		attributes[i] = texts[i];
	}
	return pbt_event(c->host, "{}", 2, attributes);
}

static struct pb_event *long_attributes(struct check *c)
{
	char value[1000];
	memset(value, 'x', sizeof value);
	memcpy(value, "subject = ", 10);
	value[sizeof value - 1] = '\0';
	return pbt_event(c->host, "{}", 2, (const char *const[]){ value, NULL });
}

static struct pb_event *dated(struct check *c, int64_t ms)
{
	struct pb_event *ev = event_ordinary(c);
	pb_event_set_time(ev, ms);
	return ev;
}

struct pb_event *event_hostile(struct check *c, size_t i, const char **what)
{
	static const char *const made[] = {
		"a body of 1 MiB", "a JSON body of 1 MiB", "10,000 brackets", "60 attributes", "a long attribute",
		"a time before 1970", "a time in the year 9999",
	};
	if (i < N_FIXED) {
		*what = hostile[i].what;
		return pbt_event(c->host, hostile[i].body, hostile[i].len, hostile[i].attributes);
	}
	i -= N_FIXED;
	if (i >= sizeof made / sizeof *made)
		return NULL;
	*what = made[i];
	switch (i) {
	case 0: return filled(c, 'x', LARGE);
	case 1: return large_json(c);
	case 2: return filled(c, '[', DEEP);
	case 3: return many_attributes(c);
	case 4: return long_attributes(c);
	case 5: return dated(c, -1);
	default: return dated(c, INT64_C(253402300799000));
	}
}
