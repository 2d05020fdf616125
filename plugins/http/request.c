/* request.c - one request, from its first line to the last byte of its answer. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "http/answer.h"
#include "http/bearer.h"
#include "http/client.h"
#include "http/key.h"
#include "http/peer.h"
#include "http/request.h"
#include "http/strict.h"

#define REQUEST_MAGIC 0x52455131
#define FIRST_ROOM ((size_t)64 * 1024)	/* the most set aside for a body on its sender's word */
#define DRAIN_MAX ((size_t)64 * 1024)	/* a refused body up to this is read, and the connection kept */
#define LINGER_MAX ((size_t)16 << 20)	/* … and one that is too large up to this: who sends on into a closed
					 * connection may never see the answer */

enum request_state {
	REQUEST_HEAD,		/* the header is not in */
	REQUEST_BODY,		/* the body is being taken in */
	REQUEST_REFUSED,	/* the body is being thrown away */
	REQUEST_COMMITTING,	/* the core has the event */
	REQUEST_ANSWERABLE,	/* it has said what became of it */
	REQUEST_ANSWERED,	/* the answer is queued */
	REQUEST_DISMISSED	/* it went past libmicrohttpd, and the connection is ended */
};

struct request {
	unsigned magic;
	enum request_state state;
	struct http *http;
	struct client *client;		/* NULL: hung up */
	struct MHD_Connection *conn;
	bool pledged;			/* settled() will come */
	bool suspended;
	uint64_t turn;			/* in which it was emitted */
	struct strict strict;
	struct answer answer;
	const char *fault;		/* why its key is none */
	char *body;
	size_t len, room;
};

static void request_free(struct request *req)
{
	answer_drop(&req->answer);
	free(req->body);
	req->magic = 0;
	free(req);
}

void *request_open(void *cls, const char *target, struct MHD_Connection *conn)
{
	(void)cls;
	struct client *client = client_of(conn);
	struct request *req = client != NULL ? calloc(1, sizeof *req) : NULL;
	if (req == NULL)
		return NULL;
	req->magic = REQUEST_MAGIC;
	req->http = client->http;
	req->client = client;
	req->conn = conn;
	strict_target(&req->strict, target != NULL ? target : "");
	client->request = req;
	client_touch(client);
	return req;
}

void request_close(void *cls, struct MHD_Connection *conn, void **con_cls,
		   enum MHD_RequestTerminationCode why)
{
	(void)cls, (void)conn, (void)why;
	struct request *req = *con_cls;
	*con_cls = NULL;
	if (req == NULL)
		return;
	assert(req->magic == REQUEST_MAGIC && !req->suspended);
	if (req->state >= REQUEST_COMMITTING)
		req->http->owed--;
	req->client->request = NULL;
	client_touch(req->client);
	req->client = NULL;
	if (!req->pledged)
		request_free(req);
}

/*** Answering ***/

static enum MHD_Result request_answer(struct request *req)
{
	if (req->state < REQUEST_COMMITTING)
		req->http->owed++;
	req->state = REQUEST_ANSWERED;
	if (req->answer.response != NULL && pb_stopping(req->http->self))
		MHD_add_response_header(req->answer.response, MHD_HTTP_HEADER_CONNECTION, "close");
	return answer_send(&req->answer, req->conn);
}

/* Prepare to say no. */
static void request_deny(struct request *req, unsigned status, const char *detail)
{
	req->answer = answer_problem(status, detail);
	refusal_note(req->http, req->client, status, detail);
}

/* Say no once the body has gone by. */
static enum MHD_Result request_refuse(struct request *req, unsigned status, const char *detail)
{
	free(req->body);
	req->body = NULL;
	request_deny(req, status, detail);
	req->state = REQUEST_REFUSED;
	return MHD_YES;
}

/* Say no at once and close: where the body ends is in doubt, or it is not worth reading. */
static enum MHD_Result request_reject(struct request *req, unsigned status, const char *detail)
{
	request_refuse(req, status, detail);
	return request_answer(req);
}

static const char *too_large(const struct request *req, char text[static 64])
{
	snprintf(text, 64, "the body is over the limit of %zu bytes", req->http->max_body);
	return text;
}

/* Say no where libmicrohttpd takes no answer, and end the connection. It has nothing of its own to
 * send while a request comes in. */
