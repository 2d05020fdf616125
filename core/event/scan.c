/* scan.c - one pass, a level per open container; paths are sets of bits that narrow inside. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"
#include "event/scan.h"
#include "event/scan_part.h"

/* Paths in one pass; each is one bit of a set. */
#define PATHS_MAX 16

/* A path and the part of it that is compared with the members of the present container. */
struct path {
	const char *text, *part;
	size_t len;
};

/* What the paths say of one value: those that end there, and those that go on inside. */
struct sets {
	uint16_t whole, inside;
};

struct level {
	struct sets sets;
	bool object;
	uint32_t index;		/* of the present element of an array */
};

struct scan {
	const char *at, *end;
	size_t depth;
	struct sets here;	/* the value to come */
	struct path *paths;
	struct pb_span *found;
	struct level levels[SCAN_DEPTH_MAX];
};

enum step {
	STEP_FAULT,
	STEP_VALUE,	/* a value is to come */
	STEP_DONE	/* a value has ended */
};

static unsigned first_of(unsigned set)
{
	return (unsigned)__builtin_ctz(set);
}

static void path_begin(struct path *path, const char *part)
{
	path->part = part;
	path->len = strcspn(part, ".");
}

static void path_step_in(struct path *path)
{
	path_begin(path, path->part + path->len + 1);
}

static void path_step_out(struct path *path)
{
	const char *part = path->part - 1;

	while (part > path->text && part[-1] != '.')
		part--;
	path_begin(path, part);
}

/* Is the key `raw`, without its quotes, what `path` names here? */
static bool path_is_key(const struct path *path, struct pb_span raw, bool escaped)
{
	const char *s = raw.data, *end = s + raw.len, *part = path->part;
	const char *part_end = part + path->len;

	if (!escaped)
		return raw.len == path->len && memcmp(s, part, raw.len) == 0;
	while (s < end) {
		char text[4] = { *s };
		size_t len = 1;

		if (*s == '\\')
			len = scan_unescape(&s, text);
		else
			s++;
		if ((size_t)(part_end - part) < len || memcmp(part, text, len) != 0)
			return false;
		part += len;
	}
	return part == part_end;
}

static bool path_is_index(const struct path *path, uint32_t index)
{
	uint64_t number = 0;

	if (path->len == 0 || path->len > 10 || (path->part[0] == '0' && path->len > 1))
		return false;
	for (size_t i = 0; i < path->len; i++) {
		if (path->part[i] < '0' || path->part[i] > '9')
			return false;
		number = number * 10 + (uint64_t)(path->part[i] - '0');
	}
	return number == index;
}

/* Path `i` names the value to come. An equal key before it no longer counts. */
static void path_matched(struct scan *s, unsigned i)
{
	const struct path *path = &s->paths[i];
	uint16_t bit = (uint16_t)(1u << i);

	s->found[i] = SPAN_NONE;
	if (path->part[path->len] == '\0')
		s->here.whole |= bit;
	else
		s->here.inside |= bit;
}

/* At a member's key: take it and its colon. */
static bool take_key(struct scan *s, const struct level *level)
{
	const char *start = s->at + 1;
	bool escaped = false;
	struct pb_span raw;

	if (s->at == s->end || *s->at != '"' || !scan_string(&s->at, s->end, &escaped))
		return false;
	raw = span_of(start, (size_t)(s->at - start) - 1);
	s->here = (struct sets){ 0, 0 };
	for (unsigned set = level->sets.inside; set != 0; set &= set - 1)
		if (path_is_key(&s->paths[first_of(set)], raw, escaped))
			path_matched(s, first_of(set));
	s->at = scan_space(s->at, s->end);
	if (s->at == s->end || *s->at != ':')
		return false;
	s->at++;
	return true;
}

/* At an element of an array, or a member of an object. */
static enum step take_name(struct scan *s)
{
	struct level *level = &s->levels[s->depth - 1];

	if (level->object)
		return take_key(s, level) ? STEP_VALUE : STEP_FAULT;
	s->here = (struct sets){ 0, 0 };
	for (unsigned set = level->sets.inside; set != 0; set &= set - 1)
		if (path_is_index(&s->paths[first_of(set)], level->index))
			path_matched(s, first_of(set));
	level->index++;
	return STEP_VALUE;
}

static void mark_ends(struct scan *s, unsigned whole)
{
	for (; whole != 0; whole &= whole - 1) {
		struct pb_span *found = &s->found[first_of(whole)];

		found->len = (size_t)(s->at - (const char *)found->data);
	}
}

static enum step close_level(struct scan *s)
{
	const struct level *level = &s->levels[--s->depth];

	s->at++;
	if (s->depth > 0)
		for (unsigned set = level->sets.inside; set != 0; set &= set - 1)
			path_step_out(&s->paths[first_of(set)]);
	mark_ends(s, level->sets.whole);
	return STEP_DONE;
}

static enum step open_level(struct scan *s)
{
	struct level *level = &s->levels[s->depth];

	if (s->depth == SCAN_DEPTH_MAX)
		return STEP_FAULT;
	*level = (struct level){ .sets = s->here, .object = *s->at == '{' };
	if (s->depth++ > 0)
		for (unsigned set = level->sets.inside; set != 0; set &= set - 1)
			path_step_in(&s->paths[first_of(set)]);
	s->at = scan_space(s->at + 1, s->end);
	if (s->at < s->end && *s->at == (level->object ? '}' : ']'))
		return close_level(s);
	return take_name(s);
}

