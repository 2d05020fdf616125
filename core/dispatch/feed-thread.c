/* feed-thread.c - a source's thread: its life, and its sleep. */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/log.h"
#include "base/thread.h"
#include "dispatch/feed.h"

#define RESTART_FIRST 1000		/* ms */
#define RESTART_LONGEST 60000

static void clear_wake(struct feed *f)
{
	uint64_t n;
	while (read(f->wake_fd, &n, sizeof n) < 0 && errno == EINTR)
		;
	if (atomic_exchange(&f->reopen, false) && f->self.plugin->source->reopen != NULL)
		f->self.plugin->source->reopen(f->self.state);
}

static int sleep_on(struct feed *f, int fd, int64_t timeout)
{
	struct pollfd fds[2] = { { .fd = f->wake_fd, .events = POLLIN }, { .fd = fd, .events = POLLIN } };
	int ms = timeout < 0 ? -1 : timeout > INT32_MAX ? INT32_MAX : (int)timeout;
	int n = poll(fds, 2, ms);
	if (n > 0 && fds[0].revents != 0)
		clear_wake(f);
	if (atomic_load(&f->stopping))
		return 0;
	if (n > 0 && (fds[1].revents & POLLNVAL) != 0)
		return -EBADF;
	return n > 0 && fds[1].revents != 0;
}

int feed_wait(struct feed *f, int fd, int64_t timeout)
{
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

/* Sleep between two calls of run(); false when stopping. */
static bool pause_for(struct feed *f, int64_t ms)
{
	int64_t until = clock_mono(f->self.env->clock) + ms, left;
	while (!atomic_load(&f->stopping) && (left = until - clock_mono(f->self.env->clock)) > 0)
		sleep_on(f, -1, left);
	return !atomic_load(&f->stopping);
}

/* There is no more of it. */
static void end(struct feed *f)
{
	log_write(PB_INFO, f->self.title, "has come to its end");
	atomic_store(&f->doing, "ended");
	atomic_store(&f->ended, true);
	if (f->wake != NULL)
		f->wake(f->wake_arg);
}

static void *run(void *arg)
{
	struct feed *f = arg;
	int64_t pause = RESTART_FIRST;
	for (;;) {
		atomic_store(&f->doing, "running");
		int64_t began = clock_mono(f->self.env->clock);
		int failed = f->self.plugin->source->run(f->self.state);
		feed_commit(f);
		if (atomic_load(&f->stopping))
			break;
		if (failed == PB_DONE) {
			end(f);
			return NULL;
		}
		if (clock_mono(f->self.env->clock) - began > RESTART_LONGEST)
			pause = RESTART_FIRST;
		log_write(PB_ERROR, f->self.title, "stopped by itself (%d); again in %lld s", failed,
			  (long long)(pause / 1000));
		atomic_store(&f->reason, "it stopped by itself, see the log");
		atomic_fetch_add(&f->restarts, 1);
		atomic_store(&f->doing, "paused");
		if (!pause_for(f, pause))
			break;
		pause = pause * 2 > RESTART_LONGEST ? RESTART_LONGEST : pause * 2;
	}
	atomic_store(&f->doing, "stopped");
	return NULL;
}

void feed_rewind(struct feed *f)
{
	atomic_store(&f->stopping, false);
	f->stop_seen = false;
	atomic_store(&f->ended, false);
}

int feed_start(struct feed *f)
{
	if (f->wake_fd < 0)
		return -EMFILE;
	int failed = thread_start(&f->thread, f->self.name, run, f);
	f->started = failed == 0;
	return failed;
}

static void wake(struct feed *f)
{
	uint64_t one = 1;
	while (write(f->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
		;
}

void feed_stop(struct feed *f)
{
	atomic_store(&f->stopping, true);
	wake(f);
}

void feed_reopen(struct feed *f)
{
	atomic_store(&f->reopen, true);
	wake(f);
}
