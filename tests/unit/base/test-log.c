/* test-log.c - one line and one write(2) an entry, nothing forged, bursts summed up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"

#define LINES 96

/* Standard error is a socket that keeps writes apart: one message read is one write(2). */
static struct {
	int reader, saved;
	struct clock_manual clock;
	char line[LINES][PIPE_BUF + 2];
	size_t lines;
} t;

static void begin(enum pb_level level)
{
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	t.reader = fds[0];
	t.saved = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	clock_manual_init(&t.clock, 0);
	log_set_clock(&t.clock.clock);
	log_open(level);
}

/* Give standard error back; what was written is in t.line, without its newline. */
static void end(void)
{
	ssize_t n;
	log_set_clock(&clock_system);
	dup2(t.saved, STDERR_FILENO);
	close(t.saved);
	t.lines = 0;
	while (t.lines < LINES && (n = read(t.reader, t.line[t.lines], PIPE_BUF + 1)) > 0)
		t.line[t.lines++][n] = '\0';
	close(t.reader);
	for (size_t i = 0; i < t.lines; i++) {
		size_t len = strlen(t.line[i]);
		assert_true(len > 0 && len <= PIPE_BUF);
		assert_ptr_equal(strchr(t.line[i], '\n'), t.line[i] + len - 1);
		t.line[i][len - 1] = '\0';
	}
}

/* The line after its time. */
static const char *text_of(size_t i)
{
	assert_true(i < t.lines);
	assert_true(strlen(t.line[i]) > TIME_TEXT_SIZE);
	return t.line[i] + TIME_TEXT_SIZE;
}

static void lines_have_time_level_and_section(void **state)
{
	(void)state;
	int64_t ms;
	begin(PB_DEBUG);
	log_error("a %d", 1);
	log_warn("b");
	log_info("c");
	log_debug("d");
	log_write(PB_INFO, "sink team", "e %s", "x");
	end();
	assert_int_equal(t.lines, 5);
	assert_string_equal(text_of(0), "error a 1");
	assert_string_equal(text_of(1), "warning b");
	assert_string_equal(text_of(2), "info c");
	assert_string_equal(text_of(3), "debug d");
	assert_string_equal(text_of(4), "info [sink team] e x");
	t.line[0][TIME_TEXT_SIZE - 1] = '\0';
	assert_int_equal(time_parse(t.line[0], &ms), 0);
}

static void level_is_the_last_shown(void **state)
{
	(void)state;
	begin(PB_WARN);
	log_info("hidden");
	log_debug("hidden");
	log_warn("shown");
	end();
	assert_int_equal(t.lines, 1);
	assert_string_equal(text_of(0), "warning shown");
}

static void nothing_is_forged(void **state)
{
	(void)state;
	static const struct {
		const char *said, *shown;
	} rows[] = {
		{ "a\nb\r\t", "info a\\x0ab\\x0d\\x09" }, { "\x1b[1m\x7f", "info \\x1b[1m\\x7f" },
		{ "\xc2\x9b" "1m", "info \\xc2\\x9b1m" }, { "\xff\xc3", "info \\xff\\xc3" },
		{ "h\xc3\xa9 \xe2\x82\xac \xc2\xa0", "info h\xc3\xa9 \xe2\x82\xac \xc2\xa0" },
		{ "%s%n \\x0a", "info %s%n \\x0a" }, { "", "info " },
	};
	begin(PB_INFO);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		log_info("%s", rows[i].said);
	log_write(PB_INFO, "sink\n<0>x", "y");
	end();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(text_of(i), rows[i].shown);
	assert_string_equal(text_of(t.lines - 1), "info [sink\\x0a<0>x] y");
}

