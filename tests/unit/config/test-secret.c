/* test-secret.c - ${env:}, ${file:}, ${cred:} in a value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "config/secret.h"
#include "unit/config/folder.h"
#include "unit/config/reported.h"

static struct setting filled(const char *value, struct report *report)
{
	static char key[] = "token";
	struct setting s = { .key = key, .value = strdup(value), .place = { "conf/f.ini", 7 } };
	secret_fill(&s, "sink a", report);
	return s;
}

static void end(struct setting *s)
{
	free(s->value);
	free(s->exposed);
}

static void gives(const char *value, const char *expected, bool secret)
{
	struct report report = { 0 };
	struct setting s = filled(value, &report);
	assert_string_equal(s.value, expected);
	assert_int_equal(s.secret, secret);
	assert_false(s.failed);
	assert_int_equal(report.n, 0);
	end(&s);
}

static void refuses(const char *value, const char *said)
{
	struct report report = { 0 };
	struct setting s = filled(value, &report);
	assert_true(s.failed);
	char expected[300];
	snprintf(expected, sizeof expected, "conf/f.ini:7: [sink a] token: %s\n", said);
	char *got = reported(&report, false);
	assert_string_equal(got, expected);
	free(got);
	end(&s);
}

static void plain_values_stay(void **state)
{
	(void)state;
	static const char *const values[] = { "", "a", "$", "$$", "a$b", "$a", "{env:X}", "$ {x}" };
	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		gives(values[i], values[i], false);
	gives("$${env:X}", "${env:X}", false);
	gives("$$${env:X}", "$${env:X}", false);
}

static void variables_are_filled_in(void **state)
{
	(void)state;
	setenv("PB_TEST", "word ${env:PB_TEST}", 1);
	gives("${env:PB_TEST}", "word ${env:PB_TEST}", true);	/* once, not again */
	setenv("PB_TEST", "w", 1);
	gives("Bearer ${env:PB_TEST}, ${env:PB_TEST}.", "Bearer w, w.", true);
	setenv("PB_TEST", "", 1);
	refuses("${env:PB_TEST}", "${env:PB_TEST}: is empty");
	setenv("PB_TEST", "a\rb", 1);
	refuses("${env:PB_TEST}", "${env:PB_TEST}: contains control bytes");
	setenv("PB_TEST", "\xff", 1);
	refuses("${env:PB_TEST}", "${env:PB_TEST}: is not UTF-8");
	unsetenv("PB_TEST");
	refuses("${env:PB_TEST}", "${env:PB_TEST}: is not set in the environment");
}

static void files_are_filled_in(void **state)
{
	char absolute[100], value[200];
	mkdir("conf", 0700);
	file_write("conf/one", "word\n");
	file_write("conf/two", "a\nb\n\n");
	file_write("conf/empty", "\n");
	snprintf(absolute, sizeof absolute, "%s/conf/one", (char *)*state);
	snprintf(value, sizeof value, "${file:%s}", absolute);
	gives(value, "word", true);
	gives("<${file:one}>", "<word>", true);		/* relative to f.ini */
	gives("${file:two}", "a\nb\n", true);
	refuses("${file:empty}", "${file:empty}: is empty");
	refuses("${file:none}", "${file:none}: No such file or directory");
	refuses("${file:.}", "${file:.}: is not a regular file");
	refuses("${file:}", "${file:}: names no file");
}

static void a_public_file_is_noticed(void **state)
{
	(void)state;
	mkdir("conf", 0700);
	file_write("conf/one", "word");
	chmod("conf/one", 0604);
	struct report report = { 0 };
	struct setting s = filled("${file:one}", &report);
	assert_string_equal(s.exposed, "conf/one");
	assert_int_equal(report.n, 0);
	end(&s);
	chmod("conf/one", 0640);
	s = filled("${file:one}", &report);
	assert_null(s.exposed);
	end(&s);
}

static void credentials_are_filled_in(void **state)
{
	unsetenv("CREDENTIALS_DIRECTORY");
	refuses("${cred:one}", "${cred:one}: $CREDENTIALS_DIRECTORY is not set: the service has "
		     "no credentials");
	setenv("CREDENTIALS_DIRECTORY", *state, 1);
	file_write("one", "word\n");
	gives("${cred:one}", "word", true);
	refuses("${cred:two}", "${cred:two}: No such file or directory");
	refuses("${cred:}", "${cred:}: is not the name of a credential");
	refuses("${cred:../one}", "${cred:../one}: is not the name of a credential");
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void other_references_are_refused(void **state)
{
	(void)state;
	static const char expected[] = "expected ${env:NAME}, ${file:PATH} or ${cred:NAME}; $${ stands "
		"for a plain ${";
	char said[200];
	snprintf(said, sizeof said, "${HOME}: %s", expected);
	refuses("a ${HOME} b", said);
	snprintf(said, sizeof said, "${}: %s", expected);
	refuses("${}", said);
	refuses("${env:X", "${env:X}: has no } at its end; $${ stands for a plain ${");
}

static void what_is_too_long_is_refused(void **state)
{
	(void)state;
	size_t max = SECRET_MAX;
	char *text = malloc(max + 3);
	memset(text, 'x', max + 2);
	text[max + 2] = '\0';
	mkdir("conf", 0700);
	file_write("conf/long", text);
	text[max] = '\n';
	text[max + 1] = '\0';
	file_write("conf/fits", text);
	text[max] = '\0';
	gives("${file:fits}", text, true);
	refuses("${file:long}", "${file:long}: is longer than 64 KiB");
	refuses("a${file:fits}", "${file:fits}: makes the value longer than 64 KiB");
	refuses("${file:fits}a", "is longer than 64 KiB");
	free(text);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_begin, folder_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_values_stay),
		cmocka_unit_test(variables_are_filled_in),
		IN_FOLDER(files_are_filled_in),
		IN_FOLDER(a_public_file_is_noticed),
		IN_FOLDER(credentials_are_filled_in),
		cmocka_unit_test(other_references_are_refused),
		IN_FOLDER(what_is_too_long_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
