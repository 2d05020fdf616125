/* hub.c - what curl asks of its program, and what it is told. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "webhook/hub.h"
#include "webhook/transfer.h"

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
	struct epoll_event event = { .data.u64 = socket_data(hub, fd) };
	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(hub->epoll, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	if (known == NULL)
		curl_multi_assign(hub->multi, fd, hub);
	/* A descriptor may have been closed and opened again in between. Anything else that
	 * fails ends in that attempt's time-out: an error here would end the multi handle. */
	int error = epoll_ctl(hub->epoll, known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
	if (error < 0 && (errno == EEXIST || errno == ENOENT))
		epoll_ctl(hub->epoll, errno == EEXIST ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
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
	if (hub->multi == NULL)
		return;
	if (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		what |= CURL_CSELECT_IN;
	if (event->events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (event->events & EPOLLERR)
		what |= CURL_CSELECT_ERR;
	curl_multi_socket_action(hub->multi, (curl_socket_t)(uint32_t)event->data.u64, what, &running);
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

/* curl 7.88 wakes a multi handle by a pair of sockets that a program started elsewhere in the process would
 * inherit, and does not tell their numbers. */
static void keep_from_children(void)
{
	DIR *dir = opendir("/proc/self/fd");
	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL; ) {
		int fd = (int)strtol(e->d_name, NULL, 10), domain;
		if (fd > STDERR_FILENO && fcntl(fd, F_GETFD) == 0 &&
		    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &(socklen_t){ sizeof domain }) == 0 &&
		    domain == AF_UNIX)
			fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	if (dir != NULL)
		closedir(dir);
}

static CURLM *multi_new(struct hub *hub)
{
	CURLM *multi = curl_multi_init();
	if (multi == NULL)
		return NULL;
	keep_from_children();
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

struct hub *hub_new(int epoll, uint32_t number)
{
	struct hub *hub = calloc(1, sizeof *hub);
	if (hub == NULL)
		return NULL;
	*hub = (struct hub){ .epoll = epoll, .number = number, .due = -1, .used = -1, .kept = 1 };
	return hub;
}

void hub_free(struct hub *hub)
{
	if (hub->multi != NULL)
		curl_multi_cleanup(hub->multi);
	free(hub);
}