static void long_text_is_cut(void **state)
{
	(void)state;
	static char huge[100000];
	begin(PB_INFO);
	memset(huge, 'x', sizeof huge - 1);
	log_info("%s", huge);
	memset(huge, '\x01', sizeof huge - 1);
	log_info("%s", huge);
	log_write(PB_INFO, huge, "%s", huge);
	huge[1500] = '\0';		/* only escaping makes it too long */
	log_info("only then: %s", huge);
	memset(huge, 'x', sizeof huge - 1);
	log_write(PB_INFO, "sink a", "%s", huge);
	end();
	assert_int_equal(t.lines, 5);
	for (size_t i = 0; i < t.lines; i++) {
		size_t len = strlen(t.line[i]);
		assert_true(len > 3000);
		assert_string_equal(t.line[i] + len - 3, "...");
	}
}

static void errno_is_kept(void **state)
{
	(void)state;
	begin(PB_INFO);
	errno = ENOENT;
	log_info("%s: %m", "open");
	int after = errno;
	end();
	assert_int_equal(after, ENOENT);
	assert_string_equal(text_of(0), "info open: No such file or directory");
}

static void say_numbers(int from, int to)
{
	for (int i = from; i < to; i++)
		log_write(PB_WARN, "sink a", "n %d", i);
}

static void burst_is_summed_up_by_a_later_entry(void **state)
{
	(void)state;
	begin(PB_INFO);
	say_numbers(0, 25);
	clock_manual_advance(&t.clock, 999);
	say_numbers(25, 30);
	clock_manual_advance(&t.clock, 1);
	log_info("another");
	say_numbers(30, 31);
	end();
	assert_int_equal(t.lines, 13);
	assert_string_equal(text_of(9), "warning [sink a] n 9");
	assert_string_equal(text_of(10), "warning [sink a] 20 more like this: n 29");
	assert_string_equal(text_of(11), "info another");
	assert_string_equal(text_of(12), "warning [sink a] n 30");
}

static void all_bursts_that_are_over_are_summed_up(void **state)
{
	(void)state;
	char section[100] = "";		/* longer than what is remembered of it */
	char text[150] = "";
	memset(section, 's', sizeof section - 1);
	memset(text, 'x', sizeof text - 1);
	begin(PB_INFO);
	for (int i = 0; i < 12; i++) {
		log_write(PB_INFO, section, "%s", text);
		log_info("short");
		log_info("%s%s", text, text);
	}
	clock_manual_advance(&t.clock, 1000);
	log_info("another");
	end();
	assert_int_equal(t.lines, 3 * 10 + 3 + 1);
	assert_non_null(strstr(text_of(30), "ss] 2 more like this: xxx"));
	assert_string_equal(t.line[30] + strlen(t.line[30]) - 149, text);
	assert_string_equal(text_of(31), "info 2 more like this: short");
	assert_string_equal(t.line[32] + strlen(t.line[32]) - 4, "x...");
}

static void flush_sums_up_and_the_burst_goes_on(void **state)
{
	(void)state;
	begin(PB_INFO);
	say_numbers(0, 12);
	log_flush();
	log_flush();
	say_numbers(12, 13);
	log_flush();
	end();
	assert_int_equal(t.lines, 12);
	assert_string_equal(text_of(10), "warning [sink a] 2 more like this: n 11");
	assert_string_equal(text_of(11), "warning [sink a] 1 more like this: n 12");
}

static void limit_is_of_one_format_and_section(void **state)
{
	(void)state;
	begin(PB_INFO);
	say_numbers(0, 20);
	for (int i = 0; i < 20; i++) {
		char name[16] = "sink b";	/* known by its text, not its address */
		log_write(PB_WARN, name, "n %d", i);
	}
	for (int i = 0; i < 20; i++)
		log_write(PB_WARN, "sink a", "m %d", i);
	end();
	assert_int_equal(t.lines, 30);
}

/* More bursts at once than are remembered: the oldest yields, and is summed up first. */
static void many_bursts_are_bounded(void **state)
{
	(void)state;
	begin(PB_INFO);
	say_numbers(0, 14);
	clock_manual_advance(&t.clock, 500);
	for (int i = 0; i < 64; i++) {
		char name[16];
		snprintf(name, sizeof name, "sink %d", i);
		log_write(PB_INFO, name, "first");
	}
	end();
	assert_int_equal(t.lines, 10 + 64 + 1);
	assert_string_equal(text_of(t.lines - 3), "info [sink 62] first");
	assert_string_equal(text_of(t.lines - 2), "warning [sink a] 4 more like this: n 13");
	assert_string_equal(text_of(t.lines - 1), "info [sink 63] first");
}

