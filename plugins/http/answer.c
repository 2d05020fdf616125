/* answer.c - the bodies and headers of our answers. */
#include <stdio.h>
#include <string.h>

#include "http/answer.h"

#define RETRY_AFTER "5"		/* seconds */
#define PROBLEM_TYPE "application/problem+json"
#define PROBLEM_MAX 1024

/* Append `text` as the inside of a JSON string, cut before it would not fit. */
static size_t json_escape(char *to, size_t room, const char *text)
{
	size_t len = 0;
	for (; *text != '\0' && len + 7 < room; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\') {
			to[len++] = '\\';
			to[len++] = (char)c;
		} else if (c < ' ') {
			len += (size_t)snprintf(to + len, room - len, "\\u%04x", c);
		} else {
			to[len++] = (char)c;
		}
	}
	to[len] = '\0';
	return len;
}

static struct answer answer_make(unsigned status, const char *body, size_t len, const char *type)
{
	struct answer a = { .status = status };
	/* libmicrohttpd copies; its parameter merely lacks the const. */
	a.response = MHD_create_response_from_buffer(len, (void *)(uintptr_t)body,
						     MHD_RESPMEM_MUST_COPY);
	if (a.response != NULL)
		MHD_add_response_header(a.response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	return a;
}

struct answer answer_accepted(const char *id, bool repeat)
{
	char body[1024] = "{\"id\":\"";
	size_t len = strlen(body);
	len += json_escape(body + len, sizeof body - len - 3, id);
	memcpy(body + len, "\"}\n", 3);
	struct answer a = answer_make(MHD_HTTP_ACCEPTED, body, len + 3, "application/json");
	if (repeat && a.response != NULL)
		MHD_add_response_header(a.response, "Idempotency-Replayed", "true");
	return a;
}

static void answer_add_headers(struct answer *a)
{
	switch (a->status) {
	case MHD_HTTP_UNAUTHORIZED:
		MHD_add_response_header(a->response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
					"Bearer realm=\"patchbay\"");
		break;
	case MHD_HTTP_METHOD_NOT_ALLOWED:
		MHD_add_response_header(a->response, MHD_HTTP_HEADER_ALLOW, "POST");
		break;
	case MHD_HTTP_UNSUPPORTED_MEDIA_TYPE:
		MHD_add_response_header(a->response, MHD_HTTP_HEADER_ACCEPT_ENCODING, "identity");
		break;
	case MHD_HTTP_SERVICE_UNAVAILABLE:
		MHD_add_response_header(a->response, MHD_HTTP_HEADER_RETRY_AFTER, RETRY_AFTER);
		break;
	default:
		break;
	}
}

/* The body of a problem; its length. */
static size_t problem_body(char body[static PROBLEM_MAX], unsigned status, const char *detail)
{
	char text[512];
	json_escape(text, sizeof text, detail);
	int len = snprintf(body, PROBLEM_MAX,
			   "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,"
			   "\"detail\":\"%s\"}\n",
			   MHD_get_reason_phrase_for(status), status, text);
	return (size_t)len;
}

struct answer answer_problem(unsigned status, const char *detail)
{
	char body[PROBLEM_MAX];
	size_t len = problem_body(body, status, detail);
	struct answer a = answer_make(status, body, len, PROBLEM_TYPE);
	if (a.response != NULL)
		answer_add_headers(&a);
	return a;
}

size_t answer_text(char to[static ANSWER_TEXT], unsigned status, const char *detail)
{
	char body[PROBLEM_MAX];
	size_t len = problem_body(body, status, detail);
	int all = snprintf(to, ANSWER_TEXT,
			   "HTTP/1.1 %u %s\r\nConnection: close\r\nContent-Type: " PROBLEM_TYPE
			   "\r\nContent-Length: %zu\r\n\r\n%s",
			   status, MHD_get_reason_phrase_for(status), len, body);
	return all < ANSWER_TEXT ? (size_t)all : ANSWER_TEXT - 1;
}

enum MHD_Result answer_send(struct answer *a, struct MHD_Connection *conn)
{
	if (a->response == NULL)
		return MHD_NO;
	enum MHD_Result rc = MHD_queue_response(conn, a->status, a->response);
	answer_drop(a);
	return rc;
}

void answer_drop(struct answer *a)
{
	if (a->response != NULL)
		MHD_destroy_response(a->response);
	a->response = NULL;
}
