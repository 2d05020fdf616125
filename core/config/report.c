/* report.c - everything that is wrong, in the order of file and line. */
#include "config/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/memory.h"
#include "event/json.h"

#define ENTRIES_MAX 10000
#define LINE_MAX_BYTES (16 * 1024)

struct report_entry {
	char *file, *section, *key, *text;
	unsigned line;
	bool warning;
	size_t seq;	/* keeps the order of what stands in one line */
};

void report_init(struct report *report)
{
	*report = (struct report){ 0 };
}

void report_free(struct report *report)
{
	for (size_t i = 0; i < report->n; i++) {
		struct report_entry *e = &report->entries[i];
		free(e->file);
		free(e->section);
		free(e->key);
		free(e->text);
	}
	free(report->entries);
	report_init(report);
}

static char *copy(const char *s)
{
	return s == NULL ? NULL : xstrdup(s);
}

/* What is quoted from a file must not forge a line of output. */
PB_PRINTF(1, 0)
static char *format_line(const char *fmt, va_list args)
{
	struct buf b = BUF_INIT(LINE_MAX_BYTES);
	buf_vprintf(&b, fmt, args);
	char *text = buf_take(&b);
	if (text == NULL)
		return xstrdup(fmt);
	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	return text;
}

PB_PRINTF(6, 0)
static void add(struct report *report, bool warning, struct place place, const char *section,
		const char *key, const char *fmt, va_list args)
{
	unsigned *count = warning ? &report->warnings : &report->errors;
	(*count)++;
	if (report->n >= ENTRIES_MAX)
		return;
	if (report->n == report->room) {
		report->room = report->room == 0 ? 16 : report->room * 2;
		report->entries = xrealloc(report->entries, report->room, sizeof *report->entries);
	}
	report->entries[report->n] = (struct report_entry){
		.file = copy(place.file), .line = place.line, .warning = warning,
		.section = copy(section), .key = copy(key),
		.text = format_line(fmt, args), .seq = report->n,
	};
	report->n++;
}

void report_error(struct report *report, struct place place, const char *section, const char *key,
		  const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	add(report, false, place, section, key, fmt, args);
	va_end(args);
}

void report_warning(struct report *report, struct place place, const char *section,
		    const char *key, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	add(report, true, place, section, key, fmt, args);
	va_end(args);
}

static int by_place(const void *one, const void *two)
{
	const struct report_entry *a = one, *b = two;
	int order = strcmp(a->file == NULL ? "" : a->file, b->file == NULL ? "" : b->file);
	if (order == 0)
		order = (a->line > b->line) - (a->line < b->line);
	return order != 0 ? order : (a->seq > b->seq) - (a->seq < b->seq);
}

static void print_text(struct buf *b, const struct report_entry *e)
{
	if (e->file != NULL && e->line > 0)
		buf_printf(b, "%s:%u: ", e->file, e->line);
	else if (e->file != NULL)
		buf_printf(b, "%s: ", e->file);
	if (e->warning)
		buf_add_str(b, "warning: ");
	if (e->section != NULL)
		buf_printf(b, "[%s]%s", e->section, e->key == NULL ? ": " : " ");
	if (e->key != NULL)
		buf_printf(b, "%s: ", e->key);
	buf_printf(b, "%s\n", e->text);
}

static void member(struct buf *b, const char *name, const char *text)
{
	if (text == NULL)
		return;
	buf_printf(b, ",\"%s\":", name);
	json_quote(b, (struct pb_span){ text, strlen(text) });
}

static void print_json(struct buf *b, const struct report_entry *e)
{
	buf_printf(b, "{\"level\":\"%s\"", e->warning ? "warning" : "error");
	member(b, "file", e->file);
	if (e->line > 0)
		buf_printf(b, ",\"line\":%u", e->line);
	member(b, "section", e->section);
	member(b, "key", e->key);
	member(b, "message", e->text);
	buf_add_str(b, "}\n");
}

static void sort(struct report *report)
{
	if (report->n > 1)
		qsort(report->entries, report->n, sizeof *report->entries, by_place);
}

static void log_entry(const struct report_entry *e)
{
	char line[16] = "";
	if (e->line > 0)
		snprintf(line, sizeof line, ":%u", e->line);
	log_write(e->warning ? PB_WARN : PB_ERROR, e->section, "%s%s%s%s%s%s", e->file == NULL ? "" : e->file, line,
		  e->file == NULL ? "" : ": ", e->key == NULL ? "" : e->key, e->key == NULL ? "" : ": ", e->text);
}

void report_log(struct report *report)
{
	sort(report);
	for (size_t i = 0; i < report->n; i++)
		log_entry(&report->entries[i]);
}

void report_print(struct report *report, FILE *to, bool json)
{
	sort(report);
	struct buf b = BUF_INIT(8 * LINE_MAX_BYTES);
	for (size_t i = 0; i < report->n; i++) {
		buf_reset(&b);
		if (json)
			print_json(&b, &report->entries[i]);
		else
			print_text(&b, &report->entries[i]);
		fwrite(b.data, 1, b.len, to);
	}
	size_t all = (size_t)report->errors + report->warnings;
	if (all > report->n && !json)
		fprintf(to, "and %zu more\n", all - report->n);
	buf_free(&b);
}