static bool take_literal(struct scan *s, const char *word)
{
	for (; *word != '\0'; word++, s->at++)
		if (s->at == s->end || *s->at != *word)
			return false;
	return true;
}

static bool take_scalar(struct scan *s)
{
	bool escaped = false;

	switch (*s->at) {
	case '"':
		return scan_string(&s->at, s->end, &escaped);
	case 't':
		return take_literal(s, "true");
	case 'f':
		return take_literal(s, "false");
	case 'n':
		return take_literal(s, "null");
	default:
		if (*s->at != '-' && (*s->at < '0' || *s->at > '9'))
			return false;
		return scan_number(&s->at, s->end);
	}
}

static enum step take_value(struct scan *s)
{
	unsigned whole = s->here.whole;

	s->at = scan_space(s->at, s->end);
	if (s->at == s->end)
		return STEP_FAULT;
	for (unsigned set = whole; set != 0; set &= set - 1)
		s->found[first_of(set)].data = s->at;
	if (*s->at == '{' || *s->at == '[')
		return open_level(s);
	if (!take_scalar(s))
		return STEP_FAULT;
	mark_ends(s, whole);
	return STEP_DONE;
}

/* After a member's value: the next member, or the end of the container. */
static enum step take_next(struct scan *s)
{
	s->at = scan_space(s->at, s->end);
	if (s->at == s->end)
		return STEP_FAULT;
	if (*s->at == ',') {
		s->at = scan_space(s->at + 1, s->end);
		return take_name(s);
	}
	if (*s->at == (s->levels[s->depth - 1].object ? '}' : ']'))
		return close_level(s);
	return STEP_FAULT;
}

/* Take the value at s->at. False: s->at is where the fault is. */
static bool walk(struct scan *s)
{
	enum step step = STEP_VALUE;

	while (step != STEP_FAULT) {
		step = step == STEP_VALUE ? take_value(s) : take_next(s);
		if (step == STEP_DONE && s->depth == 0)
			return true;
	}
	return false;
}

static void scan_init(struct scan *s, struct pb_span json)
{
	/* The levels are written before they are read: 6 KiB not to be cleared each time. */
	s->at = json.len == 0 ? "" : json.data;
	s->end = s->at + json.len;
	s->depth = 0;
	s->here = (struct sets){ 0, 0 };
	s->paths = NULL;
	s->found = NULL;
}

static bool walk_all(struct scan *s)
{
	if (!walk(s))
		return false;
	s->at = scan_space(s->at, s->end);
	return s->at == s->end;
}

bool scan_valid(struct pb_span json, size_t *at)
{
	struct scan s;
	bool valid;

	scan_init(&s, json);
	valid = walk_all(&s);
	if (!valid && at != NULL)
		*at = (size_t)(s.at - (s.end - json.len));
	return valid;
}

bool scan_find_all(struct pb_span json, const char *const paths[], size_t n, struct pb_span found[])
{
	struct path path[PATHS_MAX];
	struct scan s;

	assert(n <= PATHS_MAX);
	scan_init(&s, json);
	s.paths = path;
	s.found = found;
	for (size_t i = 0; i < n; i++) {
		uint16_t bit = (uint16_t)(1u << i);

		found[i] = SPAN_NONE;
		path[i].text = paths[i];
		path_begin(&path[i], paths[i]);
		*(paths[i][0] == '\0' ? &s.here.whole : &s.here.inside) |= bit;
	}
	if (walk_all(&s))
		return true;
	for (size_t i = 0; i < n; i++)
		found[i] = SPAN_NONE;
	return false;
}

struct pb_span scan_find(struct pb_span json, const char *path)
{
	struct pb_span found;

	scan_find_all(json, &path, 1, &found);
	return found;
}

/* Move `at` to the next member, past what separates it from the one before. */
static bool each_begin(const char **at, const char *end)
{
	bool first;

	*at = scan_space(*at, end);
	if (*at == end || (**at != '{' && **at != '[' && **at != ','))
		return false;
	first = **at != ',';
	*at = scan_space(*at + 1, end);
	return *at < end && !(first && (**at == '}' || **at == ']'));
}

bool scan_each(struct pb_span *rest, struct pb_span *key, struct pb_span *value)
{
	const char *start;
	bool escaped = false;
	struct scan s;

	*key = *value = SPAN_NONE;
	scan_init(&s, *rest);
	if (!each_begin(&s.at, s.end))
		return false;
	/* Only what follows a string tells whether it is a key. */
	start = s.at;
	if (*s.at == '"' && scan_string(&s.at, s.end, &escaped)) {
		const char *after = scan_space(s.at, s.end);

		if (after < s.end && *after == ':') {
			*key = span_of(start, (size_t)(s.at - start));
			start = scan_space(after + 1, s.end);
		}
	}
	s.at = start;
	if (!walk(&s)) {
		*key = SPAN_NONE;
		return false;
	}
	*value = span_of(start, (size_t)(s.at - start));
	*rest = span_of(s.at, (size_t)(s.end - s.at));
	return true;
}
