/*
 * test-isolate.c - what the daemon does when the process of an isolated section is out to harm it.
 *
 * The process is this very program (peer.c). However it behaves, each delivery is answered once, nothing is stored that it may not
 * have said, it is gone in the end, and so is every descriptor.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/memory.h"
#include "base/span.h"
#include "base/thread.h"
#include "dispatch/feed.h"
#include "dispatch/isolate.h"
#include "dispatch/outlet.h"
#include "event/event.h"
#include "unit/dispatch/peer.h"

#define BATCH 3
#define ENOUGH_MS 20000		/* to say that something does not come */
#define MAX_EVENT (1u << 20)

struct bench {
	struct config *config;
	struct metrics metrics;
	struct instance_env env;
	struct pb_plugin *plugin;
	struct plugin_use *use;
	struct config_instance *in;
	size_t files;
	/* A sink's. */
	struct inbox inbox;
	struct outlet outlet;
	/* A source's. */
	struct feed feed;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t foreign, stored, done;
};

static void nothing(void *state, struct pb_delivery *const d[], size_t n)
{
	(void)state;
	(void)d;
	(void)n;
}

static const struct pb_plugin real = {
	.size = sizeof(struct pb_plugin), .option_size = sizeof(struct pb_option), .abi_major = PB_ABI_MAJOR,
	.abi_minor = PB_ABI_MINOR, .name = "peer", .version = "1", .summary = "A test's",
	.source = PB_SOURCE(.may_refuse = true), .filter = PB_FILTER(0),
	.sink = PB_SINK(.submit = nothing, .max_batch = BATCH),
};

static bool find(void *arg, enum config_kind kind, const char *name, const struct pb_option **table, uint32_t *most,
		 bool *repeat, struct pb_error *err)
{
	(void)arg;
	(void)kind;
	(void)name;
	(void)err;
	*table = NULL;
	*most = BATCH;
	*repeat = false;
	return true;
}

