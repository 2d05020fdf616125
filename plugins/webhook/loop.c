/*
 * loop.c - the one event loop of all webhook sinks: a thread, epoll, curl's multi handles.
 *
 * A turn takes what is ready on sockets and what is due, and begins some of what was handed over:
 * not all at once, so that what is under way is answered and its memory used again, and one of each sink in turn, so
 * that none waits for all of another's. Those that work go first, since the others may be many, and cost more: for
 * those that fail a turn does a little only, some half a millisecond's worth, and they have an epoll of their own
 * within the first. All answers are given at the end of a turn, so that the core is woken once for them.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "webhook/hub.h"
#include "webhook/loop.h"
#include "webhook/transfer.h"
#include "webhook/watch.h"

#define EVENTS_AT_ONCE 16
#define FAILING_AT_ONCE 6	/* events of those that fail */
#define STARTS_AT_ONCE 12
#define DOUBTFUL_AT_ONCE 3	/* starts for sinks that did not work last time, or were not tried yet */
#define REST_AFTER 60000	/* ms */
#define REST_EVERY 10000
#define HUB_HOOKS 100		/* so many share a hub, until there are HUBS_MAX */
#define HUBS_MAX 1024
#define WAKE HUBS_MAX		/* in place of a hub's number */
#define FAILING (HUBS_MAX + 1)	/* likewise */

struct parcel {
	struct parcel *next;
	struct parcels *in;
	struct hook *hook;
	struct pb_delivery *delivery;
};

/* What was handed over at once, and is freed with the last of them. */
struct parcels {
	size_t left;		/* the loop's thread's */
	struct parcel list[];
};

/* Hooks that have parcels to begin, in turn. */
struct ring {
	struct hook *first, **end;
};

struct loop {
	pthread_t thread;
	int epoll, failing, wake;	/* `failing`: the epoll of those */
	long connections_max;		/* kept open in all: leaves descriptors for what is under way */

	/* The loop's thread's. */
	struct ring well, doubtful;
	size_t n_known;			/* hubs that it has seen */
	int64_t rest;			/* when to look for hubs to rest: monotonic ms, INT64_MAX: all do */
	struct pool pool;
	struct watches watches;

	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t left;
	struct parcel *inbox, **inbox_end;
	struct hook *leaving;
	struct hub *hubs[HUBS_MAX];	/* each is there for good when n_hubs counts it; an odd one is `failing` of that before */
	size_t n_hubs;
	bool connections_changed;
	bool ending;
};

/*** What was handed over. ***/

static void ring_add(struct ring *ring, struct hook *hook)
{
	hook->next_ready = NULL;
	*ring->end = hook;
	ring->end = &hook->next_ready;
}

static bool ring_remove(struct ring *ring, const struct hook *hook)
{
	struct hook **at = &ring->first;
	while (*at != NULL && *at != hook)
		at = &(*at)->next_ready;
	if (*at == NULL)
		return false;
	*at = hook->next_ready;
	if (*at == NULL)
		ring->end = at;
	return true;
}

static void put_ready(struct loop *loop, struct hook *hook)
{
	ring_add(hook->well ? &loop->well : &loop->doubtful, hook);
}

static void parcel_free(struct parcel *parcel)
{
	if (--parcel->in->left == 0)
		free(parcel->in);
}

static void put_parcel(struct loop *loop, struct parcel *parcel)
{
	struct hook *hook = parcel->hook;
	if (hook->parcels == NULL) {
		hook->parcels_end = &hook->parcels;
		put_ready(loop, hook);
	}
	parcel->next = NULL;
	*hook->parcels_end = parcel;
	hook->parcels_end = &parcel->next;
}

/* Begin one of the hook whose turn it is. */
static void begin_one(struct loop *loop, struct ring *ring)
{
	struct hook *hook = ring->first;
	struct parcel *parcel = hook->parcels;
	ring_remove(ring, hook);
	hook->parcels = parcel->next;
	if (hook->parcels != NULL)
		put_ready(loop, hook);
	transfer_start(hook, parcel->delivery);
	parcel_free(parcel);
}

static bool has_work(const struct loop *loop)
{
	return loop->well.first != NULL || loop->doubtful.first != NULL;
}

static void loop_begin(struct loop *loop)
{
	if (has_work(loop) && loop->rest == INT64_MAX)
		loop->rest = now_ms() + REST_EVERY;
	for (int n = 0; n < STARTS_AT_ONCE && loop->well.first != NULL; n++)
		begin_one(loop, &loop->well);
	for (int n = 0; n < DOUBTFUL_AT_ONCE && loop->doubtful.first != NULL; n++)
		begin_one(loop, &loop->doubtful);
}

static void untried(struct pb_delivery *delivery, const char *why)
{
	pb_answer(delivery, PB_UNTRIED, 0, (struct pb_span){ NULL, 0 }, "%s", why);
}

