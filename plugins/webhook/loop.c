/* loop.c - the one event loop of all webhook sinks: a thread, curl's multi handle, epoll. */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "webhook/loop.h"
#include "webhook/transfer.h"

#define EVENTS_AT_ONCE 128

struct parcel {
	struct hook *hook;
	struct pb_delivery *delivery;
};

struct inbox {
	struct parcel *parcels;
	size_t n, room;
};

struct loop {
	pthread_t thread;
	int epoll, wake;
	CURLM *multi;
	int64_t due;			/* when curl wants to be called: monotonic ms, -1: never */
	struct inbox work;		/* the loop's thread's half of the inbox */

	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t left;
	struct inbox inbox;
	struct hook *leaving;
	long connections;		/* kept at most: the sum of all max_in_flight */
	bool connections_changed;
	bool ending;
};

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*** What curl asks for. ***/

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct loop *loop = arg;
	struct epoll_event event = { .data.fd = fd };
	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	if (known == NULL)
		curl_multi_assign(loop->multi, fd, loop);
	/* A descriptor may have been closed and opened again in between. Anything else that
	 * fails ends in that attempt's time-out: an error here would end the multi handle. */
	int error = epoll_ctl(loop->epoll, known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
	if (error < 0 && (errno == EEXIST || errno == ENOENT))
		epoll_ctl(loop->epoll, errno == EEXIST ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
	return 0;
}

static int on_timer(CURLM *multi, long timeout, void *arg)
{
	struct loop *loop = arg;
	(void)multi;
	loop->due = timeout < 0 ? -1 : timeout == 0 ? 0 : now_ms() + timeout;
	return 0;
}

/*** One turn. ***/

static void loop_drop(struct loop *loop, struct hook *hook)
{
	transfer_abort_all(hook, loop->multi);
	pthread_mutex_lock(&loop->lock);
	hook->left = true;
	pthread_cond_broadcast(&loop->left);
	pthread_mutex_unlock(&loop->lock);
}

/* Take in what was handed over. False when the loop is to end. */
static bool loop_take(struct loop *loop)
{
	struct inbox taken;
	uint64_t count;
	while (read(loop->wake, &count, sizeof count) < 0 && errno == EINTR)
		;
	pthread_mutex_lock(&loop->lock);
	taken = loop->inbox;
	loop->inbox = loop->work;
	struct hook *leaving = loop->leaving;
	loop->leaving = NULL;
	bool changed = loop->connections_changed, ending = loop->ending;
	loop->connections_changed = false;
	long connections = loop->connections;
	pthread_mutex_unlock(&loop->lock);

	if (changed)
		curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, connections);
	for (size_t i = 0; i < taken.n; i++)
		transfer_start(taken.parcels[i].hook, taken.parcels[i].delivery, loop->multi);
	taken.n = 0;
	loop->work = taken;
	while (leaving != NULL) {
		struct hook *hook = leaving;
		leaving = hook->next_leaving;
		loop_drop(loop, hook);
	}
	return !ending;
}

static void loop_collect(struct loop *loop)
{
	CURLMsg *message;
	int left;
	while ((message = curl_multi_info_read(loop->multi, &left)) != NULL) {
		void *transfer = NULL;
		CURLcode code = message->data.result;
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
		transfer_finish(transfer, code, loop->multi);
	}
}

static int loop_sleep(const struct loop *loop)
{
	if (loop->due < 0)
		return -1;
	int64_t left = loop->due == 0 ? 0 : loop->due - now_ms();
	return left <= 0 ? 0 : left < 60000 ? (int)left : 60000;
}

