/* test-suggest.c - the nearest valid name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "config/suggest.h"

static const char *const names[] = {
	"timeout", "retry", "max_in_flight", "max_batch", "url", "to", "json", "raw", NULL,
};

static void nearest_name_is_found(void **state)
{
	(void)state;
	static const struct {
		const char *word, *best;
	} cases[] = {
		{ "timout", "timeout" },		/* one missing */
		{ "timeoutt", "timeout" },		/* one too many */
		{ "tiemout", "timeout" },		/* neighbours swapped */
		{ "retri", "retry" },
		{ "max_inflight", "max_in_flight" },
		{ "maxbatch", "max_batch" },
		{ "rul", "url" },
		{ "jsno", "json" },
		{ "tp", "to" },
		{ "rw", "raw" },
		{ "timeout", "timeout" },
		{ "secret", NULL },
		{ "x", NULL },				/* all of it would change */
		{ "", NULL },
		{ "a_word_that_is_longer_than_any_name_there_is_and_than_what_is_compared", NULL },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct suggest s;
		suggest_begin(&s, cases[i].word);
		for (const char *const *name = names; *name != NULL; name++)
			suggest_offer(&s, *name);
		if (cases[i].best == NULL)
			assert_null(s.best);
		else
			assert_string_equal(s.best, cases[i].best);
	}
}

static void first_of_equals_wins(void **state)
{
	(void)state;
	struct suggest s;
	suggest_begin(&s, "team-c");
	suggest_offer(&s, "team-a");
	suggest_offer(&s, "team-b");
	assert_string_equal(s.best, "team-a");
}

static void text_is_a_question_or_nothing(void **state)
{
	(void)state;
	char text[SUGGEST_TEXT_SIZE];
	struct suggest s;
	suggest_begin(&s, "formt");
	assert_string_equal(suggest_text(&s, text), "");
	suggest_offer(&s, "format");
	assert_string_equal(suggest_text(&s, text), "; did you mean format?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nearest_name_is_found),
		cmocka_unit_test(first_of_equals_wins),
		cmocka_unit_test(text_is_a_question_or_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
