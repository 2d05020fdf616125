/* A source in the box: its thread, commits and their outcome, marks, time, stopping. */
#include "unit/testing/tool.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static int set_up(void **state)
{
	tool_hooks = (struct tool_hooks){ 0 };
	*state = pbt_new(&tool_plugin);
	return 0;
}

static int tear_down(void **state)
{
	return pbt_free(*state);
}

static int emit_two(struct tool *t)
{
	tool_must(tool_emit(t, "one", t) == 0);
	tool_must(tool_emit(t, "two", t) == 0);
	tool_must(t->settled == 0);
	tool_must(pb_wait(t->self, -1, -1) == 0);	/* settled something */
	tool_must(t->settled == 2);
	return tool_wait(t);
}

static void what_is_emitted_is_stored_by_the_next_wait(void **state)
{
	tool_hooks.run = emit_two;
	struct pbt_instance *in = pbt_open(*state, "[source s]");
	const struct tool *t = pbt_state(in);
	pbt_start(in);
	assert_true(pbt_wait_stored(in, 2, PBT_LONG));
	const struct pb_event *ev = pbt_stored(in, 1);
	assert_memory_equal(pb_event_body(ev).data, "two", 3);
	assert_string_equal(pb_event_source(ev), "s");
	assert_true(pbt_stop(in, PBT_LONG));
	assert_int_equal(t->outcome, PB_ACCEPTED);
	assert_string_equal(t->reason, "");
	assert_string_equal(t->id, pb_event_id(ev));
	assert_int_equal(pbt_n_emitted(in), 2);
}

static int emit_and_commit(struct tool *t)
{
	tool_emit(t, "x", NULL);
	int said = pb_commit(t->self);
	tool_wait(t);
	return said;
}

static void a_full_store_holds_who_may_not_refuse(void **state)
{
	int said;
	tool_hooks.run = emit_and_commit;
	struct pbt_instance *in = pbt_open(*state, "[source s]");
	const struct tool *t = pbt_state(in);
	pbt_store(in, PBT_FULL, 0);
	pbt_start(in);
	assert_true(pbt_wait_held(in, PBT_LONG));
	assert_int_equal(pbt_n_emitted(in), 1);
	assert_int_equal(pbt_n_stored(in), 0);
	pbt_store(in, PBT_STORES, 0);
	assert_true(pbt_wait_stored(in, 1, PBT_LONG));
	assert_true(pbt_stop(in, PBT_LONG));
	assert_true(pbt_wait_ended(in, 0, &said));
	assert_int_equal(said, 0);
	assert_int_equal(t->outcome, PB_ACCEPTED);
}

static void a_stop_ends_the_waiting_for_room(void **state)
{
	int said;
	tool_hooks.run = emit_and_commit;
	struct pbt_instance *in = pbt_open(*state, "[source s]");
	const struct tool *t = pbt_state(in);
	pbt_store(in, PBT_FULL, 0);
	pbt_start(in);
	assert_true(pbt_wait_held(in, PBT_LONG));
	assert_true(pbt_stop(in, PBT_LONG));
	assert_true(pbt_wait_ended(in, 0, &said));
	assert_int_equal(said, -ECANCELED);
	assert_int_equal(t->outcome, PB_FAILED);
	assert_string_equal(t->reason, "the store is full");
	assert_int_equal(pbt_n_stored(in), 0);
}

static void who_may_refuse_is_told_at_once(void **state)
{
	struct pbt_host *host = pbt_new(&tool_async_plugin);
	int said;
	(void)state;
	tool_hooks.run = emit_and_commit;
	struct pbt_instance *in = pbt_open(host, "[source s]");
	const struct tool *t = pbt_state(in);
	pbt_store(in, PBT_FULL, 1);
	pbt_start(in);
	assert_true(pbt_wait_asleep(in, PBT_LONG, NULL));
	assert_true(pbt_stop(in, PBT_LONG));
	assert_true(pbt_wait_ended(in, 0, &said));
	assert_int_equal(said, 0);
	assert_int_equal(t->outcome, PB_FAILED);
	assert_int_equal(pbt_free(host), 0);
}

