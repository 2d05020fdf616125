/* table.c - aligned columns, and numbers for people. */
#include "cli/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/parse.h"

#define GAP 2

struct cell {
	enum tone tone;
	size_t width;		/* characters */
	char *text;
};

void table_init(struct table *t, const struct column *columns)
{
	*t = (struct table){ .columns = columns };
	while (columns[t->n_columns].head != NULL)
		t->n_columns++;
}

void table_free(struct table *t)
{
	for (size_t i = 0; i < t->n_cells; i++)
		free(t->cells[i].text);
	free(t->cells);
	*t = (struct table){ .columns = t->columns, .n_columns = t->n_columns };
}

/* C0, DEL, or C1 as UTF-8 has it. */
static bool is_control(const unsigned char *at, size_t len)
{
	return len == 1 ? *at < 0x20 || *at == 0x7f : len == 2 && *at == 0xc2 && at[1] < 0xa0;
}

/* A copy fit for a terminal; *width gets its characters. */
static char *printable(const char *text, size_t *width)
{
	size_t left = strlen(text);
	char *copy = xcalloc(left + 1, 1), *to = copy;
	for (*width = 0; left > 0; ++*width) {
		size_t len = utf8_length(text, left);
		if (len == 0 || is_control((const unsigned char *)text, len))
			*to++ = len == 0 ? '?' : ' ';
		else
			to = mempcpy(to, text, len);
		len += len == 0;
		text += len;
		left -= len;
	}
	return copy;
}

void table_add(struct table *t, enum tone tone, const char *text)
{
	if (t->n_cells == t->room) {
		t->room = t->room == 0 ? 64 : t->room * 2;
		t->cells = xrealloc(t->cells, t->room, sizeof *t->cells);
	}
	struct cell *cell = &t->cells[t->n_cells++];
	cell->tone = tone;
	cell->text = printable(text, &cell->width);
}

void table_add_count(struct table *t, enum tone tone, uint64_t n)
{
	char text[HUMAN_SIZE];
	count_format(n, text);
	table_add(t, tone, text);
}

void table_add_number(struct table *t, uint64_t n)
{
	char text[HUMAN_SIZE];
	snprintf(text, sizeof text, "%llu", (unsigned long long)n);
	table_add(t, TONE_PLAIN, text);
}

static size_t column_width(const struct table *t, size_t column)
{
	size_t most = strlen(t->columns[column].head);
	for (size_t i = column; i < t->n_cells; i += t->n_columns)
		if (t->cells[i].width > most)
			most = t->cells[i].width;
	return most;
}

static void print_row(const struct table *t, const struct cell *cells, const size_t *widths,
		      FILE *to, bool colour)
{
	int owed = 0;		/* blanks: none are left at a line's end */
	for (size_t i = 0; i < t->n_columns; i++) {
		int fill = (int)(widths[i] - cells[i].width);
		bool right = t->columns[i].number;
		if (cells[i].width > 0) {
			fprintf(to, "%*s", owed + (right ? fill : 0), "");
			tone_print(to, cells[i].tone, cells[i].text, colour);
			owed = GAP + (right ? 0 : fill);
		} else {
			owed += GAP + fill;
		}
	}
	fputc('\n', to);
}

void table_print(const struct table *t, FILE *to, bool colour)
{
	size_t rows = t->n_cells / t->n_columns;
	if (rows == 0)
		return;
	size_t *widths = xcalloc(t->n_columns, sizeof *widths);
	struct cell *heads = xcalloc(t->n_columns, sizeof *heads);
	for (size_t i = 0; i < t->n_columns; i++) {
		widths[i] = column_width(t, i);
		heads[i] = (struct cell){ .text = (char *)t->columns[i].head };
		heads[i].width = strlen(heads[i].text);
	}
	print_row(t, heads, widths, to, colour);
	for (size_t i = 0; i < rows; i++)
		print_row(t, t->cells + i * t->n_columns, widths, to, colour);
	free(heads);
	free(widths);
}

void tone_print(FILE *to, enum tone tone, const char *text, bool colour)
{
	static const char *const codes[] = { [TONE_WARN] = "\033[33m", [TONE_BAD] = "\033[31m" };
	bool on = colour && tone != TONE_PLAIN;
	fprintf(to, "%s%s%s", on ? codes[tone] : "", text, on ? "\033[0m" : "");
}

bool tone_welcome(FILE *to)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
	return isatty(fileno(to)) && (no == NULL || *no == '\0') && term != NULL &&
	       strcmp(term, "dumb") != 0;
}

/* `n` in the largest unit that leaves at least 1, three digits of it. */
static void scale(double n, double step, const char *const units[], char text[static HUMAN_SIZE])
{
	while (n >= step - 0.5 && units[1] != NULL) {
		n /= step;
		units++;
	}
	int digits = n < 9.995 ? 2 : n < 99.95 ? 1 : 0;
	snprintf(text, HUMAN_SIZE, "%.*f%s", digits, n, *units);
}

void count_format(uint64_t n, char text[static HUMAN_SIZE])
{
	static const char *const units[] = { "", "k", "M", "G", "T", "P", "E", NULL };
	if (n < 100000)
		snprintf(text, HUMAN_SIZE, "%u", (unsigned)n);
	else
		scale((double)n, 1000, units, text);
}

void bytes_format(uint64_t n, char text[static HUMAN_SIZE])
{
	static const char *const units[] = { " B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB",
					     NULL };
	if (n < 1024)
		snprintf(text, HUMAN_SIZE, "%u B", (unsigned)n);
	else
		scale((double)n, 1024, units, text);
}

void span_format(int64_t ms, char text[static HUMAN_SIZE])
{
	long long s = ms < 0 ? 0 : ms / 1000;
	if (s < 60)
		snprintf(text, HUMAN_SIZE, "%llds", s);
	else if (s < 3600)
		snprintf(text, HUMAN_SIZE, "%lldm %llds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(text, HUMAN_SIZE, "%lldh %lldm", s / 3600, s / 60 % 60);
	else
		snprintf(text, HUMAN_SIZE, "%lldd %lldh", s / 86400, s / 3600 % 24);
}