static void drop_parcels(struct loop *loop, struct hook *hook)
{
	if (!ring_remove(&loop->well, hook))
		ring_remove(&loop->doubtful, hook);
	for (struct parcel *parcel = hook->parcels, *next; parcel != NULL; parcel = next) {
		next = parcel->next;
		untried(parcel->delivery, "shutting down");
		parcel_free(parcel);
	}
}

static void loop_drop(struct loop *loop, struct hook *hook)
{
	drop_parcels(loop, hook);
	transfer_abort_all(hook);
	pthread_mutex_lock(&loop->lock);
	hook->left = true;
	pthread_cond_broadcast(&loop->left);
	pthread_mutex_unlock(&loop->lock);
}

/*** One turn. ***/

static void keep(struct hub *hub, long wanted, long most)
{
	hub_keep(hub, wanted < 1 || most < 1 ? 1 : wanted < most ? wanted : most);
}

/* Under the lock. */
static void loop_limit(const struct loop *loop)
{
	long most = 2 * loop->connections_max / (long)loop->n_hubs, few = most / 8;
	for (size_t i = 0; i < loop->n_hubs; i += 2) {
		struct hub *hub = loop->hubs[i];
		keep(hub, hub->connections, most - few);
		keep(hub->failing, (long)hub->hooks, few);
	}
}

/* False when the loop is to end. */
static bool loop_take(struct loop *loop)
{
	uint64_t count;
	while (read(loop->wake, &count, sizeof count) < 0 && errno == EINTR)
		;
	pthread_mutex_lock(&loop->lock);
	struct parcel *taken = loop->inbox;
	loop->inbox = NULL;
	loop->inbox_end = &loop->inbox;
	struct hook *leaving = loop->leaving;
	loop->leaving = NULL;
	loop->n_known = loop->n_hubs;
	if (loop->connections_changed)
		loop_limit(loop);
	loop->connections_changed = false;
	bool ending = loop->ending;
	pthread_mutex_unlock(&loop->lock);
	while (taken != NULL) {
		struct parcel *parcel = taken;
		taken = parcel->next;
		put_parcel(loop, parcel);
	}
	pool_answer(&loop->pool);	/* of a hook that leaves nothing waits for it */
	while (leaving != NULL) {
		struct hook *hook = leaving;
		leaving = hook->next_leaving;
		loop_drop(loop, hook);
	}
	return !ending;
}

/* Connections that were not used for long are closed, and what memory they took is given back. */
static void loop_rest(struct loop *loop, int64_t now)
{
	bool rested = false;
	if (now < loop->rest)
		return;
	loop->rest = INT64_MAX;
	for (size_t i = 0; i < loop->n_known; i++) {
		if (hub_rest(loop->hubs[i], now - REST_AFTER))
			rested = true;
		else if (loop->hubs[i]->used >= 0 || loop->hubs[i]->busy > 0)
			loop->rest = now + REST_EVERY;
	}
	if (!rested)
		return;
	pool_rest(&loop->pool);
	malloc_trim(0);
}

static int loop_sleep(const struct loop *loop)
{
	int64_t due = loop->rest;
	if (has_work(loop))
		return 0;
	for (size_t i = 0; i < loop->n_known; i++)
		if (loop->hubs[i]->due >= 0 && loop->hubs[i]->due < due)
			due = loop->hubs[i]->due;
	if (due == INT64_MAX)
		return -1;
	int64_t left = due == 0 ? 0 : due - now_ms();
	return left <= 0 ? 0 : left < 60000 ? (int)left : 60000;
}

static void loop_events(struct loop *loop, int epoll, int most, int wait, bool *woken, bool *failing)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int n = epoll_wait(epoll, events, most, wait);
	for (int i = 0; i < n; i++) {
		uint32_t number = hub_of(&events[i]);
		if (number == WAKE)
			*woken = true;
		else if (number == FAILING)
			*failing = true;
		else
			hub_socket(loop->hubs[number], &events[i]);
	}
}

static void *loop_run(void *arg)
{
	struct loop *loop = arg;
	for (bool on = true; on; ) {
		bool woken = false, failing = false;
		loop_events(loop, loop->epoll, EVENTS_AT_ONCE, loop_sleep(loop), &woken, &failing);
		if (failing)
			loop_events(loop, loop->failing, FAILING_AT_ONCE, 0, &woken, &failing);
		if (woken)
			on = loop_take(loop);
		loop_begin(loop);
		int64_t now = now_ms();
		loop_rest(loop, now);
		for (size_t i = 0; i < loop->n_known; i++)
			hub_timer(loop->hubs[i], now);
		pool_answer(&loop->pool);
	}
	return NULL;
}

/*** From outside. ***/

static void loop_wake(struct loop *loop)
{
	uint64_t one = 1;
	while (write(loop->wake, &one, sizeof one) < 0 && errno == EINTR)
		;
}

