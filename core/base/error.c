/* error.c - what went wrong, as a list of complete lines. */
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define ENTRIES_MAX 1000
#define TEXT_MAX 2048

void error_init(struct pb_error *err)
{
	*err = (struct pb_error){ .last = &err->first };
}

void error_free(struct pb_error *err)
{
	for (struct error_entry *e = err->first, *next; e != NULL; e = next) {
		next = e->next;
		free(e);
	}
	error_init(err);
}

void error_add(struct pb_error *err, const char *option, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	error_vadd(err, option, fmt, args);
	va_end(args);
}

/* A text may quote what came from outside: it stays one line. */
static void make_one_line(char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = ' ';
}

void error_vadd(struct pb_error *err, const char *option, const char *fmt, va_list args)
{
	if (err->count++ >= ENTRIES_MAX)
		return;
	char text[TEXT_MAX];
	if (vsnprintf(text, sizeof text, fmt, args) < 0)
		snprintf(text, sizeof text, "%s", fmt);
	make_one_line(text);

	size_t size = strlen(text) + 1;
	struct error_entry *e = xcalloc(1, sizeof *e + size);
	snprintf(e->option, sizeof e->option, "%s", option == NULL ? "" : option);
	memcpy(e->text, text, size);
	*err->last = e;
	err->last = &e->next;
}

const char *error_text(const struct pb_error *err)
{
	return err->first == NULL ? "" : err->first->text;
}
