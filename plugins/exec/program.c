/* program.c - the life of a program: started, turned, ended, started again. */
#include "exec/program.h"

#include <config.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "exec/streams.h"

#define FRAME_ROOM ((size_t)1 << 20)	/* of a message, beside a body */
#define OPTIONS_MAX 256
#define KILL_PATIENCE 5000		/* ms for the kernel to end what got SIGKILL */

int64_t program_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int program_fd(const struct program *p)
{
	return p->epoll;
}

static size_t max_message(const struct program *p)
{
	size_t max = pb_max_event(p->self);
	return p->settings.format == WIRE_LINES ? max : 2 * max + FRAME_ROOM;
}

/*** Beginning. ***/

static void put_options(struct program *p)
{
	const char *const *list = pb_list(p->self, "options");
	char name[OPTIONS_MAX];
	const char *value;
	size_t n = 0;
	while (list[n] != NULL)
		n++;
	wire_put_map(&p->out, n);
	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof name, "%.*s", (int)settings_option(list[i], &value), list[i]);
		wire_put_key(&p->out, name);
		wire_put_text(&p->out, value);
	}
	wire_put_map_end(&p->out);
}

static void put_number(struct wire_writer *w, const char *name, int64_t number)
{
	wire_put_key(w, name);
	wire_put_int(w, number);
}

static void put_word(struct wire_writer *w, const char *name, const char *word)
{
	wire_put_key(w, name);
	wire_put_text(w, word);
}

static void say_hello(struct program *p)
{
	wire_message(&p->out, "hello", 8 + p->ops->n_hello);
	put_number(&p->out, "protocol", MESSAGE_PROTOCOL);
	put_word(&p->out, "kind", p->settings.kind);
	put_word(&p->out, "name", pb_name(p->self));
	put_word(&p->out, "patchbay", PACKAGE_VERSION);
	wire_put_key(&p->out, "options");
	put_options(p);
	put_number(&p->out, "max_event", (int64_t)pb_max_event(p->self));
	put_number(&p->out, "max_message", (int64_t)max_message(p));
	put_number(&p->out, "timeout", p->settings.timeout);
	p->ops->hello(p->owner, &p->out);
	if (wire_message_end(&p->out) < 0)
		program_fail(p, "out of memory");
	else
		program_send(p);
}

/* It is to be started again after a pause, which doubles unless it ran well. */
static void start_later(struct program *p, bool well)
{
	bool ran_long = p->started > 0 && program_now() - p->started >= p->settings.restart_max_pause;
	if (well || ran_long) {
		p->pause = p->settings.restart_pause;
		p->restarts = 0;
	}
	p->state = PROGRAM_DOWN;
	p->next = program_now() + p->pause;
	if (p->closing || (p->opening && p->unstartable))
		return;
	p->restarts++;
	pb_add(p->restarted, 1);
	if (p->settings.max_restarts > 0 && p->restarts > p->settings.max_restarts) {
		p->state = PROGRAM_GIVEN_UP;
		pb_log(p->self, PB_ERROR, "%s failed %lld times in a row and is not started any more: %s",
		       p->settings.argv[0], (long long)p->restarts, p->reason);
		return;
	}
	/* To end is what a plain source does, and nothing to speak of. */
	enum pb_level level = !well ? PB_WARN : p->settings.format == WIRE_LINES ? PB_DEBUG : PB_INFO;
	pb_log(p->self, level, "%s %s; it is started again in %lld ms", p->settings.argv[0], p->reason,
	       (long long)p->pause);
	p->pause = p->pause * 2 < p->settings.restart_max_pause ? p->pause * 2 : p->settings.restart_max_pause;
}