void loop_submit(struct loop *loop, struct hook *hook, struct pb_delivery *const d[], size_t n)
{
	struct parcels *all = malloc(sizeof *all + n * sizeof *all->list);
	for (size_t i = 0; all == NULL && i < n; i++)
		untried(d[i], "out of memory");
	if (all == NULL)
		return;
	all->left = n;
	for (size_t i = 0; i < n; i++)
		all->list[i] = (struct parcel){ i + 1 < n ? &all->list[i + 1] : NULL, all, hook, d[i] };
	pthread_mutex_lock(&loop->lock);
	bool wake = loop->inbox == NULL;
	*loop->inbox_end = all->list;
	loop->inbox_end = &all->list[n - 1].next;
	pthread_mutex_unlock(&loop->lock);
	if (wake)
		loop_wake(loop);
}

/* A new one, and the one beside it. Under the lock. */
static struct hub *hub_pair(struct loop *loop)
{
	struct hub *made = hub_new(loop->epoll, (uint32_t)loop->n_hubs, &loop->watches);
	struct hub *failing = hub_new(loop->failing, (uint32_t)loop->n_hubs + 1, &loop->watches);
	if (made == NULL || failing == NULL) {
		free(made);
		free(failing);
		return NULL;
	}
	made->failing = failing;
	loop->hubs[loop->n_hubs] = made;
	loop->hubs[loop->n_hubs + 1] = failing;
	loop->n_hubs += 2;
	return made;
}

/* The hub with the fewest hooks; a new one when all have enough. Under the lock. */
static struct hub *hub_for(struct loop *loop)
{
	struct hub *best = NULL;
	for (size_t i = 0; i < loop->n_hubs; i += 2)
		if (best == NULL || loop->hubs[i]->hooks < best->hooks)
			best = loop->hubs[i];
	if (best != NULL && (best->hooks < HUB_HOOKS || loop->n_hubs == HUBS_MAX))
		return best;
	struct hub *made = hub_pair(loop);
	return made != NULL ? made : best;
}

bool loop_join(struct loop *loop, struct hook *hook)
{
	pthread_mutex_lock(&loop->lock);
	struct hub *hub = hub_for(loop);
	if (hub != NULL) {
		hub->hooks++;
		hub->connections += hook->max_in_flight;
		loop->connections_changed = true;
	}
	pthread_mutex_unlock(&loop->lock);
	hook->hub = hub;
	hook->pool = &loop->pool;
	return hub != NULL;
}

void loop_leave(struct loop *loop, struct hook *hook)
{
	pthread_mutex_lock(&loop->lock);
	hook->hub->hooks--;
	hook->hub->connections -= hook->max_in_flight;
	loop->connections_changed = true;
	hook->next_leaving = loop->leaving;
	loop->leaving = hook;
	loop_wake(loop);
	while (!hook->left)
		pthread_cond_wait(&loop->left, &loop->lock);
	pthread_mutex_unlock(&loop->lock);
}

/* Descriptors and thread; false leaves errno. */
static bool loop_start(struct loop *loop)
{
	struct epoll_event wake = { .events = EPOLLIN, .data.u64 = (uint64_t)WAKE << 32 };
	struct epoll_event failing = { .events = EPOLLIN, .data.u64 = (uint64_t)FAILING << 32 };
	struct rlimit files;
	loop->connections_max = getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < LONG_MAX ?
		(long)(files.rlim_cur / 2) : LONG_MAX;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->failing = epoll_create1(EPOLL_CLOEXEC);
	loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->epoll < 0 || loop->failing < 0 || loop->wake < 0 ||
	    epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &wake) < 0 ||
	    epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->failing, &failing) < 0)
		return false;
	errno = pthread_create(&loop->thread, NULL, loop_run, loop);
	return errno == 0;
}

static void loop_destroy(struct loop *loop)
{
	for (size_t i = 0; i < loop->n_hubs; i++)
		hub_free(loop->hubs[i]);
	if (loop->wake >= 0)
		close(loop->wake);
	if (loop->failing >= 0)
		close(loop->failing);
	if (loop->epoll >= 0)
		close(loop->epoll);
	watches_free(&loop->watches);
	pthread_cond_destroy(&loop->left);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

struct loop *loop_new(struct pb_error *err)
{
	struct loop *loop = calloc(1, sizeof *loop);
	if (loop == NULL)
		return pb_error(err, NULL, "out of memory");
	loop->epoll = loop->failing = loop->wake = -1;
	pool_init(&loop->pool);
	loop->rest = INT64_MAX;
	loop->well.end = &loop->well.first;
	loop->doubtful.end = &loop->doubtful.first;
	loop->inbox_end = &loop->inbox;
	pthread_mutex_init(&loop->lock, NULL);
	pthread_cond_init(&loop->left, NULL);
	if (loop_start(loop)) {
		pthread_setname_np(loop->thread, "webhook");
		return loop;
	}
	pb_error(err, NULL, "cannot start the event loop: %s", strerror(errno));
	loop_destroy(loop);
	return NULL;
}

void loop_free(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	assert(loop->inbox == NULL && loop->leaving == NULL);
	loop->ending = true;
	pthread_mutex_unlock(&loop->lock);
	loop_wake(loop);
	pthread_join(loop->thread, NULL);
	loop_destroy(loop);
}
