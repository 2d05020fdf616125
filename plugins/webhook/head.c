/* head.c - no event and no configuration line forges a header or a request. */
#include <string.h>
#include <strings.h>

#include "webhook/head.h"

bool header_is(const char *header, const char *name)
{
	size_t len = strlen(name);
	return strncasecmp(header, name, len) == 0 && header[len] == ':';
}

static bool is_token(const char *s, size_t len)
{
	static const char more[] = "!#$%&'*+-.^_`|~";
	for (size_t i = 0; i < len; i++)
		if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'z') ||
		      (s[i] >= 'A' && s[i] <= 'Z') || (s[i] != '\0' && strchr(more, s[i]) != NULL)))
			return false;
	return len > 0;
}

const char *header_fault(const char *header)
{
	static const char *const ours[] = {
		"content-length", "transfer-encoding", "connection", "expect", "te", "trailer",
		"upgrade", "webhook-id", "webhook-timestamp"
	};
	const char *colon = strchr(header, ':');
	if (colon == NULL || !is_token(header, (size_t)(colon - header)))
		return "is not of the form \"Name: value\"";
	for (const char *p = colon; *p != '\0'; p++)
		if (((unsigned char)*p < ' ' && *p != '\t') || *p == 127)
			return "holds a control character";
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		if (header_is(header, ours[i]))
			return "is patchbay's own to set";
	return NULL;
}

bool header_encode(const char *value, char *out, size_t size)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t len = 0;
	for (; *value != '\0'; value++) {
		unsigned char c = (unsigned char)*value;
		bool plain = c > ' ' && c < 127 && c != '"' && c != '%';
		if (len + (plain ? 1 : 3) >= size)
			return false;
		if (plain) {
			out[len++] = (char)c;
			continue;
		}
		out[len++] = '%';
		out[len++] = hex[c >> 4];
		out[len++] = hex[c & 15];
	}
	out[len] = '\0';
	return true;
}

bool media_type_sound(const char *value)
{
	for (const char *p = value; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			return false;
	return *value > ' ';
}
