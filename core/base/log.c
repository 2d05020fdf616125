/*
 * log.c - one line an entry on standard error.
 *
 * A line is at most PIPE_BUF bytes and one write(2), so that lines of several
 * threads or processes never mix. The rate limit knows an entry by its format's
 * address and its section; the format is never read again, since a plugin that
 * has been unloaded may have owned it.
 */
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/parse.h"

#define LINE_SIZE PIPE_BUF
#define TEXT_SIZE 3072
#define BURST_LINES 10
#define BURST_MS 1000
#define BURSTS 64
#define SECTION_SIZE 64
#define SAMPLE_SIZE 160

/* What has been said within a second with one format in one section. */
struct burst {
	const char *fmt;		/* NULL: unused */
	char section[SECTION_SIZE];	/* cut */
	enum pb_level level;
	int64_t since;			/* ms, monotonic */
	unsigned said;
	unsigned long held;		/* entries not written */
	char sample[SAMPLE_SIZE];	/* the last of them, cut */
};

static struct {
	pthread_mutex_t lock;		/* guards all but level and journal */
	_Atomic enum pb_level level;
	bool journal;
	const struct clock *clock;
	struct burst bursts[BURSTS];
} logger = {
	.lock = PTHREAD_MUTEX_INITIALIZER, .level = PB_INFO, .clock = &clock_system,
};

bool log_has_priority(void)
{
	return logger.journal;
}

static const struct {
	const char *name;
	char priority;			/* syslog's */
} levels[] = {
	[PB_ERROR] = { "error", '3' }, [PB_WARN] = { "warning", '4' },
	[PB_INFO] = { "info", '6' }, [PB_DEBUG] = { "debug", '7' },
};

struct line {
	size_t len;
	char data[LINE_SIZE];
};

static bool line_room(const struct line *line, size_t len)
{
	return LINE_SIZE - sizeof "...\n" - line->len >= len;
}

/* Add bytes that are known to be harmless; false when the line is full. */
static bool line_add(struct line *line, const char *s, size_t len)
{
	if (!line_room(line, len))
		return false;
	memcpy(line->data + line->len, s, len);
	line->len += len;
	return true;
}

static bool is_control(const unsigned char *p, size_t n)
{
	return n == 0 || p[0] < 0x20 || p[0] == 0x7f || (n == 2 && p[0] == 0xc2 && p[1] < 0xa0);
}

/* Add text of any origin: what moves a terminal or ends a line, and what is not UTF-8, as \xNN. */
static bool line_escape(struct line *line, const char *s)
{
	for (size_t left = strlen(s), n; left > 0; s += n, left -= n) {
		const unsigned char *p = (const unsigned char *)s;
		n = utf8_length(s, left);
		bool added;
		if (is_control(p, n)) {
			char hex[5];
			snprintf(hex, sizeof hex, "\\x%02x", p[0]);
			added = line_add(line, hex, 4);
			n = 1;
		} else {
			added = line_add(line, s, n);
		}
		if (!added)
			return false;
	}
	return true;
}

static void line_begin(struct line *line, enum pb_level level)
{
	char head[64], now[TIME_TEXT_SIZE];
	int len;
	if (logger.journal) {
		len = snprintf(head, sizeof head, "<%c>", levels[level].priority);
	} else {
		time_format(clock_wall(&clock_system), now);
		len = snprintf(head, sizeof head, "%s %s ", now, levels[level].name);
	}
	line->len = 0;
	line_add(line, head, (size_t)len);
}

static void line_write(struct line *line, bool whole)
{
	if (!whole) {
		memcpy(line->data + line->len, "...", 3);
		line->len += 3;
	}
	line->data[line->len++] = '\n';
	ssize_t n;
	do {
		n = write(STDERR_FILENO, line->data, line->len);
	} while (n < 0 && errno == EINTR);
}

