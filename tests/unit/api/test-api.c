/* test-api.c - what plugins call: values, events, JSON, templates, receipts, answers, log, metrics. */
#include "unit/dispatch/lab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"
#include "config/options.h"
#include "dispatch/delivery.h"

#define HEAD "[patchbay]\nstate = /nowhere\n[source in]\nplugin = drive\n" \
	"[filter f]\nplugin = shape\nmode = split\n[sink s0]\nplugin = script_async\ntimeout = 7s\n"
#define INI HEAD "[route r]\nfilters = f\nto = s0\n"

static int set_up(void **state)
{
	struct lab *lab = lab_new();
	lab_start(lab, INI);
	*state = lab;
	return 0;
}

static int tear_down(void **state)
{
	lab_free(*state);
	return 0;
}

static struct pb_self *source(struct lab *lab)
{
	return &lab->d->feeds[0]->self;
}

static void values_are_the_sections_and_the_common_ones(void **state)
{
	struct lab *lab = *state;
	struct pb_self *filter = &lab->d->stages[0]->workers[0].self;
	struct pb_self *sink = &lab->d->router.outlets[0]->self;
	assert_string_equal(pb_str(filter, "mode"), "split");
	assert_true(pb_isset(filter, "mode"));
	assert_int_equal(pb_int(sink, "timeout"), 7000);
	assert_true(pb_isset(sink, "timeout"));
	assert_false(pb_isset(sink, "max_response"));
	assert_int_equal(pb_int(sink, "max_response"), 16384);
	assert_string_equal(pb_name(sink), "s0");
	assert_int_equal(pb_max_event(sink), 1 << 20);
	assert_null(pb_shared(sink));
}

static void events_are_made_read_and_copied(void **state)
{
	struct lab *lab = *state;
	struct pb_event *ev = pb_event_new(source(lab), span_str("{\"a\":1}"));
	const char *name, *value;
	assert_non_null(ev);
	assert_int_equal(strlen(pb_event_id(ev)), 36);
	assert_true(pb_event_time(ev) == lab->clock.wall_ms);
	assert_int_equal(pb_event_set(ev, "type", "t"), 0);
	assert_int_equal(pb_event_set(ev, "subject", "s"), 0);
	assert_int_equal(pb_event_set(ev, "datacontenttype", "application/json"), 0);
	assert_int_equal(pb_event_set(ev, "tenant", "x"), 0);
	assert_int_equal(pb_event_set(ev, "Bad Name", "x"), -EINVAL);
	assert_int_equal(pb_event_set_time(ev, 5), 0);
	assert_string_equal(pb_event_type(ev), "t");
	assert_string_equal(pb_event_subject(ev), "s");
	assert_string_equal(pb_event_source(ev), "");
	assert_string_equal(pb_event_content_type(ev), "application/json");
	assert_string_equal(pb_event_attr(ev, "tenant"), "x");
	assert_null(pb_event_attr(ev, "none"));
	assert_true(pb_event_attr_at(ev, 0, &name, &value));
	assert_string_equal(name, "tenant");
	assert_false(pb_event_attr_at(ev, 1, &name, &value));
	struct pb_event *copy = pb_event_copy(source(lab), ev, span_str("other"));
	assert_string_equal(pb_event_attr(copy, "tenant"), "x");
	assert_true(pb_event_time(copy) == 5);
	assert_true(span_is(pb_event_body(copy), "other"));
	assert_int_equal(pb_event_set_body(copy, span_str("third")), 0);
	assert_true(span_is(pb_event_body(copy), "third"));
	assert_true(span_is(pb_event_body(ev), "{\"a\":1}"));
	pb_event_free(copy);
	pb_event_free(ev);
}

static void a_body_over_the_limit_is_refused(void **state)
{
	struct lab *lab = *state;
	size_t len = pb_max_event(source(lab)) + 1;
	char *body = calloc(1, len);
	struct pb_event *ev = pb_event_new(source(lab), span_of(body, len - 1));
	assert_non_null(ev);
	errno = 0;
	assert_null(pb_event_new(source(lab), span_of(body, len)));
	assert_int_equal(errno, EMSGSIZE);
	assert_null(pb_event_copy(source(lab), ev, span_of(body, len)));
	pb_event_free(ev);
	free(body);
}

static void fields_are_found_and_iterated(void **state)
{
	struct lab *lab = *state;
	struct pb_event *ev = pb_event_new(source(lab), span_str("{\"a\":{\"b\":[1,\"x\\ny\"]}}"));
	struct pb_span list = pb_field(ev, "a.b"), key, value;
	assert_true(span_is(list, "[1,\"x\\ny\"]"));
	assert_null(pb_field(ev, "a.c").data);
	assert_true(pb_each(&list, &key, &value));
	assert_null(key.data);
	assert_true(span_is(value, "1"));
	assert_true(pb_each(&list, &key, &value));
	char *text = pb_text(value);
	assert_string_equal(text, "x\ny");
	free(text);
	assert_false(pb_each(&list, &key, &value));
	pb_event_free(ev);
}

