/* watch.c - which sockets epoll watches. */
#include "webhook/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

void watches_free(struct watches *w)
{
	free(w->of);
	*w = (struct watches){ 0 };
}

void watch_made(struct watches *w, int fd)
{
	if ((size_t)fd >= w->n) {
		size_t n = 2 * (size_t)fd + 64;
		struct watch *grown = realloc(w->of, n * sizeof *grown);
		if (grown == NULL)
			return;
		memset(grown + w->n, 0, (n - w->n) * sizeof *grown);
		w->of = grown;
		w->n = n;
	}
	w->of[fd] = (struct watch){ .ours = true };
}

/* NULL: it was not told of. */
static struct watch *find(const struct watches *w, int fd)
{
	return (size_t)fd < w->n && w->of[fd].ours ? &w->of[fd] : NULL;
}

void watch_closed(struct watches *w, int fd)
{
	struct watch *watch = find(w, fd);
	if (watch != NULL)
		*watch = (struct watch){ 0 };
}

/* A descriptor may have been closed and opened again in between. Anything else that fails ends in that attempt's
 * time-out: an error would end curl's multi handle. */
static void set_other(int epoll, int fd, struct epoll_event *event)
{
	if (event->events == 0)
		epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
	else if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, event) < 0 && errno == EEXIST)
		epoll_ctl(epoll, EPOLL_CTL_MOD, fd, event);
}

void watch_set(struct watches *w, int epoll, int fd, uint32_t events, uint64_t data)
{
	struct watch *watch = find(w, fd);
	struct epoll_event event = { .events = events, .data.u64 = data };
	if (watch == NULL) {
		set_other(epoll, fd, &event);
		return;
	}
	watch->wanted = events != 0;
	if (events == 0 || events == watch->events)
		return;
	if (epoll_ctl(epoll, watch->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) == 0)
		watch->events = events;
}

bool watch_ready(struct watches *w, int epoll, int fd)
{
	struct watch *watch = find(w, fd);
	if (watch == NULL || watch->wanted)
		return true;
	if (watch->events != 0)
		epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
	watch->events = 0;
	return false;
}