static void request_dismiss(struct request *req, unsigned status, const char *detail)
{
	char text[ANSWER_TEXT];
	size_t len = answer_text(text, status, detail);
	send(req->client->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	shutdown(req->client->fd, SHUT_RDWR);
	req->http->owed++;
	req->state = REQUEST_DISMISSED;
	refusal_note(req->http, req->client, status, detail);
}

/*** The header ***/

static enum MHD_Result request_field(void *cls, enum MHD_ValueKind kind, const char *name,
				     size_t name_len, const char *value, size_t value_len)
{
	(void)kind;
	strict_field(cls, name, name_len, value != NULL ? value : "", value_len);
	return MHD_YES;
}

static const char *header(struct request *req, const char *name)
{
	return MHD_lookup_connection_value(req->conn, MHD_HEADER_KIND, name);
}

/* The path of a request target: RFC 9112 section 3.2.2 has us take absolute ones too. */
static const char *path_of(const char *url)
{
	if (strncasecmp(url, "http://", 7) != 0)
		return url;
	const char *path = strchr(url + 7, '/');
	return path != NULL ? path : "/";
}

/* The status of a request that asks for something we do not have, or 0. */
static unsigned request_unwanted(struct request *req, const char *url, const char *method,
				 const char **detail)
{
	const struct http *http = req->http;
	if (strcmp(path_of(url), http->path) != 0) {
		*detail = "events are taken at another path";
		return MHD_HTTP_NOT_FOUND;
	}
	if (strcmp(method, MHD_HTTP_METHOD_POST) != 0) {
		*detail = "events are taken by POST";
		return MHD_HTTP_METHOD_NOT_ALLOWED;
	}
	if (*http->token != '\0' &&
	    !bearer_matches(header(req, MHD_HTTP_HEADER_AUTHORIZATION), http->token)) {
		*detail = "the bearer token is missing or wrong";
		return MHD_HTTP_UNAUTHORIZED;
	}
	if (req->strict.coded) {
		*detail = "Content-Encoding has to be identity";
		return MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
	}
	return 0;
}

static enum MHD_Result request_head(struct request *req, const char *url, const char *method,
				    const char *version)
{
	struct strict *strict = &req->strict;
	strict_method(strict, method);
	MHD_get_connection_values_n(req->conn, MHD_HEADER_KIND, request_field, strict);
	const char *detail = strict_verdict(strict, version);
	if (detail != NULL)
		return request_reject(req, MHD_HTTP_BAD_REQUEST, detail);
	if (req->client->excess)
		return request_reject(req, MHD_HTTP_SERVICE_UNAVAILABLE, "too many connections");
	if (pb_stopping(req->http->self))
		return request_reject(req, MHD_HTTP_SERVICE_UNAVAILABLE, "stopping");
	unsigned status = request_unwanted(req, url, method, &detail);
	bool small = strict->encodings == 0 && strict->length <= DRAIN_MAX && !strict->expects;
	if (status != 0)
		return (small ? request_refuse : request_reject)(req, status, detail);
	if (!strict_sized(strict))
		return request_reject(req, MHD_HTTP_LENGTH_REQUIRED, "Content-Length is missing");
	char text[64];
	bool linger = strict->length <= LINGER_MAX && !strict->expects;
	if (strict->length > req->http->max_body)
		return (linger ? request_refuse : request_reject)(req, MHD_HTTP_CONTENT_TOO_LARGE,
								  too_large(req, text));
	req->state = REQUEST_BODY;
	return MHD_YES;
}

/* Its header is in, libmicrohttpd has not asked us, and has no answer yet. */
static bool request_is_being_read(const struct request *req)
{
	return req->state == REQUEST_HEAD &&
	       MHD_get_connection_info(req->conn, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE) != NULL &&
	       MHD_get_connection_info(req->conn, MHD_CONNECTION_INFO_HTTP_STATUS) == NULL;
}

/* Up to 0.9.75 at least, libmicrohttpd's own answer to a Content-Length that is no number has its
 * head twice, the second one in the body: so ours goes out first and ends the connection. */
void request_overruled(struct http *http, unsigned status)
{
	struct client *client;
	TAILQ_FOREACH(client, &http->clients, entry)
		if (client->request != NULL && request_is_being_read(client->request))
			break;
	if (client == NULL) {
		refusal_note(http, NULL, status, "it could not be read");
		return;
	}
	struct request *req = client->request;
	MHD_get_connection_values_n(req->conn, MHD_HEADER_KIND, request_field, &req->strict);
	const char *detail = req->strict.fault;
	request_dismiss(req, MHD_HTTP_BAD_REQUEST, detail != NULL ? detail : "the header is malformed");
}

/*** The body ***/

static bool request_grow(struct request *req, size_t want)
{
	size_t room = req->room * 2;
	if (room == 0)
		room = req->strict.length < FIRST_ROOM ? (size_t)req->strict.length : FIRST_ROOM;
	if (room < want)
		room = want;
	char *body = realloc(req->body, room);
	if (body == NULL)
		return false;
	req->body = body;
	req->room = room;
	return true;
}

static enum MHD_Result request_take(struct request *req, const char *data, size_t len)
{
	if (req->state == REQUEST_REFUSED)
		return MHD_YES;
	char text[64];
	if (len > req->http->max_body - req->len)
		return request_refuse(req, MHD_HTTP_CONTENT_TOO_LARGE, too_large(req, text));
	if (req->len + len > req->room && !request_grow(req, req->len + len))
		return request_refuse(req, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
	memcpy(req->body + req->len, data, len);
	req->len += len;
	return MHD_YES;
}

static enum MHD_Result request_refuse_event(struct request *req, int error)
{
	char text[320];
	switch (error) {
	case -EBADMSG:
	case -ENOENT:
	case -EINVAL:
		type_complain(&req->http->type, error, text, sizeof text);
		return request_refuse(req, MHD_HTTP_BAD_REQUEST, text);
	case -EDOM:
		return request_refuse(req, MHD_HTTP_BAD_REQUEST,
				      "header `Content-Type` is no text that can be kept");
	case -EILSEQ:
		return request_refuse(req, MHD_HTTP_BAD_REQUEST, req->fault);
	case -EMSGSIZE:
		return request_refuse(req, MHD_HTTP_CONTENT_TOO_LARGE, too_large(req, text));
	default:
		return request_refuse(req, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
	}
}

/* A member of a CloudEvent in JSON, as text that the caller frees; NULL: it is none, or lacks it. */
static char *request_member(struct request *req, const struct pb_event *ev, const char *name)
{
	static const char type[] = "application/cloudevents+json";
	const char *given = header(req, MHD_HTTP_HEADER_CONTENT_TYPE);
	if (given == NULL || strncasecmp(given, type, sizeof type - 1) != 0)
		return NULL;
	struct pb_span value = pb_field(ev, name);
	return value.data != NULL && *(const char *)value.data == '"' ? pb_text(value) : NULL;
}

/* 0; -EILSEQ: what the sender names it by is no key; -ENOMEM. */
static int request_key(struct request *req, struct pb_event *ev)
{
	struct key key;
	struct key_given given = {
		.idempotency = header(req, "Idempotency-Key"), .webhook = header(req, "webhook-id"),
		.ce_id = header(req, "ce-id"), .ce_source = header(req, "ce-source"),
	};
	char *id = given.ce_id == NULL ? request_member(req, ev, "id") : NULL;
	char *source = id != NULL ? request_member(req, ev, "source") : NULL;
	if (id != NULL) {
		given.ce_id = id;
		given.ce_source = source;
	}
	req->fault = key_make(&key, &given);
	free(id);
	free(source);
	if (req->fault != NULL)
		return -EILSEQ;
	return key.len > 0 ? pb_event_set_key(ev, (struct pb_span){ key.bytes, key.len }) : 0;
}

/* 0 and an event that has its type, or -errno for request_refuse_event(), -EDOM being that its
 * Content-Type cannot be kept, -EILSEQ that its key is none. */
static int request_event(struct request *req, struct pb_event **made)
{
	const struct type_rule *type = &req->http->type;
	struct pb_event *ev = pb_event_new(req->http->self,
					   (struct pb_span){ req->body != NULL ? req->body : "",
							     req->len });
	if (ev == NULL)
		return errno == EMSGSIZE ? -EMSGSIZE : -ENOMEM;
	const char *content_type = header(req, MHD_HTTP_HEADER_CONTENT_TYPE);
	int rc = content_type != NULL ? pb_event_set(ev, "datacontenttype", content_type) : 0;
	if (rc == -EINVAL)
		rc = -EDOM;
	if (rc == 0)
		rc = type_apply(type, ev, type->from == TYPE_HEADER ? header(req, type->name) : NULL);
	if (rc == 0 && req->http->dedupe)
		rc = request_key(req, ev);
	if (rc == 0) {
		pb_event_set_sender(ev, peer_sender(req->client));	/* without it it is an event too */
		*made = ev;
	} else {
		pb_event_free(ev);
	}
	return rc;
}

static enum MHD_Result request_emit(struct request *req)
{
	struct pb_event *ev = NULL;
	int rc = request_event(req, &ev);
	free(req->body);
	req->body = NULL;
	if (rc < 0) {
		request_refuse_event(req, rc);
		return request_answer(req);
	}
	/* It may be settled before pb_emit() returns. */
	req->state = REQUEST_COMMITTING;
	req->pledged = true;
	req->turn = req->http->turn;
	req->http->owed++;
	if (pb_emit(req->http->self, &ev, 1, NULL, req) == 0)
		return MHD_YES;
	req->pledged = false;
	request_deny(req, MHD_HTTP_SERVICE_UNAVAILABLE, "stopping");
	return request_answer(req);
}

/*** What became of it ***/

/* In the turn of its emission a request just waits, which costs nothing; past a commit that did not
 * settle it, libmicrohttpd must not ask again and again. */
static enum MHD_Result request_wait(struct request *req)
{
	if (req->turn != req->http->turn) {
		MHD_suspend_connection(req->conn);
		req->suspended = true;
	}
	return MHD_YES;
}

static void request_resume(struct request *req)
{
	if (req->suspended)
		MHD_resume_connection(req->conn);
	req->suspended = false;
}

void request_settled(void *state, void *token, const struct pb_receipt *receipt)
{
	(void)state;
	struct request *req = token;
	assert(req->magic == REQUEST_MAGIC && req->pledged);
	req->pledged = false;
	if (req->client == NULL) {
		request_free(req);
		return;
	}
	if (req->state != REQUEST_COMMITTING)
		return;		/* given up, and told so */
	enum pb_outcome outcome = pb_receipt_outcome(receipt);
	if (outcome == PB_ACCEPTED) {
		bool repeat = pb_receipt_duplicate(receipt, 0);
		req->answer = answer_accepted(pb_receipt_id(receipt, 0), repeat);
		pb_add(req->http->accepted, !repeat);
	} else {
		request_deny(req, outcome == PB_FAILED ? MHD_HTTP_SERVICE_UNAVAILABLE :
			     MHD_HTTP_UNPROCESSABLE_CONTENT, pb_receipt_reason(receipt));
	}
	req->state = REQUEST_ANSWERABLE;
	request_resume(req);
}

bool request_give_up(struct request *req)
{
	if (req->state != REQUEST_COMMITTING)
		return req->state == REQUEST_ANSWERABLE;
	request_deny(req, MHD_HTTP_SERVICE_UNAVAILABLE, "not confirmed in time");
	req->state = REQUEST_ANSWERABLE;
	request_resume(req);
	return true;
}

bool request_time_out(struct request *req)
{
	bool overruled =
		MHD_get_connection_info(req->conn, MHD_CONNECTION_INFO_HTTP_STATUS) != NULL;
	if (req->state > REQUEST_BODY || overruled)
		return false;
	request_dismiss(req, MHD_HTTP_REQUEST_TIMEOUT, req->state == REQUEST_HEAD ?
			"the request's header did not come in time" :
			"the request's body did not come in time");
	return true;
}

enum MHD_Result request_handle(void *cls, struct MHD_Connection *conn, const char *url,
			       const char *method, const char *version, const char *data,
			       size_t *len, void **con_cls)
{
	(void)cls, (void)conn;
	struct request *req = *con_cls;
	size_t taken = *len;
	if (req == NULL)
		return MHD_NO;	/* no memory */
	assert(req->magic == REQUEST_MAGIC);
	*len = 0;
	switch (req->state) {
	case REQUEST_HEAD:
		return request_head(req, url, method, version);
	case REQUEST_BODY:
		return taken > 0 ? request_take(req, data, taken) : request_emit(req);
	case REQUEST_REFUSED:
		return taken > 0 ? MHD_YES : request_answer(req);
	case REQUEST_COMMITTING:
		return request_wait(req);
	case REQUEST_ANSWERABLE:
		return request_answer(req);
	case REQUEST_ANSWERED:
		break;
	case REQUEST_DISMISSED:
		return MHD_NO;
	}
	return MHD_YES;
}
