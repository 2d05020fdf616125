/*
 * log.h - one line an entry on standard error.
 *
 * Under systemd (JOURNAL_STREAM names our stderr) a line begins with its priority
 * "<6>"; elsewhere with time and level. Control bytes in what is logged are
 * escaped, so that no event forges a line. Secrets never get here.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>
#include <stdbool.h>

#include <patchbay/plugin.h>

/* Is it the journal that reads it: do lines begin with their priority? [any] */
bool log_has_priority(void);
/* Set what is shown: entries up to `level`. Main thread, before the others start. */
void log_open(enum pb_level level);
/* The same while other threads log. [any] */
void log_level(enum pb_level level);
/* What it is. [any] */
enum pb_level log_shown(void);
/* One line: "[section] text" or, with section NULL, "text", cut to 4 KiB; errno stays. Entries of
 * one format and section beyond 10 a second are counted; one line sums them up at the first entry
 * after that second, whoever's it is, or at log_flush(). [any] */
void log_write(enum pb_level, const char *section, const char *fmt, ...) PB_PRINTF(3, 4);
void log_vwrite(enum pb_level, const char *section, const char *fmt, va_list) PB_PRINTF(3, 0);
/* Sum up what is held back, since only silence may follow a burst: every second or so, and at the
 * end. [any] */
void log_flush(void);
/* Let the rate limit count by `clock`, and begin anew: for tests. */
struct clock;
void log_set_clock(const struct clock *clock);

#define log_error(...) log_write(PB_ERROR, NULL, __VA_ARGS__)
#define log_warn(...) log_write(PB_WARN, NULL, __VA_ARGS__)
#define log_info(...) log_write(PB_INFO, NULL, __VA_ARGS__)
#define log_debug(...) log_write(PB_DEBUG, NULL, __VA_ARGS__)

#endif