static struct config *read_config(const char *ini)
{
	char path[] = "/tmp/patchbay-isolate-XXXXXX";
	struct config_plugins tables = { .find = find };
	struct report report;
	int fd = mkstemp(path);
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

static size_t open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* A clock by which every pause is over before anybody looks. */
static int64_t hurried(const struct clock *c)
{
	static _Atomic int64_t gone;
	(void)c;
	return clock_mono(&clock_system) + 10 * atomic_fetch_add(&gone, 1);
}

static const struct clock hasty = { .wall = hurried, .mono = hurried, .fine = hurried };

static struct bench *bench_up(enum config_kind kind, const char *name, const char *options)
{
	struct bench *b = xcalloc(1, sizeof *b);
	char *ini = xasprintf("[%s %s]\nplugin = peer\nisolate = process\nisolate_pause = 1ms\nisolate_max_pause = 20ms\n"
			      "isolate_stop = 200ms\nisolate_environment = LSAN_OPTIONS\n%s\n[patchbay]\nstate = /tmp/nowhere\n",
			      config_kind_name(kind), name, options);
	b->files = open_files();
	b->config = read_config(ini);
	free(ini);
	metrics_init(&b->metrics);
	b->env = (struct instance_env){ .clock = &clock_system, .metrics = &b->metrics, .max_event = MAX_EVENT };
	b->plugin = isolate_plugin_new(&real, "/nowhere");
	b->use = plugin_use_new(b->plugin, &b->env);
	b->in = config_find(b->config, kind, name);
	assert_non_null(b->in);
	return b;
}

/* Nobody is left, and nothing open. */
static void bench_down(struct bench *b)
{
	plugin_use_free(b->use);
	isolate_plugin_free(b->plugin);
	metrics_free(&b->metrics);
	config_free(b->config);
	assert_int_equal(open_files(), b->files);
	free(b);
	/* What a peer left to us when its group was ended. */
	int64_t until = clock_mono(&clock_system) + ENOUGH_MS;
	while (waitpid(-1, NULL, WNOHANG) >= 0) {
		assert_true(clock_mono(&clock_system) < until);
		poll(NULL, 0, 1);
	}
}

/* Sinks. */

static struct bench *sink_up(const char *name)
{
	struct bench *b = bench_up(CONFIG_SINK, name, "");
	struct pb_error err;
	inbox_init(&b->inbox, 0);
	b->outlet = (struct outlet){ .config = b->in, .inbox = &b->inbox, .max_response = 100 };
	instance_init(&b->outlet.self, b->in, b->use, &b->env, 0);
	b->outlet.self.outlet = &b->outlet;
	error_init(&err);
	if (!instance_open(&b->outlet.self, &err))
		fail_msg("%s", error_text(&err));
	return b;
}

static void sink_down(struct bench *b)
{
	struct intake got;
	isolate_sink_stop(b->outlet.self.state);
	instance_close(&b->outlet.self);
	inbox_take(&b->inbox, &got);
	assert_null(got.answers);
	instance_fini(&b->outlet.self);
	inbox_fini(&b->inbox);
	bench_down(b);
}

static void submit(struct bench *b, size_t n, unsigned attempt)
{
	struct batch *batch = batch_new(&b->outlet, n);
	for (size_t i = 0; i < n; i++) {
		struct pb_event *ev = event_new(span_str("body"), 0);
		event_set(ev, "id", "an-id");
		event_set(ev, "type", "t");
		batch->d[i] = (struct pb_delivery){
			.magic = DELIVERY_MAGIC, .attempt = attempt, .event = ev, .batch = batch,
		};
		batch->list[i] = &batch->d[i];
	}
	batch->n = n;
	atomic_store(&batch->refs, n + 1);
	isolate_sink_submit(b->outlet.self.state, batch->list, n);
	batch_unref(batch);
}

/* The answers to n deliveries, counted by code. */
static void await_answers(struct bench *b, size_t n, size_t codes[static PB_GONE + 1])
{
	int64_t until = clock_mono(&clock_system) + ENOUGH_MS;
	memset(codes, 0, (PB_GONE + 1) * sizeof *codes);
	for (size_t had = 0; had < n; ) {
		struct intake got;
		int64_t left = until - clock_mono(&clock_system);
		assert_true(left > 0);
		inbox_wait(&b->inbox, left);
		inbox_take(&b->inbox, &got);
		for (struct pb_delivery *d = got.answers, *next; d != NULL; d = next, had++) {
			next = d->next;
			codes[d->code]++;
			event_unref(d->event);
			free(d->text);
			free(d->response);
			batch_unref(d->batch);
		}
	}
}

/* A second attempt goes through, by this process or the next. */
static void assert_goes_on(struct bench *b)
{
	size_t codes[PB_GONE + 1] = { 0 };
	for (int i = 0; i < 1000 && codes[PB_OK] == 0; i++) {
		submit(b, 1, 2);
		await_answers(b, 1, codes);
		if (codes[PB_OK] == 0)
			poll(NULL, 0, 5);
	}
	assert_int_equal(codes[PB_OK], 1);
}

static void a_sink_that_does_harm_is_ended_and_each_delivery_answered_once(void **state)
{
	static const struct { const char *name; size_t ok; } deeds[] = {
		{ "garbage", 0 }, { "huge", 0 }, { "crash", 0 }, { "orphan", 0 }, { "runaway", 0 }, { "endless", 0 },
		{ "foreign", 0 }, { "twice", 1 }, { "unasked", 0 }, { "mutant", BATCH },
	};
	(void)state;
	for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
		size_t codes[PB_GONE + 1];
		struct bench *b = sink_up(deeds[i].name);
		submit(b, BATCH, 1);
		await_answers(b, BATCH, codes);
		assert_true(codes[PB_OK] <= deeds[i].ok);	/* what is right is taken */
		assert_int_equal(codes[PB_REJECT] + codes[PB_GONE], 0);
		assert_goes_on(b);
		assert_true(atomic_load(&b->outlet.self.restarts) > 0);
		sink_down(b);
	}
}

