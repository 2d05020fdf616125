/* transfer.c - one attempt: a delivery as a POST, and what came back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "webhook/head.h"
#include "webhook/hub.h"
#include "webhook/transfer.h"
#include "webhook/watch.h"

#define HEAD_MAX (64 * 1024)	/* bytes of header that a receiver may send */
#define IDLE_MAX 256		/* transfers that wait for work, each some 8 KiB */
#define DRAIN_MAX (64 * 1024)	/* bytes read past max_response to keep the connection */
#define CONNECT_TIMEOUT 300000	/* ms: curl's, unless it is told another */
#define FAILURES_MAX 3		/* in a row: then its transfers are with the others that fail */
#define CONTENT_TYPE "content-type: "

static const struct pb_span nothing = { NULL, 0 };

/* One header line, NUL-terminated, without its name and the space around its value. */
static bool header_value(const char *line, size_t len, const char *name, char *value, size_t size)
{
	size_t skip = strlen(name);
	if (len <= skip || strncasecmp(line, name, skip) != 0 || line[skip] != ':')
		return false;
	for (skip++; skip < len && (line[skip] == ' ' || line[skip] == '\t'); skip++)
		;
	while (len > skip && (unsigned char)line[len - 1] <= ' ')
		len--;
	if (len - skip >= size)
		len = skip + size - 1;
	memcpy(value, line + skip, len - skip);
	value[len - skip] = '\0';
	return true;
}

/* curl hands over each line; an empty one ends the header of this or of a 1xx status. */
static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t len = size * n;
	char value[1024];
	t->head_len += len;
	if (t->head_len > HEAD_MAX)
		return 0;
	if (t->answered)
		return len;		/* a trailer */
	if (header_value(line, len, "retry-after", value, sizeof value)) {
		t->reply.retry_after = retry_after_parse(value, time(NULL));
	} else if (header_value(line, len, "location", value, sizeof value)) {
		location_show(value, t->reply.location);
	} else if (line[0] == '\r' || line[0] == '\n') {
		curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->reply.status);
		t->answered = t->reply.status >= 200;
	}
	return len;
}

static bool body_keep(struct transfer *t, const char *data, size_t len)
{
	if (t->body_len + len > t->body_room) {
		size_t room = 2 * t->body_room + len;
		room = room < t->hook->max_response ? room : t->hook->max_response;
		char *grown = realloc(t->body, room);
		if (grown == NULL)
			return false;
		t->body = grown;
		t->body_room = room;
	}
	memcpy(t->body + t->body_len, data, len);
	t->body_len += len;
	return true;
}

/* A body without end is broken off: the status is known, and that is the answer. */
static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t len = size * n, left = t->hook->max_response - t->body_len;
	t->body_seen += len;
	if (t->body_seen > t->hook->max_response + DRAIN_MAX)
		return 0;
	if (left > 0 && !body_keep(t, data, len < left ? len : left))
		return 0;
	return len;
}

/* curl 7.88 opens sockets that a program started elsewhere in the process would inherit. */
static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct transfer *t = arg;
	(void)purpose;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	bool short_of = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
	t->no_socket = fd < 0 && short_of ? errno : 0;
	if (fd >= 0)
		watch_made(t->hub->watches, fd);
	return fd;
}

/* The transfer that made it may be gone. */
static int on_close(void *arg, curl_socket_t fd)
{
	struct watches *watches = arg;
	watch_closed(watches, fd);
	return close(fd);
}

/* What is the same for every attempt of the sink. */
static bool easy_set(struct transfer *t)
{
	const struct hook *hook = t->hook;
	CURL *easy = t->easy;
	CURLcode first = curl_easy_setopt(easy, CURLOPT_URL, hook->url);
	if (first == CURLE_OK)
		first = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	if (first == CURLE_OK)
		first = curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* Else a name server that is silent holds up the loop, and with it every sink. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)hook->timeout);
	/* Only if curl's own would be shorter: a timer fewer for each transfer. */
	if (hook->timeout > CONNECT_TIMEOUT)
		curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)hook->timeout);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 4096L);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, t);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, hook->hub->watches);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->error);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
	return first == CURLE_OK;
}

static void transfer_free(struct transfer *t)
{
	curl_easy_cleanup(t->easy);
	free(t->body);
	free(t);
}

