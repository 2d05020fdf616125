/* lines.c - a configuration file as logical lines. */
#include "config/lines.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/magic.h"
#include "base/parse.h"

#define LINES_MAGIC 0x6c696e65u
#define BLANKS " \t"

struct lines {
	unsigned magic;
	const char *file;
	struct report *report;
	char *data, *at, *end;	/* NUL-terminated at end */
	unsigned number;	/* of the physical line last taken */
	struct buf joined;	/* the logical line */
};

/* One physical line, without its newline or CRLF. */
struct physical {
	char *text;
	size_t len;
	unsigned number;
};

static void wrong(const struct lines *lines, unsigned number, const char *why)
{
	report_error(lines->report, (struct place){ lines->file, number }, NULL, NULL, "%s", why);
}

struct lines *lines_open(struct pb_span data, const char *file, struct report *report)
{
	static const char mark[] = "\xef\xbb\xbf";
	struct lines *lines = calloc(1, sizeof *lines);
	char *copy = malloc(data.len + 1);
	if (lines == NULL || copy == NULL) {
		free(lines);
		free(copy);
		report_error(report, (struct place){ file, 0 }, NULL, NULL, "out of memory");
		return NULL;
	}
	if (data.len > 0)
		memcpy(copy, data.data, data.len);
	copy[data.len] = '\0';
	*lines = (struct lines){
		.magic = LINES_MAGIC, .file = file, .report = report,
		.data = copy, .at = copy, .end = copy + data.len,
		.joined = BUF_INIT(LINES_LINE_MAX),
	};
	if (data.len >= 3 && memcmp(copy, mark, 3) == 0)
		lines->at += 3;
	return lines;
}

void lines_close(struct lines *lines)
{
	if (lines == NULL)
		return;
	CHECK_OBJ(lines, LINES_MAGIC);
	lines->magic = 0;
	buf_free(&lines->joined);
	free(lines->data);
	free(lines);
}

static bool has_control(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f)
			return true;
	return false;
}

static bool is_blank(const struct physical *line)
{
	return line->text[strspn(line->text, BLANKS)] == '\0';
}

static bool is_comment(const struct physical *line)
{
	char first = line->text[strspn(line->text, BLANKS)];
	return first == '#' || first == ';';
}

static bool continues(const struct physical *line)
{
	size_t n = 0;
	while (n < line->len && line->text[line->len - 1 - n] == '\\')
		n++;
	return n % 2 == 1;
}

/* "\ " at the end looks like a continuation, and is none. */
static bool misses_its_end(const struct physical *line)
{
	struct physical trimmed = *line;
	while (trimmed.len > 0 && strchr(BLANKS, line->text[trimmed.len - 1]) != NULL)
		trimmed.len--;
	return trimmed.len < line->len && continues(&trimmed);
}

/* What is wrong with its bytes, or NULL. */
static const char *fault(const struct physical *line)
{
	if (memchr(line->text, '\0', line->len) != NULL)
		return "contains a NUL byte";
	if (has_control(line->text, line->len))
		return "contains control bytes";
	if (!utf8_valid(line->text, line->len))
		return "is not UTF-8";
	if (!is_comment(line) && misses_its_end(line))
		return "white space behind the backslash: it would continue nothing";
	return NULL;
}

static bool take_physical(struct lines *lines, struct physical *line)
{
	if (lines->at >= lines->end)
		return false;
	size_t left = (size_t)(lines->end - lines->at);
	char *newline = memchr(lines->at, '\n', left);
	size_t len = newline == NULL ? left : (size_t)(newline - lines->at);
	*line = (struct physical){ .text = lines->at, .len = len, .number = ++lines->number };
	lines->at += len + (newline != NULL);
	if (line->len > 0 && line->text[line->len - 1] == '\r')
		line->len--;
	line->text[line->len] = '\0';
	return true;
}

/* Append the line's part to the logical one. What is wrong, or NULL. */
static const char *join(struct lines *lines, const struct physical *line, bool first)
{
	const char *why = fault(line);
	if (why != NULL)
		return why;
	if (!first && is_blank(line))
		return "an empty line continues the one before, which ends in a backslash";
	if (!first && is_comment(line))
		return "a comment within a continued line";
	size_t indent = strspn(line->text, BLANKS);
	if (first && indent > 0)
		return "an indented line; a line that goes on in the next ends in a backslash";
	size_t len = line->len - indent - continues(line);
	return buf_add(&lines->joined, line->text + indent, len) == 0 ? NULL :
		"is longer than 64 KiB";
}

/* The logical line that begins with `line`. All its parts are taken, also when one is wrong, so
 * that a fault is reported once. */
static bool take_logical(struct lines *lines, struct physical *line)
{
	buf_reset(&lines->joined);
	const char *why = join(lines, line, true);
	unsigned at = line->number;
	while (continues(line)) {
		if (!take_physical(lines, line)) {
			if (why == NULL)
				wrong(lines, at, "the file ends in a backslash");
			return false;
		}
		if (why == NULL) {
			why = join(lines, line, false);
			at = line->number;
		}
	}
	if (why != NULL)
		wrong(lines, at, why);
	return why == NULL;
}

bool lines_next(struct lines *lines, struct line *out)
{
	CHECK_OBJ(lines, LINES_MAGIC);
	struct physical line;
	while (take_physical(lines, &line)) {
		unsigned number = line.number;
		const char *why = fault(&line);
		if (is_comment(&line) && why != NULL)
			wrong(lines, number, why);
		if (is_comment(&line) || (why == NULL && is_blank(&line)))
			continue;
		if (!take_logical(lines, &line))
			continue;
		struct buf *b = &lines->joined;
		while (b->len > 0 && strchr(BLANKS, b->data[b->len - 1]) != NULL)
			b->data[--b->len] = '\0';
		*out = (struct line){ .text = b->data, .len = b->len, .number = number };
		if (b->len > 0)
			return true;
	}
	return false;
}
