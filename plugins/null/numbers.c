/*
 * numbers.c - events with a number in them, to try a pipeline with.
 *
 * The mark is the last number that is stored, so each is stored once and none is left out,
 * however the daemon ended: a receiver that counts sees what is lost and what comes twice.
 */
#include "null/numbers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HEAD "{\"n\":"
#define PAD ",\"pad\":\""
#define TAIL "\"}"
#define DIGITS 19		/* of the largest number */
#define LEAST 34		/* bytes of a body: the four of them */
#define MOST (1 << 30)
#define UNIT (1 << 20)		/* bytes that are handed over together, unless one event has more */
#define ARREARS 1000		/* ms that a source which was held up makes good */
#define MARK "last"

_Static_assert(sizeof HEAD PAD TAIL - 1 + DIGITS == LEAST, "no body is shorter");

struct numbers {
	struct pb_self *self;
	const char *type;
	int64_t count, rate, batch;
	int64_t last;		/* the last number handed over */
	int64_t looked, credit;	/* when `rate` was last looked at, ms; what it allows, in thousandths */
	bool refused;
	struct pb_event **events;
	size_t size;
	char body[];		/* {"n":                  7,"pad":"..."} */
};

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static size_t lesser(int64_t a, int64_t b)
{
	return (size_t)(a < b ? a : b);
}

static void begin_body(struct numbers *s)
{
	memset(s->body, '.', s->size);
	memcpy(s->body, HEAD, strlen(HEAD));
	memcpy(s->body + strlen(HEAD) + DIGITS, PAD, strlen(PAD));
	memcpy(s->body + s->size - strlen(TAIL), TAIL, strlen(TAIL));
}

/* JSON allows blanks before a number, so that it always has the same place. */
static void number_body(struct numbers *s, int64_t n)
{
	char *place = s->body + strlen(HEAD), *at = place + DIGITS;
	memset(place, ' ', DIGITS);
	for (; n > 0; n /= 10)
		*--at = (char)('0' + n % 10);
}

void *numbers_open(struct pb_self *self, struct pb_error *err)
{
	size_t size = (size_t)pb_int(self, "size");
	if (size > pb_max_event(self))
		return pb_error(err, "size", "is more than max_event, %zu bytes", pb_max_event(self));
	struct numbers *s = calloc(1, sizeof *s + size);
	if (s == NULL)
		return pb_error(err, NULL, "out of memory");
	s->self = self;
	s->size = size;
	s->type = pb_str(self, "type");
	s->count = pb_int(self, "count");
	s->rate = pb_int(self, "rate");
	s->batch = pb_int(self, "batch");
	s->events = calloc((size_t)s->batch, sizeof(struct pb_event *));
	if (s->events == NULL) {
		free(s);
		return pb_error(err, NULL, "out of memory");
	}
	begin_body(s);
	return s;
}

void numbers_close(void *state)
{
	struct numbers *s = state;
	free(s->events);
	free(s);
}

static struct pb_event *make(struct numbers *s, int64_t n)
{
	number_body(s, n);
	struct pb_event *ev = pb_event_new(s->self, (struct pb_span){ s->body, s->size });
	if (ev == NULL)
		return NULL;
	if (pb_event_set(ev, "type", s->type) == 0 &&
	    pb_event_set(ev, "datacontenttype", "application/json") == 0)
		return ev;
	pb_event_free(ev);
	return NULL;
}

/* Hand over `n` events, or as many as there is memory for. How many, or -errno. */
static int emit(struct numbers *s, size_t n)
{
	size_t made = 0;
	while (made < n && (s->events[made] = make(s, s->last + 1 + (int64_t)made)) != NULL)
		made++;
	if (made == 0)
		return -ENOMEM;
	char text[24];
	s->last += (int64_t)made;
	int len = snprintf(text, sizeof text, "%lld", (long long)s->last);
	const struct pb_mark mark = { MARK, { text, (size_t)len } };
	int failed = pb_emit(s->self, s->events, made, &mark, NULL);
	return failed != 0 ? failed : (int)made;
}

/* How many events `rate` allows now; *wait is how long until it allows one. */
static int64_t allowed(struct numbers *s, int64_t *wait)
{
	int64_t now = now_ms(), ran = now - s->looked, most = ARREARS * s->rate + 1000;
	*wait = 0;
	if (s->rate == 0)
		return s->batch;
	s->looked = now;
	s->credit += (int64_t)lesser(ran, ARREARS) * s->rate;
	s->credit = (int64_t)lesser(s->credit, most);
	if (s->credit < 1000)
		*wait = (1000 - s->credit + s->rate - 1) / s->rate;
	return s->credit / 1000;
}

/* Make what one commit takes; *wait is how long to sleep then, -1 without end. 0 or -errno. */
static int turn(struct numbers *s, int64_t *wait)
{
	int64_t left = s->count == 0 ? INT64_MAX : s->count - s->last;
	*wait = -1;
	if (left <= 0)
		return 0;
	size_t n = lesser(lesser(allowed(s, wait), s->batch), left);
	size_t unit = UNIT / s->size > 0 ? UNIT / s->size : 1;
	while (n > 0) {
		int made = emit(s, n < unit ? n : unit);
		if (made < 0)
			return made;
		n -= (size_t)made;
		s->credit -= s->rate > 0 ? made * 1000 : 0;
	}
	return 0;
}

static void begin(struct numbers *s)
{
	char last[24] = "";
	pb_restore(s->self, MARK, last, sizeof last - 1);
	s->last = strtoll(last, NULL, 10);
	s->refused = false;
	s->looked = now_ms();
	s->credit = 1000;
}

int numbers_run(void *state)
{
	struct numbers *s = state;
	int64_t wait = 0;
	begin(s);
	while (pb_wait(s->self, -1, wait) != -ECANCELED) {
		int failed = s->refused ? -EIO : turn(s, &wait);
		if (failed == -ENOMEM)
			pb_log(s->self, PB_ERROR, "out of memory");
		if (failed != 0 && failed != -ECANCELED)
			return failed;	/* the core calls again, and the mark is the last that is stored */
	}
	return 0;
}

void numbers_settled(void *state, void *token, const struct pb_receipt *receipt)
{
	struct numbers *s = state;
	(void)token;
	if (pb_receipt_outcome(receipt) == PB_ACCEPTED || s->refused || pb_stopping(s->self))
		return;
	s->refused = true;
	pb_log(s->self, PB_ERROR, "events were not stored: %s", pb_receipt_reason(receipt));
}

const struct pb_option numbers_options[] = {
	{ .name = "count", .type = PB_INT, .value = "0", .max = INT64_C(1000000000000000000), .help =
	  "How many events there are in all, those of earlier runs counted; 0: no end." },
	{ .name = "rate", .type = PB_INT, .value = "1", .max = 10000000, .help =
	  "How many a second; 0: as fast as they are stored." },
	{ .name = "batch", .type = PB_INT, .value = "1000", .min = 1, .max = 100000, .help =
	  "The most that one commit makes durable; it has 1 MiB of them at most, or one event." },
	{ .name = "size", .type = PB_SIZE, .value = "64", .min = LEAST, .max = MOST, .help =
	  "Bytes of an event's body, a JSON object with its number as n." },
	{ .name = "type", .type = PB_STRING, .value = "number", .help = "The events' type." },
	{ 0 }
};
