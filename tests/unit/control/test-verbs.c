/* test-verbs.c - whatever is asked, the answer is lines of JSON and ends as it should. */
#include "unit/control/lab.h"

#include <jansson.h>

#include "base/metric.h"
#include "control/verbs.h"

#define DEEP 3000

static struct dispatch engine = { .reason = "" };
static const struct control_env env = { .dispatch = &engine };

static void ask(struct buf *out, const void *request, size_t len)
{
	verbs_answer(&env, span_of(request, len), 1000, out);
	assert_int_equal(out->failed, 0);
	assert_int_equal(out->data[out->len - 1], '\n');
}

/* The i-th line, which the caller owns. */
static json_t *line(const struct buf *out, size_t i)
{
	const char *at = out->data;
	while (i-- > 0) {
		at = strchr(at, '\n');
		assert_non_null(at);
		at++;
	}
	json_t *object = json_loadb(at, strcspn(at, "\n"), 0, NULL);
	assert_true(json_is_object(object));
	return object;
}

static void is_text(const json_t *object, const char *name, const char *expected)
{
	const char *value = json_string_value(json_object_get(object, name));
	assert_non_null(value);
	assert_string_equal(value, expected);
}

static void is_count(const json_t *object, const char *name, json_int_t expected)
{
	assert_true(json_is_integer(json_object_get(object, name)));
	assert_int_equal(json_integer_value(json_object_get(object, name)), expected);
}

#define REQUEST(s) s, sizeof s - 1
#define NO_OBJECT "a request is one JSON object on one line"

