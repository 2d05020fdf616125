/* filter.c - a program as a filter: one event at a time, on a thread that also keeps the program running. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "exec/kinds.h"
#include "exec/plain.h"
#include "exec/program.h"

enum stage {
	IDLE,
	ASKED,		/* by apply() */
	SENT,		/* to the program */
	DONE
};

struct filter {
	struct pb_self *self;
	bool plain;
	struct settings settings;	/* of a plain one */
	struct program program;		/* of one that speaks the protocol; the thread's */
	pthread_t thread;
	int wake;
	pthread_mutex_t lock;		/* guards what follows, but for the program's messages: while it is not IDLE or DONE the
					 * thread alone touches it */
	pthread_cond_t changed;
	enum stage stage;
	bool closing;
	const struct pb_event *event;
	int64_t at;			/* monotonic ms: asked, then sent */
	int64_t token;
	struct pb_event *passed[WIRE_EVENTS_MAX];
	size_t n_passed;
	int result;
	char reason[MESSAGE_REASON + 64];
};

/*** What the program says. On the thread. ***/

static void set_stage(struct filter *f, enum stage stage)
{
	pthread_mutex_lock(&f->lock);
	f->stage = stage;
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

static enum stage get_stage(struct filter *f)
{
	pthread_mutex_lock(&f->lock);
	enum stage stage = f->stage;
	pthread_mutex_unlock(&f->lock);
	return stage;
}

static void forget_passed(struct filter *f)
{
	for (size_t i = 0; i < f->n_passed; i++)
		pb_event_free(f->passed[i]);
	f->n_passed = 0;
}

static void done(struct filter *f, int result, const char *reason)
{
	if (result != 0)
		forget_passed(f);
	f->result = result;
	snprintf(f->reason, sizeof f->reason, "%s", reason);
	set_stage(f, DONE);
}

static bool token_ok(struct filter *f, const struct message *m, struct wire_fault *fault)
{
	int64_t token;
	if (!message_int(m, PASSED_TOKEN, "token", 0, WIRE_INT_MAX, &token, fault))
		return false;
	if (get_stage(f) == SENT && token == f->token)
		return true;
	return wire_fail(fault, "%s: token %lld is unknown, or was answered already", message_name(m->kind),
			 (long long)token);
}

static int pass_one(struct filter *f, const struct wire_value *value, struct wire_fault *fault)
{
	if (f->n_passed == WIRE_EVENTS_MAX) {
		wire_fail(fault, "passed: more than %d events", WIRE_EVENTS_MAX);
		return -EBADMSG;
	}
	int failed = wire_event_make(f->self, value, f->event, NULL, &f->passed[f->n_passed], fault);
	f->n_passed += failed == 0;
	return failed;
}

static int pass_as_it_came(struct filter *f)
{
	struct pb_event *ev = pb_event_copy(f->self, f->event, pb_event_body(f->event));
	if (ev == NULL)
		return -ENOMEM;
	f->passed[f->n_passed++] = ev;
	return 0;
}

static bool take_passed(struct filter *f, const struct message *m, struct wire_fault *fault)
{
	struct wire_cursor c;
	struct pb_span key;
	struct wire_value value;
	int failed = 0;
	if (m->values[PASSED_EVENTS].type == WIRE_ABSENT) {
		failed = pass_as_it_came(f);
	} else {
		wire_begin(&c, &m->values[PASSED_EVENTS]);
		while (failed == 0 && wire_next(&c, &key, &value))
			failed = pass_one(f, &value, fault);
	}
	if (failed == -EBADMSG)
		return false;
	done(f, failed == 0 ? 0 : -EAGAIN, failed == 0 ? "" : "out of memory");
	return true;
}

static void take_failed(struct filter *f, const struct message *m)
{
	char reason[MESSAGE_REASON + 1];
	message_reason(&m->values[FAILED_REASON], reason, sizeof reason);
	done(f, wire_is_true(&m->values[FAILED_RETRY]) ? -EAGAIN : -EBADMSG,
	     *reason != '\0' ? reason : "the program gave no reason");
}

static bool filter_message(void *owner, const struct message *m, struct wire_fault *fault)
{
	struct filter *f = owner;
	if (m->kind != MESSAGE_PASSED && m->kind != MESSAGE_FAILED)
		return wire_fail(fault, "%s is not for a filter", message_name(m->kind));
	if (!token_ok(f, m, fault))
		return false;
	if (m->kind == MESSAGE_PASSED)
		return take_passed(f, m, fault);
	take_failed(f, m);
	return true;
}

static void filter_hello(void *owner, struct wire_writer *w)
{
	(void)owner;
	(void)w;
}

static void filter_up(void *owner, int64_t max_in_flight)
{
	struct filter *f = owner;
	(void)max_in_flight;
	f->token = 0;
}

static void filter_down(void *owner)
{
	struct filter *f = owner;
	char reason[MESSAGE_REASON + 64];
	snprintf(reason, sizeof reason, "the program ended before it answered: %s", f->program.reason);
	if (get_stage(f) == SENT)
		done(f, -EAGAIN, reason);
}

static bool filter_reads(void *owner)
{
	(void)owner;
	return true;
}

static const struct program_ops ops = {
	.hello = filter_hello, .up = filter_up, .message = filter_message, .down = filter_down, .reads = filter_reads,
};

/*** What the program is told. On the thread. ***/

static void send_event(struct filter *f)
{
	struct wire_writer *w = program_writer(&f->program);
	wire_message(w, "apply", 2);
	wire_put_key(w, "token");
	wire_put_int(w, ++f->token);
	wire_put_key(w, "event");
	wire_put_event(w, f->event);
	if (wire_message_end(w) < 0) {
		done(f, -EAGAIN, "out of memory");
		return;
	}
	f->at = program_now();
	set_stage(f, SENT);
	program_send(&f->program);
}

/* When the event that is at work is given up, monotonic ms; 0: there is none. */
static int64_t work(struct filter *f)
{
	enum stage stage = get_stage(f);
	char reason[MESSAGE_REASON + 64];
	int64_t limit = f->program.settings.timeout;
	bool given_up = f->program.state == PROGRAM_GIVEN_UP;
	if (stage != ASKED && stage != SENT)
		return 0;
	if (stage == ASKED && f->program.state == PROGRAM_UP) {
		send_event(f);
	} else if (stage == ASKED && (given_up || program_now() - f->at > limit)) {
		snprintf(reason, sizeof reason, "the program does not run: %s", f->program.reason);
		done(f, -EAGAIN, reason);
	} else if (stage == SENT && program_now() - f->at > limit) {
		program_fail(&f->program, "has not answered an event within %lld ms", (long long)limit);
		return 0;
	}
	return f->at + limit + 1;
}

static bool is_closing(struct filter *f)
{
	pthread_mutex_lock(&f->lock);
	bool closing = f->closing;
	pthread_mutex_unlock(&f->lock);
	return closing;
}

static void wait_for_either(struct filter *f, int64_t at)
{
	uint64_t n;
	struct pollfd fds[2] = { { .fd = program_fd(&f->program), .events = POLLIN },
				 { .fd = f->wake, .events = POLLIN } };
	program_rest(&f->program, at);
	poll(fds, 2, -1);
	if (fds[1].revents != 0 && read(f->wake, &n, sizeof n) < 0)
		return;
}

static void *serve(void *arg)
{
	struct filter *f = arg;
	while (!is_closing(f)) {
		program_turn(&f->program);
		wait_for_either(f, work(f));
	}
	program_finish(&f->program);
	return NULL;
}

static void wake(struct filter *f)
{
	uint64_t one = 1;
	while (write(f->wake, &one, sizeof one) < 0 && errno == EINTR)
		;
}

/*** apply(). ***/

static int apply_talking(struct filter *f, const struct pb_event *ev, struct pb_error *err)
{
	pthread_mutex_lock(&f->lock);
	f->event = ev;
	f->at = program_now();
	f->stage = ASKED;
	pthread_mutex_unlock(&f->lock);
	wake(f);
	pthread_mutex_lock(&f->lock);
	while (f->stage != DONE)
		pthread_cond_wait(&f->changed, &f->lock);
	f->stage = IDLE;
	f->event = NULL;
	pthread_mutex_unlock(&f->lock);
	for (size_t i = 0; i < f->n_passed; i++)
		pb_pass(f->self, f->passed[i]);
	f->n_passed = 0;
	if (f->result != 0)
		pb_error(err, NULL, "%s", f->reason);
	return f->result;
}

/* An event as it is, with what the process wrote for a body. */
static int pass_output(struct filter *f, struct pb_event *ev, const struct process_result *result, struct pb_error *err)
{
	int status = WIFEXITED(result->status) ? WEXITSTATUS(result->status) : -1;
	if (result->end != PROCESS_EXITED || status != EX_OK) {
		pb_error(err, NULL, "the program %s", result->why);
		return result->end == PROCESS_EXITED && status == EX_DATAERR ? -EBADMSG : -EAGAIN;
	}
	if (result->cut) {
		pb_error(err, NULL, "the program wrote more than max_event, %zu bytes", pb_max_event(f->self));
		return -EBADMSG;
	}
	if (result->output.len == 0)
		return 0;
	if (pb_event_set_body(ev, (struct pb_span){ result->output.data, result->output.len }) < 0) {
		pb_error(err, NULL, "out of memory");
		return -EAGAIN;
	}
	pb_pass(f->self, ev);
	return 0;
}

static int apply_plain(struct filter *f, struct pb_event *ev, struct pb_error *err)
{
	char *environment[PLAIN_VARIABLES];
	struct process_result result;
	if (!plain_environment(ev, 1, environment)) {
		pb_error(err, NULL, "out of memory");
		return -EAGAIN;
	}
	process_run(&(struct process){
		.settings = &f->settings, .self = f->self, .environment = environment, .input = pb_event_body(ev),
		.max_output = pb_max_event(f->self), .stop_fd = -1 }, &result);
	plain_environment_free(environment);
	int failed = pass_output(f, ev, &result, err);
	free(result.output.data);
	return failed;
}

int filter_apply(void *state, struct pb_event *ev, struct pb_error *err)
{
	struct filter *f = state;
	return f->plain ? apply_plain(f, ev, err) : apply_talking(f, ev, err);
}

/*** The filter. ***/

static bool start_thread(struct filter *f, struct pb_error *err)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&f->thread, NULL, serve, f);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed != 0)
		pb_error(err, NULL, "no thread can be started: %s", strerror(failed));
	return failed == 0;
}

