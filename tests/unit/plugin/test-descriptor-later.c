/*
 * test-descriptor-later.c - a later patchbay, whose structs have grown, takes plugins as they were built before.
 *
 * descriptor.c is compiled once more here, with plugin.h as later.awk makes it. What a plugin of today's
 * headers has is laid out by its sizes alone, and ends where memory ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/error.h"
#include "plugin/descriptor.h"
#include "unit/plugin/page-end.h"

#define TODAY(type) offsetof(struct type, later)	/* how long it is without the member that came later */

/* In place of config's, which knows today's tables: what is under test is how they are copied. */
bool options_table_sound(const struct pb_option *table, const struct pb_option *common, struct pb_error *err)
{
	(void)table, (void)common, (void)err;
	return true;
}

const struct pb_option *config_common_table(enum config_kind kind)
{
	(void)kind;
	return NULL;
}

const char *config_kind_name(enum config_kind kind)
{
	(void)kind;
	return "thing";
}

static void *open_it(struct pb_self *self, struct pb_error *err)
{
	(void)self, (void)err;
	return NULL;
}

static void close_it(void *it)
{
	(void)it;
}

static int run_it(void *it)
{
	(void)it;
	return 0;
}

static int apply_it(void *it, struct pb_event *ev, struct pb_error *err)
{
	(void)it, (void)ev, (void)err;
	return 0;
}

static void write_it(void *it, struct pb_delivery *const d[], size_t n)
{
	(void)it, (void)d, (void)n;
}

/* A table of `n` options and its end, with rows as long as today's. */
static const struct pb_option *table_of_today(const struct pb_option *table, size_t n)
{
	char rows[10 * TODAY(pb_option)] = "";
	assert_true(n < 10);
	for (size_t i = 0; i < n; i++)
		memcpy(rows + i * TODAY(pb_option), &table[i], TODAY(pb_option));
	return page_end(rows, (n + 1) * TODAY(pb_option));
}

/* A plugin with all three parts as a compiler with today's headers lays it out, less the rows' length. */
static const struct pb_plugin *plugin_of_today(const struct pb_option *table, size_t option_size)
{
	const struct pb_source source = {
		.size = TODAY(pb_source), .options = table, .open = open_it, .close = close_it, .run = run_it,
	};
	const struct pb_filter filter = {
		.size = TODAY(pb_filter), .options = table, .open = open_it, .close = close_it, .apply = apply_it,
	};
	const struct pb_sink sink = {
		.size = TODAY(pb_sink), .options = table, .open = open_it, .close = close_it, .write = write_it,
		.max_batch = 3,
	};
	const struct pb_plugin plugin = {
		.size = TODAY(pb_plugin), .option_size = (uint32_t)option_size, .abi_major = PB_ABI_MAJOR,
		.abi_minor = PB_ABI_MINOR - 1, .name = "thing", .version = "1", .summary = "A thing",
		.source = page_end(&source, source.size), .filter = page_end(&filter, filter.size),
		.sink = page_end(&sink, sink.size),
	};
	return page_end(&plugin, plugin.size);
}

static const struct pb_option options[] = {
	{ "path", PB_PATH, NULL, .help = "A path." },
	{ "size", PB_SIZE, "1KiB", .min = 1, .max = 2048, .help = "A size." },
};

static void check_table(const struct pb_option *copied)
{
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(copied[i].name, options[i].name);
		assert_int_equal(copied[i].max, options[i].max);
		assert_string_equal(copied[i].help, options[i].help);
		assert_null(copied[i].later);
	}
	assert_null(copied[2].name);
}

static void what_came_later_reads_as_zero(void **state)
{
	(void)state;
	struct pb_error err;
	error_init(&err);
	struct descriptor *d = descriptor_new(plugin_of_today(table_of_today(options, 2), TODAY(pb_option)),
					      "thing", &err);
	assert_string_equal(error_text(&err), "");
	const struct pb_plugin *p = descriptor_plugin(d);
	assert_null(p->later);
	assert_null(p->source->later);
	assert_null(p->filter->later);
	assert_null(p->sink->later);
	assert_ptr_equal(p->source->run, run_it);
	assert_ptr_equal(p->filter->apply, apply_it);
	assert_ptr_equal(p->sink->write, write_it);
	assert_int_equal(p->sink->max_batch, 3);
	check_table(p->source->options);
	check_table(p->filter->options);
	check_table(p->sink->options);
	descriptor_free(d);
}

/* One that was built with the later headers has it. */
static void what_is_there_is_taken(void **state)
{
	(void)state;
	static int there;
	static const struct pb_option table[] = {
		{ "path", PB_PATH, NULL, .help = "A path.", .later = &there }, { 0 }
	};
	const struct pb_sink sink = {
		.size = sizeof sink, .options = page_end(table, sizeof table), .open = open_it,
		.close = close_it, .write = write_it, .later = &there,
	};
	const struct pb_plugin plugin = {
		.size = sizeof plugin, .option_size = sizeof *table, .abi_major = PB_ABI_MAJOR,
		.abi_minor = PB_ABI_MINOR, .name = "thing", .version = "1", .summary = "A thing",
		.sink = page_end(&sink, sizeof sink), .later = &there,
	};
	struct pb_error err;
	error_init(&err);
	struct descriptor *d = descriptor_new(page_end(&plugin, sizeof plugin), "thing", &err);
	assert_string_equal(error_text(&err), "");
	const struct pb_plugin *p = descriptor_plugin(d);
	assert_ptr_equal(p->later, &there);
	assert_ptr_equal(p->sink->later, &there);
	assert_ptr_equal(p->sink->options[0].later, &there);
	descriptor_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_came_later_reads_as_zero),
		cmocka_unit_test(what_is_there_is_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