static void descriptors_that_nobody_wants_are_closed(void **state)
{
	size_t codes[PB_GONE + 1];
	(void)state;
	struct bench *b = sink_up("descriptors");
	size_t before = open_files();
	submit(b, BATCH, 1);
	await_answers(b, BATCH, codes);
	assert_int_equal(codes[PB_OK], BATCH);
	assert_true(open_files() <= before + 1);	/* the one that might be wanted */
	sink_down(b);
}

static void what_never_is_ready_opens_nothing(void **state)
{
	static const char *const names[] = { "mute", "premature", "other", "refusing", "complaining", "chatty" };
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct bench *b = bench_up(CONFIG_SINK, names[i], "isolate_start = 150ms\n");
		struct pb_error err;
		error_init(&err);
		instance_init(&b->outlet.self, b->in, b->use, &b->env, 0);
		assert_false(instance_open(&b->outlet.self, &err));
		assert_true(err.count > 0);
		error_free(&err);
		instance_fini(&b->outlet.self);
		bench_down(b);
	}
}

static void a_thousand_starts_leave_nothing(void **state)
{
	size_t codes[PB_GONE + 1];
	(void)state;
	struct bench *b = sink_up("crash");
	assert_goes_on(b);
	size_t before = open_files();
	for (int i = 0; i < 50; i++) {
		submit(b, 1, 1);
		await_answers(b, 1, codes);
		assert_goes_on(b);
	}
	assert_true(open_files() <= before);
	sink_down(b);
}

/* Filters. */

static int try_filter(struct bench *b, struct pb_self *self, const char *type)
{
	struct pb_event *ev = event_new(span_str("body"), 0);
	struct pb_error err;
	(void)b;
	error_init(&err);
	event_set(ev, "type", type);
	int result = isolate_filter_apply(self->state, ev, &err);
	assert_true(err.count > 0);
	error_free(&err);
	event_unref(ev);
	return result;
}

static void a_filter_that_does_harm_is_ended_and_the_event_tried_again(void **state)
{
	static const char *const names[] = { "garbage", "huge", "crash", "orphan", "runaway", "endless", "nils", "mutant", "foreign" };
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct bench *b = bench_up(CONFIG_FILTER, names[i], "");
		struct pb_self self;
		struct pb_error err;
		int result = -EAGAIN;
		error_init(&err);
		instance_init(&self, b->in, b->use, &b->env, 0);
		assert_true(instance_open(&self, &err));
		assert_int_equal(try_filter(b, &self, "deed"), -EAGAIN);
		for (int k = 0; k < 1000 && result == -EAGAIN; k++) {
			result = try_filter(b, &self, "other");
			poll(NULL, 0, 2);
		}
		assert_int_equal(result, -EBADMSG);	/* as it was told */
		instance_close(&self);
		instance_fini(&self);
		bench_down(b);
	}
}

/* Sources. */

static struct bench *bench_of(struct feed *f)
{
	return CONTAINER_OF(f, struct bench, feed);
}

/* In the place of the journal. All that `repeats` emits is known. */
static int store(struct feed *f)
{
	struct bench *b = bench_of(f);
	pthread_mutex_lock(&b->lock);
	for (size_t i = 0; i < f->entry.n; i++) {
		const char *type = event_type(f->entry.events[i]);
		b->foreign += strcmp(type, "foreign") == 0;
		b->done += strcmp(type, "done") == 0;
		if (strcmp(type, "repeat") == 0)
			f->closed.claims[i].first = xstrdup("0199aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee");
	}
	b->stored += f->entry.n;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
	return 0;
}

static void no_wait(struct feed *f, int64_t ms)
{
	(void)f;
	(void)ms;
}