static bool open_program(struct filter *f, struct pb_error *err)
{
	if (f->plain)
		return settings_init(&f->settings, f->self, "filter", err);
	if (!program_open(&f->program, f->self, "filter", &ops, f, err))
		return false;
	if (start_thread(f, err))
		return true;
	program_close(&f->program);
	return false;
}

static void free_all(struct filter *f)
{
	if (f->wake >= 0)
		close(f->wake);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->changed);
	free(f);
}

void *filter_open(struct pb_self *self, struct pb_error *err)
{
	struct filter *f = calloc(1, sizeof *f);
	if (f == NULL)
		return pb_error(err, NULL, "out of memory");
	f->self = self;
	f->plain = strcmp(pb_str(self, "format"), "plain") == 0;
	f->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	if (f->wake < 0)
		pb_error(err, NULL, "cannot be woken: %s", strerror(errno));
	else if (open_program(f, err))
		return f;
	free_all(f);
	return NULL;
}

void filter_close(void *state)
{
	struct filter *f = state;
	if (f->plain) {
		settings_free(&f->settings);
	} else {
		pthread_mutex_lock(&f->lock);
		f->closing = true;
		pthread_mutex_unlock(&f->lock);
		wake(f);
		pthread_join(f->thread, NULL);
		program_close(&f->program);
	}
	free_all(f);
}
