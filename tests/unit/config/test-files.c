/* test-files.c - a configuration file and what it includes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/buf.h"
#include "config/files.h"
#include "unit/config/folder.h"
#include "unit/config/reported.h"

/* "title@FILE:LINE " for each sound section, then the files, then what was reported. */
static char *read_files(const char *path)
{
	struct report report = { 0 };
	struct config_files *files = files_read(path, &report);
	struct buf b = BUF_INIT(64 * 1024);
	for (size_t i = 0; i < files->sections.n; i++) {
		const struct section *s = files->sections.at[i];
		if (*s->kind != '\0')
			buf_printf(&b, "%s@%s:%u ", s->title, s->place.file, s->place.line);
	}
	for (size_t i = 0; i < files->n; i++)
		buf_printf(&b, "<%s>", files_name(files, i));
	buf_add_char(&b, '\n');
	char *said = reported(&report, false);
	buf_add_str(&b, said);
	free(said);
	files_free(files);
	return buf_take(&b);
}

static void reads(const char *path, const char *expected)
{
	char *got = read_files(path);
	assert_string_equal(got, expected);
	free(got);
}

static void one_file_is_read(void **state)
{
	(void)state;
	file_write("p.ini", "[source a]\n[sink b]\n");
	reads("p.ini", "source a@p.ini:1 sink b@p.ini:2 <p.ini>\n");
	reads("./p.ini", "source a@./p.ini:1 sink b@./p.ini:2 <./p.ini>\n");
}

static void what_cannot_be_read_is_said(void **state)
{
	(void)state;
	reads("none.ini", "\nnone.ini: No such file or directory\n");
	reads(".", "\n.: is not a regular file\n");
	mkfifo("fifo", 0600);
	reads("fifo", "\nfifo: is not a regular file\n");	/* and does not wait for a writer */
	FILE *to = fopen("long.ini", "w");
	assert_int_equal(ftruncate(fileno(to), 17 * 1024 * 1024), 0);
	fclose(to);
	reads("long.ini", "\nlong.ini: is longer than 16 MiB\n");
}

static void includes_are_sorted_and_relative(void **state)
{
	(void)state;
	mkdir("etc", 0700);
	mkdir("etc/conf.d", 0700);
	file_write("etc/p.ini", "[patchbay]\ninclude = conf.d/*.ini, none.d/*.ini, one.ini\n[sink a]\n");
	file_write("etc/conf.d/20.ini", "[sink c]\n");
	file_write("etc/conf.d/10.ini", "\n[sink b]\n");
	file_write("etc/conf.d/.hidden.ini", "[sink h]\n");
	file_write("etc/conf.d/other", "[sink o]\n");
	file_write("etc/one.ini", "[sink d]\n");
	reads("etc/p.ini", "patchbay@etc/p.ini:1 sink a@etc/p.ini:3 sink b@etc/conf.d/10.ini:2 "
	      "sink c@etc/conf.d/20.ini:1 sink d@etc/one.ini:1 "
	      "<etc/p.ini><etc/conf.d/10.ini><etc/conf.d/20.ini><etc/one.ini>\n");
}

static void a_folders_name_is_no_glob(void **state)
{
	(void)state;
	mkdir("e[t]c*", 0700);
	mkdir("et", 0700);
	file_write("e[t]c*/p.ini", "[patchbay]\ninclude = ?1.ini\n");
	file_write("e[t]c*/a1.ini", "[sink a]\n");
	reads("e[t]c*/p.ini", "patchbay@e[t]c*/p.ini:1 sink a@e[t]c*/a1.ini:1 "
	      "<e[t]c*/p.ini><e[t]c*/a1.ini>\n");
}

static void a_missing_include_is_an_error(void **state)
{
	(void)state;
	file_write("p.ini", "[patchbay]\ninclude = a.ini, .\n");
	reads("p.ini", "patchbay@p.ini:1 <p.ini>\n"
	      "p.ini:2: [patchbay] include: a.ini: No such file or directory\n"
	      "p.ini:2: [patchbay] include: .: is not a regular file\n");
	file_write("p.ini", "[patchbay]\ninclude = a b\n");
	reads("p.ini", "patchbay@p.ini:1 <p.ini>\np.ini:2: [patchbay] include: is not a list; "
	      "expected files and globs between commas\n");
}

