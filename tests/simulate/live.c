/* live.c - a story lived: one thread, every step the story's. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "base/magic.h"
#include "base/span.h"
#include "dispatch/delivery.h"
#include "dispatch/replay.h"
#include "event/event.h"
#include "simulate/model.h"
#include "simulate/story.h"
#include "state/rows.h"

#define AT_REST_MAX 10000	/* rounds until everything must have come to rest */
#define REST 60			/* times 50 ms, in which everything is saved; … */
#define SHARE_REST 140		/* … and the sinks' share of a full store shrinks no more */

struct life {
	struct model model;	/* first: the lab's hooks find it */
	struct lab *lab;
	const struct story *story;
	enum sink_mode modes[3];	/* of the sinks at the last checkpoint … */
	bool modes_known;		/* … and no change since */
	size_t in_flight[3];	/* of sinks that are disabled; SIZE_MAX: it is not */
};

/* In getrandom(2)'s place: ids and jitter are the story's too. */
static uint64_t luck;
ssize_t __wrap_getrandom(void *to, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *to, size_t len, unsigned flags)
{
	unsigned char *bytes = to;
	(void)flags;
	for (size_t i = 0; i < len; i++) {
		luck = luck * UINT64_C(6364136223846793005) + 1442695040888963407;
		bytes[i] = (unsigned char)(luck >> 56);
	}
	return (ssize_t)len;
}

static void given(void *arg, struct pb_delivery *d)
{
	model_given(arg, d);
}

#define REPEAT ((void *)UINTPTR_MAX)	/* a token */

static void set_key(struct pb_event *ev, size_t number)
{
	char key[24];
	pb_event_set_key(ev, span_of(key, (size_t)snprintf(key, sizeof key, "%zu", number)));
}

/* An event that the source has taken, once more: by its key it is none. Stored, it would be one that nobody knows. */
static void repeat(struct life *life, struct feed *f)
{
	size_t number = luck / 11 % (life->model.n + 1);
	const struct model_event *e = &life->model.events[number];
	if (number == life->model.n || !e->accepted || e->source != 0)
		return;
	struct pb_event *ev = pb_event_new(&f->self, span_of("{}", 2));
	pb_event_set(ev, "type", "a");
	set_key(ev, number);
	feed_emit(f, &ev, 1, NULL, REPEAT);
}

/* When the process ends during a commit, nobody is told. */
static void settled(void *arg, void *token, enum pb_outcome outcome)
{
	const struct model *m = arg;
	if (!lab_over(m->lab) && token != REPEAT)
		model_settled(arg, (size_t)(uintptr_t)token - 1, outcome);
}

static void emit(struct life *life, unsigned source, unsigned n)
{
	static const char *const types[] = { "a", "ab", "b", "c", "a.b", "z" };
	static const char body[600] = "{}";
	static const char *const subjects[] = { "x", "y", NULL, "x", "z" };
	struct feed *f = life->lab->d->feeds[source];
	for (unsigned i = 0; i <= n && life->model.n < MODEL_EVENTS; i++) {
		struct pb_event *ev = pb_event_new(&f->self, span_of(body, 2 + luck / 7 % (sizeof body - 2)));
		pb_event_set(ev, "type", types[i]);
		pb_event_set(ev, "subject", subjects[life->model.n % 5]);
		size_t number = model_emit(&life->model, (int)source, ev);
		set_key(ev, number);
		feed_emit(f, &ev, 1, NULL, (void *)(uintptr_t)(number + 1));
	}
	if (source == 0)
		repeat(life, f);
}

static void saved(void *arg)
{
	model_saved(arg);
}

static void start(struct life *life)
{
	life->lab->given = given;
	life->lab->unit_settled = settled;
	life->lab->hook_arg = &life->model;
	life->lab->saved = saved;
	lab_start_only(life->lab, life->story->inis[life->model.config]);
	model_started(&life->model);
	if (life->lab->d != NULL)
		model_saved(&life->model);
}

static size_t sink_index(const struct outlet *o)
{
	return (size_t)(o->config->name[1] - '0');
}

/* What was decided of sinks outlives the process. */
static void check_modes(const struct life *life)
{
	const struct router *r = &life->lab->d->router;
	for (size_t i = 0; life->modes_known && i < r->n_outlets; i++)
		expect(r->outlets[i]->stand.mode == life->modes[sink_index(r->outlets[i])], "sink %s was %s and is %s",
		       r->outlets[i]->config->name, sink_mode_name(life->modes[sink_index(r->outlets[i])]),
		       sink_mode_name(r->outlets[i]->stand.mode));
}

