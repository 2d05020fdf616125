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
		free(s->source);
		free(s);
	}
}

void store_add(struct store *s, struct pb_event *const events[], size_t n)
{
	if (s->n + n > s->room) {
		s->room = (s->n + n) * 2;
		s->events = xrealloc(s->events, s->room, sizeof(struct pb_event *));
	}
	for (size_t i = 0; i < n; i++)
		s->events[s->n++] = events[i];
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
