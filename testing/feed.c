/*
 * feed.c - what a source calls.
 *
 * The rules are those of the daemon's feed: an emission ends with its commit, settled() is called
 * only inside pb_wait() and pb_commit(), a stop is said once before it is final.
 */
#include "testing/feed.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/memory.h"
#include "base/span.h"
#include "event/event.h"

#define COMMIT_AT (1u << 20)	/* bytes pending that commit by themselves */
#define MARK_KEY_MAX 480
#define MARK_VALUE_MAX 4096

void feed_signal(int fd)
{
	uint64_t one = 1;
	while (write(fd, &one, sizeof one) < 0 && errno == EINTR)
		;
}

void feed_clear(int fd)
{
	uint64_t n;
	while (read(fd, &n, sizeof n) < 0 && errno == EINTR)
		;
}

void feed_new(struct pbt_instance *in)
{
	struct feed *f = xcalloc(1, sizeof *f);
	*f = (struct feed){
		.in = in, .wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
		.tick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .mode = PBT_STORES,
		.store = store_of(in->host, in->self.name),
	};
	in->self.feed = f;
}

static void emission_clear(struct emission *e)
{
	for (size_t i = 0; i < e->n_events; i++)
		event_unref(e->events[i]);
	e->n_events = e->n_units = e->bytes = 0;
	marks_free(&e->marks);
}

static void emission_free(struct emission *e)
{
	emission_clear(e);
	free(e->events);
	free(e->firsts);
	free(e->units);
}

void feed_free(struct pbt_instance *in)
{
	struct feed *f = in->self.feed;
	emission_free(&f->open);
	emission_free(&f->closed);
	close(f->wake_fd);
	close(f->tick_fd);
	free(f);
}

/* The feed of a source whose run() this is. */
static struct feed *running(const struct pb_self *self, const char *call)
{
	struct feed *f = self->feed;
	if (f == NULL)
		misuse(self, "called %s(), which is for a source's run()", call);
	pthread_mutex_lock(&f->in->host->lock);
	bool own = f->running && pthread_equal(f->thread, pthread_self());
	pthread_mutex_unlock(&f->in->host->lock);
	if (!own)
		misuse(self, "called %s() outside run()'s thread", call);
	return f;
}

static void add_unit(struct emission *e, struct pb_event *const evs[], size_t n, void *token, bool failed)
{
	if (e->n_events + n > e->events_room) {
		e->events_room = (e->n_events + n) * 2;
		e->events = xrealloc(e->events, e->events_room, sizeof(struct pb_event *));
		e->firsts = xrealloc(e->firsts, e->events_room, sizeof(const char *));
	}
	if (e->n_units == e->units_room) {
		e->units_room = e->units_room * 2 + 16;
		e->units = xrealloc(e->units, e->units_room, sizeof *e->units);
	}
	e->units[e->n_units++] = (struct unit){
		.token = token, .first = e->n_events, .n = failed ? 0 : n, .failed = failed,
	};
	for (size_t i = 0; i < n; i++)
		if (failed)
			event_unref(evs[i]);
		else
			e->events[e->n_events++] = evs[i];
}

/* What the plugin hands over becomes the host's: a copy, so that a sanitizer sees it when the plugin looks at
 * its own again. */
static struct pb_event *take_over(struct feed *f, struct pb_event *ev)
{
	struct pb_self *self = &f->in->self;
	ledger_take(ev, self, "pb_emit():");
	struct pb_event *copy = event_copy(ev, event_body(ev));
	char id[ID_TEXT_SIZE];
	if (copy == NULL || event_set_key(copy, event_key(ev)) < 0 ||
	    event_set_sender(copy, span_str(event_sender(ev))) < 0)
		misuse(NULL, "out of memory");
	event_unref(ev);
	if (event_id(copy)[0] == '\0') {
		instance_new_id(self, id);
		event_set(copy, "id", id);
	}
	if (event_source(copy)[0] == '\0')
		event_set(copy, "source", self->name);
	if (event_type(copy)[0] == '\0')
		misuse(self, "emits an event without a type");
	return copy;
}

static bool mark_fits(const struct pb_mark *mark)
{
	return mark == NULL || (strlen(mark->key) <= MARK_KEY_MAX && mark->value.len <= MARK_VALUE_MAX);
}

static void count_emitted(struct feed *f, size_t n)
{
	pthread_mutex_lock(&f->in->host->lock);
	f->store->emitted += n;
	pthread_cond_broadcast(&f->in->host->changed);
	pthread_mutex_unlock(&f->in->host->lock);
}