static void start(struct program *p)
{
	char why[256];
	wire_frames_reset(&p->frames);
	p->out.out.len = p->out_at = 0;
	p->errors = (struct errors){ .len = 0 };
	p->written = 0;
	p->out_since = p->deadline = 0;
	p->fault = p->said_unknown = p->said_metric = p->refused = p->unstartable = false;
	p->started = program_now();
	if (child_start(&p->child, &p->settings, NULL, why, sizeof why) < 0) {
		snprintf(p->reason, sizeof p->reason, "%s", why);
		p->unstartable = true;
		start_later(p, false);
		return;
	}
	streams_watch_end(p);
	p->state = PROGRAM_STARTING;
	p->deadline = p->started + p->settings.start_timeout;
	if (p->settings.format != WIRE_LINES) {
		say_hello(p);
		return;
	}
	p->state = PROGRAM_UP;
	p->deadline = 0;
	child_close(&p->child.in);
	p->ops->up(p->owner, 1);
}

/*** Ending. ***/

static void begin_to_end(struct program *p)
{
	p->state = PROGRAM_ENDING;
	p->deadline = program_now() + p->settings.kill_timeout;
	streams_close_in(p);
	child_signal(&p->child, SIGTERM);
}

void program_fail(struct program *p, const char *fmt, ...)
{
	va_list args;
	if (p->state != PROGRAM_STARTING && p->state != PROGRAM_UP && p->state != PROGRAM_STOPPING)
		return;
	va_start(args, fmt);
	vsnprintf(p->reason, sizeof p->reason, fmt, args);
	va_end(args);
	message_one_line(p->reason);	/* it may quote the program */
	p->fault = true;
	pb_add(p->faults, 1);
	begin_to_end(p);
}

void program_stop(struct program *p)
{
	bool was_up = p->state == PROGRAM_UP;
	p->closing = true;
	if (!was_up && p->state != PROGRAM_STARTING)
		return;
	if (!was_up || p->settings.format == WIRE_LINES || message_bare(&p->out, "stop") < 0) {
		begin_to_end(p);
		return;
	}
	p->state = PROGRAM_STOPPING;
	p->deadline = program_now() + p->settings.stop_timeout;
	program_send(p);
}

bool program_is_gone(const struct program *p)
{
	return p->closing && p->child.pid == 0;
}

static void ended(struct program *p, int status)
{
	char how[64];
	child_tell(status, how, sizeof how);
	bool well = status == 0 && !p->fault, late = p->state == PROGRAM_KILLED;
	if (!p->fault)
		snprintf(p->reason, sizeof p->reason, "%s", how);
	if (p->closing && !p->fault && (late || (status != 0 && p->state == PROGRAM_STOPPING)))
		pb_log(p->self, PB_WARN, "%s %s at a stop%s", p->settings.argv[0], how,
		       late ? ", having ignored SIGTERM" : "");
	p->state = PROGRAM_DOWN;
	p->deadline = 0;
	p->ops->down(p->owner);
	start_later(p, well);
}

static void finish(struct program *p)
{
	streams_drain(p);
	streams_forget(p);
	ended(p, child_reap(&p->child));
}

/* It got SIGKILL and is still there: the kernel's matter, not ours to wait for. */
static void abandon(struct program *p)
{
	pb_log(p->self, PB_ERROR, "process %ld does not end after SIGKILL: it is left alone", (long)p->child.pid);
	streams_forget(p);
	child_close(&p->child.pidfd);
	child_close(&p->child.in);
	child_close(&p->child.out);
	child_close(&p->child.err);
	p->child.pid = 0;
	ended(p, SIGKILL);
}

static void deadline_passed(struct program *p)
{
	switch (p->state) {
	case PROGRAM_STARTING:
		program_fail(p, "did not say that it is ready within %lld ms", (long long)p->settings.start_timeout);
		break;
	case PROGRAM_STOPPING:
		pb_log(p->self, PB_WARN, "%s did not end within %lld ms of stop", p->settings.argv[0],
		       (long long)p->settings.stop_timeout);
		begin_to_end(p);
		break;
	case PROGRAM_ENDING:
		child_signal(&p->child, SIGKILL);
		p->state = PROGRAM_KILLED;
		p->deadline = program_now() + KILL_PATIENCE;
		break;
	case PROGRAM_UP:
		program_fail(p, "closed its standard output and goes on");
		break;
	default:
		abandon(p);
	}
}