static int restore(struct feed *f, const char *key, struct buf *to)
{
	(void)f;
	(void)key;
	(void)to;
	return -ENOENT;
}

static const struct feed_store bench_store = { .run = store, .wait_room = no_wait, .restore = restore };

static struct bench *source_up(const char *name, const struct clock *clock)
{
	struct bench *b = bench_up(CONFIG_SOURCE, name, "");
	struct pb_error err;
	pthread_mutex_init(&b->lock, NULL);
	cond_init(&b->changed);
	b->env.clock = clock;
	feed_init(&b->feed, b->in, b->use, &b->env, 0);
	b->feed.store = &bench_store;
	b->feed.told = true;
	error_init(&err);
	if (!instance_open(&b->feed.self, &err))
		fail_msg("%s", error_text(&err));
	assert_int_equal(feed_start(&b->feed), 0);
	return b;
}

static void source_down(struct bench *b)
{
	feed_stop(&b->feed);
	assert_true(thread_join_until(b->feed.thread, clock_mono(&clock_system) + ENOUGH_MS));
	instance_close(&b->feed.self);
	feed_fini(&b->feed);
	pthread_mutex_destroy(&b->lock);
	pthread_cond_destroy(&b->changed);
	bench_down(b);
}

static void await_restarts(struct bench *b, uint64_t n)
{
	int64_t until = clock_mono(&clock_system) + ENOUGH_MS;
	while (atomic_load(&b->feed.self.restarts) < n) {
		assert_true(clock_mono(&clock_system) < until);
		poll(NULL, 0, 2);
	}
}

static void a_source_that_does_harm_is_ended_and_nothing_of_it_stored(void **state)
{
	static const char *const names[] = {
		"garbage", "huge", "crash", "orphan", "runaway", "endless", "foreign", "cut", "keyless", "large", "marked", "mutant",
	};
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct bench *b = source_up(names[i], &clock_system);
		await_restarts(b, 2);
		assert_int_equal(b->stored, 0);
		source_down(b);
	}
}

static void a_receipt_is_not_for_the_next_process(void **state)
{
	(void)state;
	struct bench *b = source_up("early", &hasty);
	await_restarts(b, 4);
	pthread_mutex_lock(&b->lock);
	assert_true(b->stored > 0);
	assert_int_equal(b->foreign, 0);
	pthread_mutex_unlock(&b->lock);
	source_down(b);
}

static void a_receipt_may_be_longer_than_the_socket_holds(void **state)
{
	int64_t until = clock_mono(&clock_system) + ENOUGH_MS, left;
	(void)state;
	struct bench *b = source_up("repeats", &clock_system);
	pthread_mutex_lock(&b->lock);
	while (b->done == 0 && (left = until - clock_mono(&clock_system)) > 0)
		cond_wait_ms(&b->changed, &b->lock, left);
	assert_int_equal(b->done, 1);
	pthread_mutex_unlock(&b->lock);
	source_down(b);
}

/* What peers leave behind is ours to see, so that the test can tell that it was ended. */
static int set_up(void **state)
{
	(void)state;
	return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

int main(int argc, char *argv[])
{
	if (peer_wanted(argc, argv))
		return peer_run(argv[2]);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sink_that_does_harm_is_ended_and_each_delivery_answered_once),
		cmocka_unit_test(descriptors_that_nobody_wants_are_closed),
		cmocka_unit_test(what_never_is_ready_opens_nothing),
		cmocka_unit_test(a_thousand_starts_leave_nothing),
		cmocka_unit_test(a_filter_that_does_harm_is_ended_and_the_event_tried_again),
		cmocka_unit_test(a_source_that_does_harm_is_ended_and_nothing_of_it_stored),
		cmocka_unit_test(a_receipt_is_not_for_the_next_process),
		cmocka_unit_test(a_receipt_may_be_longer_than_the_socket_holds),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
