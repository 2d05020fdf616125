/* test-parse.c - numbers, durations and sizes: strict, safe from overflow, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/parse.h"

struct row {
	const char *word;
	int result;
	int64_t value;
};

#define ROWS(table) (table), sizeof(table) / sizeof *(table)

static void check_rows(int (*parse)(const char *, int64_t *), const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int64_t value = -12345;
		int r = parse(rows[i].word, &value);
		if (r != rows[i].result || value != (r == 0 ? rows[i].value : -12345))
			fail_msg("\"%s\": %d, %" PRId64, rows[i].word, r, value);
	}
}

static void integers(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "0", 0, 0 }, { "-0", 0, 0 }, { "7", 0, 7 }, { "-42", 0, -42 },
		{ "9223372036854775807", 0, INT64_MAX }, { "-9223372036854775808", 0, INT64_MIN },
		{ "9223372036854775808", -ERANGE, 0 }, { "-9223372036854775809", -ERANGE, 0 },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999999999999999999999999999999999", -ERANGE, 0 },
		{ "99999999999999999999999999999999999999999x", -EINVAL, 0 },
		{ "", -EINVAL, 0 }, { "-", -EINVAL, 0 }, { "--1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 }, { " 1", -EINVAL, 0 }, { "1 ", -EINVAL, 0 },
		{ "1x", -EINVAL, 0 }, { "0x10", -EINVAL, 0 }, { "007", -EINVAL, 0 },
		{ "-01", -EINVAL, 0 }, { "00", -EINVAL, 0 }, { "1.5", -EINVAL, 0 },
		{ "1e3", -EINVAL, 0 },
		{ "\xd9\xa1", -EINVAL, 0 },
	};
	check_rows(parse_int, ROWS(rows));
}

static void durations(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "0", 0, 0 }, { "0s", 0, 0 }, { "250ms", 0, 250 }, { "30s", 0, 30000 },
		{ "5m", 0, 300000 }, { "2h", 0, 7200000 }, { "7d", 0, 604800000 },
		{ "9223372036854775807ms", 0, INT64_MAX },
		{ "9223372036854775808ms", -ERANGE, 0 }, { "9223372036854775807s", -ERANGE, 0 },
		{ "106751991167d", 0, INT64_C(106751991167) * 86400000 },
		{ "106751991168d", -ERANGE, 0 }, { "99999999999999999999d", -ERANGE, 0 },
		{ "5", -EINVAL, 0 }, { "00", -EINVAL, 0 }, { "", -EINVAL, 0 }, { "s", -EINVAL, 0 },
		{ "-5s", -EINVAL, 0 }, { "5 s", -EINVAL, 0 }, { "5S", -EINVAL, 0 },
		{ "5sec", -EINVAL, 0 }, { "1h30m", -EINVAL, 0 }, { "1.5h", -EINVAL, 0 },
		{ "5w", -EINVAL, 0 }, { "99999999999999999999w", -EINVAL, 0 },
	};
	check_rows(parse_duration, ROWS(rows));
}

static void sizes(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "0", 0, 0 }, { "512", 0, 512 }, { "64KiB", 0, 65536 }, { "16MiB", 0, 16777216 },
		{ "10GiB", 0, INT64_C(10737418240) }, { "1TiB", 0, INT64_C(1099511627776) },
		{ "1kB", 0, 1000 }, { "2MB", 0, 2000000 }, { "3GB", 0, INT64_C(3000000000) },
		{ "9223372036854775807", 0, INT64_MAX }, { "9223372036854775808", -ERANGE, 0 },
		{ "8388607TiB", 0, INT64_C(8388607) << 40 }, { "8388608TiB", -ERANGE, 0 },
		{ "", -EINVAL, 0 }, { "KiB", -EINVAL, 0 }, { "-1", -EINVAL, 0 },
		{ "1 KiB", -EINVAL, 0 }, { "1kib", -EINVAL, 0 }, { "1K", -EINVAL, 0 },
		{ "1M", -EINVAL, 0 }, { "1KB", -EINVAL, 0 }, { "0.5GiB", -EINVAL, 0 },
		{ "010", -EINVAL, 0 },
	};
	check_rows(parse_size, ROWS(rows));
}

static void yes_and_no(void **state)
{
	(void)state;
	static const char *const wrong[] = { "", "y", "true", "Yes", "yes ", "1", "on", "none" };
	bool value = false;
	assert_int_equal(parse_bool("yes", &value), 0);
	assert_true(value);
	assert_int_equal(parse_bool("no", &value), 0);
	assert_false(value);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(parse_bool(wrong[i], &value), -EINVAL);
}

static void shortest_form(void **state)
{
	(void)state;
	static const struct {
		void (*format)(int64_t, char *);
		int64_t value;
		const char *text;
	} rows[] = {
		{ format_duration, 0, "0" }, { format_duration, 250, "250ms" },
		{ format_duration, 90000, "90s" }, { format_duration, 3600000, "1h" },
		{ format_duration, 86400000, "1d" }, { format_duration, 1001, "1001ms" },
		{ format_duration, -5000, "-5s" },
		{ format_duration, INT64_MAX, "9223372036854775807ms" },
		{ format_duration, INT64_MIN, "-9223372036854775808ms" },
		{ format_size, 0, "0" }, { format_size, 512, "512" }, { format_size, 1000, "1kB" },
		{ format_size, 65536, "64KiB" }, { format_size, 1 << 20, "1MiB" },
		{ format_size, 1500000, "1500kB" }, { format_size, 1000 << 20, "1000MiB" },
		{ format_size, 1024000, "1024kB" },
		{ format_size, INT64_C(1) << 40, "1TiB" }, { format_size, 1025, "1025" },
		{ format_size, INT64_MAX, "9223372036854775807" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[PARSE_TEXT_SIZE];
		rows[i].format(rows[i].value, text);
		assert_string_equal(text, rows[i].text);
	}
}

/* A fixed sequence, so that a failure repeats. */
static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* Small and large, and multiples of units. */
static int64_t any_value(uint64_t *x)
{
	static const int64_t factors[] = { 1, 1000, 1024, 60000, 3600000, 86400000, 1 << 20 };
	int64_t v = (int64_t)(next_random(x) >> 1 >> next_random(x) % 63);
	int64_t factor = factors[next_random(x) % 7];
	return v > INT64_MAX / factor ? v : v * factor;
}

