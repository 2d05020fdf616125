/* suggest.h - the nearest valid name, for "did you mean". */
#ifndef CONFIG_SUGGEST_H
#define CONFIG_SUGGEST_H

#include <stddef.h>

struct suggest {
	const char *word;	/* what was written */
	const char *best;	/* the nearest offered so far, borrowed; NULL: none is near */
	unsigned distance;
};

/* Begin for `word`, which must outlive it. */
void suggest_begin(struct suggest *, const char *word);
/* Offer a valid name. It is near when at most a third (rounded up), and not all, of the longer
 * word's letters would have to change (insert, delete, replace, swap neighbours). The first of
 * equals wins. */
void suggest_offer(struct suggest *, const char *name);

#define SUGGEST_TEXT_SIZE 160
/* "; did you mean NAME?" when a name was near, else "". Returns `text`. */
const char *suggest_text(const struct suggest *, char text[static SUGGEST_TEXT_SIZE]);

#endif
