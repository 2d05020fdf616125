/* retry.c - the text of `retry =` to waits. */
#include "config/retry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/parse.h"

#define WORD_SIZE 32
#define EXPONENTIAL "exponential("
#define WAIT_MAX (INT64_C(365) * 86400000)

void retry_free(struct retry *retry)
{
	free(retry->waits);
	*retry = (struct retry){ 0 };
}

static int expected(struct pb_error *err)
{
	error_add(err, "retry", "not a retry schedule; expected waits such as 5s, 5m, 30m, or "
		  "exponential(FIRST, CAP, COUNT), or none");
	return -EINVAL;
}

static int wait_parse(const char *word, int64_t *ms, struct pb_error *err)
{
	int r = parse_duration(word, ms);
	if (r == -EINVAL)
		return expected(err);
	if (r != 0 || *ms < 1 || *ms > WAIT_MAX) {
		error_add(err, "retry", "a wait of %s is out of range; expected 1ms to 365d", word);
		return -EINVAL;
	}
	return 0;
}

static int parse_waits(const char *text, struct retry *retry, struct pb_error *err)
{
	char word[WORD_SIZE];
	int more;
	while ((more = parse_list_next(&text, word, sizeof word)) == 1) {
		if (retry->n == RETRY_WAITS_MAX) {
			error_add(err, "retry", "more than %d waits", RETRY_WAITS_MAX);
			return -EINVAL;
		}
		retry->waits = xrealloc(retry->waits, retry->n + 1, sizeof *retry->waits);
		int r = wait_parse(word, &retry->waits[retry->n], err);
		if (r != 0)
			return r;
		retry->n++;
	}
	return more < 0 || retry->n == 0 ? expected(err) : 0;
}

static int fill_doubling(struct retry *retry, int64_t first, int64_t cap, int64_t count)
{
	retry->n = (size_t)count;
	retry->waits = xcalloc(retry->n, sizeof *retry->waits);
	for (size_t i = 0; i < retry->n; i++) {
		retry->waits[i] = first;
		first = first > cap / 2 ? cap : first * 2;
	}
	return 0;
}

/* `text` is what stands between the brackets. */
static int parse_exponential(const char *text, struct retry *retry, struct pb_error *err)
{
	char first[WORD_SIZE], cap[WORD_SIZE], count[WORD_SIZE], rest[WORD_SIZE];
	int64_t first_ms, cap_ms, n;
	if (parse_list_next(&text, first, sizeof first) != 1 ||
	    parse_list_next(&text, cap, sizeof cap) != 1 ||
	    parse_list_next(&text, count, sizeof count) != 1 ||
	    parse_list_next(&text, rest, sizeof rest) != 0)
		return expected(err);
	if (wait_parse(first, &first_ms, err) != 0 || wait_parse(cap, &cap_ms, err) != 0)
		return -EINVAL;
	if (parse_int(count, &n) != 0 || n < 1 || n > RETRY_WAITS_MAX || cap_ms < first_ms) {
		error_add(err, "retry", "exponential(FIRST, CAP, COUNT) takes a CAP not below "
			  "FIRST and a COUNT of 1 to %d", RETRY_WAITS_MAX);
		return -EINVAL;
	}
	return fill_doubling(retry, first_ms, cap_ms, n);
}

static int parse_bracketed(const char *text, struct retry *retry, struct pb_error *err)
{
	size_t len = strlen(text);
	if (len == 0 || text[len - 1] != ')')
		return expected(err);
	char *inside = xstrdup(text);
	inside[len - 1] = '\0';
	int r = parse_exponential(inside, retry, err);
	free(inside);
	return r;
}

int retry_parse(const char *text, struct retry *retry, struct pb_error *err)
{
	*retry = (struct retry){ 0 };
	if (strcmp(text, "none") == 0)
		return 0;
	int r = strncmp(text, EXPONENTIAL, strlen(EXPONENTIAL)) == 0 ?
		parse_bracketed(text + strlen(EXPONENTIAL), retry, err) :
		parse_waits(text, retry, err);
	if (r != 0)
		retry_free(retry);
	return r;
}
