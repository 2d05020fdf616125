/* zone.c - a zone's file, as a list of the times at which its offset changes. */
#include "timer/zone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "/usr/share/zoneinfo"
#define LOCAL "/etc/localtime"
#define FILE_MAX (256 * 1024)
#define HEAD 44			/* bytes */
#define SPANS_MAX 100000
#define OFFSET_MAX (26 * 3600)	/* RFC 8536 */
#define EARLIEST (-(INT64_C(1) << 59))	/* likewise; earlier than all there ever was */

struct change {
	int64_t begin;
	int32_t offset;
};

struct zone {
	struct change *changes;		/* the first begins at INT64_MIN */
	size_t n, room;
};

bool zone_add(struct zone *z, int64_t begin, int32_t offset)
{
	while (z->n > 1 && z->changes[z->n - 1].begin >= begin)
		z->n--;		/* it lasted no time */
	if (z->n > 0 && z->changes[z->n - 1].offset == offset)
		return true;
	if (z->n == z->room) {
		size_t room = z->room * 2 + 64;
		struct change *grown = room > SPANS_MAX ? NULL : realloc(z->changes, room * sizeof *grown);
		if (grown == NULL)
			return false;
		z->changes = grown;
		z->room = room;
	}
	z->changes[z->n++] = (struct change){ begin, offset };
	return true;
}

void zone_free(struct zone *z)
{
	if (z != NULL)
		free(z->changes);
	free(z);
}

struct zone_span zone_at(const struct zone *z, int64_t t)
{
	size_t low = 0, high = z->n;
	while (high - low > 1) {
		size_t middle = (low + high) / 2;
		if (z->changes[middle].begin <= t)
			low = middle;
		else
			high = middle;
	}
	return (struct zone_span){
		.begin = z->changes[low].begin, .offset = z->changes[low].offset,
		.end = low + 1 < z->n ? z->changes[low + 1].begin : INT64_MAX,
		.before = z->changes[low > 0 ? low - 1 : 0].offset,
	};
}

/*** The file. ***/

struct file {
	unsigned char *data;
	size_t len;
};

struct counts {		/* of a header, in its order */
	uint32_t isut, isstd, leap, time, type, chars;
};

static uint32_t read_32(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t read_64(const unsigned char *at)
{
	return (int64_t)((uint64_t)read_32(at) << 32 | read_32(at + 4));
}

/* Returns the length of the block behind the header at `at`, or 0: it is none, or not all there. */
static size_t read_head(const struct file *f, size_t at, size_t time_size, struct counts *c)
{
	if (f->len < at || f->len - at < HEAD || memcmp(f->data + at, "TZif", 4) != 0)
		return 0;
	const unsigned char *n = f->data + at + 20;
	*c = (struct counts){ read_32(n), read_32(n + 4), read_32(n + 8), read_32(n + 12), read_32(n + 16), read_32(n + 20) };
	uint64_t len = (uint64_t)c->time * (time_size + 1) + (uint64_t)c->type * 6 + c->chars +
		       (uint64_t)c->leap * (time_size + 4) + c->isstd + c->isut;
	return c->type > 0 && len <= f->len - at - HEAD ? (size_t)len : 0;
}

/* The offset of a type; OFFSET_MAX: there is no such type, or it makes no sense. */
static int32_t offset_of(const unsigned char *types, const struct counts *c, size_t which)
{
	if (which >= c->type)
		return OFFSET_MAX;
	int32_t offset = (int32_t)read_32(types + which * 6);
	return offset > -OFFSET_MAX && offset < OFFSET_MAX ? offset : OFFSET_MAX;
}

static bool read_changes(struct zone *z, const unsigned char *block, const struct counts *c, int64_t *last)
{
	const unsigned char *which = block + (size_t)c->time * 8, *types = which + c->time;
	int32_t offset = offset_of(types, c, 0);
	bool right = offset != OFFSET_MAX && zone_add(z, INT64_MIN, offset);
	*last = INT64_MIN;
	for (size_t i = 0; right && i < c->time; i++) {
		int64_t begin = read_64(block + i * 8);
		offset = offset_of(types, c, which[i]);
		if (begin < EARLIEST)
			begin = EARLIEST;
		right = offset != OFFSET_MAX && begin >= *last && begin < -EARLIEST && zone_add(z, begin, offset);
		*last = begin;
	}
	return right;
}

/* The second block has 64 bits a time, and behind it the rule for the time after its last. */
static bool read_zone(struct zone *z, struct file *f)
{
	struct counts c;
	int64_t last;
	size_t first = read_head(f, 0, 4, &c);
	if (first == 0 || f->data[4] < '2')
		return false;
	size_t at = HEAD + first, len = read_head(f, at, 8, &c);
	if (len == 0 || c.leap > 0 || !read_changes(z, f->data + at + HEAD, &c, &last))
		return false;
	at += HEAD + len;
	unsigned char *rule = f->data + at, *end = f->len - at < 2 ? NULL : memchr(rule + 1, '\n', f->len - at - 1);
	if (end == NULL || *rule != '\n')
		return false;
	*end = '\0';
	return rule + 1 == end || zone_rule(z, (const char *)rule + 1, last);
}

static int read_file(const char *path, struct file *f)
{
	FILE *in = fopen(path, "re");
	if (in == NULL)
		return -errno;
	f->data = malloc(FILE_MAX);
	f->len = f->data == NULL ? 0 : fread(f->data, 1, FILE_MAX, in);
	int failed = f->data == NULL ? -ENOMEM : ferror(in) ? -EIO : 0;
	fclose(in);
	return failed;
}

static bool open_file(struct zone *z, const char *path, char *why, size_t size)
{
	struct file f = { NULL, 0 };
	int failed = read_file(path, &f);
	bool right = failed == 0 && read_zone(z, &f);
	if (failed < 0)
		snprintf(why, size, "%s: %s", path, strerror(-failed));
	else if (!right)
		snprintf(why, size, "%s is no time zone, or one with leap seconds", path);
	free(f.data);
	return right;
}

/* What names a zone names no other file. */
static bool name_ok(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";
	size_t len = strspn(name, allowed);
	return len > 0 && len < 100 && name[len] == '\0' && *name != '/';
}

static bool open_named(struct zone *z, const char *name, char *why, size_t size)
{
	char path[sizeof FOLDER + 101];
	if (!name_ok(name)) {
		snprintf(why, size, "expected UTC, local or Area/City");
		return false;
	}
	snprintf(path, sizeof path, "%s/%s", FOLDER, name);
	return open_file(z, path, why, size);
}

static bool open_local(struct zone *z, char *why, size_t size)
{
	const char *tz = getenv("TZ");
	if (tz == NULL || *tz == '\0')
		return open_file(z, LOCAL, why, size);
	tz += *tz == ':';
	if (*tz == '/' ? open_file(z, tz, why, size) : open_named(z, tz, why, size))
		return true;
	z->n = 0;
	if (zone_rule(z, tz, INT64_MIN))
		return true;
	snprintf(why, size, "TZ is neither a zone nor a rule");
	return false;
}

struct zone *zone_open(const char *name, char *why, size_t size)
{
	struct zone *z = calloc(1, sizeof *z);
	snprintf(why, size, "out of memory");
	if (z == NULL)
		return NULL;
	bool opened = strcmp(name, "UTC") == 0 ? zone_add(z, INT64_MIN, 0) :
		      strcmp(name, "local") == 0 ? open_local(z, why, size) : open_named(z, name, why, size);
	if (opened)
		return z;
	zone_free(z);
	return NULL;
}