static void bad_requests_are_answered(void **state)
{
	(void)state;
	static const struct {
		const char *request;
		size_t len;
		const char *error;
	} cases[] = {
		{ REQUEST(""), NO_OBJECT },
		{ REQUEST(" "), NO_OBJECT },
		{ REQUEST("status"), NO_OBJECT },
		{ REQUEST("[]"), NO_OBJECT },
		{ REQUEST("\"status\""), NO_OBJECT },
		{ REQUEST("{\"verb\":\"status\""), NO_OBJECT },
		{ REQUEST("{\"verb\":\"status\"} {}"), NO_OBJECT },
		{ REQUEST("{\"verb\":\"status\",\"verb\":\"reopen\"}"), NO_OBJECT },
		{ REQUEST("{\"verb\":\"reopen\"}\0"), NO_OBJECT },
		{ REQUEST("\0{\"verb\":\"reopen\"}"), NO_OBJECT },
		{ REQUEST("{\"verb\":\"reo\0pen\"}"), NO_OBJECT },
		{ REQUEST("{\"verb\":\"reopen\\u0000\"}"), NO_OBJECT },
		{ REQUEST("{\"verb\":\"\xff\xfe\"}"), NO_OBJECT },
		{ REQUEST("{\"verb\":1e999}"), NO_OBJECT },
		{ REQUEST("{}"), "a request has a \"verb\", a string" },
		{ REQUEST("{\"verb\":1}"), "a request has a \"verb\", a string" },
		{ REQUEST("{\"verb\":null}"), "a request has a \"verb\", a string" },
		{ REQUEST("{\"verb\":\"reopen\",\"args\":[]}"), "\"args\" is an object" },
		{ REQUEST("{\"verb\":\"reopen\",\"args\":null}"), "\"args\" is an object" },
		{ REQUEST("{\"verb\":\"\"}"), "there is no verb " },
		{ REQUEST("{\"verb\":\"Reopen\"}"), "there is no verb Reopen" },
		{ REQUEST("{\"verb\":\"%s%n\"}"), "there is no verb %s%n" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(4096);
		ask(&out, cases[i].request, cases[i].len);
		json_t *last = line(&out, 0);
		is_text(last, "error", cases[i].error);
		is_text(last, "code", "usage");
		json_decref(last);
		buf_free(&out);
	}
	assert_int_equal(atomic_load(&engine.reopened), 0);
}

static void deep_and_long_requests_are_answered(void **state)
{
	(void)state;
	char request[DEEP + 1];
	memset(request, '[', DEEP);
	struct buf out = BUF_INIT(4096);
	ask(&out, request, DEEP);
	assert_non_null(strstr(out.data, NO_OBJECT));

	/* cut to 64 bytes, in the middle of a character */
	buf_reset(&out);
	memset(request, 'a', DEEP);
	memcpy(request, "{\"verb\":\"", 9);
	memcpy(request + 9 + 63, "\xc3\xa4", 2);
	memcpy(request + DEEP - 2, "\"}", 2);
	ask(&out, request, DEEP);
	assert_non_null(strstr(out.data, "there is no verb aaa"));
	assert_non_null(strstr(out.data, "aaa?\""));
	buf_free(&out);
}

static void reopen_reopens(void **state)
{
	(void)state;
	static const char *const requests[] = {
		"{\"verb\":\"reopen\"}",
		"{\"verb\":\"reopen\",\"args\":{}}\r",
		" { \"later\": [1], \"args\": {\"x\": 1}, \"verb\": \"reopen\" } ",
	};
	for (size_t i = 0; i < 3; i++) {
		struct buf out = BUF_INIT(4096);
		ask(&out, requests[i], strlen(requests[i]));
		assert_string_equal(out.data, "{\"end\":true}\n");
		buf_free(&out);
		assert_int_equal(atomic_load(&engine.reopened), i + 1);
	}
}

static void status_tells_all(void **state)
{
	(void)state;
	struct buf out = BUF_INIT(65536);
	engine.lanes = 2;
	engine.reason = "HTTP 500: \"no\xff\xc3\"\n\033[31m";
	ask(&out, REQUEST("{\"verb\":\"status\"}"));
	json_t *daemon = line(&out, 0), *instance = line(&out, 1), *lane = line(&out, 2),
	       *second = line(&out, 3), *end = line(&out, 4);
	is_text(daemon, "type", "daemon");
	is_text(daemon, "time", "1970-01-01T00:01:01.000Z");
	is_text(daemon, "started", "1970-01-01T00:00:01.000Z");
	is_count(daemon, "pid", getpid());
	is_count(daemon, "uptime_ms", 60000);
	is_count(daemon, "state_bytes", 4096);
	is_count(daemon, "unrouted", 7);
	is_count(daemon, "lost", 1);
	is_count(json_object_get(daemon, "journal"), "bytes", 8192);
	is_count(json_object_get(daemon, "journal"), "events", 42);
	is_count(json_object_get(daemon, "journal"), "next", 52);
	is_count(json_object_get(daemon, "journal"), "damaged_blocks", 3);
	is_text(instance, "type", "instance");
	is_text(instance, "kind", "sink");
	is_text(instance, "name", "team");
	is_text(instance, "plugin", "webhook");
	is_text(instance, "state", "down");
	is_count(instance, "events", 5);
	is_count(instance, "failures", 2);
	is_count(instance, "in_flight", INT64_MAX);
	is_text(instance, "last_failure", "HTTP 500: \"no??\"\n\033[31m");
	is_text(lane, "type", "lane");
	is_text(lane, "route", "runs");
	is_text(lane, "sink", "team");
	is_count(lane, "behind", 42);
	is_count(lane, "dead", 1);
	is_count(second, "watermark", 1);
	is_count(second, "oldest_ms", 1500);
	assert_true(json_is_null(json_object_get(lane, "oldest_ms")));
	assert_true(json_is_true(json_object_get(lane, "catching_up")));
	assert_true(json_is_false(json_object_get(second, "catching_up")));
	assert_true(json_is_true(json_object_get(end, "end")));
	assert_string_equal(strrchr(out.data, '{'), "{\"end\":true}\n");
	json_decref(daemon);
	json_decref(instance);
	json_decref(lane);
	json_decref(second);
	json_decref(end);
	buf_free(&out);
	engine = (struct dispatch){ .reason = "" };
}

static void ages_are_told_by_bucket(void **state)
{
	(void)state;
	struct buf out = BUF_INIT(4096);
	ask(&out, REQUEST("{\"verb\":\"ages\"}"));
	json_t *lane = line(&out, 0);
	is_text(lane, "route", "runs");
	is_count(lane, "total", 7);
	is_count(lane, "oldest_ms", 90000000);
	assert_true(json_is_true(json_object_get(lane, "estimated")));
	assert_true(json_is_false(json_object_get(lane, "own_time")));
	assert_int_equal(json_array_size(json_object_get(lane, "limits_ms")), AGE_BUCKETS - 1);
	assert_int_equal(json_array_size(json_object_get(lane, "counts")), AGE_BUCKETS);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(lane, "counts"), 8)), 4);
	json_decref(lane);
	buf_free(&out);
}

/* What the answer to `metrics` has of one metric, its head left out. */
static json_t *values_of(const struct buf *out, const char *name)
{
	json_t *found = json_array();
	bool inside = false;
	for (size_t i = 0, lines = 0; i < out->len; i += strcspn(out->data + i, "\n") + 1, lines++) {
		json_t *object = line(out, lines);
		const char *head = json_string_value(json_object_get(object, "metric"));
		if (head != NULL)
			inside = strcmp(head, name) == 0;
		else if (inside)
			json_array_append(found, object);
		json_decref(object);
	}
	return found;
}

