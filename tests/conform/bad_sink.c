/* bad_sink.c - a sink with write(), or with BAD_SUBMIT one with submit(), that has one fault. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conform/fault.h"

#define DAWDLE 2000		/* ms: above the limit that the test gives */

struct bad {
	struct pb_self *self;
	struct pb_bytes text;
	bool failing, reopened;
	unsigned given;
	int fd;
	pid_t child;
	pthread_t thread;
	_Atomic bool ending, stopping, lets_in;
#ifdef BAD_SUBMIT
	pthread_mutex_t lock;		/* guards the queue */
	pthread_cond_t more;
	struct pb_delivery *queue[1024];
	size_t n;
#endif
};

/* What a plugin must not have: close() of one instance clears it, and open() changes the table. */
static struct bad *last;
static char words[] = "one xx-xxxx-xxxx";

static const struct pb_span nothing = { NULL, 0 };

static void dawdle(int ms)
{
	poll(NULL, 0, ms);
}

static void *linger(void *arg)
{
	struct bad *b = arg;
	while (!atomic_load(&b->ending))
		dawdle(1);
	return NULL;
}

static void *let_signals_in(void *arg)
{
	sigset_t none;
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
	atomic_store(&((struct bad *)arg)->lets_in, true);
	return linger(arg);
}

static void bad_check(struct pb_self *self, struct pb_error *err)
{
	(void)err;
	if (has_fault(self, "check-leaks") && open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
		pb_error(err, NULL, "no descriptor is left");
}

/* What it does wrong in open(). */
static void do_wrong(struct bad *b)
{
	struct pb_self *self = b->self;
	if (has_fault(self, "table"))
		memcpy(words + sizeof "one", "no-such-word", sizeof "no-such-word");
	if (has_fault(self, "edge") && pb_int(self, "number") == 100)
		abort();
	if (has_fault(self, "tells-secret"))
		pb_log(self, PB_INFO, "the key is %s", pb_str(self, "key"));
	if (has_fault(self, "leaks") && (b->text.data = malloc(100)) != NULL)
		b->text.room = 100;
	if (has_fault(self, "event"))
		b->text.room = pb_event_new(self, nothing) != NULL ? 0 : 1;
	if (has_fault(self, "prints"))
		puts("here I am");
	if (has_fault(self, "inherited"))
		b->fd = open("/dev/null", O_RDONLY);
	if (has_fault(self, "signal"))
		signal(SIGPIPE, SIG_DFL);
	if (has_fault(self, "umask"))
		umask(0);
	if (has_fault(self, "child"))
		b->child = fork();
	if (b->child == 0 && has_fault(self, "child"))
		for (;;)
			pause();
	if (has_fault(self, "exits"))
		exit(3);
}

static bool may_open(const struct pb_self *self, struct pb_error *err)
{
	if (has_fault(self, "refuses"))
		pb_error(err, "number", "is not liked");
	return !has_fault(self, "refuses") && !(has_fault(self, "silent") && pb_int(self, "number") == 100);
}

static void start_thread(struct bad *b, void *(*run)(void *))
{
	if (pthread_create(&b->thread, NULL, run, b) != 0)
		abort();
}

#ifdef BAD_SUBMIT
static void *work(void *arg);
#endif

static void *bad_open(struct pb_self *self, struct pb_error *err)
{
	struct bad *b = may_open(self, err) ? calloc(1, sizeof *b) : NULL;
	if (b == NULL)
		return NULL;
	b->self = self;
	b->fd = -1;
	b->failing = pb_bool(self, "failing");
	last = b;
	do_wrong(b);
	if (has_fault(self, "unblocks"))
		start_thread(b, let_signals_in);
	while (has_fault(self, "unblocks") && !atomic_load(&b->lets_in))
		dawdle(1);
	if (has_fault(self, "thread"))
		start_thread(b, linger);
#ifdef BAD_SUBMIT
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->more, NULL);
	start_thread(b, work);
#endif
	return b;
}

static void bad_close(void *state)
{
	struct bad *b = state;
	if (has_fault(b->self, "slow-close") && b->given == 0)
		dawdle(DAWDLE);
	atomic_store(&b->ending, !has_fault(b->self, "thread"));
#ifdef BAD_SUBMIT
	pthread_mutex_lock(&b->lock);
	pthread_cond_signal(&b->more);
	pthread_mutex_unlock(&b->lock);
	pthread_join(b->thread, NULL);
	pthread_cond_destroy(&b->more);
	pthread_mutex_destroy(&b->lock);
#else
	if (has_fault(b->self, "unblocks"))
		pthread_join(b->thread, NULL);
#endif
	if (b->fd >= 0)
		close(b->fd);
	if (!has_fault(b->self, "leaks"))
		free(b->text.data);
	last = NULL;
	if (!has_fault(b->self, "thread"))	/* it is looked at */
		free(b);
}