static void journal_gets_priorities(void **state)
{
	(void)state;
	char stream[64];
	struct stat st;
	begin(PB_DEBUG);
	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open(PB_DEBUG);
	log_error("a");
	log_warn("b");
	log_info("c");
	log_write(PB_DEBUG, "sink x", "d");
	setenv("JOURNAL_STREAM", "1:2", 1);
	log_open(PB_DEBUG);
	log_info("e");
	unsetenv("JOURNAL_STREAM");
	end();
	assert_int_equal(t.lines, 5);
	assert_string_equal(t.line[0], "<3>a");
	assert_string_equal(t.line[1], "<4>b");
	assert_string_equal(t.line[2], "<6>c");
	assert_string_equal(t.line[3], "<7>[sink x] d");
	assert_string_equal(text_of(4), "info e");
}

#define THREADS 4
#define SECTIONS 5
#define ROUNDS 40

struct worker {
	pthread_t thread;
	char section[SECTIONS][16];
};

static void *chatter(void *arg)
{
	struct worker *w = arg;
	for (int i = 0; i < ROUNDS; i++) {
		for (int k = 0; k < SECTIONS; k++)
			log_write(PB_INFO, w->section[k], "%s said", w->section[k]);
		log_flush();
	}
	return NULL;
}

/* How many entries the next line stands for; 0 if it is not whole, or none comes. */
static unsigned long entries_read(void)
{
	char line[PIPE_BUF + 1], section[16], text[64], expected[64];
	ssize_t n = read(t.reader, line, PIPE_BUF);
	if (n <= 0 || line[n - 1] != '\n')
		return 0;
	line[n - 1] = '\0';
	unsigned long count = 1;
	if (sscanf(line, "%*s info [%15[^]]] %63[^\n]", section, text) != 2)
		return 0;
	snprintf(expected, sizeof expected, "%s said", section);
	if (strcmp(text, expected) == 0)
		return count;
	char *rest;
	count = strtoul(text, &rest, 10);
	return strncmp(rest, " more like this: ", 17) == 0 &&
	       strcmp(rest + 17, expected) == 0 ? count : 0;
}

/* Whatever the order, each entry is either written or counted in a line that is. */
static void threads_lose_nothing(void **state)
{
	(void)state;
	struct worker workers[THREADS];
	const struct timeval patience = { .tv_sec = 60 };
	unsigned long entries = 0, n;
	begin(PB_INFO);
	setsockopt(t.reader, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	for (int i = 0; i < THREADS; i++) {
		for (int k = 0; k < SECTIONS; k++)
			snprintf(workers[i].section[k], 16, "w %d %d", i, k);
		thread_start(&workers[i].thread, "chatter", chatter, &workers[i]);
	}
	while (entries < THREADS * SECTIONS * ROUNDS && (n = entries_read()) > 0)
		entries += n;
	for (int i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	end();
	assert_int_equal(entries, THREADS * SECTIONS * ROUNDS);
	assert_int_equal(t.lines, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_have_time_level_and_section),
		cmocka_unit_test(level_is_the_last_shown),
		cmocka_unit_test(nothing_is_forged),
		cmocka_unit_test(long_text_is_cut),
		cmocka_unit_test(errno_is_kept),
		cmocka_unit_test(burst_is_summed_up_by_a_later_entry),
		cmocka_unit_test(all_bursts_that_are_over_are_summed_up),
		cmocka_unit_test(flush_sums_up_and_the_burst_goes_on),
		cmocka_unit_test(limit_is_of_one_format_and_section),
		cmocka_unit_test(many_bursts_are_bounded),
		cmocka_unit_test(journal_gets_priorities),
		cmocka_unit_test(threads_lose_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
