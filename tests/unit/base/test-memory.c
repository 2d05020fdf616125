/* test-memory.c - what cannot be done without is there, or the process ends with a message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/memory.h"

/* The linker sends the library's calloc() here. */
static bool out_of_memory;
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return out_of_memory ? NULL : __real_calloc(n, size);
}

static void memory_is_given(void **state)
{
	(void)state;
	static const char zeros[1000];
	char *p = xcalloc(100, 10);
	assert_true(malloc_usable_size(p) >= 1000);
	assert_memory_equal(p, zeros, 1000);
	memcpy(p, "abcdefg", 8);
	p = xrealloc(p, 1000, 100);
	assert_true(malloc_usable_size(p) >= 100000);
	assert_string_equal(p, "abcdefg");
	free(p);
	p = xcalloc(0, 8);
	assert_non_null(p);
	p = xrealloc(p, 0, 8);
	assert_non_null(p);
	free(p);
}

static void text_is_copied(void **state)
{
	(void)state;
	char *s = xstrdup("abc");
	char *t = xasprintf("%s-%d", s, 7);
	assert_string_equal(s, "abc");
	assert_string_equal(t, "abc-7");
	free(s);
	free(t);
	t = xasprintf("%s", "");
	assert_string_equal(t, "");
	free(t);
}

static void run_short(int err)
{
	dup2(err, STDERR_FILENO);
	out_of_memory = true;
	free(xcalloc(1, 1));
	_exit(0);
}

static void short_memory_ends_the_process(void **state)
{
	(void)state;
	int fds[2], status;
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		run_short(fds[1]);
	close(fds[1]);
	char said[256] = "";
	assert_true(read(fds[0], said, sizeof said - 1) > 0);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_string_equal(said, "patchbay: out of memory\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_given),
		cmocka_unit_test(text_is_copied),
		cmocka_unit_test(short_memory_ends_the_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
