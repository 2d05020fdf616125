/*
 * table.h - rows of text in aligned columns, and numbers for people.
 *
 * What a cell holds may come from outside: control bytes in it become blanks, so that
 * nothing forges a row or speaks to the terminal.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum tone { TONE_PLAIN, TONE_WARN, TONE_BAD };

struct column {
	const char *head;	/* the last column's ends in NULL */
	bool number;		/* to the right */
};

struct table {
	const struct column *columns;
	size_t n_columns, n_cells, room;
	struct cell *cells;
};

/* An empty table; `columns` must outlive it. */
void table_init(struct table *, const struct column *columns);
void table_free(struct table *);
/* Add the next cell, row by row. Copied. */
void table_add(struct table *, enum tone, const char *text);
/* Add a number as count_format() makes it. */
void table_add_count(struct table *, enum tone, uint64_t);
/* Add all digits of a number: for what is compared, not read. */
void table_add_number(struct table *, uint64_t);
/* Print the heads and all whole rows, with colours if asked for; nothing when there is no row. */
void table_print(const struct table *, FILE *, bool colour);

/* `text` between the tone's terminal codes, or with `colour` false as it is. */
void tone_print(FILE *, enum tone, const char *text, bool colour);
/* Are colours welcome there? On a terminal, unless NO_COLOR is set or TERM is dumb. */
bool tone_welcome(FILE *);

#define HUMAN_SIZE 32
/* "99999", "123k", "1.24M" */
void count_format(uint64_t n, char text[static HUMAN_SIZE]);
/* "512 B", "1.2 GiB" */
void bytes_format(uint64_t n, char text[static HUMAN_SIZE]);
/* "42s", "3m 10s", "5h 2m", "12d 4h" */
void span_format(int64_t ms, char text[static HUMAN_SIZE]);

#endif