/* The answer to an event, and a reason; PB_OK unless there is a fault. */
static enum pb_code answer_of(struct bad *b, const struct pb_event *ev, const char **why)
{
	*why = "done";
	struct pb_span body = pb_event_body(ev);
	b->text.len = 0;
	if (pb_cloudevent(ev, &b->text) < 0 && has_fault(b->self, "cloudevent"))
		*(volatile char *)NULL = 0;
	if (has_fault(b->self, "hostile") && body.len == 0)
		*(volatile char *)NULL = 0;
	if (has_fault(b->self, "reopen") && b->reopened)
		return PB_RETRY;
	if (has_fault(b->self, "interrupted") && poll(NULL, 0, 20) < 0) {
		*why = strerror(errno);
		return PB_RETRY;
	}
	if (has_fault(b->self, "rejects"))
		return PB_REJECT;
	if (b->failing)
		*why = has_fault(b->self, "reason") ? NULL : "it is to fail";
	return b->failing ? PB_RETRY : PB_OK;
}

static void say(struct pb_delivery *d, enum pb_code code, const char *why)
{
	if (why == NULL)
		pb_answer(d, code, 0, nothing, NULL);
	else
		pb_answer(d, code, 0, nothing, "%s", why);
}

#ifdef BAD_SUBMIT
static void answer_one(struct bad *b, struct pb_delivery *d)
{
	const char *why;
	if (has_fault(b->self, "slow-close"))
		while (!atomic_load(&b->stopping) && !atomic_load(&b->ending))
			dawdle(1);
	if (has_fault(b->self, "slow-close"))
		dawdle(DAWDLE);
	enum pb_code code = answer_of(b, pb_delivery_event(d), &why);
	say(d, code, why);
}

static void *work(void *arg)
{
	struct bad *b = arg;
	pthread_mutex_lock(&b->lock);
	while (!atomic_load(&b->ending)) {
		struct pb_delivery *d = b->n > 0 ? b->queue[--b->n] : NULL;
		if (d == NULL) {
			pthread_cond_wait(&b->more, &b->lock);
			continue;
		}
		pthread_mutex_unlock(&b->lock);
		answer_one(b, d);
		pthread_mutex_lock(&b->lock);
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

static void bad_submit(void *state, struct pb_delivery *const d[], size_t n)
{
	struct bad *b = state;
	b->given++;
	pthread_mutex_lock(&b->lock);
	for (size_t i = 0; i < n && !has_fault(b->self, "never"); i++)
		b->queue[b->n++] = d[i];
	pthread_cond_signal(&b->more);
	pthread_mutex_unlock(&b->lock);
}

static void bad_stop(void *state)
{
	atomic_store(&((struct bad *)state)->stopping, true);
}
#else
static void note_batch(const struct bad *b, size_t n)
{
	if (has_fault(b->self, "shared") && last == NULL)
		*(volatile char *)NULL = 0;
	if (has_fault(b->self, "large-batch") && n > 16)
		*(volatile char *)NULL = 0;
	if (has_fault(b->self, "hangs"))
		for (;;)
			pause();
	if (has_fault(b->self, "late-metric"))
		pb_counter(b->self, "late", "Too late.");
}

static void bad_write(void *state, struct pb_delivery *const d[], size_t n)
{
	struct bad *b = state;
	b->given++;
	note_batch(b, n);
	for (size_t i = 0; i < n; i++) {
		const char *why;
		if (has_fault(b->self, "never"))
			continue;
		enum pb_code code = answer_of(b, pb_delivery_event(d[i]), &why);
		say(d[i], code, why);
		if (has_fault(b->self, "twice"))
			say(d[i], code, why);
		if (code != PB_OK && code != PB_REJECT && !has_fault(b->self, "order"))
			break;
	}
}
#endif

static void bad_reopen(void *state)
{
	((struct bad *)state)->reopened = true;
}

static const struct pb_option options[] = {
	FAULT_OPTIONS,
	{ .name = "failing", .type = PB_BOOL, .value = "no", .help = "Nothing that it is given succeeds." },
	{ .name = "word", .type = PB_CHOICE, .value = "one", .choices = words, .help = "One of some words." },
	{ 0 }
};

#ifdef BAD_SUBMIT
#define NAME "bad_submit"
#define HOW .submit = bad_submit, .stop = bad_stop
#else
#define NAME "bad_sink"
#define HOW .write = bad_write
#endif

PB_PLUGIN(.name = NAME, .version = "1", .summary = "A sink with a fault",
	  .sink = PB_SINK(.options = options, .check = bad_check, .open = bad_open, .close = bad_close, HOW,
			  .max_batch = 256, .reopen = bad_reopen));
