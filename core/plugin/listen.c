/*
 * listen.c - listening sockets: passed in by the service manager, or made now.
 *
 * With socket activation (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS) a socket that is
 * already bound to the wanted address is taken over; the numbers stay reserved for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/parse.h"
#include "plugin/instance.h"

#define LISTEN_FDS_START 3
#define BACKLOG 1024
#define SOCKET_MODE "0660"	/* of a socket file, when the plugin has no option `mode` */

/* "127.0.0.1:8080", "[::1]:8080" or "unix:/path" of a socket's own address. */
static void address_text(int fd, char *text, size_t size)
{
	struct sockaddr_storage at = { 0 };
	socklen_t len = sizeof at;
	char host[256] = "", port[6] = "";
	if (getsockname(fd, (struct sockaddr *)&at, &len) < 0) {
		snprintf(text, size, "?");
	} else if (at.ss_family == AF_UNIX) {
		snprintf(text, size, "unix:%.107s", ((struct sockaddr_un *)&at)->sun_path);
	} else {
		getnameinfo((struct sockaddr *)&at, len, host, sizeof host, port, sizeof port,
			    NI_NUMERICHOST | NI_NUMERICSERV);
		snprintf(text, size, at.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
	}
}

/* A descriptor of the service manager's that is bound to `want`, or -1. */
static int activated(const struct sockaddr *want, socklen_t len)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	if (pid == NULL || fds == NULL || strtol(pid, NULL, 10) != getpid())
		return -1;
	long n = strtol(fds, NULL, 10);
	for (int fd = LISTEN_FDS_START; fd < LISTEN_FDS_START + n; fd++) {
		struct sockaddr_storage at = { 0 };
		socklen_t have = sizeof at;
		if (getsockname(fd, (struct sockaddr *)&at, &have) == 0 && have == len &&
		    memcmp(&at, want, len) == 0)
			return fcntl(fd, F_DUPFD_CLOEXEC, 0);
	}
	return -1;
}

/* Three or four octal digits, or -1. */
static long parse_mode(const char *text)
{
	size_t digits = strspn(text, "01234567");
	if (digits < 3 || digits > 4 || text[digits] != '\0')
		return -1;
	long mode = strtol(text, NULL, 8);
	return mode <= 0777 ? mode : -1;
}

/* What the plugin's option `mode` says, if its table has one. -1 after error_add(). */
static long socket_mode(const struct pb_self *self, struct pb_error *err)
{
	bool has = options_type(self->options, "mode") == PB_STRING;
	long mode = parse_mode(has ? options_str(self->options, "mode") : SOCKET_MODE);
	if (mode < 0)
		error_add(err, "mode", "expected three octal digits, such as 0660");
	return mode;
}

