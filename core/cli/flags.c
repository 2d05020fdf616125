/* flags.c - a command's own options. */
#include "cli/flags.h"

#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "config/suggest.h"

bool flags_time(const char *word, int64_t now_ms, int64_t *to)
{
	int64_t ago;
	if (parse_duration(word, &ago) != 0)
		return time_parse(word, to) == 0;
	*to = now_ms - ago;
	return true;
}

static int read_value(struct cli *cli, const struct flag *f, const char *word, int64_t now_ms)
{
	int64_t n;
	if (f->kind == FLAG_TIME && !flags_time(word, now_ms, f->to))
		return cli_usage(cli, "%s: '%s' is neither a time, as 2026-01-02T03:04:05Z, nor how long ago, "
				 "as 2h", f->name, word);
	if (f->kind == FLAG_COUNT) {
		if (parse_int(word, &n) != 0 || n < 1)
			return cli_usage(cli, "%s: '%s' is no number from 1", f->name, word);
		*(uint64_t *)f->to = (uint64_t)n;
	}
	if (f->kind == FLAG_TEXT)
		*(const char **)f->to = word;
	return CLI_OK;
}

/* The option of that name, without its "=VALUE", or NULL. */
static const struct flag *find(const struct flag *table, const char *word, size_t len)
{
	for (; table->name != NULL; table++)
		if (strlen(table->name) == len && strncmp(table->name, word, len) == 0)
			return table;
	return NULL;
}

static int unknown(struct cli *cli, const struct flag *table, const char *word)
{
	struct suggest near;
	char hint[SUGGEST_TEXT_SIZE];
	suggest_begin(&near, word);
	for (; table->name != NULL; table++)
		suggest_offer(&near, table->name);
	return cli_usage(cli, "there is no option %s%s", word, suggest_text(&near, hint));
}

/* The option at argv[*i], which moves to its last word. */
static int take_one(struct cli *cli, const struct flag *table, int *i, int64_t now_ms)
{
	const char *word = cli->argv[*i], *equals = strchr(word, '=');
	const struct flag *f = find(table, word, equals != NULL ? (size_t)(equals - word) : strlen(word));
	if (f == NULL)
		return unknown(cli, table, word);
	if (f->kind == FLAG_YES) {
		*(bool *)f->to = true;
		return equals == NULL ? CLI_OK : cli_usage(cli, "%s takes no value", f->name);
	}
	if (equals == NULL && *i + 1 >= cli->argc)
		return cli_usage(cli, "%s needs a value", f->name);
	return read_value(cli, f, equals != NULL ? equals + 1 : cli->argv[++*i], now_ms);
}

int flags_take(struct cli *cli, const struct flag *table, int64_t now_ms)
{
	int words = 1, status = CLI_OK;
	for (int i = 1; i < cli->argc && status == CLI_OK; i++) {
		if (cli->argv[i][0] == '-' && cli->argv[i][1] != '\0')
			status = take_one(cli, table, &i, now_ms);
		else
			cli->argv[words++] = cli->argv[i];
	}
	cli->argc = words;
	return status;
}
