/* lab.c - the engine's test bench. */
#include "unit/dispatch/lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/memory.h"
#include "base/span.h"
#include "dispatch/delivery.h"
#include "event/event.h"
#include "state/history.h"

#define TURNS_MAX 100000
#define STARTS_MAX 20

/* The plugins find the lab by their instance's environment, whose clock is the lab's. */
static struct lab *lab_of(const struct pb_self *self)
{
	struct clock_manual *manual = CONTAINER_OF((struct clock *)self->env->clock,
						   struct clock_manual, clock);
	return CONTAINER_OF(manual, struct lab, clock);
}

static void *open_self(struct pb_self *self, struct pb_error *err)
{
	(void)err;
	return self;
}

static void close_self(void *state)
{
	(void)state;
}

static void *open_broken(struct pb_self *self, struct pb_error *err)
{
	(void)self;
	return pb_error(err, NULL, "address in use");
}

/* A file that one can have. */
static void *open_locked(struct pb_self *self, struct pb_error *err)
{
	struct lab *lab = lab_of(self);
	if (lab->locked)
		return pb_error(err, NULL, "another has it");
	lab->locked = true;
	return self;
}

static void close_locked(void *state)
{
	lab_of(state)->locked = false;
}

static void script_stop(void *state)
{
	struct pb_self *self = state;
	if (self == NULL || !self->opened)
		fail_msg("stop() of an instance that is not open");
}

static int drive_run(void *state)
{
	(void)state;
	return 0;
}

static void drive_settled(void *state, void *token, const struct pb_receipt *receipt)
{
	struct lab *lab = lab_of(state);
	if (lab->unit_settled != NULL) {
		lab->unit_settled(lab->hook_arg, token, pb_receipt_outcome(receipt));
		return;
	}
	snprintf(lab->first_id, sizeof lab->first_id, "%s", pb_receipt_id(receipt, 0));
	lab->repeat = pb_receipt_duplicate(receipt, 0);
	size_t len = strlen(lab->settled);
	snprintf(lab->settled + len, sizeof lab->settled - len, "%s:%d ", token == NULL ? "" : (char *)token,
		 (int)pb_receipt_outcome(receipt));
}

static struct lab_sink *sink_of(const struct pb_self *self)
{
	return &lab_of(self)->sinks[self->name[strlen(self->name) - 1] - '0'];
}

static void answer(struct lab_sink *sink, struct pb_delivery *d, const char *word)
{
	static const struct { const char *word; enum pb_code code; } codes[] = {
		{ "ok", PB_OK }, { "retry", PB_RETRY }, { "reject", PB_REJECT }, { "down", PB_DOWN },
		{ "gone", PB_GONE },
	};
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (strcmp(codes[i].word, word) == 0)
			pb_answer(d, codes[i].code, 0, span_str("response"), "said %s", word);
	if (strcmp(word, "hold") == 0)
		sink->held[sink->n_held++] = d;
}

static void script_write(void *state, struct pb_delivery *const d[], size_t n)
{
	struct lab_sink *sink = sink_of(state);
	struct lab *lab = lab_of(state);
	for (size_t i = 0; i < n; i++) {
		if (lab->given != NULL) {
			lab->given(lab->hook_arg, d[i]);
			continue;
		}
		const struct pb_event *ev = pb_delivery_event(d[i]);
		struct pb_span body = pb_event_body(ev);
		char word[32];
		size_t len = strlen(sink->seen);
		snprintf(word, sizeof word, "%.*s", (int)body.len, (const char *)body.data);
		snprintf(sink->seen + len, sizeof sink->seen - len, "%s/%u ", pb_event_type(ev),
			 pb_delivery_attempt(d[i]));
		answer(sink, d[i], sink->always != NULL ? sink->always : word);
	}
}

static int shape_apply(void *state, struct pb_event *ev, struct pb_error *err)
{
	const char *mode = pb_str(state, "mode");
	if (strcmp(mode, "drop") == 0)
		return 0;
	if (strcmp(mode, "fail") == 0) {
		pb_error(err, NULL, "will not");
		return -EBADMSG;
	}
	if (strcmp(mode, "later") == 0) {
		pb_error(err, NULL, "not yet");
		return -EAGAIN;
	}
	if (strcmp(mode, "halve") == 0)
		pb_pass(state, pb_event_copy(state, ev, pb_event_body(ev)));
	for (int i = 1; strcmp(mode, "split") == 0 && i < 3; i++)
		pb_pass(state, pb_event_copy(state, ev, pb_event_body(ev)));
	pb_pass(state, ev);
	return 0;
}

