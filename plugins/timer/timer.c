/*
 * timer: an event at fixed intervals, or when a cron expression says so.
 *
 * Promises: a tick's time, and so its id, depend on the configuration and the clock alone. The mark, which is
 * committed with each event, is the last tick that was dealt with: none is lost or stored twice, however the daemon
 * ends. What was due while it did not run is dealt with as `missed` says. Whose schedule is changed begins anew.
 */
#include <config.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <patchbay/plugin.h>

#include "timer/schedule.h"

#define MARK "last"
#define MARK_MAX 1024			/* "1767251580000 0 7 * * mon-fri UTC" */
#define EXPRESSION_MAX 512		/* bytes */
#define ZONE_MAX 100
#define LOOK 10000			/* ms: so often the clock is looked at, which may have been set */
#define TURNED_BACK 10800000		/* ms: by more than this the clock was wrong before */
#define ID_MAX 256

enum missed { MISSED_SKIP, MISSED_ONCE, MISSED_ALL };

struct timer {
	struct pb_self *self;
	struct schedule schedule;
	char identity[EXPRESSION_MAX + ZONE_MAX + 8];	/* of the schedule, in the mark */
	const char *zone, *type, *content_type;
	enum missed missed;
	int64_t grace, within, limit, jitter;
	uint64_t seed;		/* of the jitter */
	int64_t last;		/* the tick that was dealt with last */
	bool refused;
	struct pb_metric *skipped;
};

/* What is due now. */
struct due {
	int64_t now, from;	/* ticks after `from` */
	int64_t late, on_time;	/* how many */
	int64_t last;		/* the last of them */
};

static const struct pb_span nothing = { NULL, 0 };

/*** Time. ***/

/* The core's clock dates its events. -1: no memory. */
static int64_t now_ms(const struct timer *t)
{
	struct pb_event *ev = pb_event_new(t->self, nothing);
	int64_t now = ev == NULL ? -1 : pb_event_time(ev);
	pb_event_free(ev);
	return now;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; *text != '\0'; text++)
		hash = mix(hash ^ (unsigned char)*text) + UINT64_C(0x9e3779b97f4a7c15);
	return hash;
}

/* The tick's own delay, the same after a restart and another on each host. */
static int64_t fires_at(const struct timer *t, int64_t tick)
{
	return t->jitter == 0 ? tick : tick + (int64_t)(mix(t->seed ^ (uint64_t)tick) % ((uint64_t)t->jitter + 1));
}

static void format_time(int64_t ms, char *text, size_t size)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	char date[32];
	if (gmtime_r(&seconds, &tm) == NULL || strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		snprintf(text, size, "%lld", (long long)ms);
	else if (ms % 1000 == 0)
		snprintf(text, size, "%sZ", date);
	else
		snprintf(text, size, "%s.%03dZ", date, (int)(ms % 1000));
}

/*** Opening. ***/

static bool read_cron(struct pb_self *self, struct cron *cron, struct pb_error *err)
{
	char why[160];
	const char *text = pb_str(self, "cron");
	if (strlen(text) > EXPRESSION_MAX)
		snprintf(why, sizeof why, "is longer than %d bytes", EXPRESSION_MAX);
	else if (cron_parse(cron, text, why, sizeof why))
		return true;
	pb_error(err, "cron", "%s", why);
	return false;
}

static void timer_check(struct pb_self *self, struct pb_error *err)
{
	struct cron cron;
	char why[512];
	bool every = pb_isset(self, "every"), by_cron = pb_isset(self, "cron");
	if (every == by_cron)
		pb_error(err, every ? "cron" : NULL, every ? "either every or cron" : "expected every or cron");
	if (by_cron)
		read_cron(self, &cron, err);
	if (every && pb_isset(self, "timezone"))
		pb_error(err, "timezone", "is for cron; intervals count from 1970-01-01 00:00 UTC");
	if (every && pb_int(self, "jitter") > pb_int(self, "every"))
		pb_error(err, "jitter", "is longer than the interval");
	struct zone *zone = zone_open(pb_str(self, "timezone"), why, sizeof why);
	if (zone == NULL)
		pb_error(err, "timezone", "%s", why);
	zone_free(zone);
}

static struct pb_event *make(struct timer *t, int64_t tick, int64_t missed, const char **missing);

