/* isolate-process.c - an isolated instance's process: begun, asked, found to have ended. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/parse.h"
#include "base/span.h"
#include "dispatch/isolate.h"
#include "state/records.h"

#define SLICE_MS 50		/* between two looks whether anybody still waits */
#define END_MS 2000		/* from its end of the socket to its own: more, and it is killed */
#define UNREAD_MAX (1u << 20)	/* bytes: who asks for more and reads nothing is no plugin */
#define METRICS_MAX 1000	/* of one instance */
#define METRIC_NAME_MAX 64
#define METRIC_HELP_MAX 512

void isolated_init(struct isolated *i, struct pb_self *self)
{
	*i = (struct isolated){ .self = self, .pid = -1, .end = -1, .watch = -1 };
	i->link.fd = i->link.passed = -1;
}

void isolated_fini(struct isolated *i)
{
	for (size_t k = 0; k < i->n_listens; k++)
		free(i->listens[k].option);
	free(i->listens);
}

int64_t isolated_ms(const struct isolated *i, const char *option)
{
	return options_int(i->self->options, option);
}

int64_t isolated_now(const struct isolated *i)
{
	return clock_mono(i->self->env->clock);
}

void isolated_text(struct pb_span from, char *to, size_t size)
{
	size_t len = from.len < size - 1 ? from.len : size - 1;
	if (len > 0)
		memcpy(to, from.data, len);
	to[len] = '\0';
}

/* Its socket, and its end. */

static bool watch_fd(struct isolated *i, int op, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events };
	return epoll_ctl(i->watch, op, fd, &event) == 0;
}

/* Where the kernel has no pidfds (valgrind's has none), the socket's end alone tells. */
static bool watch(struct isolated *i)
{
	i->end = pidfd_open(i->pid, 0);
	i->watch = epoll_create1(EPOLL_CLOEXEC);
	i->watched = EPOLLIN;
	return i->watch >= 0 && watch_fd(i, EPOLL_CTL_ADD, i->link.fd, EPOLLIN) &&
	       (i->end < 0 || watch_fd(i, EPOLL_CTL_ADD, i->end, EPOLLIN));
}

static void unwatch(struct isolated *i)
{
	if (i->end >= 0)
		close(i->end);
	if (i->watch >= 0)
		close(i->watch);
	i->end = i->watch = -1;
}

int isolated_fd(struct isolated *i)
{
	uint32_t wanted = EPOLLIN | (link_waiting(&i->link) > 0 ? (uint32_t)EPOLLOUT : 0);
	if (wanted != i->watched && watch_fd(i, EPOLL_CTL_MOD, i->link.fd, wanted))
		i->watched = wanted;
	return i->watch;
}

long isolated_fill(struct isolated *i)
{
	long n = link_fill(&i->link);
	if (n != -EAGAIN || !process_has_ended(i->pid))
		return n;
	n = link_fill(&i->link);	/* its last words */
	return n == -EAGAIN ? 0 : n;
}

/* What it may ask at any time, and what it tells. */

static bool is_metric_name(struct pb_span name)
{
	const char *text = name.data;
	for (size_t k = 0; k < name.len; k++)
		if (strchr("abcdefghijklmnopqrstuvwxyz0123456789_", text[k]) == NULL || text[k] == '\0')
			return false;
	return name.len > 0 && name.len <= METRIC_NAME_MAX;
}

/* A counter grows by the value, a gauge is set to it. */
static bool take_metric(struct isolated *i, const struct message *m)
{
	char name[METRIC_NAME_MAX + 1], help[METRIC_HELP_MAX];
	if (!is_metric_name(m->name))
		return false;
	isolated_text(m->name, name, sizeof name);
	isolated_text(m->help, help, sizeof help);
	struct pb_metric *metric = metric_find(&i->self->metrics, name);
	if (metric == NULL && i->n_metrics++ < METRICS_MAX)
		metric = metric_get(&i->self->metrics, name, help, m->gauge);
	if (metric == NULL || metric->gauge != m->gauge)
		return false;
	if (m->gauge)
		atomic_store_explicit(&metric->value, m->value, memory_order_relaxed);
	else
		atomic_fetch_add_explicit(&metric->value, m->value, memory_order_relaxed);
	return true;
}

static bool take_restore(struct isolated *i, const struct message *m)
{
	char key[MARK_KEY_MAX + 1], value[MARK_VALUE_MAX];
	if (i->self->kind != CONFIG_SOURCE || m->key.len > MARK_KEY_MAX || m->key.data == NULL ||
	    memchr(m->key.data, '\0', m->key.len) != NULL)
		return false;
	isolated_text(m->key, key, sizeof key);
	int len = feed_restore(i->self->feed, key, value, sizeof value);
	struct message answer = {
		.kind = MESSAGE_MARK, .mark = len < 0 ? SPAN_NONE : span_of(value, (size_t)len),
	};
	return link_waiting(&i->link) < UNREAD_MAX && link_add(&i->link, &answer) == 0;
}

