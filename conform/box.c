/* box.c - the plugin in its host. */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/memory.h"
#include "conform/conform.h"

#define TEXT_MAX (16 * 1024 * 1024)

int64_t now_ms(void)
{
	return clock_mono(&clock_system);
}

void pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

const char *kind_name(enum kind kind)
{
	return kind == KIND_SOURCE ? "source" : kind == KIND_FILTER ? "filter" : "sink";
}

void doing(struct check *c, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(c->told->doing, sizeof c->told->doing, fmt, args);
	va_end(args);
}

static void PB_PRINTF(3, 0) ENDS_CHILD end(struct check *c, enum verdict verdict, const char *fmt,
					   va_list args)
{
	char *reason = c->told->reason;
	vsnprintf(reason, REASON_MAX, fmt, args);
	reason[strcspn(reason, "\r\n")] = '\0';
	c->told->verdict = verdict;
	_exit(0);
}

void check_fail(struct check *c, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	end(c, FAIL, fmt, args);
}

void check_skip(struct check *c, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	end(c, SKIP, fmt, args);
}

void box_load(struct check *c)
{
	doing(c, "being loaded");
	c->host = pbt_new_file(c->wanted->file);
	c->plugin = pbt_plugin(c->host);
}

/* One line of the section's; line 1 is its head. */
static void add_line(struct buf *text, unsigned *line, const char *name, const char *value)
{
	buf_printf(text, "%s = %s\n", name, value);
	++*line;
}

static const struct given *find(const struct givens *givens, const char *name)
{
	for (size_t i = 0; i < givens->n; i++)
		if (strcmp(givens->at[i].name, name) == 0)
			return &givens->at[i];
	return NULL;
}

/* The section, `over` taking the place of options of its names. The last line's number. */
static unsigned write_section(struct check *c, struct buf *text, const char *name,
			      const struct givens *over, const char *without)
{
	const struct givens *options = &c->wanted->options;
	unsigned line = 1;
	buf_printf(text, "[%s %s]\n", kind_name(c->kind), name);
	for (size_t i = 0; i < options->n; i++) {
		const struct given *g = &options->at[i];
		bool left_out = without != NULL && strcmp(g->name, without) == 0;
		if (!left_out && find(over, g->name) == NULL)
			add_line(text, &line, g->name, g->value);
	}
	for (size_t i = 0; i < over->n; i++)
		add_line(text, &line, over->at[i].name, over->at[i].value);
	return line;
}

static struct pbt_instance *open_with(struct check *c, const char *name, const struct givens *over,
				      const char *without, unsigned *line)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	unsigned last = write_section(c, &text, name, over, without);
	if (line != NULL)
		*line = last;
	doing(c, "in check() or open()");
	struct pbt_instance *in = pbt_open(c->host, "%s", text.data);
	buf_free(&text);
	return in;
}

struct pbt_instance *box_try(struct check *c, const char *name, const struct given *instead,
			     const char *without, unsigned *line)
{
	struct given one;
	struct givens over = { .at = &one, .n = instead != NULL };
	if (instead != NULL)
		one = *instead;
	return open_with(c, name, &over, without, line);
}

/* The daemon takes warnings. */
static struct pbt_instance *need(struct check *c, struct pbt_instance *in, const char *with)
{
	if (in == NULL)
		check_skip(c, "it does not open with %s: %s", with, pbt_errors(c->host));
	return in;
}

struct pbt_instance *box_open(struct check *c, const char *name)
{
	struct pbt_instance *in = box_try(c, name, NULL, NULL, NULL);
	if (in == NULL && c->told->refused)
		check_skip(c, "it does not open with the options given: see options.opens");
	return need(c, in, "the options given");
}

struct pbt_instance *box_open_failing(struct check *c, const char *name, const struct given *also)
{
	const struct givens *failing = &c->wanted->failing;
	if (failing->n == 0)
		check_skip(c, "needs a receiver that fails: --failing OPTION=VALUE, such as a port "
			   "where nobody listens");
	struct givens over = { .at = xcalloc(failing->n + 1, sizeof *over.at), .n = failing->n };
	memcpy(over.at, failing->at, failing->n * sizeof *over.at);
	if (also != NULL)
		over.at[over.n++] = *also;
	struct pbt_instance *in = open_with(c, name, &over, NULL, NULL);
	free(over.at);
	return need(c, in, "the --failing ones");
}

void box_close(struct check *c, struct pbt_instance *in)
{
	doing(c, "in close()");
	pbt_close(in);
}

void box_start(struct check *c, struct pbt_instance *in)
{
	pbt_run_clock(c->host);
	doing(c, "in run()");
	pbt_start(in);
}

int box_stop(struct check *c, struct pbt_instance *in)
{
	int result;
	doing(c, "in run(), having been asked to stop");
	pbt_ask_stop(in);
	if (!pbt_wait_ended(in, c->wanted->stop_limit, &result))
		check_fail(c, "run() has not returned %lld ms after it was asked to stop",
			   (long long)c->wanted->stop_limit);
	return result;
}

/* The first complaint of the host's on standard error, which is a file. */
static void fail_by_complaint(struct check *c, int n)
{
	char text[REASON_MAX];
	static const char prefix[] = "patchbay-testing: ";
	fflush(stderr);
	ssize_t len = pread(STDERR_FILENO, text, sizeof text - 1, 0);
	text[len < 0 ? 0 : len] = '\0';
	const char *line = strstr(text, prefix);
	line = line == NULL ? "something is left behind" : line + sizeof prefix - 1;
	check_fail(c, "%.*s%s", (int)strcspn(line, "\n"), line, n > 1 ? ", and more" : "");
}

int box_free(struct check *c, bool clean)
{
	doing(c, "in close() or unload()");
	int n = pbt_free(c->host);
	c->host = NULL;
	c->plugin = NULL;
	if (clean && n > 0)
		fail_by_complaint(c, n);
	return n;
}

struct pbt_instance *box_ready(struct check *c)
{
	box_load(c);
	struct pbt_instance *in = box_open(c, "test");
	if (c->kind == KIND_SOURCE)
		box_start(c, in);
	return in;
}