static const struct pb_option shape_options[] = {
	{ .name = "mode", .type = PB_CHOICE, .value = "pass", .choices = "pass drop split halve later fail",
	  .help = "What to do." },
	{ 0 }
};

#define PLUGIN .size = sizeof(struct pb_plugin), .option_size = sizeof(struct pb_option), \
	.abi_major = PB_ABI_MAJOR, .abi_minor = PB_ABI_MINOR, .version = "1", .summary = "A test's"

static const struct pb_plugin plugins[] = {
	{ PLUGIN, .name = "drive", .source = PB_SOURCE(.open = open_self, .close = close_self,
		.run = drive_run, .settled = drive_settled, .may_refuse = true, .may_repeat = true) },
	{ PLUGIN, .name = "script", .sink = PB_SINK(.open = open_self, .close = close_self,
		.write = script_write, .max_batch = 4) },
	{ PLUGIN, .name = "locked", .sink = PB_SINK(.open = open_locked, .close = close_locked,
		.write = script_write, .max_batch = 4) },
	{ PLUGIN, .name = "script_async", .sink = PB_SINK(.open = open_self, .close = close_self,
		.submit = script_write, .stop = script_stop, .max_batch = 4) },
	{ PLUGIN, .name = "broken", .source = PB_SOURCE(.open = open_broken, .close = close_self,
		.run = drive_run, .may_refuse = true) },
	{ PLUGIN, .name = "shape", .filter = PB_FILTER(.options = shape_options, .open = open_self,
		.close = close_self, .apply = shape_apply) },
};

/* In the loader's place, which this program does not link. */
const char *loader_folder(const struct loader *loader)
{
	(void)loader;
	return "/nowhere";
}

const struct pb_plugin *loader_find(struct loader *l, const char *name, struct pb_error *err)
{
	(void)l;
	for (size_t i = 0; i < sizeof plugins / sizeof plugins[0]; i++)
		if (strcmp(plugins[i].name, name) == 0)
			return &plugins[i];
	error_add(err, "plugin", "no such plugin");
	return NULL;
}

static bool find(void *arg, enum config_kind kind, const char *name, const struct pb_option **table,
		 uint32_t *most, bool *repeat, struct pb_error *err)
{
	const struct pb_plugin *plugin = loader_find(arg, name, err);
	*table = kind == CONFIG_FILTER ? shape_options : NULL;
	*most = 4;
	*repeat = strcmp(name, "drive") == 0;
	return plugin != NULL;
}

static void machine_died(void *arg)
{
	struct lab *lab = arg;
	state_disk_crash(lab->state_disk);
}

struct lab *lab_new(void)
{
	struct lab *lab = xcalloc(1, sizeof *lab);
	clock_manual_init(&lab->clock, INT64_C(1767398645678));
	clock_manual_advance(&lab->clock, 1000000);
	lab->journal_disk = journal_disk_new(1);
	lab->state_disk = state_disk_new();
	journal_disk_watch(lab->journal_disk, machine_died, lab);
	lab->journal_options = (struct journal_options){ .max_size = 1 << 30, .segment_size = 1 << 20, .unsure = true };
	metrics_init(&lab->metrics);
	return lab;
}

/* What a dead process's sinks held, nobody answers. */
static void drop_held(struct lab_sink *sink)
{
	for (size_t i = 0; i < sink->n_held; i++)
		if (sink->held[i] != NULL)
			batch_unref(sink->held[i]->batch);
	*sink = (struct lab_sink){ .always = sink->always };
}