static void loop_timer(struct loop *loop)
{
	int running;
	if (loop->due < 0 || (loop->due > 0 && loop->due > now_ms()))
		return;
	loop->due = -1;
	curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

static void loop_socket(struct loop *loop, const struct epoll_event *event)
{
	int what = 0, running;
	if (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		what |= CURL_CSELECT_IN;
	if (event->events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (event->events & EPOLLERR)
		what |= CURL_CSELECT_ERR;
	curl_multi_socket_action(loop->multi, event->data.fd, what, &running);
}

static void *loop_run(void *arg)
{
	struct loop *loop = arg;
	struct epoll_event events[EVENTS_AT_ONCE];
	bool on = true;
	while (on) {
		int n = epoll_wait(loop->epoll, events, EVENTS_AT_ONCE, loop_sleep(loop));
		bool woken = false;
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == loop->wake)
				woken = true;
			else
				loop_socket(loop, &events[i]);
		}
		loop_collect(loop);
		if (woken)
			on = loop_take(loop);
		loop_timer(loop);
		loop_collect(loop);
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

static bool inbox_reserve(struct inbox *inbox, size_t n)
{
	if (inbox->n + n <= inbox->room)
		return true;
	size_t room = 2 * inbox->room + n;
	struct parcel *grown = reallocarray(inbox->parcels, room, sizeof *grown);
	if (grown == NULL)
		return false;
	inbox->parcels = grown;
	inbox->room = room;
	return true;
}

void loop_submit(struct loop *loop, struct hook *hook, struct pb_delivery *const d[], size_t n)
{
	pthread_mutex_lock(&loop->lock);
	struct inbox *inbox = &loop->inbox;
	bool first = inbox->n == 0, room = inbox_reserve(inbox, n);
	for (size_t i = 0; room && i < n; i++)
		inbox->parcels[inbox->n++] = (struct parcel){ hook, d[i] };
	pthread_mutex_unlock(&loop->lock);
	for (size_t i = 0; !room && i < n; i++)
		pb_answer(d[i], PB_UNTRIED, 0, (struct pb_span){ NULL, 0 }, "out of memory");
	if (first)
		loop_wake(loop);
}

void loop_join(struct loop *loop, const struct hook *hook)
{
	pthread_mutex_lock(&loop->lock);
	loop->connections += hook->max_in_flight;
	loop->connections_changed = true;
	pthread_mutex_unlock(&loop->lock);
	loop_wake(loop);
}

void loop_leave(struct loop *loop, struct hook *hook)
{
	pthread_mutex_lock(&loop->lock);
	loop->connections -= hook->max_in_flight;
	loop->connections_changed = true;
	hook->next_leaving = loop->leaving;
	loop->leaving = hook;
	loop_wake(loop);
	while (!hook->left)
		pthread_cond_wait(&loop->left, &loop->lock);
	pthread_mutex_unlock(&loop->lock);
}

/* Descriptors, multi handle and thread; false leaves errno. */
static bool loop_start(struct loop *loop)
{
	struct epoll_event event = { .events = EPOLLIN };
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->wake = event.data.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->epoll < 0 || loop->wake < 0 ||
	    epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &event) < 0)
		return false;
	errno = ENOMEM;
	loop->multi = curl_multi_init();
	if (loop->multi == NULL)
		return false;
	curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop);
	curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop);
	errno = pthread_create(&loop->thread, NULL, loop_run, loop);
	return errno == 0;
}

static void loop_destroy(struct loop *loop)
{
	curl_multi_cleanup(loop->multi);
	if (loop->wake >= 0)
		close(loop->wake);
	if (loop->epoll >= 0)
		close(loop->epoll);
	free(loop->work.parcels);
	free(loop->inbox.parcels);
	pthread_cond_destroy(&loop->left);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

struct loop *loop_new(struct pb_error *err)
{
	struct loop *loop = calloc(1, sizeof *loop);
	if (loop == NULL)
		return pb_error(err, NULL, "out of memory");
	loop->due = loop->epoll = loop->wake = -1;
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
	assert(loop->inbox.n == 0 && loop->leaving == NULL);
	loop->ending = true;
	pthread_mutex_unlock(&loop->lock);
	loop_wake(loop);
	pthread_join(loop->thread, NULL);
	loop_destroy(loop);
}
