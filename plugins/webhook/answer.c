/* answer.c - statuses and curl's errors to answers, each with one line that says why. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "webhook/answer.h"

#define RETRY_AFTER_MAX (366LL * 86400)		/* seconds; the core has its own, lower limit */

static enum pb_code status_code(long status)
{
	if (status >= 200 && status < 300)
		return PB_OK;
	if (status == 410)
		return PB_GONE;
	if (status == 408 || status == 425 || status == 429 || status >= 500)
		return PB_RETRY;
	return PB_REJECT;
}

void answer_reply(struct answer *answer, const struct reply *reply)
{
	const char *location = reply->location;
	answer->code = status_code(reply->status);
	answer->after = answer->code == PB_RETRY ? reply->retry_after : 0;
	if (reply->status >= 300 && reply->status < 400)
		snprintf(answer->reason, sizeof answer->reason,
			 "HTTP %ld: redirects are not followed%s%s", reply->status,
			 *location != '\0' ? "; it points to " : "", location);
	else
		snprintf(answer->reason, sizeof answer->reason, "HTTP %ld", reply->status);
}

static const char *phase_name(enum phase phase)
{
	static const char *const names[] = {
		[PHASE_RESOLVING] = "resolving the name",
		[PHASE_CONNECTING] = "connecting",
		[PHASE_HANDSHAKE] = "in the TLS handshake",
		[PHASE_SENDING] = "sending",
		[PHASE_WAITING] = "waiting for the answer",
		[PHASE_READING] = "reading the answer's header",
	};
	return names[phase];
}

/* What is said first; curl's own words or the system's follow. */
static const char *failure_text(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST: return "cannot resolve the name";
	case CURLE_COULDNT_CONNECT: return "cannot connect";
	case CURLE_PEER_FAILED_VERIFICATION: return "TLS verification failed";
	case CURLE_SSL_CONNECT_ERROR: return "TLS handshake failed";
	case CURLE_GOT_NOTHING: return "the connection was closed without an answer";
	case CURLE_SEND_ERROR: return "the connection was lost while sending";
	case CURLE_RECV_ERROR: return "the connection was lost before the answer";
	/* curl's word for its own limit, too */
	case CURLE_OUT_OF_MEMORY: return "a line of the answer's header is too long, or out of memory";
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY: return "the answer is not HTTP";
	default: return curl_easy_strerror(code);
	}
}

static void reason_clean(char *reason)
{
	for (; *reason != '\0'; reason++)
		if ((unsigned char)*reason < ' ' || *reason == 127)
			*reason = ' ';
}

static void answer_timeout(struct answer *answer, const struct failure *failure)
{
	bool whole = failure->timeout % 1000 == 0;
	snprintf(answer->reason, sizeof answer->reason, "no answer within %lld%s: %s",
		 (long long)(whole ? failure->timeout / 1000 : failure->timeout),
		 whole ? "s" : "ms", phase_name(failure->phase));
}

void answer_failure(struct answer *answer, const struct failure *failure)
{
	answer->code = PB_RETRY;
	answer->after = 0;
	if (failure->code == CURLE_OPERATION_TIMEDOUT) {
		answer_timeout(answer, failure);
		return;
	}
	const char *text = failure_text(failure->code), *why = failure->detail;
	if (failure->os_error != 0)
		why = strerrordesc_np(failure->os_error);
	if (why == NULL || *why == '\0')
		snprintf(answer->reason, sizeof answer->reason, "%s", text);
	else
		snprintf(answer->reason, sizeof answer->reason, "%s: %s", text, why);
	reason_clean(answer->reason);
}

void answer_untried(struct answer *answer, int os_error)
{
	answer->code = PB_UNTRIED;
	answer->after = 0;
	snprintf(answer->reason, sizeof answer->reason, "cannot open a socket: %s", strerrordesc_np(os_error));
}

int64_t retry_after_parse(const char *value, time_t now)
{
	size_t digits = strspn(value, "0123456789");
	int64_t seconds;
	if (digits > 0 && value[digits] == '\0') {
		seconds = digits > 9 ? RETRY_AFTER_MAX : strtoll(value, NULL, 10);
	} else {
		time_t date = curl_getdate(value, NULL);
		seconds = date < 0 ? 0 : (int64_t)date - (int64_t)now;
	}
	if (seconds <= 0)
		return 0;
	return 1000 * (seconds < RETRY_AFTER_MAX ? seconds : RETRY_AFTER_MAX);
}

void location_show(const char *value, char shown[static LOCATION_SIZE])
{
	const char *slashes = strstr(value, "//");
	size_t len = strcspn(value, "?#"), host = 0, out = 0;
	if (slashes != NULL && (size_t)(slashes - value) + 2 <= len)
		host = (size_t)(slashes - value) + 2;
	size_t end = host + strcspn(value + host, "/?#"), name = host;
	for (size_t i = host; host > 0 && i < end; i++)
		if (value[i] == '@')
			name = i + 1;		/* the last one: a password may hold others */
	for (size_t i = 0; i < len && out < LOCATION_SIZE - 1; i++) {
		if (i >= host && i < name)
			continue;
		shown[out++] = value[i] > ' ' && value[i] < 127 ? value[i] : '?';
	}
	shown[out] = '\0';
}
