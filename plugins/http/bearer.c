/* bearer.c - compare a bearer token in a time that says nothing about the right one. */
#include <string.h>
#include <strings.h>

#include "http/bearer.h"

bool bearer_matches(const char *authorization, const char *token)
{
	static const char scheme[] = "Bearer ";
	if (authorization == NULL || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
		return false;
	const char *given = authorization + sizeof scheme - 1;
	given += strspn(given, " ");
	size_t len = strlen(given), want = strlen(token);
	volatile size_t wrong = len ^ want;
	for (size_t i = 0; i < len; i++)
		wrong |= (unsigned char)given[i] ^ (unsigned char)token[want > 0 ? i % want : 0];
	return wrong == 0;
}
