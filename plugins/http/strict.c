/* strict.c - refuse what is ambiguous: RFC 9112 sections 3.2, 5 and 6, RFC 9110 section 5. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "http/strict.h"

static bool is_tchar(unsigned char c)
{
	return isalnum(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

bool strict_token(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!is_tchar((unsigned char)text[i]))
			return false;
	return len > 0;
}

static bool is(const char *name, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(name, word, len) == 0;
}

static void fail(struct strict *s, const char *fault)
{
	if (s->fault == NULL)
		s->fault = fault;
}

static bool has_control(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return true;
	}
	return false;
}

void strict_target(struct strict *s, const char *target)
{
	if (*target == '\0' || has_control(target, strlen(target)) || strpbrk(target, " \t") != NULL)
		fail(s, "the request target is malformed");
}

void strict_method(struct strict *s, const char *method)
{
	if (!strict_token(method, strlen(method)))
		fail(s, "the method is not a token");
}

static void strict_host(struct strict *s, const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (strchr(" \t/?#@,\\", value[i]) != NULL)
			fail(s, "Host is malformed");
	if (++s->hosts > 1)
		fail(s, "more than one Host");
}

static void strict_length(struct strict *s, const char *value, size_t len)
{
	uint64_t n = 0;
	bool good = len > 0;
	for (size_t i = 0; i < len && good; i++) {
		good = isdigit((unsigned char)value[i]) && n <= (UINT64_MAX - 9) / 10;
		n = n * 10 + (uint64_t)(value[i] - '0');
	}
	if (!good)
		fail(s, "Content-Length is not a number");
	if (++s->lengths > 1)
		fail(s, "more than one Content-Length");
	s->length = n;
}

static void strict_encoding(struct strict *s, const char *value, size_t len)
{
	if (!is(value, len, "chunked"))
		fail(s, "a Transfer-Encoding other than chunked");
	if (++s->encodings > 1)
		fail(s, "more than one Transfer-Encoding");
}

void strict_field(struct strict *s, const char *name, size_t name_len, const char *value,
		  size_t value_len)
{
	if (!strict_token(name, name_len))
		fail(s, "the name of a header field is not a token");
	if (has_control(value, value_len))
		fail(s, "a header field has a control character");
	if (is(name, name_len, "host"))
		strict_host(s, value, value_len);
	else if (is(name, name_len, "content-length"))
		strict_length(s, value, value_len);
	else if (is(name, name_len, "transfer-encoding"))
		strict_encoding(s, value, value_len);
	else if (is(name, name_len, "content-encoding"))
		s->coded |= value_len > 0 && !is(value, value_len, "identity");
	else if (is(name, name_len, "expect"))
		s->expects = true;
}

const char *strict_verdict(const struct strict *s, const char *version)
{
	bool old = strcmp(version, "HTTP/1.0") == 0;
	if (s->fault != NULL)
		return s->fault;
	if (s->hosts == 0 && !old)
		return "Host is missing";
	if (s->lengths > 0 && s->encodings > 0)
		return "both Content-Length and Transfer-Encoding";
	if (s->encodings > 0 && old)
		return "Transfer-Encoding in HTTP/1.0";
	return NULL;
}

bool strict_sized(const struct strict *s)
{
	return s->lengths > 0 || s->encodings > 0;
}
