/* test-loader.c - shared objects to descriptors: what is loaded, and why the rest is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/loader.h"
#include "plugin/peek.h"
#include "unit/config/folder.h"

static char objects[PATH_MAX];	/* where the build put the shared objects */

/* The folder "p" with the object `from` as NAME.so. */
static void put(const char *from, const char *name)
{
	char source[PATH_MAX + 40], target[100], bytes[64 * 1024];
	mkdir("p", 0755);
	snprintf(source, sizeof source, "%s/%s.so", objects, from);
	snprintf(target, sizeof target, "p/%s.so", name);
	FILE *in = fopen(source, "rb"), *out = fopen(target, "wb");
	assert_true(in != NULL && out != NULL);
	for (size_t n; (n = fread(bytes, 1, sizeof bytes, in)) > 0;)
		assert_int_equal(fwrite(bytes, 1, n, out), n);
	fclose(in);
	assert_int_equal(fclose(out), 0);
	chmod(target, 0644);
}

/* Asking for the plugin fails with the text; %s in it stands for the test's folder. */
static void refuses(const char *name, const char *said)
{
	struct loader *loader = loader_open("p");
	struct pb_error err;
	error_init(&err);
	assert_null(loader_find(loader, name, &err));
	assert_int_equal(err.count, 1);
	assert_string_equal(err.first->option, "plugin");
	if (strstr(error_text(&err), said) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", error_text(&err), said);
	error_free(&err);
	loader_close(loader);
}

static void a_plugin_is_loaded_once(void **state)
{
	(void)state;
	put("good", "good");
	struct loader *loader = loader_open("p");
	struct pb_error err;
	error_init(&err);
	const struct pb_plugin *plugin = loader_find(loader, "good", &err);
	assert_string_equal(error_text(&err), "");
	assert_string_equal(plugin->summary, "Good");
	assert_ptr_equal(loader_find(loader, "good", &err), plugin);
	loader_close(loader);
}

static void config_is_told_its_table(void **state)
{
	(void)state;
	put("good", "good");
	struct loader *loader = loader_open("p");
	struct config_plugins tables = loader_tables(loader);
	struct pb_error err;
	error_init(&err);
	const struct pb_option *table;
	uint32_t most;
	bool repeat;
	assert_true(tables.find(tables.arg, CONFIG_SINK, "good", &table, &most, &repeat, &err));
	assert_string_equal(table[0].name, "url");
	assert_int_equal(most, 7);
	assert_false(tables.find(tables.arg, CONFIG_FILTER, "good", &table, &most, &repeat, &err));
	assert_string_equal(error_text(&err), "plugin good has no filter; it has: sink");
	error_free(&err);
	loader_close(loader);
}

static void the_first_configuration_says_where(void **state)
{
	(void)state;
	struct loader *loader = loader_open(NULL);
	assert_string_equal(loader_folder(loader), PATCHBAY_PLUGIN_DIR);
	struct config_plugins tables = loader_tables(loader);
	tables.folder(tables.arg, "/one");
	tables.folder(tables.arg, "/two");
	assert_string_equal(loader_folder(loader), "/one");
	loader_close(loader);
	loader = loader_open("p");
	tables = loader_tables(loader);
	tables.folder(tables.arg, "/one");
	assert_string_equal(loader_folder(loader), "p");
	loader_close(loader);
}

static void what_is_not_there_is_said(void **state)
{
	(void)state;
	refuses("good", "there is no plugin good: p: No such file or directory");
	put("good", "good");
	refuses("goood", "there is no plugin goood in p; did you mean good?");
	refuses("../p/good", "\"../p/good\" is not the name of a plugin; expected a-z, 0-9, _ and -, "
		"and no path");
	refuses("", "\"\" is not the name of a plugin");
}

static void what_is_no_plugin_is_refused(void **state)
{
	(void)state;
	put("none", "none");
	put("function", "function");
	put("short", "short");
	put("unresolved", "unresolved");
	put("good", "other");
	refuses("none", "p/none.so is not a plugin: it has no descriptor patchbay_plugin");
	refuses("function", "p/function.so is not a plugin: it has no descriptor patchbay_plugin");
	refuses("short", "p/short.so is not a plugin: it has no descriptor patchbay_plugin");
	refuses("unresolved", "plugin unresolved cannot be loaded: p/unresolved.so: undefined symbol: "
		"nobody_has_this");
	refuses("other", "plugin other calls itself good; expected the file's name");
	file_write("p/text.so", "no object");
	refuses("text", "plugin text cannot be loaded: p/text.so: ");
}

/* Before its code is mapped, of which it needs functions that are not there. */
static void another_abi_is_refused_by_its_numbers(void **state)
{
	char said[100];
	(void)state;
	put("later", "later");
	snprintf(said, sizeof said, "plugin later is made for ABI %d.99; this patchbay has %d.%d: upgrade patchbay",
		 PB_ABI_MAJOR, PB_ABI_MAJOR, PB_ABI_MINOR);
	refuses("later", said);
}

/* However much of a plugin's file is there. */
static void a_piece_of_a_file_is_refused(void **state)
{
	(void)state;
	char bytes[64 * 1024];
	put("later", "later");
	FILE *in = fopen("p/later.so", "rb");
	assert_non_null(in);
	size_t len = fread(bytes, 1, sizeof bytes, in);
	fclose(in);
	for (size_t cut = 1; cut < len; cut += 97) {
		unsigned major, minor;
		FILE *out = fopen("p/piece.so", "wb");
		assert_int_equal(fwrite(bytes, 1, cut, out), cut);
		fclose(out);
		assert_true(!peek_abi("p/piece.so", &major, &minor) || minor == 99);
	}
	assert_int_equal(truncate("p/piece.so", 10), 0);
	refuses("piece", "plugin piece cannot be loaded: ");
}

/* A file that is no good in some other place is never read past its end. */
static void a_spoilt_file_is_looked_at_safely(void **state)
{
	(void)state;
	unsigned char bytes[64 * 1024];
	put("good", "good");
	FILE *in = fopen("p/good.so", "rb");
	assert_non_null(in);
	size_t len = fread(bytes, 1, sizeof bytes, in);
	fclose(in);
	for (size_t i = 0; i < len; i += i < 64 ? 1 : 61) {
		unsigned major, minor;
		unsigned char was = bytes[i];
		bytes[i] = (unsigned char)~was;
		FILE *out = fopen("p/spoilt.so", "wb");
		assert_int_equal(fwrite(bytes, 1, len, out), len);
		fclose(out);
		bytes[i] = was;
		peek_abi("p/spoilt.so", &major, &minor);
	}
}

static void unsafe_files_are_refused(void **state)
{
	(void)state;
	put("good", "good");
	chmod("p/good.so", 0666);
	refuses("good", "/p/good.so can be written by every user; chmod o-w");
	chmod("p/good.so", 0644);
	chmod("p", 0777);
	refuses("good", "/p can be written by every user; chmod o-w");
}

struct seen {
	char text[1000];
};

static void note(void *arg, const char *name, const struct pb_plugin *plugin,
		 const struct pb_error *err)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);
	snprintf(seen->text + len, sizeof seen->text - len, "%s: %s\n", name,
		 plugin != NULL ? plugin->summary : error_text(err));
}

