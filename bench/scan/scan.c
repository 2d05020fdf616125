/*
 * scan.c - what routing by a body's fields costs: our scanner beside a jansson tree.
 *
 * Each sample is repeated up to a KiB or so; both validate it whole and find three fields.
 * Prints the best of many short runs, in nanoseconds a KiB, since the best is what the
 * machine's other work disturbs least.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/span.h"
#include "event/scan.h"

#define RUNS 200
#define ROUNDS 200	/* of one run */

static const struct sample {
	const char *name, *member;	/* members are added until the whole is a KiB */
} samples[] = {
	{ "webhook", "\"report\": {\"token\": \"5b1c2d3e4f\", \"name\": \"Weekly revenue by region and line\", "
		     "\"public\": false, \"rows\": 18234, \"created_at\": \"2026-01-02T03:04:05Z\"}" },
	{ "text", "\"note\": \"This run was started by the schedule and not by a person; the warehouse replica "
		  "may lag by up to fifteen minutes. See its page for the text of each query.\"" },
	{ "UTF-8", "\"note\": \"\xd0\x9e\xd1\x82\xd1\x87\xd1\x91\xd1\x82 \xd0\xb3\xd0\xbe\xd1\x82\xd0\xbe\xd0\xb2"
		   " \xe5\xa0\xb1\xe5\x91\x8a\xe5\xae\x8c\xe4\xba\x86\"" },
	{ "pretty", "\"rows\": [\n    [\n      1,\n      2.5,\n      -3e4,\n      true,\n      null\n    ]\n  ]" },
	{ "dense", "\"a\":[1,2,3,{\"b\":0.5,\"c\":[true,false,null]},-7,\"x\",{}]" },
};

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void scan_once(struct pb_span json)
{
	static const char *const paths[] = { "event", "report_run_url", "workspace.name" };
	struct pb_span found[3];

	if (!scan_find_all(json, paths, 3, found) || found[2].data == NULL)
		abort();
}

static void jansson_once(struct pb_span json)
{
	json_t *root = json_loadb(json.data, json.len, JSON_DECODE_ANY, NULL);

	if (json_object_get(root, "event") == NULL ||
	    json_object_get(root, "report_run_url") == NULL ||
	    json_object_get(json_object_get(root, "workspace"), "name") == NULL)
		abort();
	json_decref(root);
}

static void valid_once(struct pb_span json)
{
	if (!scan_valid(json, NULL))
		abort();
}

static double best_per_kib(void (*once)(struct pb_span), struct pb_span json, int rounds)
{
	double best = 1e18;

	for (int run = 0; run < RUNS; run++) {
		double start = now_ns(), took;

		for (int i = 0; i < rounds; i++)
			once(json);
		took = (now_ns() - start) / rounds * 1024 / (double)json.len;
		if (took < best)
			best = took;
	}
	return best;
}

int main(void)
{
	printf("%-8s %6s %12s %12s %12s\n", "sample", "bytes", "scan, valid", "three fields", "jansson");
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		struct buf buf = BUF_INIT(4096);

		buf_add_str(&buf, "{\"event\": \"report_run_completed\", \"report_run_url\": "
				  "\"https://example.com/runs/5b1c\", \"workspace\": {\"name\": \"Acme\"}");
		while (buf.len < 1000)
			buf_printf(&buf, ", %s", samples[i].member);
		buf_add_char(&buf, '}');
		printf("%-8s %6zu %12.0f %12.0f %12.0f  ns/KiB\n", samples[i].name, buf.len,
		       best_per_kib(valid_once, buf_span(&buf), ROUNDS),
		       best_per_kib(scan_once, buf_span(&buf), ROUNDS),
		       best_per_kib(jansson_once, buf_span(&buf), ROUNDS / 20));
		buf_free(&buf);
	}
	return EXIT_SUCCESS;
}