/* Nor what waited for its sender's thread. */
static void drop_queue(struct sender *s)
{
	for (struct batch *b = s->first, *next; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	s->first = NULL;
	s->last = &s->first;
}

static void free_engine(struct lab *lab)
{
	drop_queue(&lab->d->submitter);
	for (size_t i = 0; i < lab->d->n_writers; i++)
		drop_queue(lab->d->writers[i]);
	for (size_t i = 0; i < sizeof lab->sinks / sizeof lab->sinks[0]; i++)
		drop_held(&lab->sinks[i]);
	dispatch_free(lab->d);
}

void lab_close(struct lab *lab)
{
	if (lab->d != NULL)
		free_engine(lab);
	journal_close(lab->env.journal);
	state_close(lab->env.state);
	config_free(lab->config);
	lab->d = NULL;
}

void lab_free(struct lab *lab)
{
	if (lab->d != NULL)
		lab_close(lab);
	metrics_free(&lab->metrics);
	journal_disk_free(lab->journal_disk);
	state_disk_free(lab->state_disk);
	free(lab);
}

int lab_setup(void **state)
{
	*state = lab_new();
	return 0;
}

int lab_teardown(void **state)
{
	lab_free(*state);
	return 0;
}

static struct config *read_config(const char *ini)
{
	char path[] = "/tmp/patchbay-lab-XXXXXX";
	int fd = mkstemp(path);
	struct config_plugins tables = { .find = find };
	struct report report;
	assert_true(fd >= 0 && write(fd, ini, strlen(ini)) == (ssize_t)strlen(ini));
	close(fd);
	report_init(&report);
	struct config *config = config_load(path, &tables, &report);
	if (report.errors > 0)
		report_print(&report, stderr, false);
	assert_int_equal(report.errors, 0);
	report_free(&report);
	unlink(path);
	return config;
}

static void end(void *arg)
{
	struct lab *lab = arg;
	lab->ended = true;
}

/* Nobody waits any more. */
static void forget_call(struct router *r, struct inbox_call *call)
{
	struct inbox_call **at = &r->callers;
	while (*at != NULL && *at != call)
		at = &(*at)->next;
	if (*at == call)
		*at = call->next;
}

/* In the place of inbox_call(): the router has no thread. */
static int on_router(struct inbox *inbox, struct inbox_call *call)
{
	struct router *r = CONTAINER_OF(inbox, struct router, inbox);
	struct clock_manual *clock = CONTAINER_OF((struct clock *)r->clock, struct clock_manual, clock);
	struct lab *lab = CONTAINER_OF(clock, struct lab, clock);
	bool hasty = lab->hasty && call->run == reload_switch;
	call->next = NULL;
	call->done = call->later = false;
	*inbox->calls_last = call;
	inbox->calls_last = &call->next;
	router_turn(r);
	if (call->run == reload_pause) {
		clock_manual_advance(clock, 10);
		lab_step_all(lab);
	}
	while (call->later && !call->done && !hasty && !lab_over(lab)) {
		clock_manual_advance(clock, 1);
		saver_step(&r->saver);
		if (lab->saved != NULL)
			lab->saved(lab->hook_arg);
		router_turn(r);
	}
	if (call->later && !call->done)
		forget_call(r, call);
	return 0;
}

static void fill_env(struct lab *lab)
{
	lab->env = (struct dispatch_env){
		.instance = { .clock = &lab->clock.clock, .metrics = &lab->metrics,
			      .max_event = 1 << 20 },
		.journal = journal_simulated(lab->journal_disk, &lab->journal_options),
		.state = state_simulated(lab->state_disk), .history = lab->history,
		.keep = config_keep(lab->config->core), .max_size = lab->journal_options.max_size,
		.memory = 1 << 20, .ending = { end, lab }, .shutdown_ms = 1000,
		.on_router = on_router,
	};
}

/* False: a disk failed, or the machine died. */
static bool begin(struct lab *lab, const char *ini)
{
	struct pb_error err;
	struct report report;
	error_init(&err);
	report_init(&report);
	lab->ended = false;
	lab->config = read_config(ini);
	fill_env(lab);
	if (lab->env.journal != NULL)
		lab->d = dispatch_new(lab->config, NULL, &lab->env, &err);
	bool begun = lab->d != NULL && dispatch_open(lab->d, &report);
	error_free(&err);
	report_free(&report);
	return begun && !lab_over(lab);
}

void lab_start_only(struct lab *lab, const char *ini)
{
	for (int tries = 0; !begin(lab, ini); tries++) {
		assert_true(lab->fails && tries < STARTS_MAX);
		if (journal_disk_dead(lab->journal_disk))
			lab_crash(lab);
		else
			lab_close(lab);
	}
}

bool lab_reload(struct lab *lab, const char *ini)
{
	struct config_changes changes;
	struct report report;
	report_init(&report);
	struct config *now = read_config(ini);
	bool taken = dispatch_reload(lab->d, now, lab->config, NULL, &report, &changes);
	assert_int_equal(report.errors > 0, !taken);
	if (taken)
		lab->config = now;
	else
		config_free(now);
	config_changes_free(&changes);
	report_free(&report);
	return taken;
}

void lab_start_broken(struct lab *lab, const char *ini)
{
	struct pb_error err;
	struct report report;
	error_init(&err);
	report_init(&report);
	lab->config = read_config(ini);
	lab->env.journal = journal_simulated(lab->journal_disk, &lab->journal_options);
	lab->env.state = state_simulated(lab->state_disk);
	lab->d = dispatch_new(lab->config, NULL, &lab->env, &err);
	assert_non_null(lab->d);
	assert_false(dispatch_open(lab->d, &report));
	error_free(&err);
	report_free(&report);
	dispatch_stop(lab->d);
	lab_close(lab);
}

bool lab_try_start(struct lab *lab, const char *ini)
{
	struct pb_error err;
	error_init(&err);
	lab->config = read_config(ini);
	lab->env.journal = journal_simulated(lab->journal_disk, &lab->journal_options);
	lab->env.state = state_simulated(lab->state_disk);
	lab->d = dispatch_new(lab->config, NULL, &lab->env, &err);
	bool started = lab->d != NULL;
	if (started) {
		lab_close(lab);
	} else {
		journal_close(lab->env.journal);
		state_close(lab->env.state);
		config_free(lab->config);
	}
	error_free(&err);
	return started;
}

void lab_start(struct lab *lab, const char *ini)
{
	lab_start_only(lab, ini);
	lab_settle(lab);
}

void lab_stop(struct lab *lab)
{
	lab_settle(lab);
	save_last(&lab->d->router);
	lab_close(lab);
}

bool lab_over(struct lab *lab)
{
	return lab->ended || journal_disk_dead(lab->journal_disk) || state_disk_dead(lab->state_disk);
}

void lab_crash(struct lab *lab)
{
	journal_disk_crash(lab->journal_disk);
	state_disk_crash(lab->state_disk);
	lab_close(lab);
}

void lab_emit(struct lab *lab, const char *type, const char *body)
{
	struct feed *f = lab->d->feeds[0];
	struct pb_event *ev = pb_event_new(&f->self, span_str(body));
	assert_non_null(ev);
	pb_event_set(ev, "type", type);
	assert_int_equal(feed_emit(f, &ev, 1, NULL, (void *)type), 0);
	feed_commit(f);
}

void lab_emit_some(struct lab *lab, size_t n, const char *type, const char *answer)
{
	for (size_t i = 0; i < n; i++)
		lab_emit(lab, type, answer);
}

static bool count_removed(void *arg, struct delivery_key key, const struct dead_row *row)
{
	(void)key;
	assert_int_equal(row->reason, DEAD_REMOVED);
	++*(unsigned *)arg;
	return true;
}

unsigned lab_removed_letters(struct lab *lab, uint32_t lane)
{
	unsigned n = 0;
	assert_int_equal(rows_each_dead(lab->env.state, lane, 0, count_removed, &n), 0);
	return n;
}

void lab_answer(struct lab *lab, size_t sink, size_t i, enum pb_code code)
{
	struct pb_delivery **held = &lab->sinks[sink].held[i];
	pb_answer(*held, code, 0, (struct pb_span){ NULL, 0 }, "said late");
	*held = NULL;
}

bool lab_step_all(struct lab *lab)
{
	struct dispatch *d = lab->d;
	if (lab->ended)		/* what was begun in its last turn is not done */
		return false;
	bool did = saver_step(&d->router.saver);
	if (lab->saved != NULL)
		lab->saved(lab->hook_arg);
	history_step(d->env.history);
	for (size_t i = 0; i < d->n_feeds; i++)
		if (d->feeds[i]->self.plugin == &alarms_plugin && alarms_step(&d->alarms, &d->feeds[i]->self)) {
			feed_commit(d->feeds[i]);
			did = true;
		}
	did = sender_step(&d->submitter) || did;
	for (size_t i = 0; i < d->n_writers; i++)
		did = sender_step(d->writers[i]) || did;
	for (size_t i = 0; i < d->n_stages; i++)
		did = stage_step(&d->stages[i]->workers[0]) || did;
	for (size_t i = 0; i < d->retired.n_stages; i++)
		did = stage_step(&d->retired.stages[i]->workers[0]) || did;
	return did;
}

void lab_settle(struct lab *lab)
{
	struct router *r = &lab->d->router;
	for (int i = 0; i < TURNS_MAX; i++) {
		int64_t wait = router_turn(r);
		bool did = lab_step_all(lab);
		if (wait != 0 && !did && inbox_empty(&r->inbox))
			return;
	}
	fail_msg("the engine does not come to rest");
}

void lab_wait(struct lab *lab, int64_t ms)
{
	for (int64_t step = ms / 20 + 1; ms > 0; ms -= step) {
		clock_manual_advance(&lab->clock, ms < step ? ms : step);
		lab_settle(lab);
	}
}

struct lane *lab_lane(struct lab *lab, const char *title)
{
	struct router *r = &lab->d->router;
	for (size_t i = 0; i < r->n_lanes; i++)
		if (strcmp(r->lanes[i]->title, title) == 0)
			return r->lanes[i];
	fail_msg("no lane %s", title);
	return NULL;
}
