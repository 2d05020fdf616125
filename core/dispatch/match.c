/*
 * match.c - which routes want an event: by its source and the globs of its type.
 *
 * Types are few and events are many, so an answer is remembered. A sender that
 * invents types cannot fill memory: at the limit everything is forgotten.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "dispatch/router.h"
#include "event/event.h"

#define MATCHES_MAX 4096
#define MATCHES_BYTES (8u << 20)

struct match {
	UT_hash_handle hh;
	struct route **routes;
	size_t n, key_len;
	char key[];		/* source's number (4 bytes), type */
};

static struct match *match_new(struct router *r, const struct pb_event *ev, const char *key, size_t len)
{
	if (HASH_COUNT(r->matches) >= MATCHES_MAX || r->match_bytes >= MATCHES_BYTES)
		router_matches_free(r);
	struct match *m = xcalloc(1, sizeof *m + len);
	memcpy(m->key, key, len);
	m->key_len = len;
	for (size_t i = 0; i < r->n_routes; i++) {
		struct route *route = r->routes[i];
		if (!rule_takes(route->rule, event_origin(ev), event_type(ev)))
			continue;
		m->routes = xrealloc(m->routes, m->n + 1, sizeof(struct route *));
		m->routes[m->n++] = route;
	}
	r->match_bytes += sizeof *m + len + m->n * sizeof(struct route *);
	HASH_ADD_KEYPTR(hh, r->matches, m->key, len, m);
	return m;
}

struct route **router_match(struct router *r, const struct pb_event *ev, size_t *n)
{
	char key[4 + EVENT_VALUE_MAX];
	uint32_t origin = event_origin(ev);
	const char *type = event_type(ev);
	size_t len = strlen(type);
	struct match *m = r->last_match;
	/* Events of one kind come in a row. */
	if (m == NULL || m->key_len != 4 + len || memcmp(m->key, &origin, 4) != 0 || memcmp(m->key + 4, type, len) != 0) {
		memcpy(key, &origin, 4);
		memcpy(key + 4, type, len);
		HASH_FIND(hh, r->matches, key, 4 + len, m);
		if (m == NULL)
			m = match_new(r, ev, key, 4 + len);
		r->last_match = m;
	}
	*n = m->n;
	return m->routes;
}

void router_matches_free(struct router *r)
{
	struct match *m, *next;
	r->match_bytes = 0;
	r->last_match = NULL;
	HASH_ITER(hh, r->matches, m, next) {
		HASH_DEL(r->matches, m);
		free(m->routes);
		free(m);
	}
}