/* A socket that it had before it was started again stays open here, so that who connects meanwhile waits. */
static int find_listen(const struct isolated *i, const char *option, int64_t index)
{
	for (size_t k = 0; k < i->n_listens; k++)
		if (strcmp(i->listens[k].option, option) == 0 && i->listens[k].index == index)
			return i->listens[k].fd;
	return -1;
}

static bool is_address(const struct isolated *i, const char *option, int64_t index)
{
	int type = options_type(i->self->options, option);
	if (type == PB_ADDRESS)
		return index == 0 && options_str(i->self->options, option)[0] != '\0';
	if (type != PB_ADDRESSES || index < 0)
		return false;
	const char *const *list = options_list(i->self->options, option);
	for (; *list != NULL && index > 0; index--)
		list++;
	return *list != NULL;
}

static int listen_for(struct isolated *i, const char *option, int64_t index, struct pb_error *err)
{
	int fd = find_listen(i, option, index);
	if (fd >= 0)
		return fd;
	if (i->up_since != 0) {		/* sockets are the main thread's to make */
		error_add(err, option, "did not listen there when it was first opened");
		return -1;
	}
	fd = instance_listen(i->self, option, (size_t)index, err);
	if (fd < 0)
		return -1;
	i->listens = xrealloc(i->listens, i->n_listens + 1, sizeof *i->listens);
	i->listens[i->n_listens++] = (struct isolated_listen){ xstrdup(option), index, fd };
	return fd;
}

static bool take_listen(struct isolated *i, const struct message *m)
{
	char option[ERROR_OPTION_MAX];
	struct pb_error err;
	isolated_text(m->option, option, sizeof option);
	if (!i->starting || i->self->kind != CONFIG_SOURCE || !is_address(i, option, m->index))
		return false;
	error_init(&err);
	int fd = listen_for(i, option, m->index, &err);
	struct message answer = { .kind = MESSAGE_LISTENING, .reason = span_str(error_text(&err)) };
	int failed = fd < 0 ? link_add(&i->link, &answer) :
		     link_pass(&i->link, &answer, fd, isolated_ms(i, "isolate_start"));
	error_free(&err);
	return failed == 0;
}

int isolated_next(struct isolated *i, struct message *m)
{
	for (;;) {
		int got = link_next(&i->link, m);
		if (got <= 0)
			return got < 0 ? -1 : 0;
		bool right;
		switch (m->kind) {
		case MESSAGE_METRIC: right = take_metric(i, m); break;
		case MESSAGE_RESTORE: right = take_restore(i, m); break;
		case MESSAGE_LISTEN: right = take_listen(i, m); break;
		default: return 1;
		}
		message_free(m);
		if (!right)
			return -1;
	}
}

/* Its end. */

static void plan_next(struct isolated *i)
{
	int64_t first = isolated_ms(i, "isolate_pause"), most = isolated_ms(i, "isolate_max_pause");
	int64_t now = isolated_now(i);
	bool anew = i->pause == 0 || (i->up_since > 0 && now - i->up_since >= most);
	i->pause = anew ? first : i->pause * 2;
	if (i->pause > most)
		i->pause = most;
	i->start_at = now + i->pause;
}

/* Reap it, or end it first for what it did. True: it has ended in order. */
static bool reap(struct isolated *i, const char *wrong)
{
	char how[PROCESS_HOW_SIZE];
	int status = 0;
	bool ended = wrong == NULL || *wrong == '\0';
	if (!ended)
		process_kill(i->pid);
	if (!process_wait(i->pid, END_MS, &status)) {
		process_kill(i->pid);
		process_wait(i->pid, -1, &status);
	}
	process_how(status, how);
	snprintf(i->why, sizeof i->why, "its process %s", ended ? how : wrong);
	return ended && status == 0;
}

/* What is to be known of it is in `why` and `start_at`. */
static bool lose(struct isolated *i, const char *wrong)
{
	i->up = false;
	atomic_store(&i->self->pid, 0);
	bool in_order = reap(i, wrong);
	unwatch(i);
	link_fini(&i->link);
	i->pid = -1;
	plan_next(i);
	return in_order;
}

void isolated_lost(struct isolated *i, const char *wrong)
{
	char text[PARSE_TEXT_SIZE];
	int pid = i->pid;
	bool in_order = lose(i, wrong);
	format_duration(i->pause, text);
	if (!i->leaving) {
		atomic_fetch_add(&i->self->restarts, 1);
		log_write(PB_ERROR, i->self->title, "%s (it was %d); it is started again in %s", i->why, pid, text);
	} else if (!in_order) {
		log_write(PB_WARN, i->self->title, "when it was to stop %s", i->why);
	}
}