static void includes_may_nest(void **state)
{
	(void)state;
	mkdir("sub", 0700);
	file_write("p.ini", "[patchbay]\ninclude = sub/a.ini\n");
	file_write("sub/a.ini", "[patchbay]\ninclude = b.ini\n[sink a]\n");
	file_write("sub/b.ini", "[sink b]\n");
	reads("p.ini", "patchbay@p.ini:1 sink a@sub/a.ini:3 sink b@sub/b.ini:1 "
	      "<p.ini><sub/a.ini><sub/b.ini>\n");
	file_write("sub/a.ini", "[patchbay]\ninclude = b.ini\nstate = /x\n");
	reads("p.ini", "patchbay@p.ini:1 sink b@sub/b.ini:1 <p.ini><sub/a.ini><sub/b.ini>\n"
	      "sub/a.ini:3: [patchbay] state: belongs to p.ini; in an included file [patchbay] "
	      "may hold include only\n");
}

static void circles_are_refused(void **state)
{
	(void)state;
	file_write("p.ini", "[patchbay]\ninclude = *.ini\n");
	reads("p.ini", "patchbay@p.ini:1 <p.ini>\n"
	      "p.ini:2: [patchbay] include: p.ini: the file includes itself\n");
	file_write("p.ini", "[patchbay]\ninclude = a.ini\n");
	file_write("a.ini", "[patchbay]\ninclude = p.ini\n");
	reads("p.ini", "patchbay@p.ini:1 <p.ini><a.ini>\n"
	      "a.ini:2: [patchbay] include: p.ini: the files include each other in a circle\n");
	char name[20], text[60];
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof name, "n%d.ini", i);
		snprintf(text, sizeof text, "[patchbay]\ninclude = n%d.ini\n", i + 1);
		file_write(name, text);
	}
	char *got = read_files("n0.ini");
	assert_non_null(strstr(got, "n16.ini:2: [patchbay] include: n17.ini: is one file too many, or "
			       "included too deeply\n"));
	free(got);
}

static void a_file_is_read_once(void **state)
{
	(void)state;
	file_write("p.ini", "[patchbay]\ninclude = a.ini, *a.ini, link\n");
	file_write("a.ini", "[sink a]\n");
	assert_int_equal(symlink("a.ini", "link"), 0);
	reads("p.ini", "patchbay@p.ini:1 sink a@a.ini:1 <p.ini><a.ini>\n");
}

static void a_section_may_stand_once(void **state)
{
	(void)state;
	file_write("p.ini", "[sink a]\n[patchbay]\ninclude = b.ini\n[sink a]\n[patchbay]\n[source a]\n");
	file_write("b.ini", "[sink a]\n[ sink  a ]\n");
	reads("p.ini", "sink a@p.ini:1 patchbay@p.ini:2 source a@p.ini:6 <p.ini><b.ini>\n"
	      "b.ini:1: [sink a]: stands here again, first at p.ini:1\n"
	      "b.ini:2: [sink a]: stands here again, first at p.ini:1\n"
	      "p.ini:4: [sink a]: stands here again, first at p.ini:1\n"
	      "p.ini:5: [patchbay]: stands here again, first at p.ini:2\n");
}

static void secrets_are_filled_in_and_files_marked(void **state)
{
	(void)state;
	file_write("p.ini", "[sink a]\ntoken = ${file:t}\n[sinc b]\nx = ${env:PB_TEST_NONE}\n");
	file_write("t", "word\n");
	chmod("p.ini", 0644);
	struct report report = { 0 };
	struct config_files *files = files_read("p.ini", &report);
	const struct section *s = files->sections.at[0];
	assert_string_equal(s->settings[0].value, "word");
	assert_true(s->settings[0].secret);
	assert_true(s->public);
	files_free(files);
	char *said = reported(&report, false);		/* a wrong section's are left alone */
	assert_string_equal(said, "p.ini:3: [sinc b]: there is no such kind of section; did you "
			    "mean sink?\n");
	free(said);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_begin, folder_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(one_file_is_read),
		IN_FOLDER(what_cannot_be_read_is_said),
		IN_FOLDER(includes_are_sorted_and_relative),
		IN_FOLDER(a_folders_name_is_no_glob),
		IN_FOLDER(a_missing_include_is_an_error),
		IN_FOLDER(includes_may_nest),
		IN_FOLDER(circles_are_refused),
		IN_FOLDER(a_file_is_read_once),
		IN_FOLDER(a_section_may_stand_once),
		IN_FOLDER(secrets_are_filled_in_and_files_marked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
