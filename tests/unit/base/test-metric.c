/* test-metric.c - a registry of sets of metrics, from several threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "base/metric.h"
#include "base/thread.h"

#define THREADS 4
#define ROUNDS 1000

static void describe(void *arg, const struct metric_set *set, const struct pb_metric *metric)
{
	char *text = arg;
	size_t len = strlen(text);
	snprintf(text + len, 512 - len, "%s/%s/%s %s%s=%lld;", set->kind, set->instance,
		 set->plugin, metric->gauge ? "gauge " : "", metric->name,
		 (long long)atomic_load(&metric->value));
}

static void sets_are_walked_in_order(void **state)
{
	(void)state;
	struct metrics m;
	struct metric_set a, b;
	char text[512] = "";
	metrics_init(&m);
	metric_set_open(&a, &m, "source", "hooks", "http");
	metric_set_open(&b, &m, "sink", "all", "file");
	metric_get(&a, "requests", "Requests taken.", false)->value = 3;
	metric_get(&b, "bytes", "Bytes written.", false);
	metric_get(&a, "connections", NULL, true)->value = -1;
	metrics_each(&m, describe, text);
	assert_string_equal(text, "source/hooks/http requests=3;"
				  "source/hooks/http gauge connections=-1;"
				  "sink/all/file bytes=0;");
	metric_set_close(&a);
	text[0] = '\0';
	metrics_each(&m, describe, text);
	assert_string_equal(text, "sink/all/file bytes=0;");
	metric_set_close(&b);
	metrics_free(&m);
}

static void a_name_is_one_metric(void **state)
{
	(void)state;
	struct metrics m;
	struct metric_set set, other;
	char name[] = "requests";
	metrics_init(&m);
	metric_set_open(&set, &m, "source", "a", "http");
	metric_set_open(&other, &m, "source", "b", "http");
	struct pb_metric *metric = metric_get(&set, name, "First.", false);
	name[0] = 'x';
	assert_string_equal(metric->name, "requests");
	assert_string_equal(metric->help, "First.");
	assert_ptr_equal(metric_get(&set, "requests", "Second.", false), metric);
	assert_ptr_not_equal(metric_get(&other, "requests", "First.", false), metric);
	assert_string_equal(metric_get(&set, "bare", NULL, false)->help, "");
	metric_set_close(&set);
	metric_set_close(&other);
	metrics_free(&m);
}

struct worker {
	pthread_t thread;
	struct metrics *metrics;
	struct metric_set *common;
};

static void count(void *arg, const struct metric_set *set, const struct pb_metric *metric)
{
	(void)set;
	*(int64_t *)arg += atomic_load(&metric->value);
}

/* Counts in a set that all share, opens and closes sets of its own, and reads. */
static void *work(void *arg)
{
	struct worker *w = arg;
	for (int i = 0; i < ROUNDS; i++) {
		struct metric_set own;
		int64_t sum = 0;
		atomic_fetch_add(&metric_get(w->common, "all", NULL, false)->value, 1);
		metric_set_open(&own, w->metrics, "sink", "own", "null");
		metric_get(&own, "one", NULL, true);
		if (i % 16 == 0)
			metrics_each(w->metrics, count, &sum);
		metric_set_close(&own);
	}
	return NULL;
}

static void threads_share_a_registry(void **state)
{
	(void)state;
	struct metrics m;
	struct metric_set common;
	struct worker workers[THREADS];
	metrics_init(&m);
	metric_set_open(&common, &m, "source", "common", "http");
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .metrics = &m, .common = &common };
		assert_int_equal(thread_start(&workers[i].thread, "work", work, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	int64_t sum = 0;
	metrics_each(&m, count, &sum);
	assert_int_equal(sum, THREADS * ROUNDS);
	metric_set_close(&common);
	metrics_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_are_walked_in_order),
		cmocka_unit_test(a_name_is_one_metric),
		cmocka_unit_test(threads_share_a_registry),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
