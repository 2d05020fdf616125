/* section.c - one section of the file. */
#include "config/section.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/config.h"
#include "config/suggest.h"

#define BLANKS " \t"
#define CORE "patchbay"
#define NAME_FIRST "abcdefghijklmnopqrstuvwxyz0123456789"
#define KINDS "[" CORE "], [source NAME], [filter NAME], [sink NAME] or [route NAME]"

static const char *const kinds[] = { CORE, "source", "filter", "sink", "route" };
#define N_KINDS (sizeof kinds / sizeof *kinds)

bool section_name_valid(const char *name)
{
	size_t len = strspn(name, NAME_FIRST "_-");
	return len > 0 && len <= SECTION_NAME_MAX && name[len] == '\0' &&
	       strchr(NAME_FIRST, *name) != NULL;
}

static bool is_kind(const char *word)
{
	for (size_t i = 0; i < N_KINDS; i++)
		if (strcmp(kinds[i], word) == 0)
			return true;
	return false;
}

static bool wrong_kind(const struct section *s, struct report *report)
{
	struct suggest near;
	suggest_begin(&near, s->kind);
	for (size_t i = 0; i < N_KINDS; i++)
		suggest_offer(&near, kinds[i]);
	char hint[SUGGEST_TEXT_SIZE];
	report_error(report, s->place, s->title, NULL, "there is no such kind of section%s",
		     near.best == NULL ? "; expected " KINDS : suggest_text(&near, hint));
	return false;
}

static bool check(const struct section *s, struct report *report)
{
	if (!is_kind(s->kind))
		return wrong_kind(s, report);
	const char *why = NULL;
	bool core = strcmp(s->kind, CORE) == 0;
	if (core && *s->name != '\0')
		why = "takes no name; expected [" CORE "]";
	else if (!core && *s->name == '\0')
		why = "has no name; expected one behind the kind, as in [sink team]";
	else if (!core && !section_name_valid(s->name))
		why = "a name has 1 to 64 of a-z, 0-9, _ and -, and begins with a letter or digit";
	else if (strcmp(s->kind, "source") == 0 && strcmp(s->name, CORE) == 0)
		why = "the name " CORE " is kept for the daemon's own events";
	if (why != NULL)
		report_error(report, s->place, s->title, NULL, "%s", why);
	return why == NULL;
}

/* "kind name" between the brackets: the two words, and "kind name" with one space. */
static void split(struct section *s, const char *inside, size_t len)
{
	char *text = xcalloc(len + 1, 1);
	memcpy(text, inside, len);
	while (len > 0 && strchr(BLANKS, text[len - 1]) != NULL)
		text[--len] = '\0';
	char *kind = text + strspn(text, BLANKS);
	char *name = kind + strcspn(kind, BLANKS);
	if (*name != '\0')
		*name++ = '\0';
	name += strspn(name, BLANKS);
	s->kind = xstrdup(kind);
	s->name = xstrdup(name);
	s->title = *name == '\0' ? xstrdup(kind) : xasprintf("%.100s %.100s", kind, name);
	free(text);
}

struct section *section_new(const char *line, size_t len, struct place place,
			    struct report *report)
{
	struct section *s = xcalloc(1, sizeof *s);
	s->place = place;
	bool closed = line[len - 1] == ']';
	split(s, line + 1, len - 1 - closed);
	if (!closed) {
		report_error(report, place, NULL, NULL, "a section's line ends in ], and nothing "
			     "may stand behind it, also no comment");
	}
	if (!closed || !check(s, report))
		s->kind[0] = '\0';
	return s;
}

void section_free(struct section *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n; i++) {
		free(s->settings[i].key);
		explicit_bzero(s->settings[i].value, strlen(s->settings[i].value));
		free(s->settings[i].value);
		free(s->settings[i].exposed);
	}
	free(s->settings);
	free(s->kind);
	free(s->name);
	free(s->title);
	free(s);
}

static bool may_add(const struct section *s, const char *key, struct place place,
		    struct report *report)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct setting *first = &s->settings[i];
		if (strcmp(first->key, key) != 0)
			continue;
		report_error(report, place, s->title, key, "stands here again, first at %s:%u",
			     first->place.file, first->place.line);
		return false;
	}
	if (s->n < SECTION_SETTINGS_MAX)
		return true;
	if (s->n == SECTION_SETTINGS_MAX)
		report_error(report, place, s->title, NULL, "has more than %d lines",
			     SECTION_SETTINGS_MAX);
	return false;
}

void section_add(struct section *s, const char *key, const char *value, struct place place,
		 struct report *report)
{
	if (!may_add(s, key, place, report))
		return;
	if (s->n == s->room) {
		s->room = s->room == 0 ? 2 : s->room * 2;	/* many have two */
		s->settings = xrealloc(s->settings, s->room, sizeof *s->settings);
	}
	s->settings[s->n++] = (struct setting){
		.key = xstrdup(key), .value = xstrdup(value), .place = place,
	};
}