/* The next start is with another configuration, perhaps. */
static void reconfigure(struct life *life, const struct step *s)
{
	if (s != NULL && life->story->reloads && s->b == 0)
		model_config(&life->model, s->a);
}

static void crash(struct life *life, const struct step *s)
{
	reconfigure(life, s);
	lab_crash(life->lab);
	model_died(&life->model);
	start(life);
	check_modes(life);
}

/* The process has ended: the machine with it, or what is written stays. */
static void begin_again(struct life *life)
{
	if (!life->lab->ended || state_disk_dead(life->lab->state_disk)) {
		crash(life, NULL);
		return;
	}
	lab_close(life->lab);
	model_died(&life->model);
	start(life);
	check_modes(life);
}

static void send(struct life *life, unsigned which)
{
	life->model.stopped = NULL;
	struct dispatch *d = life->lab->d;
	if (which < d->n_writers)
		sender_step(d->writers[which]);
	else
		sender_step(&d->submitter);
}

struct letters {
	size_t n;
	struct delivery_key keys[DEAD_CHANGE_MAX];
};

static bool note_letter(void *arg, struct delivery_key key, const struct dead_row *row)
{
	struct letters *l = arg;
	(void)row;
	l->keys[l->n++] = key;
	return l->n < DEAD_CHANGE_MAX;
}

/* What an operator does. One by one, so that the story knows which it was. */
static void change_letters(struct life *life, unsigned from, unsigned more, bool replay)
{
	struct router *r = &life->lab->d->router;
	struct letters l = { 0 };
	rows_scan_dead(r->state, (struct delivery_key){ 0 }, note_letter, &l);
	for (size_t i = 0; i <= more && i < l.n; i++) {
		struct dead_change c = { .replay = replay, .keys = &l.keys[(from + i) % l.n], .n = 1 };
		dead_change(r, &c);
		if (c.done > 0)
			model_changed(&life->model, *c.keys, replay);
	}
}

/* One event on one lane, so that the story knows which it is. */
static void resend(struct life *life, unsigned which, unsigned lane)
{
	struct model *m = &life->model;
	char route[] = { 'r', (char)('0' + lane / 3), '\0' }, sink[] = { 's', (char)('0' + lane % 3), '\0' };
	struct replay_filter filter = { .sink = sink, .route = route };
	struct replay_page page = { 0 };
	if (which >= m->n || !m->events[m->n - 1 - which].accepted)
		return;
	size_t event = m->n - 1 - which;
	filter.id = m->events[event].id;
	int failed = replay_run(&life->lab->d->router, life->lab->env.on_router, &filter, &page);
	expect(failed == 0 || failed == -ENOENT || failed == -ESRCH, "a replay fails: %s", strerror(-failed));
	expect(page.done <= 1, "one event is sent %llu times", (unsigned long long)page.done);
	if (page.done > 0)
		model_resent(m, event, lane, !lab_over(life->lab));
}

static void set_sink(struct life *life, unsigned which, enum sink_mode mode)
{
	struct router *r = &life->lab->d->router;
	struct sink_retried did;
	if (which < r->n_outlets && mode > SINK_DRAINING) {
		sink_retry(r->outlets[which], &did);
		return;
	}
	life->modes_known = false;
	if (which < r->n_outlets)
		sink_set(r->outlets[which], mode, "as the story goes");
}

/* Everything that can be done without new answers but ok is done. */
static void come_to_rest(struct life *life)
{
	life->model.all_well = true;
	for (int i = 0; i < AT_REST_MAX; i++) {
		life->model.stopped = NULL;
		bool more = router_turn(&life->lab->d->router) == 0;
		more = (!lab_over(life->lab) && lab_step_all(life->lab)) || more;
		model_saved(&life->model);
		while (life->model.held_by_us > 0) {
			model_answer(&life->model, 0, 0);
			more = true;
		}
		if (lab_over(life->lab))
			break;
		if (more || !inbox_empty(&life->lab->d->router.inbox))
			continue;
		life->model.all_well = false;
		return;
	}
	life->model.all_well = false;
	expect(lab_over(life->lab), "the engine does not come to rest");
}

