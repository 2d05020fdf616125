/* streams.c - a program's pipes. */
#include "exec/streams.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define READS 16		/* of a stream in one turn, so that none keeps the others waiting */
#define ERRORS_PAUSE 100	/* ms */
#define DRAIN_READS 64		/* more than a pipe holds */
#define OUT_KEPT ((size_t)1 << 20)	/* memory that is kept for what is sent */
#define OUT_FULL ((size_t)1 << 20)	/* unsent bytes at which nothing more is read */

static int fd_of(const struct program *p, enum program_stream stream)
{
	const struct child *c = &p->child;
	return stream == STREAM_IN ? c->in : stream == STREAM_OUT ? c->out : stream == STREAM_ERR ? c->err : c->pidfd;
}

static void watch(struct program *p, enum program_stream stream, bool wanted)
{
	struct epoll_event event = { .events = stream == STREAM_IN ? EPOLLOUT : EPOLLIN, .data.u32 = stream };
	int fd = fd_of(p, stream);
	if (p->watches[stream] == wanted || fd < 0)
		return;
	epoll_ctl(p->epoll, wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, &event);
	p->watches[stream] = wanted;
}

static size_t unsent(const struct program *p)
{
	return p->out.out.len - p->out_at;
}

static bool listens(const struct program *p)
{
	return p->state == PROGRAM_STARTING || p->state == PROGRAM_UP || p->state == PROGRAM_STOPPING;
}

/* May a message be taken now? One that does not read is not read either. */
static bool reads(struct program *p)
{
	return listens(p) && unsent(p) < OUT_FULL &&
	       (p->state != PROGRAM_UP || (!p->opening && p->ops->reads(p->owner)));
}

void streams_watch_end(struct program *p)
{
	watch(p, STREAM_END, true);
}

void streams_rest(struct program *p)
{
	watch(p, STREAM_IN, unsent(p) > 0);
	watch(p, STREAM_OUT, reads(p));
	watch(p, STREAM_ERR, program_now() >= p->errors_at);
}

void streams_forget(struct program *p)
{
	for (unsigned i = STREAM_IN; i <= STREAM_END; i++)
		watch(p, i, false);
}

void streams_close_in(struct program *p)
{
	watch(p, STREAM_IN, false);
	child_close(&p->child.in);
	p->out.out.len = p->out_at = 0;
	p->out_since = 0;
}

/*** Standard input. ***/

struct wire_writer *program_writer(struct program *p)
{
	return &p->out;
}

uint64_t program_end(const struct program *p)
{
	return p->written + unsent(p);
}

uint64_t program_written(const struct program *p)
{
	return p->written;
}

static void sent_all(struct program *p)
{
	p->out.out.len = p->out_at = 0;
	p->out_since = 0;
	if (p->out.out.room > OUT_KEPT) {
		free(p->out.out.data);
		p->out.out = (struct pb_bytes){ 0 };
	}
	if (p->state == PROGRAM_STOPPING)	/* `stop` was the last */
		streams_close_in(p);
}

void program_send(struct program *p)
{
	while (p->child.in >= 0 && unsent(p) > 0) {
		ssize_t n = write(p->child.in, p->out.out.data + p->out_at, unsent(p));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EAGAIN)	/* it has closed it, or ended, which is about to be seen */
				streams_close_in(p);
			else if (p->out_since == 0)
				p->out_since = program_now();
			return;
		}
		p->out_since = 0;
		p->out_at += (size_t)n;
		p->written += (uint64_t)n;
	}
	if (unsent(p) == 0)
		sent_all(p);
}

/*** Standard output. ***/

static void say_dropped(struct program *p)
{
	if (p->frames.dropped > 0)
		pb_log(p->self, PB_WARN, "dropped %zu lines that were longer than max_event", p->frames.dropped);
	p->frames.dropped = 0;
}

/* Take the messages that are whole; with `all`, also what would be left for later. */
static void take_frames(struct program *p, bool all)
{
	struct pb_span frame;
	int found = 0;
	while ((all ? listens(p) && !(p->opening && p->state == PROGRAM_UP) : reads(p)) && (found = wire_frames_next(&p->frames, &frame)) > 0)
		program_said(p, frame);
	if (found < 0)
		program_fail(p, "a message is longer than max_message, %zu bytes", p->frames.max);
	say_dropped(p);
}

/* One read. False: nothing more is there now. */
static bool read_out(struct program *p)
{
	size_t room;
	char *to = wire_frames_room(&p->frames, &room);
	if (to == NULL) {
		program_fail(p, "out of memory");
		return false;
	}
	ssize_t n = read(p->child.out, to, room);
	if (n < 0)
		return errno == EINTR;
	if (n == 0) {
		watch(p, STREAM_OUT, false);
		child_close(&p->child.out);
		if (p->state == PROGRAM_UP)	/* its end is about to be seen, unless it goes on */
			p->deadline = program_now() + p->settings.kill_timeout;
		return false;
	}
	wire_frames_put(&p->frames, (size_t)n);
	return (size_t)n == room;
}

static void turn_out(struct program *p)
{
	take_frames(p, false);
	for (int i = 0; i < READS && p->child.out >= 0 && reads(p); i++) {
		bool more = read_out(p);
		take_frames(p, false);
		if (!more)
			return;
	}
}

/*** Standard error. ***/

/* False: nothing more is there now. */
static bool read_err(struct program *p)
{
	bool ended;
	bool more = errors_read(&p->errors, p->self, p->child.err, &ended);
	if (ended) {
		watch(p, STREAM_ERR, false);
		child_close(&p->child.err);
	}
	return more;
}

/* What writes without end waits, as if its terminal were slow. */
static void turn_err(struct program *p)
{
	for (int i = 0; p->child.err >= 0 && read_err(p); i++)
		if (i == READS) {
			p->errors_at = program_now() + ERRORS_PAUSE;
			return;
		}
}

/*** All of them. ***/

bool streams_turn(struct program *p)
{
	struct epoll_event events[5];
	bool over = p->child.pidfd < 0 && child_has_ended(&p->child), said = false;
	int n = epoll_wait(p->epoll, events, 5, 0);
	for (int i = 0; i < n; i++) {
		uint64_t times;
		if (events[i].data.u32 == STREAM_ERR)
			turn_err(p);
		else if (events[i].data.u32 == STREAM_OUT)
			said = true;
		else if (events[i].data.u32 == STREAM_END)
			over = child_has_ended(&p->child);
		else if (events[i].data.u32 == STREAM_TIMER && read(p->timer, &times, sizeof times) < 0)
			continue;
	}
	program_send(p);
	if (said)
		turn_out(p);
	else
		take_frames(p, false);
	program_send(p);
	return over;
}

void streams_drain(struct program *p)
{
	bool heard = listens(p);
	child_signal(&p->child, SIGKILL);	/* so that nobody else writes there any more */
	take_frames(p, true);
	for (int i = 0; i < DRAIN_READS && p->child.out >= 0 && listens(p); i++) {
		bool more = read_out(p);
		take_frames(p, true);
		if (!more)
			break;
	}
	if (heard && listens(p) && p->settings.format == WIRE_LINES && p->frames.to > p->frames.from &&
	    !p->frames.skipping)
		program_said(p, (struct pb_span){ p->frames.data + p->frames.from, p->frames.to - p->frames.from });
	for (int i = 0; i < DRAIN_READS && p->child.err >= 0 && read_err(p); i++)
		;
	errors_end(&p->errors, p->self);
}
