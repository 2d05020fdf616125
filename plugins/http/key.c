/* key.c - a key from what a sender gives. */
#include <stdbool.h>
#include <string.h>

#include "http/key.h"

/* What it is comes first: a webhook's id is no idempotency key, whatever it says. */
static void begin(struct key *key, char kind)
{
	key->bytes[0] = kind;
	key->len = 1;
}

static bool add(struct key *key, const char *text, size_t len)
{
	if (len > sizeof key->bytes - key->len)
		return false;
	memcpy(key->bytes + key->len, text, len);
	key->len += len;
	return true;
}

static bool is_visible(char c)
{
	return c >= ' ' && c <= '~';
}

/* The inside of a structured field's string (RFC 9651 section 3.3.3); parameters after it say nothing to us. */
static bool add_quoted(struct key *key, const char *text)
{
	const char *at = text + 1;
	for (; *at != '\0' && *at != '"'; at++) {
		if (*at == '\\' && *++at != '"' && *at != '\\')
			return false;
		if (!is_visible(*at) || !add(key, at, 1))
			return false;
	}
	if (*at != '"')
		return false;
	at += 1 + strspn(at + 1, " ");
	return (*at == '\0' || *at == ';') && key->len > 1;
}

/* Many send it without quotes. */
static bool add_bare(struct key *key, const char *text)
{
	size_t len = strlen(text);
	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	return len > 0 && add(key, text, len);
}

static const char *from_idempotency(struct key *key, const char *text)
{
	begin(key, 'k');
	text += strspn(text, " \t");
	bool good = *text == '"' ? add_quoted(key, text) : add_bare(key, text);
	return good && key->len - 1 <= KEY_VALUE_MAX ? NULL :
		"header `Idempotency-Key` has to be a string of 1 to 255 bytes, as in \"8e03978e-40d5\"";
}

static const char *from_webhook(struct key *key, const char *text)
{
	begin(key, 'w');
	return add_bare(key, text) && key->len - 1 <= KEY_VALUE_MAX ? NULL :
		"header `webhook-id` has to be of 1 to 255 bytes";
}

/* A CloudEvent's id is one's within a source. */
static const char *from_cloudevent(struct key *key, const char *id, const char *source)
{
	begin(key, 'c');
	if (source != NULL && !add(key, source, strlen(source)))
		return "the CloudEvent's source is too long to be remembered";
	return add(key, "", 1) && *id != '\0' && strlen(id) <= KEY_VALUE_MAX && add(key, id, strlen(id)) ? NULL :
		"the CloudEvent's id has to be of 1 to 255 bytes, or its source is too long to be remembered";
}

const char *key_make(struct key *key, const struct key_given *given)
{
	key->len = 0;
	if (given->idempotency != NULL)
		return from_idempotency(key, given->idempotency);
	if (given->webhook != NULL)
		return from_webhook(key, given->webhook);
	if (given->ce_id != NULL)
		return from_cloudevent(key, given->ce_id, given->ce_source);
	return NULL;
}