static void restart(struct life *life, const struct step *s)
{
	struct dispatch *d = life->lab->d;
	for (size_t i = 0; i < d->n_feeds; i++)
		feed_commit(d->feeds[i]);
	come_to_rest(life);
	if (lab_over(life->lab))
		return;
	save_last(&d->router);
	if (lab_over(life->lab))
		return;
	model_saved(&life->model);
	reconfigure(life, s);
	lab_close(life->lab);
	model_died(&life->model);
	start(life);
	check_modes(life);
}

static void checkpoint(struct life *life)
{
	come_to_rest(life);
	model_mark(&life->model);
	const struct share *share = &life->lab->d->router.share;
	uint64_t before = share->now;
	for (int left = REST; left > 0 && !lab_over(life->lab); left--) {
		clock_manual_advance(&life->lab->clock, 50);
		come_to_rest(life);
		if (share->now != before)
			left = SHARE_REST;
		before = share->now;
	}
	if (lab_over(life->lab))
		return;
	model_freeze(&life->model);
	model_at_rest(&life->model);
	for (size_t i = 0; i < life->lab->d->router.n_outlets; i++)
		life->modes[sink_index(life->lab->d->router.outlets[i])] = life->lab->d->router.outlets[i]->stand.mode;
	life->modes_known = true;
	for (size_t i = 0; life->model.trace && i < life->lab->d->router.n_lanes; i++) {
		const struct lane *lane = life->lab->d->router.lanes[i];
		fprintf(stderr, "      %s: watermark %llu, saved %llu, %zu in the window, %zu loose\n", lane->title,
			(unsigned long long)lane_watermark(lane), (unsigned long long)lane->saved, lane->count,
			lane->n_loose);
	}
}

static void reload(struct life *life, unsigned config, bool hasty)
{
	if (!life->story->reloads)
		return;
	life->lab->hasty = hasty;
	if (lab_reload(life->lab, life->story->inis[config]))
		model_config(&life->model, config);
	for (size_t i = 0; i < sizeof life->in_flight / sizeof *life->in_flight; i++)
		life->in_flight[i] = SIZE_MAX;
}

static void fail_disk(struct life *life, const struct step *s)
{
	struct lab *lab = life->lab;
	if (s->deed == DISK_FULL || s->deed == DISK_ROOM)
		journal_disk_room(lab->journal_disk, s->deed == DISK_FULL ? 0 : UINT64_MAX);
	else if (s->deed == STATE_FULL)
		state_disk_fail(lab->state_disk, ENOSPC, false);
	else if (s->deed == POWER)
		journal_disk_die(lab->journal_disk, s->a + 1);
	else if (s->deed == POWER_SAVE)
		state_disk_die(lab->state_disk, s->a != 0);
	else if (s->deed == BAD_DISK)
		journal_disk_fail(lab->journal_disk, EIO, s->a != 0);
	else
		state_disk_fail(lab->state_disk, EIO, s->a != 0);
}

static void operate(struct life *life, const struct step *s)
{
	if (s->deed == RESEND)
		resend(life, s->a, s->b);
	else if (s->deed == SINK)
		set_sink(life, s->a, (enum sink_mode)s->b);
	else
		change_letters(life, s->a, s->b, s->deed == REPLAY);
}

static void step(struct life *life, const struct step *s)
{
	struct dispatch *d = life->lab->d;
	switch (s->deed) {
	case EMIT:
		emit(life, s->a, s->b);
		break;
	case COMMIT:
		feed_commit(d->feeds[s->a]);
		break;
	case TURN:
		router_turn(&d->router);
		break;
	case SAVE:
		saver_step(&d->router.saver);
		model_saved(&life->model);
		break;
	case SEND:
		send(life, s->a);
		break;
	case FILTER:
		stage_step(&d->stages[0]->workers[0]);
		break;
	case ANSWER:
		model_answer(&life->model, s->a, s->b);
		break;
	case SLEEP:
		clock_manual_advance(&life->lab->clock, s->a);
		break;
	case JUMP:
		life->lab->clock.wall_ms += ((int64_t)s->a - 10000) * 60000;
		break;
	case CRASH:
	case RESTART:
		(s->deed == CRASH ? crash : restart)(life, s);
		break;
	case REPLAY:
	case PURGE:
	case RESEND:
	case SINK:
		operate(life, s);
		break;
	case RELOAD:
		reload(life, s->a, s->b == 0);
		break;
	case DISK_FULL:
	case DISK_ROOM:
	case STATE_FULL:
	case POWER:
	case POWER_SAVE:
	case BAD_DISK:
	case BAD_STATE:
		fail_disk(life, s);
		break;
	default:
		checkpoint(life);
	}
}

