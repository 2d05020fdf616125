/* refusal.c - requests that were answered with an error: counted by status, and logged. */
#include "http/peer.h"
#include "http/refusal.h"
#include "http/server.h"

static const struct {
	unsigned status;
	const char *name, *help;
} kinds[REFUSAL_STATUSES] = {
	{ 400, "refused_400", "Requests that were malformed or had no type." },
	{ 401, "refused_401", "Requests without the bearer token." },
	{ 404, "refused_404", "Requests to another path." },
	{ 405, "refused_405", "Requests with another method than POST." },
	{ 408, "refused_408", "Requests that did not come in whole within the time-out." },
	{ 411, "refused_411", "Requests that did not say how long they are." },
	{ 413, "refused_413", "Requests with too large a body." },
	{ 415, "refused_415", "Requests with an encoded body." },
	{ 422, "refused_422", "Requests whose event was refused for good (ack = delivered)." },
	{ 431, "refused_431", "Requests with too large a header." },
	{ 503, "refused_503", "Requests that could not be taken at that time." },
};

void refusals_register(struct refusals *refusals, struct pb_self *self)
{
	refusals->all = pb_counter(self, "refused", "Requests answered with an error.");
	refusals->other = pb_counter(self, "refused_other", "Requests answered with an error that "
				     "has no counter of its own.");
	for (size_t i = 0; i < REFUSAL_STATUSES; i++)
		refusals->by_status[i] = pb_counter(self, kinds[i].name, kinds[i].help);
}

static void refusal_count(const struct refusals *refusals, unsigned status)
{
	struct pb_metric *counter = refusals->other;
	for (size_t i = 0; i < REFUSAL_STATUSES; i++)
		if (kinds[i].status == status)
			counter = refusals->by_status[i];
	pb_add(counter, 1);
	pb_add(refusals->all, 1);
}

/* The log's limit is per format: who guesses tokens hides no full disk. */
void refusal_note(struct http *http, const struct client *client, unsigned status,
		  const char *reason)
{
	char peer[96];
	peer_text(client, peer, sizeof peer);
	refusal_count(&http->refused, status);
	if (status >= 500)
		pb_log(http->self, PB_WARN, "could not take a request of %s: %u, %s", peer, status,
		       reason);
	else if (status == MHD_HTTP_UNAUTHORIZED || status == MHD_HTTP_CONTENT_TOO_LARGE)
		pb_log(http->self, PB_WARN, "refused a request of %s: %u, %s", peer, status, reason);
	else if (status == MHD_HTTP_REQUEST_TIMEOUT)
		pb_log(http->self, PB_DEBUG, "gave up on a request of %s: %u, %s", peer, status,
		       reason);
	else
		pb_log(http->self, PB_INFO, "answered a request of %s with %u: %s", peer, status,
		       reason);
}