static void what_is_formatted_parses_back(void **state)
{
	(void)state;
	uint64_t x = 88172645463325252u;
	for (int i = 0; i < 100000; i++) {
		int64_t value = any_value(&x), back = -1;
		char text[PARSE_TEXT_SIZE], plain[PARSE_TEXT_SIZE];
		format_duration(value, text);
		assert_int_equal(parse_duration(text, &back), 0);
		assert_true(back == value);
		format_size(value, text);
		assert_int_equal(parse_size(text, &back), 0);
		assert_true(back == value);
		snprintf(plain, sizeof plain, "%" PRId64, value);
		assert_true(strlen(text) <= strlen(plain));
		assert_int_equal(parse_int(plain, &back), 0);
		assert_true(back == value);
	}
}

/* Words of what numbers are made of: whatever is taken has exactly one meaning. */
static void odd_words_are_refused_or_mean_one_thing(void **state)
{
	(void)state;
	static const char alphabet[] = "0123456789-+msdhKMGTiB k.";
	uint64_t x = 0x9e3779b97f4a7c15u;
	for (int i = 0; i < 200000; i++) {
		char word[8], text[PARSE_TEXT_SIZE];
		size_t len = next_random(&x) % sizeof word;
		for (size_t k = 0; k < len; k++)
			word[k] = alphabet[next_random(&x) % (sizeof alphabet - 1)];
		word[len] = '\0';
		int64_t value, back;
		if (parse_int(word, &value) == 0 && strcmp(word, "-0") != 0) {
			snprintf(text, sizeof text, "%" PRId64, value);
			assert_string_equal(text, word);
		}
		if (parse_size(word, &value) == 0) {
			format_size(value, text);
			assert_true(strlen(text) <= strlen(word));
			assert_true(parse_size(text, &back) == 0 && back == value);
		}
		if (parse_duration(word, &value) == 0) {
			format_duration(value, text);
			assert_true(parse_duration(text, &back) == 0 && back == value);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers),
		cmocka_unit_test(durations),
		cmocka_unit_test(sizes),
		cmocka_unit_test(yes_and_no),
		cmocka_unit_test(shortest_form),
		cmocka_unit_test(what_is_formatted_parses_back),
		cmocka_unit_test(odd_words_are_refused_or_mean_one_thing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