int pb_emit(struct pb_self *self, struct pb_event *const evs[], size_t n, const struct pb_mark *mark,
	    void *token)
{
	struct feed *f = running(self, "pb_emit");
	if (call_fails(PBT_EMIT))
		feed_ask_stop(f);
	bool canceled = atomic_load(&f->stopping), fits = mark_fits(mark);
	struct pb_event **taken = xcalloc(n, sizeof(struct pb_event *));
	for (size_t i = 0; i < n; i++) {
		taken[i] = take_over(f, evs[i]);
		f->open.bytes += event_size(taken[i]);
		if (canceled)
			event_unref(taken[i]);
	}
	if (!canceled) {
		add_unit(&f->open, taken, n, token, !fits);
		if (fits && mark != NULL)
			mark_set(&f->open.marks, mark->key, mark->value);
		count_emitted(f, n);
	}
	free(taken);
	if (!canceled && f->open.bytes >= COMMIT_AT && !f->settling)
		feed_commit(f);
	return canceled ? -ECANCELED : 0;
}

static const char *why_not(int result)
{
	return result == -ENOSPC ? "the store is full" : "too large to store";
}

static void settle(struct feed *f, int result)
{
	const struct emission *e = &f->closed;
	void (*settled)(void *, void *, const struct pb_receipt *) = f->in->host->plugin->source->settled;
	f->settling = true;
	for (size_t i = 0; i < e->n_units && settled != NULL; i++) {
		const struct unit *u = &e->units[i];
		/* On the heap, so that a sanitizer sees it when the plugin keeps it. */
		struct pb_receipt *receipt = xcalloc(1, sizeof *receipt);
		*receipt = (struct pb_receipt){
			.emission = e, .unit = u,
			.outcome = result < 0 || u->failed ? PB_FAILED : PB_ACCEPTED,
			.reason = result < 0 ? why_not(result) : u->failed ? why_not(-EMSGSIZE) : "",
		};
		settled(f->in->self.state, u->token, receipt);
		free(receipt);
	}
	f->settling = false;
}

/* What the test wants of this commit: 0, -ENOSPC or -EMSGSIZE. Waits for it. Called with the lock held. */
static int outcome(struct feed *f)
{
	struct pbt_host *host = f->in->host;
	bool refuses = host->plugin->source->may_refuse;
	while (f->mode == PBT_HOLDS ||
	       (f->mode == PBT_FULL && !refuses && !atomic_load(&f->stopping))) {
		f->held = true;
		pthread_cond_broadcast(&host->changed);
		pthread_cond_wait(&host->changed, &host->lock);
	}
	f->held = false;
	int result = f->mode == PBT_FULL ? -ENOSPC : f->mode == PBT_REFUSES ? -EMSGSIZE : 0;
	if (f->mode_left > 0 && --f->mode_left == 0)
		f->mode = PBT_STORES;
	return result;
}

int feed_commit(struct feed *f)
{
	struct pbt_host *host = f->in->host;
	if (f->open.n_units == 0)
		return atomic_load(&f->stopping) ? -ECANCELED : 0;
	struct emission open = f->open;
	f->open = f->closed;
	f->closed = open;
	pthread_mutex_lock(&host->lock);
	int result = outcome(f);
	int64_t now = clock_mono(&host->clock.clock);
	if (result == 0) {
		store_marks(f->store, f->closed.marks);
		store_look(f->store, &f->closed, pb_int(&f->in->self, "dedupe"), now);
	}
	pthread_mutex_unlock(&host->lock);
	settle(f, result);
	pthread_mutex_lock(&host->lock);
	if (result == 0)
		store_add(f->store, &f->closed, now);
	pthread_cond_broadcast(&host->changed);
	pthread_mutex_unlock(&host->lock);
	emission_clear(&f->closed);
	return result == -ENOSPC && !host->plugin->source->may_refuse ? -ECANCELED : 0;
}

int pb_commit(struct pb_self *self)
{
	struct feed *f = running(self, "pb_commit");
	if (f->settling)
		misuse(self, "called pb_commit() in settled()");
	return feed_commit(f);
}

static void clear_wake(struct feed *f)
{
	const struct pb_source *source = f->in->host->plugin->source;
	feed_clear(f->wake_fd);
	if (atomic_exchange(&f->reopen, false) && source->reopen != NULL)
		source->reopen(f->in->self.state);
}