/* Its beginning. */

static void add_option(void *arg, const char *name, const char *text)
{
	message_list_add(arg, span_str(name));
	message_list_add(arg, span_str(text));
}

static int say_hello(struct isolated *i)
{
	const struct pb_self *self = i->self;
	struct message hello = {
		.kind = MESSAGE_HELLO, .protocol = MESSAGE_PROTOCOL, .section = span_str(config_kind_name(self->kind)),
		.name = span_str(self->name), .plugin = span_str(isolate_real_of(self)->name),
		.folder = span_str(isolate_folder_of(self)), .worker = self->worker, .pid = getpid(),
		.max_event = (int64_t)self->env->max_event, .memory = isolated_ms(i, "isolate_memory"),
		.files = isolated_ms(i, "isolate_files"), .level = log_shown(),
	};
	options_each_written(self->options, add_option, &hello.options);
	int failed = link_add(&i->link, &hello);
	message_list_free(&hello.options);
	return failed;
}

static void take_error(const struct message *m, struct pb_error *err)
{
	char option[ERROR_OPTION_MAX];
	isolated_text(m->option, option, sizeof option);
	error_add(err, option[0] == '\0' ? NULL : option, "%.*s", (int)(m->reason.len < 2048 ? m->reason.len : 2048),
		  m->reason.len == 0 ? "" : (const char *)m->reason.data);
}

/* Messages until it is ready, has failed or ended. 1, 0: there are none yet, or -1. */
static int take_first(struct isolated *i, struct pb_error *err)
{
	struct message m;
	int got;
	while ((got = isolated_next(i, &m)) == 1) {
		enum message_kind kind = m.kind;
		bool right = kind == MESSAGE_READY && m.protocol == MESSAGE_PROTOCOL && err->count == 0;
		if (kind == MESSAGE_ERROR)
			take_error(&m, err);
		message_free(&m);
		if (right)
			return 1;
		if (kind != MESSAGE_ERROR)
			return -1;
	}
	return got;
}

/* NULL: it is ready; else what went wrong, "" when it ended, or said what. */
static const char *greet(struct isolated *i, bool (*cancelled)(const struct isolated *), struct pb_error *err)
{
	int64_t until = isolated_now(i) + isolated_ms(i, "isolate_start");
	if (say_hello(i) < 0)
		return "could not be told its options";
	for (;;) {
		link_flush(&i->link);
		struct pollfd p = { .fd = isolated_fd(i), .events = POLLIN };
		if (isolated_now(i) > until)
			return "did not open within isolate_start";
		if (cancelled != NULL && cancelled(i))
			return "was not waited for";
		poll(&p, 1, SLICE_MS);
		long n = p.revents != 0 ? isolated_fill(i) : -EAGAIN;
		if (n == 0 || (n < 0 && n != -EAGAIN))
			return "";
		int got = n > 0 ? take_first(i, err) : 0;
		if (got != 0)
			return got == 1 ? NULL : "said what it may not";
	}
}

static int begin(struct isolated *i)
{
	char name[] = "patchbay", command[] = "isolated";
	char *title = xstrdup(i->self->title);
	char *argv[] = { name, command, title, NULL };
	const char *program = i->self->env->program;
	int fd = -1;
	int failed = process_start(program != NULL ? program : "/proc/self/exe", argv,
				   options_list(i->self->options, "isolate_environment"), &i->pid, &fd);
	free(title);
	if (failed < 0)
		i->pid = -1;
	else
		link_init(&i->link, fd, ISOLATE_FRAME_MAX(i->self->env->max_event));
	return failed;
}

bool isolated_start(struct isolated *i, bool (*cancelled)(const struct isolated *), struct pb_error *err)
{
	int failed = begin(i);
	if (failed < 0) {
		snprintf(i->why, sizeof i->why, "its process cannot be started: %s", strerror(-failed));
		error_add(err, "isolate", "%s", i->why);
		return false;
	}
	i->starting = true;
	i->leaving = false;
	const char *wrong = watch(i) ? greet(i, cancelled, err) : "cannot be watched: too many open files";
	i->starting = false;
	i->up = wrong == NULL;
	if (i->up) {
		i->up_since = isolated_now(i);
		atomic_store(&i->self->pid, i->pid);
		if (cancelled != NULL)	/* not the first */
			log_write(PB_INFO, i->self->title, "its process runs again (it is %d now)", i->pid);
		return true;
	}
	lose(i, wrong);
	if (err->count == 0)
		error_add(err, "isolate", "%s", i->why);
	return false;
}

void isolated_leave(struct isolated *i)
{
	struct message stop = { .kind = MESSAGE_STOP };
	if (!i->leaving)
		link_add(&i->link, &stop);
	i->leaving = true;
}
