/*
 * bearer.h - RFC 6750 section 2.1: Authorization: Bearer TOKEN.
 */
#ifndef HTTP_BEARER_H
#define HTTP_BEARER_H

#include <stdbool.h>

/* Does `authorization`, the header's value or NULL, carry `token`? How long it takes depends
 * only on what was sent, not on how much of it is right. */
bool bearer_matches(const char *authorization, const char *token);

#endif