static bool try_attribute(struct timer *t, struct pb_error *err, const char *option, const char *attribute, const char *value)
{
	struct pb_event *ev = pb_event_new(t->self, nothing);
	int failed = ev == NULL ? -ENOMEM : pb_event_set(ev, attribute, value);
	pb_event_free(ev);
	if (failed < 0)
		pb_error(err, option, failed == -EINVAL ? "expected text of at most 8 KiB" : "out of memory");
	return failed == 0;
}

/* The body is made once, so that what is wrong with it shows at the start. */
static bool try_body(struct timer *t, struct pb_error *err)
{
	const char *missing = NULL;
	struct pb_event *ev = make(t, 0, 0, &missing);
	bool json = strcmp(t->content_type, "application/json") == 0;
	bool right = ev != NULL && (!json || pb_event_body(ev).len == 0 || pb_field(ev, "").data != NULL);
	if (missing != NULL)
		pb_error(err, "body", "there is no {{%s}}: a tick has time, id, type, source and missed", missing);
	else if (ev == NULL)
		pb_error(err, "body", "makes no event: %s", strerror(errno));
	else if (!right)
		pb_error(err, "body", "is not JSON; say what it is with content_type");
	pb_event_free(ev);
	return right;
}

static void begin(struct timer *t)
{
	struct pb_self *self = t->self;
	const char *missed = pb_str(self, "missed");
	char host[256] = "";
	t->schedule.every = pb_int(self, "every");
	t->zone = pb_str(self, "timezone");
	t->type = pb_str(self, "type");
	t->content_type = pb_str(self, "content_type");
	t->missed = strcmp(missed, "skip") == 0 ? MISSED_SKIP : strcmp(missed, "all") == 0 ? MISSED_ALL : MISSED_ONCE;
	t->grace = pb_int(self, "missed_after");
	t->within = pb_int(self, "missed_within");
	t->limit = pb_int(self, "missed_limit");
	t->jitter = pb_int(self, "jitter");
	gethostname(host, sizeof host - 1);
	t->seed = hash_text(hash_text(0, pb_name(self)), host);
	if (t->schedule.every > 0)
		snprintf(t->identity, sizeof t->identity, "every %lld", (long long)t->schedule.every);
	else
		snprintf(t->identity, sizeof t->identity, "%s %s", pb_str(self, "cron"), t->zone);
}

static void timer_close(void *state)
{
	struct timer *t = state;
	zone_free(t->schedule.zone);
	free(t);
}

static void *timer_open(struct pb_self *self, struct pb_error *err)
{
	char why[512];
	struct timer *t = calloc(1, sizeof *t);
	if (t == NULL)
		return pb_error(err, NULL, "out of memory");
	t->self = self;
	begin(t);
	t->skipped = pb_counter(self, "skipped", "Ticks that were missed and made no event of their own.");
	t->schedule.zone = zone_open(t->zone, why, sizeof why);
	if (t->schedule.zone == NULL)
		pb_error(err, "timezone", "%s", why);
	else if ((t->schedule.every > 0 || read_cron(self, &t->schedule.cron, err)) &&
		 try_attribute(t, err, "type", "type", t->type) &&
		 try_attribute(t, err, "content_type", "datacontenttype", t->content_type) && try_body(t, err))
		return t;
	timer_close(t);
	return NULL;
}

/* The zone's file may be a newer one. */
static void timer_reopen(void *state)
{
	struct timer *t = state;
	char why[512];
	struct zone *zone = zone_open(t->zone, why, sizeof why);
	if (zone == NULL) {
		pb_log(t->self, PB_WARN, "the time zone stays as it was: %s", why);
		return;
	}
	zone_free(t->schedule.zone);
	t->schedule.zone = zone;
}

/*** Events. ***/

static bool set_attributes(struct timer *t, struct pb_event *ev, int64_t tick, int64_t missed)
{
	char id[ID_MAX], time[48], number[24];
	format_time(tick, time, sizeof time);
	snprintf(id, sizeof id, "%s@%s", pb_name(t->self), time);
	snprintf(number, sizeof number, "%lld", (long long)missed);
	errno = ENOMEM;
	return pb_event_set(ev, "id", id) == 0 && pb_event_set(ev, "type", t->type) == 0 &&
	       pb_event_set(ev, "source", pb_name(t->self)) == 0 &&
	       pb_event_set(ev, "datacontenttype", t->content_type) == 0 &&
	       pb_event_set(ev, "missed", number) == 0 && pb_event_set_time(ev, tick) == 0;
}