/* `mode`: of a socket file; nobody can connect before listen(). */
static int socket_bound(const struct sockaddr *addr, socklen_t len, bool share, mode_t mode)
{
	int one = 1;
	int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (addr->sa_family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (addr->sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	if (share)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
	if (bind(fd, addr, len) == 0 &&
	    (addr->sa_family != AF_UNIX ||
	     chmod(((const struct sockaddr_un *)addr)->sun_path, mode) == 0) &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	int failed = -errno;
	close(fd);
	return failed;
}

/* A socket file that nobody answers at is a leftover. */
static void remove_stale(const struct sockaddr_un *un, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	struct stat st;
	if (connect(fd, (const struct sockaddr *)un, len) < 0 && errno == ECONNREFUSED &&
	    lstat(un->sun_path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(un->sun_path);
	close(fd);
}

/* `*made`: the file is ours. */
static int open_unix(const struct address *to, mode_t mode, struct stat *made)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	if (strlen(to->host) >= sizeof un.sun_path)
		return -ENAMETOOLONG;
	memcpy(un.sun_path, to->host, strlen(to->host));
	int fd = activated((struct sockaddr *)&un, sizeof un);
	if (fd >= 0)
		return fd;
	remove_stale(&un, sizeof un);
	fd = socket_bound((struct sockaddr *)&un, sizeof un, false, mode);
	if (fd >= 0 && lstat(un.sun_path, made) < 0)
		made->st_ino = 0;
	return fd;
}

/* The first worker's socket at the same place has the port that the others must have, also when the
 * configuration says 0. A Unix socket has one file, so it is the same socket. */
static int share_with(const struct pb_self *first, size_t i)
{
	struct sockaddr_storage at = { 0 };
	socklen_t len = sizeof at;
	if (i >= first->n_listeners ||
	    getsockname(first->listeners[i].fd, (struct sockaddr *)&at, &len) < 0)
		return -EADDRNOTAVAIL;
	if (at.ss_family == AF_UNIX) {
		int fd = fcntl(first->listeners[i].fd, F_DUPFD_CLOEXEC, 0);
		return fd < 0 ? -errno : fd;
	}
	return socket_bound((struct sockaddr *)&at, len, true, 0);
}

static int open_inet(const struct address *to, bool share, struct pb_error *err, const char *option)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *list;
	int failed = getaddrinfo(to->host, to->port, &hints, &list);
	if (failed != 0) {
		error_add(err, option, "cannot resolve '%s': %s", to->host, gai_strerror(failed));
		return -1;
	}
	int fd = activated(list->ai_addr, list->ai_addrlen);
	if (fd < 0)
		fd = socket_bound(list->ai_addr, list->ai_addrlen, share, 0);
	freeaddrinfo(list);
	return fd;
}

static void add_listener(struct pb_self *self, int fd, const char *configured, const struct stat *made)
{
	self->listeners = xrealloc(self->listeners, self->n_listeners + 1, sizeof *self->listeners);
	self->listeners[self->n_listeners++] = (struct listening){
		.fd = fd, .text = xstrdup(configured), .dev = made->st_dev, .ino = made->st_ino,
	};
}

static void keep(struct pb_self *self, int fd, const char *configured, const struct stat *made)
{
	char text[300];
	address_text(fd, text, sizeof text);
	log_write(PB_INFO, self->title, "listening on %s", text);
	add_listener(self, fd, configured, made);
}

/* A socket of an instance that went; its descriptor stays here until the pool's end, so that it can be taken again. */
struct pooled {
	struct listening of;
	struct pb_self *taker;
};

static struct pooled *find_pooled(const struct listen_pool *pool, const char *text)
{
	for (size_t i = 0; i < pool->n; i++)
		if (pool->at[i].taker == NULL && strcmp(pool->at[i].of.text, text) == 0)
			return &pool->at[i];
	return NULL;
}

/* The socket that listened at the address until now, if there is one, goes on. */
static bool take_pooled(struct pb_self *self, const char *text, long mode)
{
	struct pooled *from = self->pool == NULL ? NULL : find_pooled(self->pool, text);
	int fd = from == NULL ? -1 : fcntl(from->of.fd, F_DUPFD_CLOEXEC, 0);
	struct sockaddr_un un = { 0 };
	socklen_t len = sizeof un - 1;
	int one = 1;
	if (fd < 0)
		return false;
	if (from->of.ino != 0 && getsockname(fd, (struct sockaddr *)&un, &len) == 0 &&
	    chmod(un.sun_path, (mode_t)mode) < 0)
		log_write(PB_WARN, self->title, "cannot change the mode of %s: %s", un.sun_path, strerror(errno));
	if (self->shares_port)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
	from->taker = self;
	keep(self, fd, text, &(struct stat){ .st_dev = from->of.dev, .st_ino = from->of.ino });
	return true;
}

static const char *address_of(const struct pb_self *self, const char *option, size_t i)
{
	return options_type(self->options, option) == PB_ADDRESS ? options_str(self->options, option) :
	       options_list(self->options, option)[i];
}

void instance_take_listener(struct pb_self *self, const char *option, size_t i, int fd)
{
	add_listener(self, fd, address_of(self, option, i), &(struct stat){ .st_ino = 0 });
}

int instance_listen(struct pb_self *self, const char *option, size_t i, struct pb_error *err)
{
	const char *text = address_of(self, option, i);
	struct address to;
	if (parse_address(text, &to) < 0 ||
	    (to.kind != ADDRESS_ANY && to.kind != ADDRESS_TCP && to.kind != ADDRESS_UNIX)) {
		error_add(err, option, "cannot listen on '%s': expected HOST:PORT, [V6]:PORT or unix:/PATH",
			  text);
		return -1;
	}
	unsigned before = err->count;
	long mode = to.kind == ADDRESS_UNIX ? socket_mode(self, err) : 0;
	if (mode < 0)
		return -1;
	struct stat made = { .st_ino = 0 };
	if (take_pooled(self, text, mode))
		return self->listeners[self->n_listeners - 1].fd;
	int fd = self->first != NULL ? share_with(self->first, self->n_listeners) :
		to.kind == ADDRESS_UNIX ? open_unix(&to, (mode_t)mode, &made) :
		open_inet(&to, self->shares_port, err, option);
	if (fd >= 0)
		keep(self, fd, text, &made);
	else if (err->count == before)
		error_add(err, option, "cannot listen on '%s': %s", text, strerror(-fd));
	return fd < 0 ? -1 : fd;
}

/* Before the socket is closed: until then no other file has the number. */
static void remove_made(const struct listening *listener)
{
	struct sockaddr_un un = { 0 };
	socklen_t len = sizeof un - 1;		/* the path stays terminated */
	struct stat st;
	if (listener->ino != 0 && getsockname(listener->fd, (struct sockaddr *)&un, &len) == 0 &&
	    lstat(un.sun_path, &st) == 0 && st.st_dev == listener->dev &&
	    st.st_ino == listener->ino)
		unlink(un.sun_path);
}

void instance_hand_over(struct pb_self *self, struct listen_pool *pool)
{
	pool->at = xrealloc(pool->at, pool->n + self->n_listeners, sizeof *pool->at);
	for (size_t i = 0; i < self->n_listeners; i++)
		pool->at[pool->n++] = (struct pooled){ .of = self->listeners[i] };
	free(self->listeners);
	self->listeners = NULL;
	self->n_listeners = 0;
}

void listen_pool_return(struct listen_pool *pool)
{
	for (size_t i = 0; i < pool->n; i++)
		pool->at[i].taker = NULL;
}

void listen_pool_close(struct listen_pool *pool)
{
	for (size_t i = 0; i < pool->n; i++) {
		if (pool->at[i].taker == NULL)
			remove_made(&pool->at[i].of);
		close(pool->at[i].of.fd);
		free(pool->at[i].of.text);
	}
	free(pool->at);
	*pool = (struct listen_pool){ 0 };
}

/* Is the socket file another's, since the socket is in the pool? */
static bool is_pooled(const struct pb_self *self, const struct listening *listener)
{
	for (size_t i = 0; self->pool != NULL && i < self->pool->n; i++)
		if (self->pool->at[i].taker == self && strcmp(self->pool->at[i].of.text, listener->text) == 0)
			return true;
	return false;
}

void instance_unlisten(struct pb_self *self)
{
	for (size_t i = 0; i < self->n_listeners; i++) {
		if (!is_pooled(self, &self->listeners[i]))
			remove_made(&self->listeners[i]);
		close(self->listeners[i].fd);
		free(self->listeners[i].text);
	}
	free(self->listeners);
	self->listeners = NULL;
	self->n_listeners = 0;
}