/* Nobody is left to be told of a failed write. */
static void say(enum pb_level level, const char *section, const char *text, bool whole)
{
	struct line line;
	line_begin(&line, level);
	if (section != NULL && *section != '\0')
		whole = line_add(&line, "[", 1) && line_escape(&line, section) &&
			line_add(&line, "] ", 2) && whole;
	whole = line_escape(&line, text) && whole;
	line_write(&line, whole);
}

static void burst_sum_up(struct burst *b)
{
	if (b->held == 0)
		return;
	char text[SAMPLE_SIZE + 64];
	snprintf(text, sizeof text, "%lu more like this: %s", b->held, b->sample);
	say(b->level, b->section, text, strlen(b->sample) < SAMPLE_SIZE - 1);
	b->held = 0;
}

/* Its slot is free afterwards. */
static void burst_end(struct burst *b)
{
	burst_sum_up(b);
	b->fmt = NULL;
}

static void bursts_end_due(int64_t now)
{
	for (size_t i = 0; i < BURSTS; i++) {
		struct burst *b = &logger.bursts[i];
		if (b->fmt != NULL && now - b->since >= BURST_MS)
			burst_end(b);
	}
}

/* The burst that the entry belongs to; the oldest yields when there are too many. */
static struct burst *burst_of(const char *fmt, const char *section, int64_t now)
{
	struct burst *oldest = &logger.bursts[0];
	for (size_t i = 0; i < BURSTS; i++) {
		struct burst *b = &logger.bursts[i];
		if (b->fmt == fmt && strncmp(b->section, section, SECTION_SIZE - 1) == 0)
			return b;
		if (oldest->fmt != NULL && (b->fmt == NULL || b->since < oldest->since))
			oldest = b;
	}
	burst_end(oldest);
	*oldest = (struct burst){ .fmt = fmt, .since = now };
	snprintf(oldest->section, SECTION_SIZE, "%s", section);
	return oldest;
}

/* True: to be written. False: counted. */
static bool limit_pass(enum pb_level level, const char *section, const char *fmt, const char *text)
{
	int64_t now = clock_mono(logger.clock);
	bursts_end_due(now);
	struct burst *b = burst_of(fmt, section == NULL ? "" : section, now);
	if (b->said < BURST_LINES) {
		b->said++;
		return true;
	}
	b->held++;
	b->level = level;
	snprintf(b->sample, sizeof b->sample, "%s", text);
	return false;
}

/* systemd puts the device and inode of the stream to its journal here; a stderr that was
 * redirected since is another. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat st;
	if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
		return false;
	char own[64];
	snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(stream, own) == 0;
}

void log_level(enum pb_level level)
{
	logger.level = level;
}

enum pb_level log_shown(void)
{
	return logger.level;
}

void log_open(enum pb_level level)
{
	logger.level = level;
	logger.journal = stderr_is_journal();
}

void log_write(enum pb_level level, const char *section, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	log_vwrite(level, section, fmt, args);
	va_end(args);
}

void log_vwrite(enum pb_level level, const char *section, const char *fmt, va_list args)
{
	if (level > logger.level)
		return;
	int saved = errno;
	char text[TEXT_SIZE];
	int len = vsnprintf(text, sizeof text, fmt, args);
	if (len < 0)
		text[0] = '\0';
	pthread_mutex_lock(&logger.lock);
	if (limit_pass(level, section, fmt, text))
		say(level, section, text, len >= 0 && (size_t)len < sizeof text);
	pthread_mutex_unlock(&logger.lock);
	errno = saved;
}

void log_flush(void)
{
	pthread_mutex_lock(&logger.lock);
	for (size_t i = 0; i < BURSTS; i++)
		burst_sum_up(&logger.bursts[i]);
	pthread_mutex_unlock(&logger.lock);
}

void log_set_clock(const struct clock *clock)
{
	pthread_mutex_lock(&logger.lock);
	logger.clock = clock;
	memset(logger.bursts, 0, sizeof logger.bursts);
	pthread_mutex_unlock(&logger.lock);
}