static bool set_body(struct timer *t, struct pb_event *ev, const char **missing)
{
	size_t len;
	char *body = pb_render(t->self, "body", ev, &len, missing);
	if (body == NULL)
		return false;
	int failed = len > pb_max_event(t->self) ? -EMSGSIZE :
		     pb_event_set_body(ev, (struct pb_span){ body, len });
	errno = -failed;
	free(body);
	return failed == 0;
}

/* NULL: no memory, or what is wrong with the options. */
static struct pb_event *make(struct timer *t, int64_t tick, int64_t missed, const char **missing)
{
	struct pb_event *ev = pb_event_new(t->self, nothing);
	if (ev == NULL || (set_attributes(t, ev, tick, missed) && set_body(t, ev, missing)))
		return ev;
	pb_event_free(ev);
	return NULL;
}

/* The event, or none (NULL), and that all up to `tick` is dealt with. 0 or -errno. */
static int emit(struct timer *t, struct pb_event *ev, int64_t tick)
{
	char text[MARK_MAX];
	int len = snprintf(text, sizeof text, "%lld %s", (long long)tick, t->identity);
	const struct pb_mark mark = { MARK, { text, (size_t)len } };
	t->last = tick;
	return pb_emit(t->self, &ev, ev != NULL, &mark, NULL);
}

static void timer_settled(void *state, void *token, const struct pb_receipt *receipt)
{
	struct timer *t = state;
	(void)token;
	if (pb_receipt_outcome(receipt) == PB_ACCEPTED || t->refused || pb_stopping(t->self))
		return;
	t->refused = true;
	pb_log(t->self, PB_ERROR, "a tick was not stored: %s", pb_receipt_reason(receipt));
}

/*** Ticks. ***/

static bool is_late(const struct timer *t, const struct due *d, int64_t tick)
{
	return d->now - fires_at(t, tick) > t->grace;
}

static void count_due(struct timer *t, struct due *d)
{
	for (int64_t tick = schedule_next(&t->schedule, d->from); tick != SCHEDULE_NEVER && fires_at(t, tick) <= d->now;
	     tick = schedule_next(&t->schedule, tick)) {
		*(is_late(t, d, tick) ? &d->late : &d->on_time) += 1;
		d->last = tick;
	}
}

/* How many of those that are late make no event: the oldest. */
static int64_t how_many_skipped(const struct timer *t, const struct due *d)
{
	switch (t->missed) {
	case MISSED_SKIP:
		return d->late;
	case MISSED_ALL:
		return d->late > t->limit ? d->late - t->limit : 0;
	default:
		return d->late > 0 && d->on_time == 0 ? d->late - 1 : d->late;
	}
}

static void note_missed(struct timer *t, const struct due *d, int64_t skipped)
{
	if (d->from > t->last)
		pb_log(t->self, PB_WARN, "what was due earlier than missed_within ago is left out");
	if (d->late > 0)
		pb_log(t->self, PB_WARN, "%lld ticks were missed, of which %lld make an event", (long long)d->late,
		       (long long)(d->late - skipped));
	pb_add(t->skipped, skipped);
}

/* Make events of what is due; the first says how many before it make none. 0 or -errno. */
static int fire(struct timer *t, const struct due *d)
{
	int64_t skip = how_many_skipped(t, d), skipped = skip, tick = d->from;
	int failed = 0;
	const char *missing;
	note_missed(t, d, skipped);
	for (int64_t n = d->late + d->on_time; n > 0 && failed == 0 && !t->refused; n--) {
		tick = schedule_next(&t->schedule, tick);
		if (skip > 0 && is_late(t, d, tick)) {
			skip--;
			continue;
		}
		struct pb_event *ev = make(t, tick, skipped, &missing);
		skipped = 0;
		failed = ev == NULL ? -ENOMEM : emit(t, ev, tick);
	}
	return failed == 0 && !t->refused && t->last < d->last ? emit(t, NULL, d->last) : failed;
}

/* Where it stands; or, for the first time or with another schedule, from now on. 0 or -errno. */
static int find_place(struct timer *t, int64_t now)
{
	char text[MARK_MAX], *end;
	int len = pb_restore(t->self, MARK, text, sizeof text - 1);
	t->refused = false;
	text[len > 0 ? len : 0] = '\0';
	t->last = strtoll(text, &end, 10);
	if (end > text && *end == ' ' && strcmp(end + 1, t->identity) == 0)
		return 0;
	return emit(t, NULL, now);
}

