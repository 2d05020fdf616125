/* test-descriptor.c - what a plugin says of itself, copied and checked before it is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "plugin/descriptor.h"
#include "unit/plugin/page-end.h"

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

static const struct pb_option options[] = {
	{ "path", PB_PATH, NULL, .help = "A path." },
	{ "size", PB_SIZE, "1KiB", .min = 1, .max = 2048, .help = "A size." },
	{ 0 }
};

static const struct pb_source good_source = {
	.size = sizeof(struct pb_source), .options = options, .open = open_it, .close = close_it,
	.run = run_it,
};
static const struct pb_filter good_filter = {
	.size = sizeof(struct pb_filter), .open = open_it, .close = close_it, .apply = apply_it,
};
static const struct pb_sink good_sink = {
	.size = sizeof(struct pb_sink), .options = options, .open = open_it, .close = close_it,
	.write = write_it,
};
static const struct pb_plugin good = {
	.size = sizeof(struct pb_plugin), .option_size = sizeof(struct pb_option),
	.abi_major = PB_ABI_MAJOR, .abi_minor = PB_ABI_MINOR, .name = "thing", .version = "1",
	.summary = "A thing", .source = &good_source, .filter = &good_filter, .sink = &good_sink,
};

static void refuses(const struct pb_plugin *raw, const char *said)
{
	struct pb_error err;
	error_init(&err);
	assert_null(descriptor_new(raw, "thing", &err));
	assert_string_equal(error_text(&err), said);
	error_free(&err);
}

static void a_sound_one_is_copied(void **state)
{
	(void)state;
	struct pb_error err;
	error_init(&err);
	struct descriptor *d = descriptor_new(&good, "thing", &err);
	assert_int_equal(err.count, 0);
	const struct pb_plugin *p = descriptor_plugin(d);
	assert_ptr_not_equal(p, &good);
	assert_string_equal(p->summary, "A thing");
	assert_ptr_equal(p->source->run, run_it);
	assert_string_equal(p->source->options[1].name, "size");
	assert_int_equal(p->source->options[1].max, 2048);
	assert_null(p->source->options[2].name);
	assert_null(p->filter->options);
	assert_int_equal(p->sink->max_batch, 1);	/* 0 stands for it */
	descriptor_free(d);
}

/* What is longer than the core knows is not looked at: of the same MINOR it can mean nothing. */
static void longer_structs_are_cut(void **state)
{
	(void)state;
	struct {
		struct pb_option option;
		char more[24];
	} longer[2] = { { .option = options[1] }, { .option = { 0 } } };
	struct {
		struct pb_sink sink;
		void *more[4];
	} sink = { .sink = good_sink };
	sink.sink.size = sizeof sink;
	sink.sink.options = &longer[0].option;
	struct {
		struct pb_plugin plugin;
		void *more[4];
	} raw = { .plugin = good };
	raw.plugin.size = sizeof raw;
	raw.plugin.option_size = sizeof longer[0];
	raw.plugin.source = NULL;
	raw.plugin.filter = NULL;
	raw.plugin.sink = &sink.sink;
	struct pb_error err;
	error_init(&err);
	struct descriptor *d = descriptor_new(&raw, "thing", &err);
	assert_string_equal(error_text(&err), "");
	const struct pb_option *table = descriptor_plugin(d)->sink->options;
	assert_string_equal(table[0].name, "size");
	assert_null(table[1].name);
	descriptor_free(d);
}

static void another_abi_is_refused_with_both_numbers(void **state)
{
	(void)state;
	struct pb_plugin raw = good;
	raw.abi_major = 2;
	refuses(&raw, "plugin thing is made for ABI 2.0; this patchbay has 1.0: upgrade patchbay, or rebuild the "
		"plugin with this one's headers");
	raw = good;
	raw.abi_minor = 3;
	refuses(&raw, "plugin thing is made for ABI 1.3; this patchbay has 1.0: upgrade patchbay, or rebuild the "
		"plugin with this one's headers");
	raw = good;
	raw.abi_major = 0;
	raw.abi_minor = 9;
	refuses(&raw, "plugin thing is made for ABI 0.9; this patchbay has 1.0: rebuild the plugin");
}

/* Whatever else is in the descriptor of another ABI: it has another layout, and may end anywhere. */
static void of_another_abi_nothing_is_read(void **state)
{
	(void)state;
	struct pb_plugin other = good;
	other.abi_major = 7;
	memset((char *)&other + offsetof(struct pb_plugin, name), 0x5a,
	       sizeof other - offsetof(struct pb_plugin, name));
	other.size = offsetof(struct pb_plugin, name);
	const struct pb_plugin *raw = page_end(&other, other.size);
	refuses(raw, "plugin thing is made for ABI 7.0; this patchbay has 1.0: upgrade patchbay, or rebuild the "
		"plugin with this one's headers");
}

/* Only as many bytes as it says it has are there to be read. */
static void short_ones_are_not_read_past_their_end(void **state)
{
	(void)state;
	for (uint32_t size = _Alignof(struct pb_plugin); size < sizeof good; size += _Alignof(struct pb_plugin)) {
		struct pb_plugin raw = good;
		raw.size = size;
		struct pb_error err;
		error_init(&err);
		assert_null(descriptor_new(page_end(&raw, size), "thing", &err));
		assert_int_equal(err.count, 1);
		error_free(&err);
	}
	struct pb_plugin raw = good;
	raw.option_size = 8;
	refuses(&raw, "plugin thing: its descriptor is shorter than its ABI says");
}