static void the_folder_is_listed_by_name(void **state)
{
	(void)state;
	put("none", "none");
	put("good", "good");
	file_write("p/README", "");
	file_write("p/Bad Name.so", "");
	file_write("p/.so", "");
	struct loader *loader = loader_open("p");
	struct seen seen = { "" };
	assert_int_equal(loader_each(loader, note, &seen), 0);
	assert_string_equal(seen.text, "good: Good\nnone: p/none.so is not a plugin: it has no "
			    "descriptor patchbay_plugin\n");
	loader_close(loader);
	loader = loader_open("nowhere");
	assert_int_equal(loader_each(loader, note, &seen), -ENOENT);
	loader_close(loader);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_begin, folder_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_plugin_is_loaded_once),
		IN_FOLDER(config_is_told_its_table),
		IN_FOLDER(the_first_configuration_says_where),
		IN_FOLDER(what_is_not_there_is_said),
		IN_FOLDER(what_is_no_plugin_is_refused),
		IN_FOLDER(another_abi_is_refused_by_its_numbers),
		IN_FOLDER(a_piece_of_a_file_is_refused),
		IN_FOLDER(a_spoilt_file_is_looked_at_safely),
		IN_FOLDER(unsafe_files_are_refused),
		IN_FOLDER(the_folder_is_listed_by_name),
	};
	if (realpath("tests/unit/plugin/objects", objects) == NULL)
		return 1;	/* runs where it was built */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