static int emit_thrice(struct tool *t)
{
	for (int i = 0; i < 3; i++)
		emit_and_commit(t);
	return 0;
}

static void commits_are_scripted_by_number_and_held(void **state)
{
	tool_hooks.run = emit_thrice;
	struct pbt_instance *in = pbt_open(*state, "[source s]");
	const struct tool *t = pbt_state(in);
	pbt_store(in, PBT_HOLDS, 0);
	pbt_start(in);
	assert_true(pbt_wait_held(in, PBT_LONG));
	pbt_ask_stop(in);
	assert_false(pbt_wait_ended(in, 1, NULL));	/* like an fsync */
	pbt_store(in, PBT_REFUSES, 1);
	assert_true(pbt_wait_ended(in, PBT_LONG, NULL));
	assert_int_equal(t->outcome, PB_FAILED);
	assert_string_equal(t->reason, "too large to store");
	assert_int_equal(t->settled, 1);
	assert_int_equal(pbt_n_stored(in), 0);
}

static void a_test_may_end_with_a_commit_held(void **state)
{
	tool_hooks.run = emit_two;
	struct pbt_instance *in = pbt_open(*state, "[source s]");
	pbt_store(in, PBT_HOLDS, 0);
	pbt_start(in);
	assert_true(pbt_wait_held(in, PBT_LONG));
}

/* Emits "n" under the mark n, from where it was. */
static int count(struct tool *t)
{
	char n = '0', body[2] = "";
	pb_restore(t->self, "at", &n, 1);
	for (int i = 0; i < 3; i++) {
		body[0] = ++n;
		struct pb_event *ev = pb_event_new(t->self, (struct pb_span){ body, 1 });
		pb_event_set(ev, "type", "t");
		struct pb_mark mark = { "at", { &n, 1 } };
		if (pb_emit(t->self, &ev, 1, &mark, NULL) < 0)
			break;
		pb_commit(t->self);
	}
	return tool_wait(t);
}

static void marks_go_with_their_events(void **state)
{
	struct pb_span at;
	tool_hooks.run = count;
	for (size_t round = 1; round <= 3; round++) {
		struct pbt_instance *in = pbt_open(*state, "[source s]");
		assert_int_equal(pbt_mark(in, "at", &at), round > 1);
		pbt_start(in);
		assert_true(pbt_wait_stored(in, 3 * round, PBT_LONG));
		pbt_store(in, PBT_FULL, 0);
		pbt_close(in);
	}
	struct pbt_instance *in = pbt_open(*state, "[source s]");
	for (size_t i = 0; i < 9; i++)
		assert_int_equal(*(const char *)pb_event_body(pbt_stored(in, i)).data, '1' + i);
	assert_true(pbt_mark(in, "at", &at));
	assert_memory_equal(at.data, "9", 1);
}

static void nothing_of_a_failed_commit_is_kept(void **state)
{
	struct pb_span at;
	tool_hooks.run = count;
	pbt_put_mark(*state, "s", "at", (struct pb_span){ "4", 1 });
	struct pbt_instance *in = pbt_open(*state, "[source s]");
	pbt_store(in, PBT_REFUSES, 2);
	pbt_start(in);
	assert_true(pbt_wait_stored(in, 1, PBT_LONG));
	assert_memory_equal(pb_event_body(pbt_stored(in, 0)).data, "7", 1);
	assert_true(pbt_mark(in, "at", &at));
	assert_memory_equal(at.data, "7", 1);
}

static int long_mark(struct tool *t)
{
	static char value[4097];
	struct pb_mark mark = { "k", { value, sizeof value } };
	struct pb_mark gone = { "at", { NULL, 0 } };
	pb_emit(t->self, NULL, 0, &mark, NULL);
	pb_emit(t->self, NULL, 0, &gone, NULL);
	return tool_wait(t);
}

static void a_mark_has_limits_and_can_go(void **state)
{
	struct pb_span at;
	tool_hooks.run = long_mark;
	pbt_put_mark(*state, "s", "at", (struct pb_span){ "4", 1 });
	struct pbt_instance *in = pbt_open(*state, "[source s]");
	const struct tool *t = pbt_state(in);
	pbt_start(in);
	assert_true(pbt_wait_asleep(in, PBT_LONG, NULL));
	assert_true(pbt_stop(in, PBT_LONG));
	assert_int_equal(t->settled, 2);
	assert_int_equal(t->outcome, PB_ACCEPTED);
	assert_false(pbt_mark(in, "k", &at));
	assert_false(pbt_mark(in, "at", &at));
}