/* Three parts, each as it is and as short as `size` says, at the end of what can be read. */
static void short_parts_are_not_read_past_their_end(void **state)
{
	(void)state;
	static const char said[] = "plugin thing: a part of its descriptor is too short";
	for (uint32_t size = sizeof size; size <= offsetof(struct pb_source, may_repeat); size += 4) {
		struct pb_source source = good_source;
		struct pb_plugin raw = good;
		source.size = size;
		raw.source = page_end(&source, size);
		refuses(&raw, said);
	}
	for (uint32_t size = sizeof size; size < sizeof good_filter; size += 4) {
		struct pb_filter filter = good_filter;
		struct pb_plugin raw = good;
		filter.size = size;
		raw.filter = page_end(&filter, size);
		refuses(&raw, said);
	}
	for (uint32_t size = sizeof size; size < sizeof good_sink; size += 4) {
		struct pb_sink sink = good_sink;
		struct pb_plugin raw = good;
		sink.size = size;
		raw.sink = page_end(&sink, size);
		refuses(&raw, said);
	}
}

static void a_table_is_not_read_past_its_end(void **state)
{
	(void)state;
	struct pb_source source = good_source;
	struct pb_plugin raw = good;
	source.options = page_end(options, sizeof options);
	raw.source = page_end(&source, sizeof source);
	struct pb_error err;
	error_init(&err);
	struct descriptor *d = descriptor_new(page_end(&raw, sizeof raw), "thing", &err);
	assert_string_equal(error_text(&err), "");
	assert_string_equal(descriptor_plugin(d)->source->options[1].help, "A size.");
	descriptor_free(d);
}

static void missing_parts_are_named(void **state)
{
	(void)state;
	struct pb_plugin raw = good;
	raw.name = "other";
	refuses(&raw, "plugin thing calls itself other; expected the file's name");
	raw.name = NULL;
	refuses(&raw, "plugin thing calls itself nothing; expected the file's name");
	raw = good;
	raw.summary = "";
	refuses(&raw, "plugin thing: it has no version or no summary");
	raw = good;
	raw.source = NULL;
	raw.filter = NULL;
	raw.sink = NULL;
	refuses(&raw, "plugin thing: it is neither source, filter nor sink");
}

static void missing_functions_are_named(void **state)
{
	(void)state;
	struct pb_plugin raw = good;
	struct pb_source source = good_source;
	source.run = NULL;
	raw.source = &source;
	refuses(&raw, "plugin thing: its source lacks open, close or run");
	raw = good;
	struct pb_filter filter = good_filter;
	filter.apply = NULL;
	raw.filter = &filter;
	refuses(&raw, "plugin thing: its filter lacks open, close or apply");
	raw = good;
	struct pb_sink sink = good_sink;
	sink.close = NULL;
	raw.sink = &sink;
	refuses(&raw, "plugin thing: its sink lacks open or close");
	sink = good_sink;
	sink.submit = write_it;
	refuses(&raw, "plugin thing: its sink needs one of write and submit");
	sink.submit = NULL;
	sink.write = NULL;
	refuses(&raw, "plugin thing: its sink needs one of write and submit");
}

static void a_table_that_contradicts_itself_is_refused(void **state)
{
	(void)state;
	static const struct pb_option wrong[] = {
		{ "retry", PB_STRING, "", .help = "H." },
		{ "size", PB_SIZE, "1KiB", .max = 10, .help = "H." },
		{ 0 }
	};
	static struct pb_option endless[600];
	struct pb_sink sink = good_sink;
	struct pb_plugin raw = good;
	raw.sink = &sink;
	sink.options = wrong;
	struct pb_error err;
	error_init(&err);
	assert_null(descriptor_new(&raw, "thing", &err));
	assert_int_equal(err.count, 2);
	assert_string_equal(err.first->text, "plugin thing: option table of its sink: retry: is an "
			    "option that all instances share");
	assert_string_equal(err.first->next->text, "plugin thing: option table of its sink: size: its "
			    "default is wrong: \"1KiB\" is out of range; expected at most 10");
	error_free(&err);
	for (size_t i = 0; i < sizeof endless / sizeof *endless; i++)
		endless[i] = options[0];
	sink.options = endless;
	refuses(&raw, "plugin thing: option table of its sink: an option table does not end in {0}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sound_one_is_copied),
		cmocka_unit_test(longer_structs_are_cut),
		cmocka_unit_test(another_abi_is_refused_with_both_numbers),
		cmocka_unit_test(of_another_abi_nothing_is_read),
		cmocka_unit_test(short_ones_are_not_read_past_their_end),
		cmocka_unit_test(short_parts_are_not_read_past_their_end),
		cmocka_unit_test(a_table_is_not_read_past_its_end),
		cmocka_unit_test(missing_parts_are_named),
		cmocka_unit_test(missing_functions_are_named),
		cmocka_unit_test(a_table_that_contradicts_itself_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
