/* hub.c - what curl asks of its program, and what it is told. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "webhook/hub.h"
#include "webhook/transfer.h"
#include "webhook/watch.h"

#define PAIR_WITHIN 1024	/* numbers */

int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*** What curl asks for. ***/

static uint64_t socket_data(const struct hub *hub, curl_socket_t fd)
{
	return (uint64_t)hub->number << 32 | (uint32_t)fd;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct hub *hub = arg;
	uint32_t events = 0;
	(void)easy;
	(void)known;
	if (what != CURL_POLL_REMOVE && (what & CURL_POLL_IN))
		events |= EPOLLIN;
	if (what != CURL_POLL_REMOVE && (what & CURL_POLL_OUT))
		events |= EPOLLOUT;
	watch_set(hub->watches, hub->epoll, fd, events, socket_data(hub, fd));
	return 0;
}

static int on_timer(CURLM *multi, long timeout, void *arg)
{
	struct hub *hub = arg;
	(void)multi;
	hub->due = timeout < 0 ? -1 : timeout == 0 ? 0 : now_ms() + timeout;
	return 0;
}

/*** What it is told. ***/

static void collect(struct hub *hub)
{
	CURLMsg *message;
	int left;
	while ((message = curl_multi_info_read(hub->multi, &left)) != NULL) {
		void *transfer = NULL;
		CURLcode code = message->data.result;
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
		transfer_finish(transfer, code);
	}
}

void hub_socket(struct hub *hub, const struct epoll_event *event)
{
	int what = 0, running;
	curl_socket_t fd = (curl_socket_t)(uint32_t)event->data.u64;
	if (hub->multi == NULL || !watch_ready(hub->watches, hub->epoll, fd))
		return;
	if (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		what |= CURL_CSELECT_IN;
	if (event->events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (event->events & EPOLLERR)
		what |= CURL_CSELECT_ERR;
	curl_multi_socket_action(hub->multi, fd, what, &running);
	collect(hub);
}

void hub_timer(struct hub *hub, int64_t now)
{
	int running;
	if (hub->due < 0 || hub->due > now)
		return;
	hub->due = -1;
	curl_multi_socket_action(hub->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(hub);
}

uint32_t hub_of(const struct epoll_event *event)
{
	return (uint32_t)(event->data.u64 >> 32);
}

/* Is it one of a pair that a program started elsewhere in the process would inherit? It is kept from that. */
static bool keep_from_children(int fd)
{
	int domain;
	return fd > STDERR_FILENO && fcntl(fd, F_GETFD) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &(socklen_t){ sizeof domain }) == 0 &&
	       domain == AF_UNIX && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

/* curl 7.88 wakes a multi handle by a pair of sockets that may be inherited, and does not tell their numbers. They are the
 * lowest that were free, so that it takes no look at all of thousands; but another thread may have freed a lower one. */
static void keep_pair_from_children(int lowest)
{
	int found = 0;
	for (int fd = lowest; lowest >= 0 && fd < lowest + PAIR_WITHIN && found < 2; fd++)
		found += keep_from_children(fd);
	DIR *dir = found < 2 ? opendir("/proc/self/fd") : NULL;
	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL; )
		keep_from_children((int)strtol(e->d_name, NULL, 10));
	if (dir != NULL)
		closedir(dir);
}

static int lowest_free(const struct hub *hub)
{
	int fd = fcntl(hub->epoll, F_DUPFD_CLOEXEC, 0);
	if (fd >= 0)
		close(fd);
	return fd;
}

static CURLM *multi_new(struct hub *hub)
{
	int lowest = lowest_free(hub);
	CURLM *multi = curl_multi_init();
	if (multi == NULL)
		return NULL;
	keep_pair_from_children(lowest);
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, hub);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, hub);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, hub->kept);
	return multi;
}

bool hub_add(struct hub *hub, CURL *easy)
{
	if (hub->multi == NULL)
		hub->multi = multi_new(hub);
	bool added = hub->multi != NULL && curl_multi_add_handle(hub->multi, easy) == CURLM_OK;
	hub->busy += added;
	return added;
}

void hub_remove(struct hub *hub, CURL *easy)
{
	curl_multi_remove_handle(hub->multi, easy);
	if (--hub->busy == 0)
		hub->used = now_ms();
}

void hub_keep(struct hub *hub, long connections)
{
	hub->kept = connections;
	if (hub->multi != NULL)
		curl_multi_setopt(hub->multi, CURLMOPT_MAXCONNECTS, connections);
}

bool hub_rest(struct hub *hub, int64_t since)
{
	if (hub->busy > 0 || hub->used < 0 || hub->used > since)
		return false;
	curl_multi_cleanup(hub->multi);
	hub->multi = NULL;
	hub->due = hub->used = -1;
	return true;
}

struct hub *hub_new(int epoll, uint32_t number, struct watches *watches)
{
	struct hub *hub = calloc(1, sizeof *hub);
	if (hub == NULL)
		return NULL;
	*hub = (struct hub){
		.epoll = epoll, .number = number, .watches = watches, .due = -1, .used = -1, .kept = 1,
	};
	return hub;
}

void hub_free(struct hub *hub)
{
	if (hub->multi != NULL)
		curl_multi_cleanup(hub->multi);
	free(hub);
}