static struct transfer *transfer_new(struct hook *hook)
{
	struct transfer *t = calloc(1, sizeof *t);
	if (t == NULL)
		return NULL;
	t->hook = hook;
	t->hub = hook->hub;
	t->easy = curl_easy_init();
	if (t->easy != NULL && easy_set(t))
		return t;
	transfer_free(t);
	return NULL;
}

static void list_add(struct transfer **list, struct transfer *t)
{
	t->prev = NULL;
	t->next = *list;
	if (*list != NULL)
		(*list)->prev = t;
	*list = t;
}

static void list_remove(struct transfer **list, struct transfer *t)
{
	if (t->prev != NULL)
		t->prev->next = t->next;
	else
		*list = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
}

static void idle_remove(struct transfer *t)
{
	struct pool *pool = t->hook->pool;
	list_remove(&t->hook->idle, t);
	if (t->older != NULL)
		t->older->newer = t->newer;
	else
		pool->oldest = t->newer;
	if (t->newer != NULL)
		t->newer->older = t->older;
	else
		pool->newest = t->older;
	pool->n--;
}

static void idle_add(struct transfer *t)
{
	struct pool *pool = t->hook->pool;
	list_add(&t->hook->idle, t);
	t->newer = NULL;
	t->older = pool->newest;
	if (pool->newest != NULL)
		pool->newest->newer = t;
	else
		pool->oldest = t;
	pool->newest = t;
	if (++pool->n <= IDLE_MAX)
		return;
	t = pool->oldest;
	idle_remove(t);
	transfer_free(t);
}

static struct transfer *transfer_get(struct hook *hook)
{
	struct transfer *t = hook->idle;
	if (t == NULL)
		return transfer_new(hook);
	idle_remove(t);
	return t;
}

/* The event's own type; else what its body is. */
static const char *media_type(const struct pb_event *ev)
{
	const char *type = pb_event_content_type(ev);
	if (media_type_sound(type))
		return type;
	return pb_field(ev, "").data != NULL ? "application/json" : "application/octet-stream";
}

/* False when the id is too long to be a header. */
static bool head_set(struct transfer *t, const struct pb_event *ev)
{
	static const char id[] = "webhook-id: ";
	struct curl_slist *next = t->hook->headers;
	time_t now = time(NULL);
	if (now != t->stamped)
		snprintf(t->stamp, sizeof t->stamp, "webhook-timestamp: %lld", (long long)now);
	t->stamped = now;
	t->head[2] = (struct curl_slist){ .data = t->stamp, .next = next };
	memcpy(t->id, id, sizeof id);
	if (!header_encode(pb_event_id(ev), t->id + sizeof id - 1, sizeof t->id - (sizeof id - 1)))
		return false;
	t->head[1] = (struct curl_slist){ .data = t->id, .next = &t->head[2] };
	next = &t->head[1];
	if (!t->hook->own_type) {
		const char *type = media_type(ev);
		size_t len = strlen(type);
		if (len > sizeof t->type - sizeof CONTENT_TYPE)
			len = strlen(type = "application/octet-stream");
		memcpy(t->type, CONTENT_TYPE, sizeof CONTENT_TYPE - 1);
		memcpy(t->type + sizeof CONTENT_TYPE - 1, type, len + 1);
		t->head[0] = (struct curl_slist){ .data = t->type, .next = next };
		next = &t->head[0];
	}
	curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, next);
	return true;
}

void transfer_start(struct hook *hook, struct pb_delivery *delivery)
{
	const struct pb_event *ev = pb_delivery_event(delivery);
	struct pb_span body = pb_event_body(ev);
	struct transfer *t = transfer_get(hook);
	if (t == NULL) {
		pb_answer(delivery, PB_UNTRIED, 0, nothing, "out of memory");
		return;
	}
	t->delivery = delivery;
	t->answered = false;
	t->no_socket = 0;
	t->reply = (struct reply){ 0 };
	t->head_len = t->body_len = t->body_seen = t->body_room = 0;
	t->error[0] = '\0';
	if (!head_set(t, ev)) {
		idle_add(t);
		pb_answer(delivery, PB_REJECT, 0, nothing, "the id is too long for a header");
		return;
	}
	curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
	curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, body.len > 0 ? body.data : "");
	list_add(&hook->busy, t);
	t->hub = hook->failures < FAILURES_MAX ? hook->hub : hook->hub->failing;
	if (hub_add(t->hub, t->easy))
		return;
	list_remove(&hook->busy, t);
	transfer_free(t);
	pb_answer(delivery, PB_UNTRIED, 0, nothing, "out of memory");
}