static int pipe_ends[2];

static int wait_timed(struct tool *t)
{
	bool pending = false;
	int said;
	while ((said = pb_wait(t->self, pipe_ends[0], 250)) >= 0) {
		char c;
		bool settled = pending;
		pending = true;
		if (said == 1 && read(pipe_ends[0], &c, 1) == 1)
			tool_emit(t, "read", NULL);
		else if (!settled && !pb_stopping(t->self))
			tool_emit(t, "time", NULL);
		else
			pending = false;
	}
	return said;
}

static void waits_end_by_the_test_s_clock(void **state)
{
	int64_t timeout;
	assert_int_equal(pipe(pipe_ends), 0);
	tool_hooks.run = wait_timed;
	struct pbt_instance *in = pbt_open(*state, "[source s]");
	pbt_start(in);
	assert_true(pbt_wait_asleep(in, PBT_LONG, &timeout));
	assert_true(timeout == 250);
	pbt_advance(*state, 249);
	assert_true(pbt_wait_asleep(in, PBT_LONG, &timeout));
	assert_true(timeout == 1);
	assert_int_equal(pbt_n_emitted(in), 0);
	pbt_advance(*state, 1);
	assert_true(pbt_wait_stored(in, 1, PBT_LONG));
	assert_int_equal(write(pipe_ends[1], "x", 1), 1);
	assert_true(pbt_wait_asleep(in, PBT_LONG, NULL));
	assert_int_equal(pbt_n_stored(in), 2);
	pbt_reopen(in);
	assert_true(pbt_wait_asleep(in, PBT_LONG, NULL));
	pbt_run_clock(*state);
	assert_true(pbt_wait_stored(in, 3, PBT_LONG));
	pbt_close(in);
	assert_int_equal(tool_hooks.reopened, 1);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

static int bad_fd(struct tool *t)
{
	int said = pb_wait(t->self, 1000000, -1);
	tool_wait(t);
	return said;
}

static void a_closed_descriptor_is_said(void **state)
{
	int said;
	tool_hooks.run = bad_fd;
	struct pbt_instance *in = pbt_open(*state, "[source s]");
	pbt_start(in);
	assert_true(pbt_wait_asleep(in, PBT_LONG, NULL));
	assert_true(pbt_stop(in, PBT_LONG));
	assert_true(pbt_wait_ended(in, 0, &said));
	assert_int_equal(said, -EBADF);
}

static int give_up(struct tool *t)
{
	tool_emit(t, "left", NULL);
	return -EIO;
}

static void who_returns_is_called_again(void **state)
{
	int said;
	tool_hooks.run = give_up;
	struct pbt_instance *in = pbt_open(*state, "[source s]");
	for (int i = 1; i <= 2; i++) {
		pbt_start(in);
		assert_true(pbt_wait_ended(in, PBT_LONG, &said));
		assert_int_equal(said, -EIO);
		assert_int_equal(pbt_n_stored(in), i);	/* committed after run() */
	}
}

static int emit_until_canceled(struct tool *t)
{
	int said, n = 0;
	while ((said = tool_emit(t, "x", NULL)) == 0)
		n++;
	tool_must(said == -ECANCELED && pb_stopping(t->self));
	tool_wait(t);
	return n;
}

static void a_stop_can_meet_an_emission(void **state)
{
	int n;
	tool_hooks.run = emit_until_canceled;
	struct pbt_instance *in = pbt_open(*state, "[source s]");
	pbt_fail_at(PBT_EMIT, 4);
	pbt_start(in);
	assert_true(pbt_wait_ended(in, PBT_LONG, &n));
	assert_int_equal(n, 3);
	assert_int_equal(pbt_n_stored(in), 3);
}

static void emit_more(struct tool *t, void *token, const struct pb_receipt *receipt)
{
	(void)receipt;
	if (token != NULL)
		tool_emit(t, "more", NULL);
}

static int emit_token(struct tool *t)
{
	tool_emit(t, "first", t);
	return tool_wait(t);
}

static void settled_may_emit(void **state)
{
	tool_hooks.run = emit_token;
	tool_hooks.settled = emit_more;
	struct pbt_instance *in = pbt_open(*state, "[source s]");
	pbt_start(in);
	assert_true(pbt_wait_stored(in, 2, PBT_LONG));
	assert_memory_equal(pb_event_body(pbt_stored(in, 1)).data, "more", 4);
}

/* An event under a key, or an id; "first" or "repeat", as its receipt says. */
static const char *emit_named(struct tool *t, const char *key, const char *id)
{
	struct pb_event *ev = pb_event_new(t->self, (struct pb_span){ "x", 1 });
	pb_event_set(ev, "type", "t");
	if (key != NULL)
		pb_event_set_key(ev, (struct pb_span){ key, strlen(key) });
	if (id != NULL)
		pb_event_set(ev, "id", id);
	pb_emit(t->self, &ev, 1, NULL, NULL);
	pb_commit(t->self);
	return t->duplicate ? "repeat" : "first";
}

static int emit_repeats(struct tool *t)
{
	char id[64];
	tool_must(strcmp(emit_named(t, "k", NULL), "first") == 0);
	snprintf(id, sizeof id, "%s", t->id);
	tool_must(strcmp(emit_named(t, "k", NULL), "repeat") == 0 && strcmp(t->id, id) == 0);
	tool_must(strcmp(emit_named(t, "l", NULL), "first") == 0);
	tool_must(strcmp(emit_named(t, NULL, NULL), "first") == 0);
	tool_must(strcmp(emit_named(t, NULL, "i"), "first") == 0);
	tool_must(strcmp(emit_named(t, NULL, "i"), "repeat") == 0);
	return 0;
}

static int emit_again(struct tool *t)
{
	tool_must(strcmp(emit_named(t, "k", NULL), "first") == 0);
	return tool_wait(t);
}

static void a_repeat_is_stored_once(void **state)
{
	tool_hooks.run = emit_repeats;
	struct pbt_instance *in = pbt_open(*state, "[source s]\ndedupe = 1m");
	pbt_start(in);
	assert_true(pbt_wait_ended(in, PBT_LONG, NULL));
	assert_int_equal(pbt_n_stored(in), 4);
	pbt_advance(*state, 60000);
	tool_hooks.run = emit_again;
	pbt_start(in);
	assert_true(pbt_wait_asleep(in, PBT_LONG, NULL));
	assert_int_equal(pbt_n_emitted(in), 7);
	assert_int_equal(pbt_n_stored(in), 5);
}

static int emit_much(struct tool *t)
{
	static char body[600 * 1024];
	memset(body, 'x', sizeof body - 1);
	tool_emit(t, body, NULL);
	int before = t->settled;
	tool_emit(t, body, NULL);
	int settled = t->settled * 10 + before;
	tool_wait(t);
	return settled;
}

static void a_mebibyte_commits_by_itself(void **state)
{
	int settled;
	tool_hooks.run = emit_much;
	struct pbt_instance *in = pbt_open(*state, "[source s]");
	pbt_start(in);
	assert_true(pbt_wait_asleep(in, PBT_LONG, NULL));
	assert_true(pbt_stop(in, PBT_LONG));
	assert_true(pbt_wait_ended(in, 0, &settled));
	assert_int_equal(settled, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_emitted_is_stored_by_the_next_wait, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_store_holds_who_may_not_refuse, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_stop_ends_the_waiting_for_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_may_refuse_is_told_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(commits_are_scripted_by_number_and_held, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_test_may_end_with_a_commit_held, set_up, tear_down),
		cmocka_unit_test_setup_teardown(marks_go_with_their_events, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_of_a_failed_commit_is_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_mark_has_limits_and_can_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(waits_end_by_the_test_s_clock, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_closed_descriptor_is_said, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_returns_is_called_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_stop_can_meet_an_emission, set_up, tear_down),
		cmocka_unit_test_setup_teardown(settled_may_emit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_repeat_is_stored_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_mebibyte_commits_by_itself, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