/* To a disabled sink nothing more goes out. */
static void check_disabled(struct life *life)
{
	const struct router *r = &life->lab->d->router;
	for (size_t i = 0; i < r->n_outlets; i++) {
		const struct outlet *o = r->outlets[i];
		bool disabled = o->stand.mode == SINK_DISABLED;
		expect(!disabled || o->in_flight <= life->in_flight[i], "sink %s is disabled and given more",
		       o->config->name);
		life->in_flight[i] = disabled ? o->in_flight : SIZE_MAX;
	}
}

/* Rows that there are, and that what is in the journal may get. */
static uint64_t count_rows(const struct life *life, uint64_t in_journal)
{
	const struct router *r = &life->lab->d->router;
	uint64_t n = in_journal * r->n_lanes + life->model.n;	/* one a key that was seen */
	for (size_t i = 0; i < r->n_lanes; i++)
		n += r->lanes[i]->stragglers + r->lanes[i]->dead;
	for (size_t i = 0; i < r->n_leaving; i++)
		n += r->leaving[i]->stragglers + r->leaving[i]->dead;
	for (size_t i = 0; i < r->n_removed; i++)
		n += r->removed[i].dead;
	return n;
}

/* Nothing is accepted past max_size. But what is accepted may get rows, and the events of the oldest segment, which may be most
 * of the journal, are copied before that goes. */
static void check_store(const struct life *life)
{
	const struct router *r = &life->lab->d->router;
	uint64_t most = life->story->max_size, state = state_bytes(r->state);
	struct journal_stat st;
	journal_stat(r->journal, &st);
	uint64_t rows = count_rows(life, st.next_seq - st.first_seq);
	expect(st.bytes <= most, "the journal has %llu bytes of at most %llu", (unsigned long long)st.bytes,
	       (unsigned long long)most);
	expect(state <= most + rows * ROW_MAX, "the state has %llu bytes and %llu rows, with a journal of %llu",
	       (unsigned long long)state, (unsigned long long)rows, (unsigned long long)st.bytes);
}

static void check_bounds(const struct life *life)
{
	const struct router *r = &life->lab->d->router;
	check_store(life);
	for (size_t i = 0; i < r->n_lanes; i++) {
		const struct outlet *o = r->lanes[i]->outlet;
		expect(r->lanes[i]->count <= 2 * (o->max_in_flight > o->max_batch ? o->max_in_flight :
						  o->max_batch) + 16, "a window is larger than it may be");
		expect(o->in_flight <= o->max_in_flight, "more is in flight than max_in_flight");
	}
}

static void mend_disks(struct lab *lab)
{
	journal_disk_room(lab->journal_disk, UINT64_MAX);
	journal_disk_die(lab->journal_disk, 0);
	journal_disk_fail(lab->journal_disk, 0, false);
	state_disk_fail(lab->state_disk, 0, false);
}

/* In the end all receivers are well and enabled, and there is room. */
static void end_well(struct life *life)
{
	for (unsigned i = 0; i < 3; i++)
		set_sink(life, i, SINK_ENABLED);
	for (size_t i = 0; i < life->lab->d->n_feeds; i++)
		feed_commit(life->lab->d->feeds[i]);
	for (int i = 0; i < 40; i++) {
		come_to_rest(life);
		clock_manual_advance(&life->lab->clock, 30000);
	}
	expect(!lab_over(life->lab), "the process ended although nothing failed");
}

void story_live(const struct story *story)
{
	luck = story->seed;
	struct life life = { .lab = lab_new(), .story = story };
	life.lab->journal_options.segment_size = 4096;
	life.lab->fails = true;
	life.lab->journal_options.max_size = story->max_size;
	model_init(&life.model, life.lab, story);
	start(&life);
	check_disabled(&life);
	for (size_t i = 0; i < story->n; i++) {
		if (life.model.trace)
			fprintf(stderr, "step %zu\n", i + 1);
		step(&life, &story->steps[i]);
		if (lab_over(life.lab))
			begin_again(&life);
		check_bounds(&life);
		check_disabled(&life);
	}
	mend_disks(life.lab);
	router_turn(&life.lab->d->router);	/* which may yet hear of a failed save */
	if (lab_over(life.lab))
		begin_again(&life);
	end_well(&life);
	checkpoint(&life);
	model_ended(&life.model);
	lab_free(life.lab);
	model_free(&life.model);
}