static curl_off_t easy_off(CURL *easy, CURLINFO what)
{
	curl_off_t value = 0;
	curl_easy_getinfo(easy, what, &value);
	return value;
}

/* Asked from the end: on a connection used again the earlier times are zero. */
static enum phase phase_of(struct transfer *t)
{
	if (t->head_len > 0 || easy_off(t->easy, CURLINFO_STARTTRANSFER_TIME_T) > 0)
		return PHASE_READING;
	if (easy_off(t->easy, CURLINFO_PRETRANSFER_TIME_T) > 0) {
		curl_off_t all = (curl_off_t)pb_event_body(pb_delivery_event(t->delivery)).len;
		return easy_off(t->easy, CURLINFO_SIZE_UPLOAD_T) < all ? PHASE_SENDING : PHASE_WAITING;
	}
	if (easy_off(t->easy, CURLINFO_CONNECT_TIME_T) > 0)
		return PHASE_HANDSHAKE;
	if (easy_off(t->easy, CURLINFO_NAMELOOKUP_TIME_T) > 0)
		return PHASE_CONNECTING;
	return PHASE_RESOLVING;
}

static void answer_of(struct answer *answer, struct transfer *t, CURLcode code)
{
	if (t->answered) {
		answer_reply(answer, &t->reply);
		return;
	}
	if (t->no_socket != 0) {
		answer_untried(answer, t->no_socket);
		return;
	}
	struct failure failure = {
		.code = code, .phase = phase_of(t), .timeout = t->hook->timeout, .detail = t->error
	};
	long os_error = 0;
	if (code == CURLE_COULDNT_CONNECT)
		curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os_error);
	failure.os_error = (int)os_error;
	if (t->head_len > HEAD_MAX)
		failure.detail = "the answer's header is too large";
	answer_failure(answer, &failure);
}

void transfer_finish(struct transfer *t, CURLcode code)
{
	struct hook *hook = t->hook;
	long connections = 0;
	answer_of(&t->answer, t, code);
	hook->well = t->answer.code == PB_OK || t->answer.code == PB_REJECT;
	hook->failures = hook->well ? 0 : hook->failures + 1;
	curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connections);
	if (connections > 0)
		pb_add(hook->connections, connections);
	hub_remove(t->hub, t->easy);
	list_remove(&hook->busy, t);
	t->next_ended = NULL;
	*hook->pool->ended_last = t;
	hook->pool->ended_last = &t->next_ended;
}

void pool_init(struct pool *pool)
{
	*pool = (struct pool){ 0 };
	pool->ended_last = &pool->ended;
}

void pool_answer(struct pool *pool)
{
	for (struct transfer *t = pool->ended, *next; t != NULL; t = next) {
		next = t->next_ended;
		struct pb_delivery *delivery = t->delivery;
		struct answer *answer = &t->answer;
		/* After the last one of a sink close() may run, but it waits for this thread before it frees the hook. */
		pb_answer(delivery, answer->code, answer->after, (struct pb_span){ t->body, t->body_len }, "%s",
			  answer->reason);
		free(t->body);
		t->body = NULL;
		idle_add(t);
	}
	pool->ended = NULL;
	pool->ended_last = &pool->ended;
}

void pool_rest(struct pool *pool)
{
	for (struct transfer *t = pool->oldest, *newer; t != NULL; t = newer) {
		newer = t->newer;
		if (t->hub->multi != NULL)
			continue;
		idle_remove(t);
		transfer_free(t);
	}
}

void transfer_abort_all(struct hook *hook)
{
	while (hook->busy != NULL) {
		struct transfer *t = hook->busy;
		hub_remove(t->hub, t->easy);
		list_remove(&hook->busy, t);
		pb_answer(t->delivery, PB_RETRY, 0, nothing, "shutting down");
		transfer_free(t);
	}
	while (hook->idle != NULL) {
		struct transfer *t = hook->idle;
		idle_remove(t);
		transfer_free(t);
	}
}
