/* isolate-keeper.c - the thread of an isolated sink or filter. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/thread.h"
#include "dispatch/isolate.h"

static void wake(struct keeper *k)
{
	uint64_t one = 1;
	while (write(k->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
		;
}

static void clear_wake(struct keeper *k)
{
	uint64_t n;
	while (read(k->wake_fd, &n, sizeof n) < 0 && errno == EINTR)
		;
}

static void after(struct keeper *k)
{
	if (k->kind->after != NULL)
		k->kind->after(k);
}

/* Pack and send; false: the other end takes no more. What else fails is seen when reading. */
static bool send_some(struct keeper *k)
{
	int failed;
	do {
		k->kind->pump(k);
		failed = link_flush(&k->iso.link);
		if (failed == 0 && link_waiting(&k->iso.link) == 0)
			k->kind->pump(k);
	} while (failed == 0 && link_waiting(&k->iso.link) > 0);
	return failed != -EAGAIN;
}

void keeper_send(struct keeper *k)
{
	if (!send_some(k))
		wake(k);
}

/* The lock is held. */
static void tell_lost(struct keeper *k)
{
	memcpy(k->why, k->iso.why, sizeof k->why);
	k->kind->lost(k);
	pthread_cond_broadcast(&k->changed);
}

/* From here on nobody else touches its link. */
static void set_lost(struct keeper *k)
{
	k->iso.up = false;
	k->state = KEEPER_RESTARTING;
}

/* Its process is up no more; `wrong` is as for isolated_lost(). The lock is not held. */
static void lost(struct keeper *k, const char *wrong)
{
	isolated_lost(&k->iso, wrong);
	pthread_mutex_lock(&k->lock);
	bool again = k->iso.pause > isolated_ms(&k->iso, "isolate_pause");
	k->state = k->iso.leaving ? KEEPER_OVER : again ? KEEPER_DOWN : KEEPER_RESTARTING;
	tell_lost(k);
	pthread_mutex_unlock(&k->lock);
	after(k);
}

/* Messages that have come. False: one is nonsense. The lock is held. */
static bool take_all(struct keeper *k)
{
	struct message m;
	int got;
	while ((got = isolated_next(&k->iso, &m)) == 1) {
		bool right = k->kind->take(k, &m);
		message_free(&m);
		if (!right)
			return false;
	}
	return got == 0;
}

/* Take what has come, with `fill` also what is still to be read; the process may have ended. */
static void receive(struct keeper *k, bool fill)
{
	pthread_mutex_lock(&k->lock);
	long n = fill ? isolated_fill(&k->iso) : -EAGAIN;
	bool ended = n == 0 || (n < 0 && n != -EAGAIN);
	bool wrong = !ended && !take_all(k);
	if (ended || wrong)
		set_lost(k);
	pthread_mutex_unlock(&k->lock);
	after(k);
	if (ended || wrong)
		lost(k, wrong ? "said what it may not" : NULL);
}

/* It is told to stop, by keeper_stop(), once all that came before is sent. */
static void leave(struct keeper *k)
{
	if (atomic_load(&k->told) && !k->iso.leaving)
		isolated_leave(&k->iso);
	if (atomic_load(&k->closing) && k->deadline == 0)
		k->deadline = isolated_now(&k->iso) + isolated_ms(&k->iso, "isolate_stop");
}

static void turn(struct keeper *k)
{
	struct pollfd p[2] = { { .events = POLLIN }, { .fd = k->wake_fd, .events = POLLIN } };
	pthread_mutex_lock(&k->lock);
	bool room = send_some(k);
	leave(k);
	if (room)
		send_some(k);
	p[0].fd = isolated_fd(&k->iso);
	pthread_mutex_unlock(&k->lock);
	after(k);
	int64_t left = k->deadline > 0 ? k->deadline - isolated_now(&k->iso) : INT32_MAX;
	if (left <= 0) {
		pthread_mutex_lock(&k->lock);
		set_lost(k);
		pthread_mutex_unlock(&k->lock);
		lost(k, "did not end within isolate_stop, and was killed");
		return;
	}
	if (poll(p, 2, k->deadline > 0 ? (int)left : -1) <= 0)
		return;
	if (p[1].revents != 0)
		clear_wake(k);
	if (p[0].revents != 0)
		receive(k, true);
}

static bool is_told(const struct isolated *i)
{
	return atomic_load(&((const struct keeper *)i)->told);
}

static void set_state(struct keeper *k, enum keeper_state state)
{
	pthread_mutex_lock(&k->lock);
	k->state = state;
	if (state == KEEPER_UP)
		pthread_cond_broadcast(&k->changed);
	else
		tell_lost(k);
	pthread_mutex_unlock(&k->lock);
	after(k);
}

static void restart(struct keeper *k)
{
	struct pb_error err;
	int64_t left = k->iso.start_at - isolated_now(&k->iso);
	if (atomic_load(&k->told)) {
		set_state(k, KEEPER_OVER);
		return;
	}
	if (left > 0) {
		struct pollfd p = { .fd = k->wake_fd, .events = POLLIN };
		if (poll(&p, 1, left > INT32_MAX ? INT32_MAX : (int)left) > 0)
			clear_wake(k);
		return;
	}
	error_init(&err);
	if (isolated_start(&k->iso, is_told, &err)) {
		set_state(k, KEEPER_UP);
		receive(k, false);	/* it may have come with the first */
	} else if (!is_told(&k->iso)) {
		log_write(PB_ERROR, k->iso.self->title, "cannot be opened again: %s", error_text(&err));
		set_state(k, KEEPER_DOWN);
	}
	error_free(&err);
}

static void *run(void *arg)
{
	struct keeper *k = arg;
	receive(k, false);
	while (k->state != KEEPER_OVER) {
		if (k->iso.up)
			turn(k);
		else
			restart(k);
	}
	return NULL;
}

bool keeper_open(struct keeper *k, struct pb_self *self, const struct keeper_kind *kind, struct pb_error *err)
{
	isolated_init(&k->iso, self);
	k->kind = kind;
	k->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	pthread_mutex_init(&k->lock, NULL);
	cond_init(&k->changed);
	if (k->wake_fd < 0)
		error_add(err, "isolate", "cannot be watched: too many open files");
	else if (isolated_start(&k->iso, NULL, err)) {
		if (thread_start(&k->thread, self->name, run, k) == 0)
			return true;
		k->iso.leaving = true;
		isolated_lost(&k->iso, "cannot be watched: no thread");
		error_add(err, "isolate", "%s", k->iso.why);
	}
	if (k->wake_fd >= 0)
		close(k->wake_fd);
	pthread_mutex_destroy(&k->lock);
	pthread_cond_destroy(&k->changed);
	isolated_fini(&k->iso);
	return false;
}

void keeper_stop(struct keeper *k)
{
	atomic_store(&k->told, true);
	wake(k);
}

void keeper_close(struct keeper *k)
{
	atomic_store(&k->closing, true);
	keeper_stop(k);
	pthread_join(k->thread, NULL);
	close(k->wake_fd);
	pthread_mutex_destroy(&k->lock);
	pthread_cond_destroy(&k->changed);
	isolated_fini(&k->iso);
}

void keeper_reopen(struct keeper *k)
{
	struct message m = { .kind = MESSAGE_REOPEN, .level = log_shown() };
	pthread_mutex_lock(&k->lock);
	if (k->state == KEEPER_UP && !k->iso.leaving && link_add(&k->iso.link, &m) == 0)
		keeper_send(k);
	pthread_mutex_unlock(&k->lock);
}
