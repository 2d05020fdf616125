/* fuzz-parse.c - words of a configuration: what parses is formatted and parses to the same. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "fuzz/fuzz.h"

static void durations_and_sizes(const char *word)
{
	int64_t value, again;
	char text[PARSE_TEXT_SIZE];
	if (parse_duration(word, &value) == 0) {
		format_duration(value, text);
		assert(parse_duration(text, &again) == 0 && again == value);
	}
	if (parse_size(word, &value) == 0) {
		format_size(value, text);
		assert(parse_size(text, &again) == 0 && again == value);
	}
	parse_int(word, &value);
}

static void lists(const char *word)
{
	char item[64];
	const char *next = word;
	int more;
	while ((more = parse_list_next(&next, item, sizeof item)) == 1)
		assert(next <= word + strlen(word) && memchr(item, '\0', sizeof item) != NULL);
}

static void addresses(const char *word)
{
	struct address address;
	if (parse_address(word, &address) < 0)
		return;
	assert(address.host[0] != '\0');
	assert((address.kind == ADDRESS_UNIX) == (address.port[0] == '\0'));
}

/* The text up to a newline is the pattern, the rest what it is matched with. */
static void globs(char *word)
{
	char *text = strchr(word, '\n');
	if (text == NULL)
		return;
	*text++ = '\0';
	bool match = glob_match(word, text);
	if (strpbrk(word, "*?") == NULL)
		assert(match == (strcmp(word, text) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *word = calloc(1, size + 1);
	if (word == NULL)
		return 0;
	if (size > 0)
		memcpy(word, data, size);
	bool flag;
	durations_and_sizes(word);
	parse_bool(word, &flag);
	lists(word);
	addresses(word);
	if (utf8_valid(data, size) && size > 0)
		assert(utf8_length(data, size) >= 1);
	globs(word);
	free(word);
	return 0;
}
