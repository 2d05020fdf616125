/* test-trust.c - code runs only from files that nobody else could have put there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/error.h"
#include "plugin/trust.h"
#include "unit/config/folder.h"

/* Is the path trusted? If not, what is said must begin with the folder and go on with `said`. */
static void trusts(const char *folder, const char *path, const char *said)
{
	struct pb_error err;
	error_init(&err);
	bool trusted = trust_file(path, &err);
	if (said == NULL) {
		assert_string_equal(error_text(&err), "");
		assert_true(trusted);
	} else {
		char expected[300];
		snprintf(expected, sizeof expected, "%s%s", folder, said);
		assert_string_equal(error_text(&err), expected);
		assert_string_equal(err.first->option, "plugin");
		assert_false(trusted);
	}
	error_free(&err);
}

static int begin(void **state)
{
	if (folder_begin(state) != 0)
		return -1;
	mkdir("d", 0700);
	mkdir("d/e", 0755);
	file_write("d/e/x.so", "");
	return 0;
}

static void own_files_are_trusted(void **state)
{
	char absolute[200];
	snprintf(absolute, sizeof absolute, "%s/d/e/x.so", (char *)*state);
	trusts(*state, absolute, NULL);
	trusts(*state, "d/e/x.so", NULL);
	trusts(*state, "d//e/./../e/x.so", NULL);
	trusts(*state, "d/../../../../../../../../bin/sh", NULL);
}

static void what_others_can_write_is_not(void **state)
{
	chmod("d/e/x.so", 0666);
	trusts(*state, "d/e/x.so", "/d/e/x.so can be written by every user; chmod o-w");
	chmod("d/e/x.so", 0664);
	trusts(*state, "d/e/x.so", "/d/e/x.so can be written by its group; chmod g-w");
	chmod("d/e/x.so", 0644);
	chmod("d/e", 0775);
	trusts(*state, "d/e/x.so", "/d/e can be written by its group; chmod g-w");
	chmod("d/e", 0755);
	chmod("d", 0777);
	trusts(*state, "d/e/x.so", "/d can be written by every user; chmod o-w");
}

static void sticky_folders_may_stand_above(void **state)
{
	chmod("d", 01777);
	trusts(*state, "d/e/x.so", NULL);
	chmod("d/e", 01777);
	trusts(*state, "d/e/x.so", "/d/e can be written by every user; put plugins in a folder of "
	       "their own");
	assert_int_equal(symlink("/bin/sh", "d/e/y.so"), 0);	/* ours, and what it leads to */
	trusts(*state, "d/e/y.so", NULL);
}

static void links_are_followed_and_judged(void **state)
{
	mkdir("open", 0700);
	file_write("open/x.so", "");
	assert_int_equal(symlink("../../open/x.so", "d/e/l.so"), 0);
	assert_int_equal(symlink("open", "way"), 0);
	trusts(*state, "d/e/l.so", NULL);
	trusts(*state, "way/x.so", NULL);
	chmod("open", 0777);
	trusts(*state, "d/e/l.so", "/open can be written by every user; chmod o-w");
	trusts(*state, "way/x.so", "/open can be written by every user; chmod o-w");
	trusts(*state, "way/../d/e/x.so", "/open can be written by every user; chmod o-w");
	assert_int_equal(symlink("a.so", "d/b.so"), 0);
	assert_int_equal(symlink("b.so", "d/a.so"), 0);
	struct pb_error err;
	error_init(&err);
	assert_false(trust_file("d/a.so", &err));
	assert_non_null(strstr(error_text(&err), " is a link that leads nowhere"));
	error_free(&err);
}

static void strangers_files_are_not(void **state)
{
	if (geteuid() != 0)
		skip();		/* only root can give a file away */
	char said[200];
	snprintf(said, sizeof said, "/d/e/x.so belongs to user 65534; expected root or user 0");
	assert_int_equal(chown("d/e/x.so", 65534, 65534), 0);
	trusts(*state, "d/e/x.so", said);
	assert_int_equal(chown("d/e/x.so", 0, 0), 0);
	assert_int_equal(chown("d", 65534, 65534), 0);
	trusts(*state, "d/e/x.so", "/d belongs to user 65534; expected root or user 0");
	assert_int_equal(symlink("/bin/sh", "l.so"), 0);
	assert_int_equal(lchown("l.so", 65534, 65534), 0);
	trusts(*state, "l.so", "/l.so belongs to user 65534; expected root or user 0");
}

static void what_is_no_file_is_not(void **state)
{
	trusts(*state, "d/e/none.so", "/d/e/none.so: No such file or directory");
	trusts(*state, "d/e", "/d/e is not a regular file");
	trusts(*state, "d/e/x.so/y.so", "/d/e/x.so/y.so: Not a directory");
	trusts("", "/", "/ is not a regular file");
	char longer[5000];
	memset(longer, 'x', sizeof longer);
	longer[sizeof longer - 1] = '\0';
	trusts(*state, longer, " is too long");
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, begin, folder_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(own_files_are_trusted),
		IN_FOLDER(what_others_can_write_is_not),
		IN_FOLDER(sticky_folders_may_stand_above),
		IN_FOLDER(links_are_followed_and_judged),
		IN_FOLDER(strangers_files_are_not),
		IN_FOLDER(what_is_no_file_is_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