/* One look at the clock; *wait is how long until the next. 0 or -errno. */
static int turn(struct timer *t, int64_t *wait)
{
	struct due d = { .now = now_ms(t) };
	*wait = LOOK;
	if (d.now < 0)
		return -ENOMEM;
	if (t->last - d.now > TURNED_BACK) {
		pb_log(t->self, PB_WARN, "the clock was set back by more than three hours: it goes on from now");
		return emit(t, NULL, d.now);
	}
	d.from = d.now - t->within > t->last ? d.now - t->within : t->last;
	int64_t tick = schedule_next(&t->schedule, d.from);
	if (tick != SCHEDULE_NEVER && fires_at(t, tick) - d.now < LOOK)
		*wait = fires_at(t, tick) > d.now ? fires_at(t, tick) - d.now : 0;
	count_due(t, &d);
	return d.late + d.on_time > 0 ? fire(t, &d) : 0;
}

static int timer_run(void *state)
{
	struct timer *t = state;
	int64_t now = now_ms(t), wait = 0;
	int failed = now < 0 ? -ENOMEM : find_place(t, now);
	while (failed == 0 && pb_wait(t->self, -1, wait) != -ECANCELED)
		failed = t->refused ? -EIO : turn(t, &wait);
	while (failed == -ECANCELED && pb_wait(t->self, -1, -1) != -ECANCELED)
		;
	if (failed == -ENOMEM)
		pb_log(t->self, PB_ERROR, "out of memory");
	return failed == -ECANCELED ? 0 : failed;
}

static const struct pb_option options[] = {
	{ .name = "every", .type = PB_DURATION, .value = "", .min = 10, .max = INT64_C(31622400000), .help =
	  "The interval, counted from 1970-01-01 00:00 UTC: with 15m it ticks at :00, :15, :30 and :45, whenever it was started. "
	  "Either this or `cron`." },
	{ .name = "cron", .type = PB_STRING, .value = "", .help =
	  "Minute, hour, day of the month, month, weekday, as in crontab(5): numbers, names of three letters, ranges, lists, "
	  "steps (`0 7 * * mon-fri`), or @hourly, @daily, @weekly, @monthly, @yearly." },
	{ .name = "timezone", .type = PB_STRING, .value = "UTC", .help =
	  "Whose time `cron` is in: UTC, local, or a name such as Europe/Berlin." },
	{ .name = "jitter", .type = PB_DURATION, .value = "0s", .max = 86400000, .help =
	  "Each tick's event is made by up to this later, by an amount that follows from the host, the section and the tick; "
	  "its time stays as scheduled." },
	{ .name = "missed", .type = PB_CHOICE, .value = "once", .choices = "skip once all", .help =
	  "What becomes of ticks that were due while nothing ran: skip: nothing; once: one event for all of them; all: one "
	  "for each." },
	{ .name = "missed_after", .type = PB_DURATION, .value = "1m", .max = 86400000, .help =
	  "A tick that is late by more than this was missed." },
	{ .name = "missed_within", .type = PB_DURATION, .value = "7d", .min = 60000, .max = INT64_C(31622400000), .help =
	  "What was due longer ago than this is left out in any case." },
	{ .name = "missed_limit", .type = PB_INT, .value = "100", .min = 1, .max = 100000, .help =
	  "With `missed = all`: at most so many, the latest." },
	{ .name = "type", .type = PB_STRING, .value = "tick", .help = "The events' type." },
	{ .name = "content_type", .type = PB_STRING, .value = "application/json", .help =
	  "The events' datacontenttype. A body of the default one has to be JSON." },
	{ .name = "body", .type = PB_TEMPLATE, .value = "{\"time\":{{json time}},\"missed\":{{missed}}}", .help =
	  "The events' body, with {{time}}, the scheduled time, {{id}}, {{type}}, {{source}}, and {{missed}}, how many "
	  "missed ticks before this one make no event." },
	{ 0 }
};

PB_PLUGIN(.name = "timer", .version = PACKAGE_VERSION,
	  .summary = "Makes events at intervals or by cron expressions",
	  .source = PB_SOURCE(.options = options, .check = timer_check, .open = timer_open, .close = timer_close,
			      .run = timer_run, .settled = timer_settled, .reopen = timer_reopen));
