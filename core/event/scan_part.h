/*
 * scan_part.h - the scanner's lexical parts: white space, strings, numbers, the text of a string.
 *
 * Each takes what begins at *at and moves *at past it; on a fault *at stays where the fault is
 * and the answer is false. `end` bounds every read.
 */
#ifndef EVENT_SCAN_PART_H
#define EVENT_SCAN_PART_H

#include <stdbool.h>
#include <stddef.h>

#include <patchbay/plugin.h>

/* Past the bytes of a string that stand for themselves: ASCII, but not quotes, backslashes or
 * controls. */
const char *scan_plain(const char *s, const char *end);
/* The string whose opening quote is at *at. *escaped becomes true if a backslash is in it. */
bool scan_string(const char **at, const char *end, bool *escaped);
/* The number at *at, which is '-' or a digit. */
bool scan_number(const char **at, const char *end);
/* The escape at *at, in a string that scan_string() took: its bytes in UTF-8, 1 to 4. */
size_t scan_unescape(const char **at, char utf8[static 4]);
/* The next piece of the text between a taken string's quotes: a run that stands for itself,
 * in place, or one escape, in `utf8`. *at is before `end`, the closing quote. */
struct pb_span scan_piece(const char **at, const char *end, char utf8[static 4]);
/* Without the white space around it. */
struct pb_span scan_trim(struct pb_span json);

static inline const char *scan_space(const char *s, const char *end)
{
	while (s < end && (*s == ' ' || *s == '\n' || *s == '\t' || *s == '\r'))
		s++;
	return s;
}

#endif
