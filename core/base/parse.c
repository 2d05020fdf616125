/* parse.c - numbers, durations and sizes; forth and back. */
#include "base/parse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit duration_units[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 }, { 0 },
};

static const struct unit size_units[] = {
	{ "TiB", INT64_C(1) << 40 }, { "GiB", 1 << 30 }, { "MiB", 1 << 20 }, { "KiB", 1 << 10 },
	{ "GB", 1000000000 }, { "MB", 1000000 }, { "kB", 1000 }, { "", 1 }, { 0 },
};

/* The digits at *p, which move it on. No leading zeros: "0640" would not be what it seems. */
static int take_number(const char **p, uint64_t max, uint64_t *value)
{
	const char *s = *p;
	if (*s < '0' || *s > '9' || (*s == '0' && s[1] >= '0' && s[1] <= '9'))
		return -EINVAL;
	int r = 0;
	uint64_t v = 0;
	for (; *s >= '0' && *s <= '9'; s++) {
		uint64_t digit = (uint64_t)(*s - '0');
		if (v > (max - digit) / 10)
			r = -ERANGE;
		else
			v = v * 10 + digit;
	}
	*p = s;
	*value = v;
	return r;
}

int parse_int(const char *word, int64_t *value)
{
	bool negative = *word == '-';
	const char *p = negative ? word + 1 : word;
	uint64_t v;
	int r = take_number(&p, (uint64_t)INT64_MAX + negative, &v);
	if (*p != '\0')
		return -EINVAL;
	if (r == 0)
		*value = negative ? (int64_t)(0 - v) : (int64_t)v;
	return r;
}

int parse_bool(const char *word, bool *value)
{
	bool yes = strcmp(word, "yes") == 0;
	if (!yes && strcmp(word, "no") != 0)
		return -EINVAL;
	*value = yes;
	return 0;
}

static int parse_units(const char *word, const struct unit *units, int64_t *value)
{
	const char *p = word;
	uint64_t v;
	int r = take_number(&p, INT64_MAX, &v);
	if (r == -EINVAL)
		return r;
	while (units->name != NULL && strcmp(units->name, p) != 0)
		units++;
	if (units->name == NULL)
		return -EINVAL;
	int64_t product;
	if (r != 0 || __builtin_mul_overflow((int64_t)v, units->factor, &product))
		return -ERANGE;
	*value = product;
	return 0;
}

int parse_duration(const char *word, int64_t *ms)
{
	if (strcmp(word, "0") != 0)
		return parse_units(word, duration_units, ms);
	*ms = 0;
	return 0;
}

int parse_size(const char *word, int64_t *bytes)
{
	return parse_units(word, size_units, bytes);
}

/* The shortest of the exact texts; of equals the first unit's. */
static void format_units(int64_t value, const struct unit *units, char text[static PARSE_TEXT_SIZE])
{
	char one[PARSE_TEXT_SIZE];
	size_t best = PARSE_TEXT_SIZE;
	for (; units->name != NULL; units++) {
		if (value % units->factor != 0)
			continue;
		int len = snprintf(one, sizeof one, "%" PRId64 "%s", value / units->factor,
				   units->name);
		if ((size_t)len < best) {
			best = (size_t)len;
			memcpy(text, one, best + 1);
		}
	}
}

void format_duration(int64_t ms, char text[static PARSE_TEXT_SIZE])
{
	if (ms == 0)
		memcpy(text, "0", 2);
	else
		format_units(ms, duration_units, text);
}

void format_size(int64_t bytes, char text[static PARSE_TEXT_SIZE])
{
	if (bytes == 0)
		memcpy(text, "0", 2);
	else
		format_units(bytes, size_units, text);
}