static void note_sleep(struct feed *f, bool sleeping, int fd, int64_t until)
{
	pthread_mutex_lock(&f->in->host->lock);
	f->sleeping = sleeping;
	f->sleep_fd = fd;
	f->sleep_until = until;
	pthread_cond_broadcast(&f->in->host->changed);
	pthread_mutex_unlock(&f->in->host->lock);
}

static int poll_for(const struct host_clock *clock, int64_t left)
{
	if (left <= 0)
		return left < 0 ? -1 : 0;
	bool stands = atomic_load(&clock->since) < 0;	/* then pbt_advance() tells */
	return stands ? -1 : left > INT32_MAX ? INT32_MAX : (int)left;
}

static int sleep_on(struct feed *f, int fd, int64_t timeout)
{
	const struct host_clock *clock = &f->in->host->clock;
	int64_t until = timeout < 0 ? -1 : clock_mono(&clock->clock) + timeout;
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = f->wake_fd, .events = POLLIN }, { .fd = f->tick_fd, .events = POLLIN },
			{ .fd = fd, .events = POLLIN },
		};
		note_sleep(f, true, fd, until);
		int64_t left = until < 0 ? -1 : until - clock_mono(&clock->clock);
		int n = poll(fds, 3, poll_for(clock, until < 0 ? -1 : left > 0 ? left : 0));
		note_sleep(f, false, -1, -1);
		if (n > 0 && fds[1].revents != 0)
			feed_clear(f->tick_fd);
		if (n > 0 && fds[0].revents != 0)
			clear_wake(f);
		if (atomic_load(&f->stopping))
			return 0;
		if (n > 0 && (fds[2].revents & POLLNVAL) != 0)
			return -EBADF;
		if (n > 0 && fds[2].revents != 0)
			return 1;
		if ((n > 0 && fds[0].revents != 0) ||
		    (until >= 0 && clock_mono(&clock->clock) >= until))
			return 0;
	}
}

bool feed_asleep(const struct feed *f)
{
	struct pollfd fds[] = {
		{ .fd = f->wake_fd, .events = POLLIN }, { .fd = f->tick_fd, .events = POLLIN },
		{ .fd = f->sleep_fd, .events = POLLIN },
	};
	return f->sleeping && poll(fds, 3, 0) == 0 &&
	       (f->sleep_until < 0 || clock_mono(&f->in->host->clock.clock) < f->sleep_until);
}

int pb_wait(struct pb_self *self, int fd, int64_t timeout)
{
	struct feed *f = running(self, "pb_wait");
	if (f->settling)
		misuse(self, "called pb_wait() in settled()");
	bool settles = f->open.n_units > 0;
	feed_commit(f);
	if (!atomic_load(&f->stopping))
		return settles ? 0 : sleep_on(f, fd, timeout);
	clear_wake(f);
	if (f->stop_seen)
		return -ECANCELED;
	f->stop_seen = true;
	return 0;
}

int pb_wake_fd(const struct pb_self *self)
{
	if (self->feed == NULL)
		misuse(self, "called pb_wake_fd(), which is for a source");
	return self->feed->wake_fd;
}

bool pb_stopping(const struct pb_self *self)
{
	return self->feed != NULL && atomic_load(&self->feed->stopping);
}

int pb_restore(struct pb_self *self, const char *key, void *value, size_t size)
{
	bool opening = self->feed != NULL && host_of(self)->opening == self;
	struct feed *f = opening ? self->feed : running(self, "pb_restore");
	pthread_mutex_lock(&f->in->host->lock);
	const struct mark *m = mark_find(f->store->marks, key);
	int len = m == NULL || m->removed ? -ENOENT : m->len > size ? -ERANGE : (int)m->len;
	if (len > 0)
		memcpy(value, m->value, m->len);
	pthread_mutex_unlock(&f->in->host->lock);
	return len;
}

enum pb_outcome pb_receipt_outcome(const struct pb_receipt *receipt)
{
	return receipt->outcome;
}

const char *pb_receipt_id(const struct pb_receipt *receipt, size_t i)
{
	if (i >= receipt->unit->n)
		return "";
	size_t at = receipt->unit->first + i;
	const struct emission *e = receipt->emission;
	return receipt->outcome == PB_ACCEPTED && e->firsts[at] != NULL ? e->firsts[at] :
	       event_id(e->events[at]);
}

bool pb_receipt_duplicate(const struct pb_receipt *receipt, size_t i)
{
	return i < receipt->unit->n && receipt->outcome == PB_ACCEPTED &&
	       receipt->emission->firsts[receipt->unit->first + i] != NULL;
}

const char *pb_receipt_reason(const struct pb_receipt *receipt)
{
	return receipt->reason;
}
