/* store.c - what was committed of a source: events and marks. They outlive its instances. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "event/event.h"
#include "testing/feed.h"

struct mark *mark_find(struct mark *m, const char *key)
{
	while (m != NULL && strcmp(m->key, key) != 0)
		m = m->next;
	return m;
}

void mark_set(struct mark **marks, const char *key, struct pb_span value)
{
	struct mark *m = mark_find(*marks, key);
	if (m == NULL) {
		m = xcalloc(1, sizeof *m);
		m->key = xstrdup(key);
		m->next = *marks;
		*marks = m;
	}
	free(m->value);
	m->value = xcalloc(1, value.len + 1);
	if (value.len > 0)
		memcpy(m->value, value.data, value.len);
	m->len = value.len;
	m->removed = value.data == NULL;
}

void marks_free(struct mark **marks)
{
	while (*marks != NULL) {
		struct mark *m = *marks;
		*marks = m->next;
		free(m->key);
		free(m->value);
		free(m);
	}
}

struct store *store_of(struct pbt_host *host, const char *source)
{
	struct store *s = host->stores;
	while (s != NULL && strcmp(s->source, source) != 0)
		s = s->next;
	if (s != NULL)
		return s;
	s = xcalloc(1, sizeof *s);
	*s = (struct store){ .next = host->stores, .source = xstrdup(source) };
	host->stores = s;
	return s;
}

void stores_free(struct pbt_host *host)
{
	while (host->stores != NULL) {
		struct store *s = host->stores;
		host->stores = s->next;
		for (size_t i = 0; i < s->n; i++)
			event_unref(s->events[i]);
		marks_free(&s->marks);
		free(s->events);
		free(s->when);
		free(s->source);
		free(s);
	}
}

/* A key that was set, else an id that was set, which is one's within a source. */
static bool same_name(const struct pb_event *a, const struct pb_event *b)
{
	struct pb_span key = event_key(a), other = event_key(b);
	if (key.data != NULL || other.data != NULL)
		return key.data != NULL && other.data != NULL && key.len == other.len &&
		       memcmp(key.data, other.data, key.len) == 0;
	return !event_id_is_ours(a) && !event_id_is_ours(b) &&
	       strcmp(event_id(a), event_id(b)) == 0 && strcmp(event_source(a), event_source(b)) == 0;
}

static const char *find_first(const struct store *s, const struct emission *e, size_t i, int64_t since)
{
	for (size_t k = s->n; k > 0 && s->when[k - 1] > since; k--)
		if (same_name(s->events[k - 1], e->events[i]))
			return event_id(s->events[k - 1]);
	for (size_t k = 0; k < i; k++)
		if (e->firsts[k] == NULL && same_name(e->events[k], e->events[i]))
			return event_id(e->events[k]);
	return NULL;
}

void store_look(const struct store *s, const struct emission *e, int64_t dedupe, int64_t now)
{
	for (size_t i = 0; i < e->n_events; i++)
		e->firsts[i] = dedupe > 0 ? find_first(s, e, i, now - dedupe) : NULL;
}

void store_add(struct store *s, struct emission *e, int64_t now)
{
	if (s->n + e->n_events > s->room) {
		s->room = (s->n + e->n_events) * 2;
		s->events = xrealloc(s->events, s->room, sizeof(struct pb_event *));
		s->when = xrealloc(s->when, s->room, sizeof *s->when);
	}
	for (size_t i = 0; i < e->n_events; i++) {
		if (e->firsts[i] != NULL) {
			event_unref(e->events[i]);
			continue;
		}
		s->when[s->n] = now;
		s->events[s->n++] = e->events[i];
	}
	e->n_events = 0;
}

void store_marks(struct store *s, const struct mark *marks)
{
	for (; marks != NULL; marks = marks->next)
		mark_set(&s->marks, marks->key, (struct pb_span){ marks->removed ? NULL : marks->value,
								  marks->len });
}

void pbt_put_mark(struct pbt_host *host, const char *source, const char *key, struct pb_span value)
{
	struct store *s = store_of(host, source);
	pthread_mutex_lock(&host->lock);
	mark_set(&s->marks, key, value);
	pthread_mutex_unlock(&host->lock);
}

bool pbt_mark(struct pbt_instance *in, const char *key, struct pb_span *value)
{
	must_be(in, CONFIG_SOURCE, "pbt_mark");
	pthread_mutex_lock(&in->host->lock);
	const struct mark *m = mark_find(in->self.feed->store->marks, key);
	bool there = m != NULL && !m->removed;
	*value = there ? (struct pb_span){ m->value, m->len } : (struct pb_span){ NULL, 0 };
	pthread_mutex_unlock(&in->host->lock);
	return there;
}

size_t pbt_n_marks(struct pbt_instance *in)
{
	must_be(in, CONFIG_SOURCE, "pbt_n_marks");
	size_t n = 0;
	pthread_mutex_lock(&in->host->lock);
	for (const struct mark *m = in->self.feed->store->marks; m != NULL; m = m->next)
		n += !m->removed;
	pthread_mutex_unlock(&in->host->lock);
	return n;
}