static void a_cloudevent_is_appended(void **state)
{
	struct lab *lab = *state;
	struct pb_event *ev = pb_event_new(source(lab), span_str("{\"a\":1}"));
	struct pb_bytes to = { 0 };
	pb_event_set(ev, "type", "t");
	assert_int_equal(pb_cloudevent(ev, &to), 0);
	size_t first = to.len;
	assert_memory_equal(to.data, "{\"specversion\":\"1.0\"", 20);
	assert_non_null(strstr(to.data, "\"data\":{\"a\":1}}"));
	assert_int_equal(pb_cloudevent(ev, &to), 0);
	assert_int_equal(to.len, 2 * first);
	assert_true(to.room >= to.len);
	free(to.data);
	pb_event_free(ev);
}

static void receipts_name_the_events(void **state)
{
	struct lab *lab = *state;
	lab_emit(lab, "t", "ok");
	assert_string_equal(lab->settled, "t:1 ");
	struct unit unit = { .n = 0 };
	struct emission none = { .n_events = 0 };
	struct pb_receipt receipt = { .emission = &none, .unit = &unit, .outcome = PB_FAILED,
				      .reason = "the store is full" };
	assert_int_equal(pb_receipt_outcome(&receipt), PB_FAILED);
	assert_string_equal(pb_receipt_id(&receipt, 0), "");
	assert_string_equal(pb_receipt_reason(&receipt), "the store is full");
	assert_false(pb_receipt_duplicate(&receipt, 0));
}

static void answers_are_recorded_once(void **state)
{
	struct lab *lab = *state;
	lab_emit(lab, "t", "hold");
	lab_settle(lab);
	assert_int_equal(lab->sinks[0].n_held, 3);
	struct pb_delivery *d = lab->sinks[0].held[0];
	assert_int_equal(pb_delivery_attempt(d), 1);
	assert_string_equal(pb_event_type(pb_delivery_event(d)), "t");
	pb_answer(d, PB_RETRY, 99, span_str("the response"), "status %d", 503);
	assert_int_equal(d->code, PB_RETRY);
	assert_int_equal(d->after, 99);
	assert_string_equal(d->text, "status 503");
	assert_int_equal(d->response_len, strlen("the response"));
	pb_answer(d, PB_OK, 0, SPAN_NONE, NULL);	/* too late: logged, and without effect */
	assert_int_equal(d->code, PB_RETRY);
	lab->sinks[0].held[0] = NULL;
	lab_settle(lab);
}

static void stopping_is_seen_and_emitting_ends(void **state)
{
	struct lab *lab = *state;
	struct pb_self *self = source(lab);
	assert_false(pb_stopping(self));
	assert_true(pb_wake_fd(self) >= 0);
	assert_int_equal(pb_wait(self, -1, 0), 0);
	feed_stop(lab->d->feeds[0]);
	assert_true(pb_stopping(self));
	struct pb_event *ev = pb_event_new(self, span_str("{}"));
	assert_int_equal(pb_emit(self, &ev, 1, NULL, NULL), -ECANCELED);
	assert_int_equal(pb_wait(self, -1, -1), 0);		/* stopping has begun */
	assert_int_equal(pb_wait(self, -1, -1), -ECANCELED);
}

static void metrics_are_counted(void **state)
{
	struct lab *lab = *state;
	struct pb_metric *n = pb_counter(source(lab), "things_total", "Things.");
	struct pb_metric *level = pb_gauge(source(lab), "level", "Level.");
	pb_add(n, 2);
	pb_add(n, 3);
	pb_set(level, -7);
	assert_ptr_equal(n, pb_counter(source(lab), "things_total", "Things."));
	assert_int_equal(atomic_load(&n->value), 5);
	assert_int_equal(atomic_load(&level->value), -7);
}

static void errors_name_their_option(void **state)
{
	(void)state;
	struct pb_error err;
	error_init(&err);
	assert_null(pb_error(&err, "path", "cannot open: %s", "why"));
	assert_string_equal(err.first->option, "path");
	assert_string_equal(error_text(&err), "cannot open: why");
	error_free(&err);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(values_are_the_sections_and_the_common_ones), T(events_are_made_read_and_copied),
		T(a_body_over_the_limit_is_refused), T(fields_are_found_and_iterated),
		T(a_cloudevent_is_appended), T(receipts_name_the_events), T(answers_are_recorded_once),
		T(stopping_is_seen_and_emitting_ends), T(metrics_are_counted),
		T(errors_name_their_option),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
