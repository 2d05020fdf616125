/* source.c - a source as the test drives it. */
#include "base/magic.h"
#include "event/event.h"
#include "testing/feed.h"

static struct feed *feed_of(struct pbt_instance *in, const char *call)
{
	must_be(in, CONFIG_SOURCE, call);
	return in->self.feed;
}

static void *run(void *arg)
{
	struct feed *f = arg;
	struct pbt_host *host = f->in->host;
	pthread_mutex_lock(&host->lock);	/* pbt_start() has noted the thread */
	pthread_mutex_unlock(&host->lock);
	int result = host->plugin->source->run(f->in->self.state);
	feed_commit(f);
	pthread_mutex_lock(&host->lock);
	f->result = result;
	f->running = false;
	pthread_cond_broadcast(&host->changed);
	pthread_mutex_unlock(&host->lock);
	return NULL;
}

static void join(struct feed *f)
{
	if (f->started)
		pthread_join(f->thread, NULL);
	f->started = false;
}

void pbt_start(struct pbt_instance *in)
{
	struct feed *f = feed_of(in, "pbt_start");
	struct pbt_host *host = in->host;
	pthread_mutex_lock(&host->lock);
	bool running = f->running;
	pthread_mutex_unlock(&host->lock);
	if (running || atomic_load(&f->stopping))
		misuse(&in->self, "pbt_start() of a source that %s", running ? "runs" : "was stopped");
	join(f);
	pthread_mutex_lock(&host->lock);
	f->running = f->started = thread_start(&f->thread, in->self.name, run, f) == 0;
	pthread_mutex_unlock(&host->lock);
	if (!f->started)
		misuse(&in->self, "no thread can be made for run()");
}

void feed_ask_stop(struct feed *f)
{
	struct pbt_host *host = f->in->host;
	pthread_mutex_lock(&host->lock);
	atomic_store(&f->stopping, true);
	pthread_cond_broadcast(&host->changed);
	pthread_mutex_unlock(&host->lock);
	feed_signal(f->wake_fd);
}

void feed_reopen(struct pbt_instance *in)
{
	atomic_store(&in->self.feed->reopen, true);
	feed_signal(in->self.feed->wake_fd);
}

static bool has_ended(void *arg)
{
	return !((struct feed *)arg)->running;
}

bool pbt_wait_ended(struct pbt_instance *in, int64_t ms, int *result)
{
	struct feed *f = feed_of(in, "pbt_wait_ended");
	if (!host_wait(in->host, has_ended, f, ms))
		return false;
	join(f);
	if (result != NULL)
		*result = f->result;
	return true;
}

void pbt_ask_stop(struct pbt_instance *in)
{
	feed_ask_stop(feed_of(in, "pbt_ask_stop"));
}

bool pbt_stop(struct pbt_instance *in, int64_t ms)
{
	pbt_ask_stop(in);
	return pbt_wait_ended(in, ms, NULL);
}

/* A number of the store's to be reached. */
struct goal {
	const size_t *number;
	size_t wanted;
};

static bool is_reached(void *arg)
{
	const struct goal *goal = arg;
	return *goal->number >= goal->wanted;
}

bool pbt_wait_emitted(struct pbt_instance *in, size_t n, int64_t ms)
{
	struct feed *f = feed_of(in, "pbt_wait_emitted");
	return host_wait(in->host, is_reached, &(struct goal){ &f->store->emitted, n }, ms);
}

bool pbt_wait_stored(struct pbt_instance *in, size_t n, int64_t ms)
{
	struct feed *f = feed_of(in, "pbt_wait_stored");
	return host_wait(in->host, is_reached, &(struct goal){ &f->store->n, n }, ms);
}

static size_t read_number(struct pbt_instance *in, const size_t *number)
{
	pthread_mutex_lock(&in->host->lock);
	size_t n = *number;
	pthread_mutex_unlock(&in->host->lock);
	return n;
}

size_t pbt_n_emitted(struct pbt_instance *in)
{
	return read_number(in, &feed_of(in, "pbt_n_emitted")->store->emitted);
}

size_t pbt_n_stored(struct pbt_instance *in)
{
	return read_number(in, &feed_of(in, "pbt_n_stored")->store->n);
}

const struct pb_event *pbt_stored(struct pbt_instance *in, size_t i)
{
	struct feed *f = feed_of(in, "pbt_stored");
	pthread_mutex_lock(&in->host->lock);
	size_t n = f->store->n;
	const struct pb_event *ev = i < n ? f->store->events[i] : NULL;
	pthread_mutex_unlock(&in->host->lock);
	if (ev == NULL)
		misuse(&in->self, "has stored %zu events: there is no [%zu]", n, i);
	return ev;
}

static bool is_asleep(void *arg)
{
	return feed_asleep(arg);
}

bool pbt_wait_asleep(struct pbt_instance *in, int64_t ms, int64_t *timeout)
{
	struct feed *f = feed_of(in, "pbt_wait_asleep");
	if (!host_wait(in->host, is_asleep, f, ms))
		return false;
	if (timeout == NULL)
		return true;
	pthread_mutex_lock(&in->host->lock);
	*timeout = f->sleep_until < 0 ? -1 : f->sleep_until - clock_mono(&in->host->clock.clock);
	pthread_mutex_unlock(&in->host->lock);
	return true;
}

void pbt_store(struct pbt_instance *in, enum pbt_store mode, unsigned n)
{
	struct feed *f = feed_of(in, "pbt_store");
	pthread_mutex_lock(&in->host->lock);
	f->mode = mode;
	f->mode_left = n;
	pthread_cond_broadcast(&in->host->changed);
	pthread_mutex_unlock(&in->host->lock);
}

void feed_let_go(struct pbt_instance *in)
{
	struct feed *f = in->self.feed;
	pthread_mutex_lock(&in->host->lock);
	if (f->mode == PBT_HOLDS)
		f->mode = PBT_STORES;
	pthread_cond_broadcast(&in->host->changed);
	pthread_mutex_unlock(&in->host->lock);
}

static bool is_held(void *arg)
{
	return ((struct feed *)arg)->held;
}

bool pbt_wait_held(struct pbt_instance *in, int64_t ms)
{
	return host_wait(in->host, is_held, feed_of(in, "pbt_wait_held"), ms);
}

static void tell_sleepers(const struct pbt_host *host)
{
	for (struct pbt_instance *in = host->first; in != NULL; in = in->next)
		if (in->self.kind == CONFIG_SOURCE)
			feed_signal(in->self.feed->tick_fd);
}

void pbt_advance(struct pbt_host *host, int64_t ms)
{
	if (ms < 0)
		misuse(NULL, "pbt_advance() backwards");
	atomic_fetch_add(&host->clock.passed, ms);
	tell_sleepers(host);
}

void pbt_run_clock(struct pbt_host *host)
{
	if (atomic_load(&host->clock.since) < 0)
		atomic_store(&host->clock.since, clock_mono(&clock_system));
	tell_sleepers(host);
}
