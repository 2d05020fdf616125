/* suggest.c - the nearest valid name by edit distance. */
#include "config/suggest.h"

#include <stdio.h>
#include <string.h>

#define WORD_MAX 64

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Optimal string alignment: three rows of the usual table are enough for swapped neighbours. */
static unsigned distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned rows[3][WORD_MAX + 1];
	for (size_t j = 0; j <= nb; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *above = rows[(i + 2) % 3], *over = rows[(i + 1) % 3];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned replace = above[j - 1] + (a[i - 1] != b[j - 1]);
			row[j] = least(least(above[j], row[j - 1]) + 1, replace);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], over[j - 2] + 1);
		}
	}
	return rows[na % 3][nb];
}

void suggest_begin(struct suggest *s, const char *word)
{
	*s = (struct suggest){ .word = word };
}

void suggest_offer(struct suggest *s, const char *name)
{
	size_t nw = strlen(s->word), nn = strlen(name);
	if (nw == 0 || nn == 0 || nw > WORD_MAX || nn > WORD_MAX)
		return;
	size_t longer = nw > nn ? nw : nn;
	unsigned d = distance(s->word, nw, name, nn);
	if (d > (longer + 2) / 3 || d >= longer || (s->best != NULL && d >= s->distance))
		return;
	s->best = name;
	s->distance = d;
}

const char *suggest_text(const struct suggest *s, char text[static SUGGEST_TEXT_SIZE])
{
	if (s->best == NULL)
		text[0] = '\0';
	else
		snprintf(text, SUGGEST_TEXT_SIZE, "; did you mean %s?", s->best);
	return text;
}
