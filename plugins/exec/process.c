/* process.c - run a process to its end. */
#include "exec/process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "exec/child.h"
#include "exec/errors.h"
#include "exec/program.h"

#define DRAIN_READS 64		/* more than a pipe holds */
#define NO_PIDFD_WAIT 50	/* ms, where nothing tells of its end */

struct run {
	const struct process *process;
	struct process_result *result;
	struct child child;
	struct errors errors;
	size_t written;
	int64_t deadline;
	bool ending, killed;
};

static void write_input(struct run *r)
{
	struct pb_span input = r->process->input;
	while (r->child.in >= 0 && r->written < input.len) {
		ssize_t n = write(r->child.in, (const char *)input.data + r->written, input.len - r->written);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			break;		/* it need not read its input */
		r->written += (size_t)n;
	}
	child_close(&r->child.in);
}

/* False: nothing more is there now. */
static bool read_output(struct run *r)
{
	char bytes[16384];
	ssize_t n = read(r->child.out, bytes, sizeof bytes);
	if (n == 0)
		child_close(&r->child.out);
	if (n <= 0)
		return n < 0 && errno == EINTR;
	struct pb_bytes *output = &r->result->output;
	size_t room = r->process->max_output - output->len;
	size_t kept = (size_t)n < room ? (size_t)n : room;
	r->result->cut = !wire_bytes_add(output, bytes, kept) || kept < (size_t)n || r->result->cut;
	return true;
}

static bool read_errors(struct run *r)
{
	bool ended;
	bool more = errors_read(&r->errors, r->process->self, r->child.err, &ended);
	if (ended)
		child_close(&r->child.err);
	return more;
}

static void begin_to_end(struct run *r, enum process_end end)
{
	r->result->end = end;
	r->ending = true;
	r->deadline = program_now() + r->process->settings->kill_timeout;
	child_signal(&r->child, SIGTERM);
}

static void look_at_deadline(struct run *r)
{
	if (program_now() < r->deadline)
		return;
	if (!r->ending) {
		begin_to_end(r, PROCESS_LATE);
		return;
	}
	child_signal(&r->child, SIGKILL);
	r->killed = true;
	r->deadline = INT64_MAX;
}

static void wait_for(struct run *r)
{
	const struct process *p = r->process;
	struct pollfd fds[5] = {
		{ .fd = r->child.in, .events = POLLOUT }, { .fd = r->child.out, .events = POLLIN },
		{ .fd = r->child.err, .events = POLLIN }, { .fd = r->child.pidfd, .events = POLLIN },
		{ .fd = r->ending ? -1 : p->stop_fd, .events = POLLIN },
	};
	int64_t left = r->deadline - program_now();
	int64_t most = r->child.pidfd < 0 ? NO_PIDFD_WAIT : 60000;
	poll(fds, 5, (int)(left < 0 ? 0 : left < most ? left : most));
	if (fds[0].revents != 0)
		write_input(r);
	if (fds[1].revents != 0)
		read_output(r);
	if (fds[2].revents != 0)
		read_errors(r);
	if (fds[4].revents != 0 && p->stops(p->arg))
		begin_to_end(r, PROCESS_STOPPED);
}

/* What its own children would still write is not waited for. */
static void drain(struct run *r)
{
	child_signal(&r->child, SIGKILL);
	for (int i = 0; i < DRAIN_READS && r->child.out >= 0 && read_output(r); i++)
		;
	for (int i = 0; i < DRAIN_READS && r->child.err >= 0 && read_errors(r); i++)
		;
	errors_end(&r->errors, r->process->self);
}

void process_run(const struct process *p, struct process_result *result)
{
	struct run r = { .process = p, .result = result, .deadline = program_now() + p->settings->timeout };
	*result = (struct process_result){ .end = PROCESS_EXITED };
	if (child_start(&r.child, p->settings, p->environment, result->why, sizeof result->why) < 0) {
		result->end = PROCESS_NONE;
		return;
	}
	write_input(&r);
	while (!child_has_ended(&r.child)) {
		wait_for(&r);
		look_at_deadline(&r);
	}
	drain(&r);
	result->status = child_reap(&r.child);
	if (result->end == PROCESS_LATE)
		snprintf(result->why, sizeof result->why, "has not exited within %lld ms%s",
			 (long long)p->settings->timeout, r.killed ? ", and ignored SIGTERM" : "");
	else if (result->end == PROCESS_STOPPED)
		snprintf(result->why, sizeof result->why, "patchbay stops");
	else
		child_tell(result->status, result->why, sizeof result->why);
}
