/* ini.c - libinih over lines of our own. */
#include "config/ini.h"

#include <assert.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/lines.h"
#include "config/section.h"

#define VALUE_MAX (64 * 1024)
#define BEGIN "@"	/* the key of a section's beginning: libinih does not tell of an empty one */

struct reading {
	struct lines *lines;
	struct line line;	/* the one that libinih has a stand-in for */
	bool begins;		/* it is a section's, and BEGIN is still to be handed over */
	const char *file;
	struct sections *to;
	struct section *section;	/* the present one; NULL before the first */
	bool homeless;			/* a setting before any section was reported */
	struct report *report;
};

static struct place here(const struct reading *r)
{
	return (struct place){ r->file, r->line.number };
}

static void wrong(const struct reading *r, const char *why)
{
	report_error(r->report, here(r), r->section == NULL ? NULL : r->section->title, NULL,
		     "%s", why);
}

/* Copy the line's key. What is wrong with the line, or NULL. */
static const char *take_key(const struct line *line, char key[static SECTION_KEY_MAX + 1])
{
	const char *equals = strchr(line->text, '=');
	if (equals == NULL)
		return "is neither a section nor a setting; expected [kind name] or key = value";
	size_t len = (size_t)(equals - line->text);
	while (len > 0 && strchr(" \t", line->text[len - 1]) != NULL)
		len--;
	if (len == 0)
		return "has no key; expected key = value";
	size_t good = strspn(line->text, "abcdefghijklmnopqrstuvwxyz0123456789_");
	if (good < len || len > SECTION_KEY_MAX || *line->text < 'a')
		return "what stands before = is no key; expected lower_case_with_underscores";
	memcpy(key, line->text, len);
	key[len] = '\0';
	return NULL;
}

static bool take_setting(const struct reading *r, char *out, int size)
{
	char key[SECTION_KEY_MAX + 1];
	const char *why = take_key(&r->line, key);
	if (why != NULL) {
		wrong(r, why);
		return false;
	}
	int len = snprintf(out, (size_t)size, "%s = %u\n", key, r->line.number);
	assert(len > 0 && len < size);
	return true;
}

/* libinih asks for its next line as with fgets(). */
static char *next_stand_in(char *out, int size, void *arg)
{
	struct reading *r = arg;
	if (r->begins) {
		r->begins = false;
		snprintf(out, (size_t)size, BEGIN " = %u\n", r->line.number);
		return out;
	}
	while (lines_next(r->lines, &r->line)) {
		r->begins = r->line.text[0] == '[';
		if (r->begins) {
			snprintf(out, (size_t)size, "[%u]\n", r->line.number);
			return out;
		}
		if (take_setting(r, out, size))
			return out;
	}
	return NULL;
}

static void add_section(struct reading *r)
{
	struct sections *to = r->to;
	if (to->n == INI_SECTIONS_MAX) {
		wrong(r, "is one section too many");
		r->section = NULL;
		r->homeless = true;
		return;
	}
	if (to->n == to->room) {
		to->room = to->room == 0 ? 16 : to->room * 2;
		to->at = xrealloc(to->at, to->room, sizeof *to->at);
	}
	r->section = section_new(r->line.text, r->line.len, here(r), r->report);
	to->at[to->n++] = r->section;
}

static void add_setting(struct reading *r, const char *key)
{
	const char *value = strchr(r->line.text, '=') + 1;
	value += strspn(value, " \t");
	if (r->section == NULL) {
		if (!r->homeless)
			wrong(r, "stands before the first section");
		r->homeless = true;
	} else if (strlen(value) > VALUE_MAX) {
		report_error(r->report, here(r), r->section->title, key, "is longer than 64 KiB");
	} else {
		section_add(r->section, key, value, here(r), r->report);
	}
}

/* libinih's call for a key and what stands for its value: 1, go on. */
static int take(void *arg, const char *section, const char *key, const char *stand_in)
{
	struct reading *r = arg;
	(void)section;
	assert(strtoul(stand_in, NULL, 10) == r->line.number);
	if (strcmp(key, BEGIN) == 0)
		add_section(r);
	else
		add_setting(r, key);
	return 1;
}

void ini_read(struct pb_span text, const char *file, struct sections *to, struct report *report)
{
	struct reading r = { .file = file, .to = to, .report = report };
	r.lines = lines_open(text, file, report);
	if (r.lines == NULL)
		return;
	int at = ini_parse_stream(next_stand_in, &r, take, &r);
	if (at != 0)
		report_error(report, (struct place){ file, 0 }, NULL, NULL,
			     "libinih cannot read it: error %d", at);
	lines_close(r.lines);
}

void sections_free(struct sections *sections)
{
	for (size_t i = 0; i < sections->n; i++)
		section_free(sections->at[i]);
	free(sections->at);
	*sections = (struct sections){ 0 };
}
