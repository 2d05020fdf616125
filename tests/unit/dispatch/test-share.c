/* test-share.c - several sinks are down, on different events: they do not fill the store together. */
#include "unit/dispatch/lab.h"

#include <stdio.h>
#include <string.h>

#include "dispatch/sinks.h"
#include "event/event.h"

#define MAX (4 << 20)
#define KIB 1024u
#define HEAD "[patchbay]\nstate = /nowhere\n[source in]\nplugin = drive\n"
#define WELL "[sink s3]\nplugin = script_async\n[route well]\nfrom = in\nto = s3\n" \
	"[route told]\nfrom = patchbay\nevents = patchbay.store.filling\nto = s3\n"
#define SINK(n, type, options) "[sink s" n "]\nplugin = script\nbreaker_failures = 0\n" options \
	"[route r" n "]\nfrom = in\nevents = " type "\nto = s" n "\n"
#define THREE HEAD SINK("0", "a", "") SINK("1", "b", "") SINK("2", "c", "") WELL

static unsigned given_to[4], told;
static enum pb_code answer;	/* of the sinks 0 to 2 */

static void given(void *arg, struct pb_delivery *d)
{
	(void)arg;
	unsigned sink = (unsigned)(d->slot->lane->outlet->config->name[1] - '0');
	if (pb_delivery_event(d) != NULL && strncmp(event_type(pb_delivery_event(d)), "patchbay.", 9) == 0)
		told++;
	else
		given_to[sink]++;
	pb_answer(d, sink == 3 ? PB_OK : answer, 0, (struct pb_span){ NULL, 0 }, "as told");
}

static int set_up(void **state)
{
	struct lab *lab = lab_new();
	memset(given_to, 0, sizeof given_to);
	told = 0;
	answer = PB_OK;
	lab->journal_options = (struct journal_options){ .max_size = MAX, .segment_size = 64 * KIB };
	lab->given = given;
	*state = lab;
	return 0;
}

static uint64_t store_bytes(struct lab *lab)
{
	struct journal_stat st;
	journal_stat(lab->env.journal, &st);
	return st.bytes + state_bytes(lab->env.state);
}

/* An event of about 1 KiB. */
static void emit(struct lab *lab, const char *type)
{
	struct feed *f = lab->d->feeds[0];
	char body[900];
	memset(body, 'x', sizeof body);
	struct pb_event *ev = pb_event_new(&f->self, (struct pb_span){ body, sizeof body });
	pb_event_set(ev, "type", type);
	lab->settled[0] = '\0';
	feed_emit(f, &ev, 1, NULL, (void *)"");
	feed_commit(f);
	assert_string_equal(lab->settled, ":1 ");
	lab_wait(lab, 10);
	assert_true(store_bytes(lab) < MAX);
}

static void emit_some(struct lab *lab, unsigned n, const char *types)
{
	for (unsigned i = 0; i < n; i++) {
		char type[] = { types[i % strlen(types)], '\0' };
		emit(lab, type);
	}
}

static void work(struct lab *lab, int64_t ms)
{
	for (; ms > 0; ms -= 100)
		lab_wait(lab, 100);
}

static void set_sink(struct lab *lab, const char *title, enum sink_mode mode)
{
	sink_set(lab_lane(lab, title)->outlet, mode, "a test");
	lab_settle(lab);
}

static bool count_letter(void *arg, struct delivery_key key, const struct dead_row *row)
{
	(void)key;
	(void)row;
	++*(unsigned *)arg;
	return true;
}

static const char *const downs[] = { "r0 s0", "r1 s1", "r2 s2" };

static void what_is_down_together_keeps_within_the_store(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, THREE);
	const struct share *share = &lab->d->router.share;
	for (size_t i = 0; i < 3; i++)
		set_sink(lab, downs[i], SINK_DISABLED);
	emit_some(lab, 12000, "abc");
	work(lab, 3000);
	assert_int_equal(given_to[3], 12000);
	assert_int_equal(told, 1);
	assert_true(store_bytes(lab) < MAX / 5 * 4);
	assert_in_range(share->now, 256 * KIB, 700 * KIB);
	uint64_t left[3];
	for (size_t i = 0; i < 3; i++) {
		const struct lane *lane = lab_lane(lab, downs[i]);
		assert_in_range(lane->row_bytes, share->now / 4 * 3, share->now);
		assert_in_range(lane->dead_bytes, share->now / 4 * 3, share->now);
		left[i] = 4000 - lane->died[DEAD_OVERFLOW];
	}
	for (size_t i = 0; i < 3; i++)
		set_sink(lab, downs[i], SINK_ENABLED);
	work(lab, 20000);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(given_to[i], left[i]);
	assert_true(store_bytes(lab) < MAX / 2);
	assert_true(share->now == share->whole);
}

/* Routes come and go, and leave what waited behind as dead letters. */
static void letters_of_removed_routes_give_way_too(void **state)
{
	struct lab *lab = *state;
	char ini[1024];
	lab_start(lab, HEAD "[sink s0]\nplugin = script\n" WELL);
	sink_set(lab->d->router.outlets[0], SINK_DISABLED, "a test");
	for (unsigned i = 0; i < 5; i++) {
		snprintf(ini, sizeof ini, HEAD "[sink s0]\nplugin = script\n[route r%u]\nto = s0\n" WELL, i);
		assert_true(lab_reload(lab, ini));
		emit_some(lab, 1500, "a");
	}
	work(lab, 3000);
	const struct router *r = &lab->d->router;
	assert_int_equal(r->n_removed, 4);
	assert_true(r->share.now < r->share.whole);
	for (size_t i = 0; i < 4; i++) {
		unsigned n = 0;
		uint64_t bytes = r->removed[i].dead_bytes;
		assert_true(bytes > 0 && bytes <= r->share.now);
		rows_each_dead(r->state, r->removed[i].number, 0, count_letter, &n);
		assert_int_equal(n, r->removed[i].dead);
	}
	assert_true(store_bytes(lab) < MAX / 5 * 4);
	assert_int_equal(given_to[3], 7500);
}

/* Who takes little keeps it; what is written counts as written. */
static void only_those_without_a_quota_give_way(void **state)
{
	struct lab *lab = *state;
	lab_start(lab, HEAD SINK("0", "a", "max_backlog = 1800KiB\ndead_max_size = 1500KiB\n") SINK("1", "b", "")
		  SINK("2", "c", "") WELL);
	answer = PB_REJECT;
	emit_some(lab, 50, "c");
	answer = PB_OK;
	set_sink(lab, "r0 s0", SINK_DISABLED);
	set_sink(lab, "r1 s1", SINK_DISABLED);
	emit_some(lab, 8000, "ab");
	work(lab, 3000);
	const struct share *share = &lab->d->router.share;
	assert_true(share->now < share->whole);
	assert_true(lab_lane(lab, "r0 s0")->outlet->quota.backlog > 1500 * KIB);
	assert_true(lab_lane(lab, "r0 s0")->dead_bytes > 1300 * KIB);
	assert_int_equal(lab_lane(lab, "r2 s2")->dead, 50);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, lab_teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_down_together_keeps_within_the_store), T(letters_of_removed_routes_give_way_too),
		T(only_those_without_a_quota_give_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
