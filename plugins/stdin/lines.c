/* lines.c - one buffer, in which lines are found where they were read to. */
#include "stdin/lines.h"

#include <stdlib.h>
#include <string.h>

bool lines_init(struct lines *l, size_t max, enum lines_overlong overlong, bool keep_empty)
{
	/* A line of `max` bytes, and a CR that may be of its line break. */
	*l = (struct lines){ .max = max, .overlong = overlong, .keep_empty = keep_empty, .room = max + 1 + LINES_CHUNK };
	l->data = malloc(l->room);
	return l->data != NULL;
}

void lines_fini(struct lines *l)
{
	free(l->data);
}

char *lines_space(struct lines *l, size_t *size)
{
	memmove(l->data, l->data + l->begin, l->end - l->begin);
	l->end -= l->begin;
	l->begin = 0;
	*size = l->room - l->end;
	return l->data + l->end;
}

/* Leave out the rest of an overlong line, or as much of it as is there. */
static void drop(struct lines *l, const char *newline)
{
	l->begin = newline != NULL ? (size_t)(newline - l->data) + 1 : l->end;
	l->dropping = newline == NULL;
}

/* The line at `begin` is too long. True: *line is a piece of it. */
static bool take_overlong(struct lines *l, struct pb_span *line)
{
	l->n_overlong += !l->split;
	l->split = l->overlong == LINES_SPLIT;
	l->dropping = !l->split;
	*line = (struct pb_span){ l->data + l->begin, l->max };
	l->begin += l->max;
	return l->overlong != LINES_SKIP;
}

/* The line of `len` bytes at `begin`, its line break found or not. */
static bool is_overlong(const struct lines *l, size_t len, bool found, bool last)
{
	bool may_be_break = !found && !last && len == l->max + 1 && l->data[l->begin + len - 1] == '\r';
	return len > l->max && !may_be_break;
}

bool lines_next(struct lines *l, bool last, struct pb_span *line)
{
	while (l->begin < l->end) {
		const char *at = l->data + l->begin, *newline = memchr(at, '\n', l->end - l->begin);
		size_t n = newline != NULL ? (size_t)(newline - at) : l->end - l->begin;
		size_t len = newline != NULL && n > 0 && at[n - 1] == '\r' ? n - 1 : n;
		if (l->dropping) {
			drop(l, newline);
			continue;
		}
		if (is_overlong(l, len, newline != NULL, last)) {
			if (take_overlong(l, line))
				return true;
			continue;
		}
		if (newline == NULL && !last)
			return false;
		bool rest = l->split;
		l->split = false;
		l->begin += n + (newline != NULL);
		*line = (struct pb_span){ at, len };
		if (len > 0 || (l->keep_empty && !rest))
			return true;
	}
	return false;
}
