/* exec-bench.h - what the tests of exec share: a folder, programs written into it, the plugin in its box. */
#ifndef PLUGINS_EXEC_BENCH_H
#define PLUGINS_EXEC_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <patchbay/testing.h>

#define COUNT(a) (sizeof (a) / sizeof *(a))
/* What a shell program begins with: it takes hello, and is ready. */
#define SAY(message) "printf '%s\\n' '" message "'\n"
#define HELLO "read -r hello\n"
#define READY HELLO "echo '{\"ready\":{\"protocol\":1}}'\n"
/* What it ends with: it tells on standard error, which is the log, what it is told, until it is to stop. */
#define TELL "while read -r line; do echo \"$line\" >&2; case $line in *'\"stop\"'*) exit 0;; esac; done\n"

struct bench {
	struct pbt_host *host;
	char folder[64], program[96];
};

/* A test's setup and teardown; the state is the bench. */
int bench_up(void **state);
int bench_down(void **state);
/* Open a section, "source s" say, whose program is this shell script, with further lines `more`. */
struct pbt_instance *bench_open(struct bench *, const char *section, const char *script, const char *more);
/* The same that may be refused: NULL. */
struct pbt_instance *bench_try(struct bench *, const char *section, const char *script, const char *more);
/* An event of the sink's or filter's, with this body. */
struct pb_event *bench_event(struct bench *, const char *body);
/* Wait until none of the processes that the program wrote into PROGRAM.pids is there any more; how many they are. */
int bench_all_gone(struct bench *);

#endif
