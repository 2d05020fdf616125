/*
 * webhook: POSTs each event to a URL. Settings and life; loop.c drives curl for all
 * instances, transfer.c makes one attempt, answer.c says what came of it.
 *
 * Promises: the body goes out byte for byte as the event holds it, with the event's id
 * in `webhook-id`, so that a receiver can drop a repeat. A final status that came in is
 * the answer, whatever happens to the rest of the response. Certificates are verified;
 * redirects, proxies of the environment, cookies and .netrc are not used. It neither
 * schedules retries nor limits what is in flight: that is the core's.
 */
#include <config.h>
#include <stdlib.h>
#include <string.h>

#include "webhook/head.h"
#include "webhook/loop.h"

static void url_check(const char *text, struct pb_error *err)
{
	char *scheme = NULL, *user = NULL, *password = NULL;
	CURLU *url = curl_url();
	CURLUcode code = url == NULL ? CURLUE_OUT_OF_MEMORY
				     : curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
	if (code == CURLUE_OK)
		code = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0);
	if (code != CURLUE_OK) {
		pb_error(err, "url", "not a URL (%s); expected https://HOST/PATH",
			 curl_url_strerror(code));
	} else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) {
		pb_error(err, "url", "expected a URL that begins with https:// or http://");
	} else if (curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK ||
		   curl_url_get(url, CURLUPART_PASSWORD, &password, 0) == CURLUE_OK) {
		pb_error(err, "url", "holds a user name or password: send them in `headers` "
			 "(\"Authorization: ...\"), from ${file:...}");
	}
	curl_free(scheme);
	curl_free(user);
	curl_free(password);
	curl_url_cleanup(url);
}

static void webhook_check(struct pb_self *self, struct pb_error *err)
{
	const char *const *headers = pb_list(self, "headers");
	url_check(pb_str(self, "url"), err);
	for (size_t i = 0; headers[i] != NULL; i++) {
		const char *fault = header_fault(headers[i]);
		if (fault != NULL)	/* not shown: it may hold a secret */
			pb_error(err, "headers", "header %zu %s", i + 1, fault);
	}
}

static bool headers_add(struct hook *hook, const char *header)
{
	size_t len = strlen(header), name = strcspn(header, ":");
	char *copy = strdup(header);
	if (copy == NULL)
		return false;
	if (strspn(header + name, ": \t") == len - name) {
		copy[name] = ';';	/* how curl is told of a header without a value */
		copy[name + 1] = '\0';
	}
	struct curl_slist *list = curl_slist_append(hook->headers, copy);
	free(copy);
	if (list != NULL)
		hook->headers = list;
	return list != NULL;
}

static bool headers_set(struct hook *hook, const char *const *own)
{
	/* Else a body over 1 MiB waits a second for a 100 that few receivers send. */
	hook->headers = curl_slist_append(NULL, "expect:");
	bool done = hook->headers != NULL, own_agent = false;
	for (; done && *own != NULL; own++) {
		hook->own_type |= header_is(*own, "content-type");
		own_agent |= header_is(*own, "user-agent");
		done = headers_add(hook, *own);
	}
	/* As one of curl's options it costs twice as much. */
	return done && (own_agent || headers_add(hook, "User-Agent: patchbay/" PACKAGE_VERSION));
}

static void *hook_free(struct hook *hook)
{
	if (hook != NULL)
		curl_slist_free_all(hook->headers);
	free(hook);
	return NULL;
}

static void *webhook_open(struct pb_self *self, struct pb_error *err)
{
	struct hook *hook = calloc(1, sizeof *hook);
	if (hook == NULL || !headers_set(hook, pb_list(self, "headers"))) {
		hook_free(hook);
		return pb_error(err, NULL, "out of memory");
	}
	hook->self = self;
	hook->loop = pb_shared(self);
	hook->url = pb_str(self, "url");
	hook->timeout = pb_int(self, "timeout");
	hook->max_response = (size_t)pb_int(self, "max_response");
	hook->max_in_flight = (long)pb_int(self, "max_in_flight");
	hook->connections = pb_counter(self, "connections", "Connections made to the receiver.");
	if (loop_join(hook->loop, hook))
		return hook;
	hook_free(hook);
	return pb_error(err, NULL, "out of memory");
}

static void webhook_submit(void *state, struct pb_delivery *const d[], size_t n)
{
	struct hook *hook = state;
	loop_submit(hook->loop, hook, d, n);
}

/* What is under way ends by itself, by the sink's `timeout` at the latest; what is then
 * still open when the core's patience ends, webhook_close() breaks off. */
static void webhook_stop(void *state)
{
	(void)state;
}

static void webhook_close(void *state)
{
	struct hook *hook = state;
	loop_leave(hook->loop, hook);
	hook_free(hook);
}

static void *webhook_load(struct pb_self *self, struct pb_error *err)
{
	(void)self;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return pb_error(err, NULL, "libcurl cannot be initialised");
	struct loop *loop = loop_new(err);
	if (loop == NULL)
		curl_global_cleanup();
	return loop;
}

static void webhook_unload(void *shared)
{
	loop_free(shared);
	curl_global_cleanup();
}

static const struct pb_option options[] = {
	{ .name = "url", .type = PB_URL,
	  .help = "Where events are POSTed: http:// or https://, without user name or password." },
	{ .name = "headers", .type = PB_LIST, .value = "",
	  .help = "Further request headers, each as a quoted string \"Name: value\"; "
		  "content-type and user-agent replace patchbay's own. A secret in it is read "
		  "anew by `patchbay reload` and SIGHUP." },
	{ 0 }
};

PB_PLUGIN(.name = "webhook", .version = PACKAGE_VERSION,
	  .summary = "POSTs each event to a URL",
	  .load = webhook_load, .unload = webhook_unload,
	  .sink = PB_SINK(.options = options, .check = webhook_check, .open = webhook_open,
			  .close = webhook_close, .submit = webhook_submit, .stop = webhook_stop,
			  .max_batch = 256));
