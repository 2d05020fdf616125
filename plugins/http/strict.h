/*
 * strict.h - what libmicrohttpd's parser lets pass and RFC 9110 and 9112 do not.
 *
 * Two servers that read one request differently are how requests are smuggled, so what is
 * ambiguous is refused before its body is read. Pure: knows no connection.
 */
#ifndef HTTP_STRICT_H
#define HTTP_STRICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strict {			/* begin with {0} */
	const char *fault;	/* the first one found, a sentence; NULL: none */
	unsigned hosts, lengths, encodings;
	uint64_t length;	/* Content-Length */
	bool coded;		/* a Content-Encoding other than identity */
	bool expects;		/* Expect: 100-continue */
};

/* RFC 9110 section 5.6.2: one or more tchar. */
bool strict_token(const char *text, size_t len);
/* Look at the two parts of the request line, as they came. */
void strict_target(struct strict *, const char *target);
void strict_method(struct strict *, const char *method);
/* Look at each header field in turn; `value` need not be terminated. */
void strict_field(struct strict *, const char *name, size_t name_len, const char *value,
		  size_t value_len);
/* After the last field: what makes the request ambiguous or malformed, or NULL. */
const char *strict_verdict(const struct strict *, const char *version);
/* Does it say how long its body is? If not, a request with a body is to be answered 411. */
bool strict_sized(const struct strict *);

#endif
