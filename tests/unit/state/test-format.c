/* test-format.c - the example rows in doc/store-format.md are what the program writes, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"
#include "state/rows.h"

/* "TABLE  KEY  VALUE" with the bytes in hexadecimal, "-" for no value and "deleted". */
static void print_row(char *to, size_t size, const char *table, struct pb_span key, struct pb_span value)
{
	size_t n = (size_t)snprintf(to, size, "%s  ", table);
	for (size_t i = 0; i < key.len; i++)
		n += (size_t)snprintf(to + n, size - n, "%02x", ((const unsigned char *)key.data)[i]);
	n += (size_t)snprintf(to + n, size - n, "  %s", value.len == 0 ? "-" : "");
	for (size_t i = 0; i < value.len; i++)
		n += (size_t)snprintf(to + n, size - n, "%02x", ((const unsigned char *)value.data)[i]);
}

static char *read_document(void)
{
	char path[600];
	const char *srcdir = getenv("srcdir");
	snprintf(path, sizeof path, "%s/doc/store-format.md", srcdir != NULL ? srcdir : ".");
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	char *text = calloc(1, 65536);
	assert_true(fread(text, 1, 65535, f) > 0);
	fclose(f);
	return text;
}

static void add_rows(struct state_batch *b)
{
	struct delivery_key delivery = { .lane = 1, .seq = 7 };
	rows_put_name(b, &(struct name_row){ NAME_LANE, 1, "runs team" });
	rows_put_lane(b, 1, 8);
	rows_put_straggler(b, delivery, &(struct straggler_row){
		.attempts = 2, .first_ms = 1767323045700, .due_ms = 1767323350700, .wait_ms = 300000, .bytes = 75,
		.error = span_str("503"), .response = span_str("busy"),
	}, -1);
	rows_put_straggler(b, (struct delivery_key){ .lane = 1, .seq = 9 }, &(struct straggler_row){
		.due_ms = due_parked(0x0123456789abcdef), .key = 0x0123456789abcdef, .bytes = 75,
	}, -1);
	rows_put_dead(b, delivery, &(struct dead_row){
		.reason = DEAD_REJECTED, .attempts = 1, .first_ms = 1767323045700, .dead_ms = 1767323045700, .bytes = 75,
		.error = span_str("410"),
	});
	rows_put_kept(b, 7, 1, span_str("..."));
	rows_put_mark(b, 1, span_str("log"), (struct journal_pos){ 1, 64 }, span_str("42"));
	rows_put_sink(b, 2, &(struct sink_row){
		.mode = SINK_DISABLED, .since_ms = 1767323045700, .why = span_str("gone"),
	});
	rows_put_route(b, 1, &(struct route_row){
		.until = ROUTE_PRESENT, .from = { "\2\0\0\0", 4 }, .globs = { "report_*", sizeof "report_*" },
	});
	rows_put_meta(b, &(struct meta_row){
		.applied_seq = 8, .applied = { 1, 228 }, .kept_below = 7, .clean = true,
		.node = "019b7c5e-0000-7000-8000-000000000001",
	});
	rows_put_seen(b, &(struct seen_row){
		.source = 2, .hash = { 0x3b, 0x62, 0xa9, 0xba }, .seq = 7, .at_ms = 1767323045700, .id = span_str("e1"),
	});
	rows_put_secret(b, (const unsigned char[SEEN_SECRET]){ 0x0f, 0x1e, 0x2d, 0x3c });
	struct uptime_point points[] = { { 5, 60000 }, { 7, 61000 } };
	rows_put_uptime(b, &(struct uptime_row){
		.ms = 62000, .next_seq = 8, .begin_seq = 1, .points = points, .n = 2,
	});
}

static void the_rows_are_what_is_written(void **state)
{
	static const char *const names[STATE_TABLES] = {
		"names", "lanes", "stragglers", "due", "dead", "kept", "marks", "seen", "sinks", "meta",
		"routes",
	};
	(void)state;
	struct state_batch batch;
	enum state_table table;
	struct pb_span key, value;
	char *text = read_document(), row[1024];
	unsigned missing = 0;
	batch_init(&batch);
	add_rows(&batch);
	for (size_t at = 0; batch_next(&batch, &at, &table, &key, &value);) {
		print_row(row, sizeof row, names[table], key, value);
		if (strstr(text, row) == NULL) {
			fprintf(stderr, "%s\n", row);
			missing++;
		}
	}
	assert_int_equal(missing, 0);
	batch_free(&batch);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rows_are_what_is_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