static void is_value(const struct buf *out, const char *name, const char *label, const char *text,
		     json_int_t expected)
{
	json_t *values = values_of(out, name), *value;
	size_t i, n = 0;
	json_array_foreach(values, i, value) {
		const char *got = json_string_value(json_object_get(json_object_get(value, "labels"), label));
		if (label != NULL && (got == NULL || strcmp(got, text) != 0))
			continue;
		is_count(value, "value", expected);
		n++;
	}
	if (n != 1)
		fail_msg("%s has %zu such values", name, n);
	json_decref(values);
}

static void metrics_tell_all(void **state)
{
	(void)state;
	struct metrics metrics;
	struct metric_set sets[3];
	struct buf out = BUF_INIT(1 << 20);
	metrics_init(&metrics);
	metric_set_open(&sets[0], &metrics, "source", "hooks", "ht-tp");
	metric_set_open(&sets[1], &metrics, "sink", "team", "webhook");
	metric_set_open(&sets[2], &metrics, "source", "hooks", "ht-tp");
	metric_get(&sets[0], "requests", "Requests.", false)->value = 3;
	metric_get(&sets[0], "open_total", "Open.", true)->value = -1;
	metric_get(&sets[1], "sent_total", "Sent \xff.", false)->value = 5;
	metric_get(&sets[2], "requests", "Requests.", false)->value = 4;
	engine.lanes = 1;
	engine.metrics = &metrics;
	ask(&out, REQUEST("{\"verb\":\"metrics\"}"));
	is_value(&out, "patchbay_ht_tp_requests_total", "source", "hooks", 7);
	is_value(&out, "patchbay_ht_tp_open", "source", "hooks", -1);
	is_value(&out, "patchbay_webhook_sent_total", "sink", "team", 5);
	is_value(&out, "patchbay_journal_segments", NULL, NULL, 2);
	is_value(&out, "patchbay_sink_failures_total", "sink", "team", 2);
	is_value(&out, "patchbay_sink_state", "state", "down", 1);
	is_value(&out, "patchbay_sink_state", "state", "running", 0);
	is_value(&out, "patchbay_lane_catching_up", "route", "runs", 1);
	is_value(&out, "patchbay_discarded_total", "reason", "unrouted", 7);
	is_value(&out, "patchbay_discarded_total", "reason", "lost", 1);
	assert_string_equal(strrchr(out.data, '{'), "{\"end\":true}\n");
	for (size_t i = 0; i < 3; i++)
		metric_set_close(&sets[i]);
	metrics_free(&metrics);
	buf_free(&out);
	engine = (struct dispatch){ .reason = "" };
}

static void a_status_that_is_not_to_be_had_is_an_error(void **state)
{
	(void)state;
	struct buf out = BUF_INIT(4096);
	engine.result = -EAGAIN;
	static const char *const requests[] = {
		"{\"verb\":\"status\"}", "{\"verb\":\"ages\"}", "{\"verb\":\"metrics\"}",
	};
	for (size_t i = 0; i < 3; i++) {
		buf_reset(&out);
		ask(&out, requests[i], strlen(requests[i]));
		assert_string_equal(out.data, "{\"error\":\"the daemon is stopping\",\"code\":\"failed\"}\n");
	}
	buf_free(&out);
	engine.result = 0;
}

static void an_answer_has_its_limit(void **state)
{
	(void)state;
	struct buf out = BUF_INIT(4096);
	engine.lanes = 1000;
	ask(&out, REQUEST("{\"verb\":\"status\"}"));
	json_t *only = line(&out, 0);
	is_text(only, "code", "failed");
	is_text(only, "error", "the answer is larger than the daemon gives");
	assert_ptr_equal(strchr(out.data, '\n'), out.data + out.len - 1);
	json_decref(only);
	buf_free(&out);
	engine.lanes = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_requests_are_answered),
		cmocka_unit_test(deep_and_long_requests_are_answered),
		cmocka_unit_test(reopen_reopens),
		cmocka_unit_test(status_tells_all),
		cmocka_unit_test(ages_are_told_by_bucket),
		cmocka_unit_test(metrics_tell_all),
		cmocka_unit_test(a_status_that_is_not_to_be_had_is_an_error),
		cmocka_unit_test(an_answer_has_its_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