void program_turn(struct program *p)
{
	int64_t now = program_now();
	if (p->state == PROGRAM_DOWN && !p->closing && now >= p->next)
		start(p);
	if (p->child.pid == 0)
		return;
	bool over = streams_turn(p);
	if (p->out_since > 0 && p->state == PROGRAM_UP && now - p->out_since > p->settings.timeout)
		program_fail(p, "has read nothing of its standard input for %lld ms", (long long)p->settings.timeout);
	if (over && p->opening && p->state == PROGRAM_UP)
		return;		/* what it left is for run() to take */
	if (over)
		finish(p);
	else if (p->deadline > 0 && program_now() >= p->deadline)
		deadline_passed(p);
}

/*** Waiting. ***/

static int64_t sooner(int64_t a, int64_t b)
{
	return a == 0 || (b > 0 && b < a) ? b : a;
}

void program_rest(struct program *p, int64_t at)
{
	if (p->child.pid == 0 && p->state == PROGRAM_DOWN && !p->closing)
		at = sooner(at, p->next);
	at = sooner(at, p->deadline);
	if (p->out_since > 0)
		at = sooner(at, p->out_since + p->settings.timeout + 1);
	if (p->child.pid > 0 && p->errors_at > program_now())
		at = sooner(at, p->errors_at);
	if (p->child.pid > 0 && p->child.pidfd < 0)
		at = sooner(at, program_now() + 50);	/* nothing else tells of its end */
	struct itimerspec timer = { .it_value = { .tv_sec = at / 1000, .tv_nsec = at % 1000 * 1000000 } };
	timerfd_settime(p->timer, TFD_TIMER_ABSTIME, &timer, NULL);
	streams_rest(p);
}

static void wait_for(struct program *p)
{
	struct pollfd fd = { .fd = p->epoll, .events = POLLIN };
	program_rest(p, 0);
	poll(&fd, 1, -1);
	program_turn(p);
}

/*** Opening and closing. ***/

static void free_all(struct program *p)
{
	child_close(&p->epoll);
	child_close(&p->timer);
	wire_frames_free(&p->frames);
	free(p->out.out.data);
	settings_free(&p->settings);
}

static bool prepare(struct program *p)
{
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	p->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = STREAM_TIMER };
	return p->epoll >= 0 && p->timer >= 0 && epoll_ctl(p->epoll, EPOLL_CTL_ADD, p->timer, &event) == 0;
}

bool program_open(struct program *p, struct pb_self *self, const char *kind, const struct program_ops *ops, void *owner,
		  struct pb_error *err)
{
	*p = (struct program){ .self = self, .ops = ops, .owner = owner, .epoll = -1, .timer = -1,
			       .child = { .pidfd = -1, .in = -1, .out = -1, .err = -1 } };
	if (!settings_init(&p->settings, self, kind, err))
		return false;
	p->pause = p->settings.restart_pause;
	p->out.format = p->settings.format;
	wire_frames_init(&p->frames, p->settings.format, max_message(p));
	p->restarted = pb_counter(self, "restarts", "Times that the program ended and was to be started again.");
	p->faults = pb_counter(self, "faults", "Times that the program was ended for what it did or did not do.");
	if (!prepare(p)) {
		pb_error(err, NULL, "cannot watch a program: %s", strerror(errno));
		free_all(p);
		return false;
	}
	p->opening = true;
	program_turn(p);
	while (p->state == PROGRAM_STARTING || (p->refused && p->child.pid > 0))
		wait_for(p);
	p->opening = false;
	if (!p->refused && !p->unstartable)
		return true;
	pb_error(err, p->refused ? "options" : "command", "%s", p->reason);
	free_all(p);
	return false;
}

void program_finish(struct program *p)
{
	if (!p->closing)
		program_stop(p);
	while (!program_is_gone(p))
		wait_for(p);
}

void program_close(struct program *p)
{
	program_finish(p);
	free_all(p);
}
