/*
 * ledger.c - which events somebody other than the host may change and free, and whose they are.
 *
 * pb_event_free() and the setters are given an event and nothing else, so the ledger is
 * the process's, not a host's: the one file-scope variable here beside that of calls.c.
 */
#include <stdlib.h>

#include <uthash.h>

#include "base/memory.h"
#include "event/event.h"
#include "testing/host.h"

struct entry {
	UT_hash_handle hh;
	struct pb_event *ev;
	struct pbt_host *host;
	char *title;		/* whose call made it */
	enum owner owner;
};

static struct {
	pthread_mutex_t lock;	/* guards the entries */
	struct entry *entries;
} ledger = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct entry *find(const struct pb_event *ev)
{
	struct entry *e;
	HASH_FIND_PTR(ledger.entries, &ev, e);
	return e;
}

static void drop(struct entry *e)
{
	HASH_DEL(ledger.entries, e);
	free(e->title);
	free(e);
}

void ledger_add(struct pb_event *ev, struct pbt_host *host, const struct pb_self *who, enum owner owner)
{
	struct entry *e = xcalloc(1, sizeof *e);
	*e = (struct entry){ .ev = ev, .host = host, .owner = owner,
			     .title = xstrdup(who == NULL ? "" : who->title) };
	pthread_mutex_lock(&ledger.lock);
	HASH_ADD_PTR(ledger.entries, ev, e);
	pthread_mutex_unlock(&ledger.lock);
}

enum owner ledger_take(struct pb_event *ev, const struct pb_self *who, const char *what)
{
	pthread_mutex_lock(&ledger.lock);
	struct entry *e = find(ev);
	enum owner owner = e == NULL ? OWNER_CORE : e->owner;
	bool there = e != NULL;
	if (there)
		drop(e);
	pthread_mutex_unlock(&ledger.lock);
	if (!there)
		misuse(who, "%s an event that was handed over or freed before", what);
	return owner;
}

void ledger_check(const struct pb_event *ev, const char *what)
{
	pthread_mutex_lock(&ledger.lock);
	bool there = find(ev) != NULL;
	pthread_mutex_unlock(&ledger.lock);
	if (!there)
		misuse(NULL, "%s an event that was handed over or freed before", what);
}

void ledger_settle(struct pbt_host *host)
{
	struct entry *e, *next;
	pthread_mutex_lock(&ledger.lock);
	HASH_ITER(hh, ledger.entries, e, next) {
		if (e->host != host)
			continue;
		if (e->owner == OWNER_PLUGIN)
			complain(host, NULL, "[%s] event %s (type \"%s\") was neither handed over "
				 "nor freed", e->title, event_id(e->ev), event_type(e->ev));
		event_unref(e->ev);
		drop(e);
	}
	pthread_mutex_unlock(&ledger.lock);
}
