/* client.c - the control socket's other end. */
#include "control/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "control/socket.h"

#define READ_SIZE (64 * 1024)

/* One question under way. */
struct asking {
	const char *path;
	int fd;
	struct buf in;
	void (*each)(void *arg, const json_t *object);
	void *arg;
	struct pb_error *err;
	bool ended;
	enum client_result result;	/* once ended */
};

static void end(struct asking *a, enum client_result result)
{
	a->ended = true;
	a->result = result;
}

static void fail(struct asking *a, const char *why)
{
	error_add(a->err, NULL, "the daemon %s", why);
	end(a, CLIENT_FAILED);
}

static enum client_result connect_failed(int r, const char *path, struct pb_error *err)
{
	switch (r) {
	case -ENOENT:
	case -ECONNREFUSED:
		error_add(err, NULL, "no daemon answers at %s: %s", path,
			  r == -ENOENT ? "there is no such socket" : "it is not running");
		return CLIENT_NO_DAEMON;
	case -EACCES:
	case -EPERM:
		error_add(err, NULL, "not permitted to use %s", path);
		return CLIENT_DENIED;
	case -EAGAIN:
		error_add(err, NULL, "too many others are asking at %s; try again", path);
		return CLIENT_FAILED;
	default:
		error_add(err, NULL, "control socket %s: %s", path, strerror(-r));
		return CLIENT_FAILED;
	}
}

/* Wait for `events`. False when it ended. */
static bool await(struct asking *a, short events)
{
	struct pollfd polled = { .fd = a->fd, .events = events };
	int n;
	do
		n = poll(&polled, 1, CLIENT_TIMEOUT_MS);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		fail(a, strerror(errno));
	if (n == 0) {
		error_add(a->err, NULL, "the daemon at %s does not answer", a->path);
		end(a, CLIENT_NO_DAEMON);
	}
	return n > 0;
}

/* Who is refused may be hung up on before all is sent: the answer tells why. */
static void send_all(struct asking *a, const char *data, size_t len)
{
	while (len > 0 && await(a, POLLOUT)) {
		ssize_t n = send(a->fd, data, len, MSG_NOSIGNAL);
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno != EAGAIN && errno != EINTR) {
			return;
		}
	}
}

static void ask(struct asking *a, const char *verb, json_t *args)
{
	json_t *request = json_pack("{s:s, s:O*}", "verb", verb, "args", args);
	char *line = request == NULL ? NULL : json_dumps(request, JSON_COMPACT);
	json_decref(request);
	if (line == NULL) {
		error_add(a->err, NULL, "%s cannot be asked", verb);
		end(a, CLIENT_FAILED);
		return;
	}
	size_t len = strlen(line);
	line[len] = '\n';	/* in the place of its NUL */
	send_all(a, line, len + 1);
	free(line);
}

static enum client_result result_of(const char *code)
{
	if (strcmp(code, "usage") == 0)
		return CLIENT_USAGE;
	return strcmp(code, "denied") == 0 ? CLIENT_DENIED : CLIENT_FAILED;
}

static void take_line(struct asking *a, const char *line, size_t len)
{
	json_t *object = json_loadb(line, len, 0, NULL);
	const char *error = json_string_value(json_object_get(object, "error"));
	const char *code = json_string_value(json_object_get(object, "code"));
	if (!json_is_object(object)) {
		fail(a, "answers with what is no JSON object");
	} else if (error != NULL) {
		error_add(a->err, NULL, "%s", error);
		end(a, result_of(code == NULL ? "failed" : code));
	} else if (json_is_true(json_object_get(object, "end"))) {
		end(a, CLIENT_DONE);
	} else {
		a->each(a->arg, object);
	}
	json_decref(object);
}

static void take_lines(struct asking *a)
{
	size_t at = 0;
	const char *newline;
	while (!a->ended && at < a->in.len &&
	       (newline = memchr(a->in.data + at, '\n', a->in.len - at)) != NULL) {
		size_t len = (size_t)(newline - (a->in.data + at));
		take_line(a, a->in.data + at, len);
		at += len + 1;
	}
	buf_consume(&a->in, at);
}

static void read_some(struct asking *a)
{
	if (buf_reserve(&a->in, READ_SIZE) != 0) {
		fail(a, "answers with a line that is too long");
		return;
	}
	ssize_t n = recv(a->fd, a->in.data + a->in.len, READ_SIZE, MSG_DONTWAIT);
	if (n > 0)
		a->in.len += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		fail(a, "hung up before the end of its answer");
}

enum client_result client_ask(const char *path, const char *verb, json_t *args,
			      void (*each)(void *arg, const json_t *object), void *arg,
			      struct pb_error *err)
{
	struct asking a = {
		.path = path, .fd = socket_connect(path), .in = BUF_INIT(CLIENT_LINE_MAX + READ_SIZE),
		.each = each, .arg = arg, .err = err,
	};
	if (a.fd < 0)
		return connect_failed(a.fd, path, err);
	ask(&a, verb, args);
	while (!a.ended && await(&a, POLLIN)) {
		read_some(&a);
		take_lines(&a);
	}
	close(a.fd);
	buf_free(&a.in);
	return a.result;
}
