/*
 * main.c - the program behind `patchbay plugin-test`, which starts it.
 *
 * It is one of its own because it is the host: it exports the pb_ functions that a daemon has.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/parse.h"
#include "conform/report.h"

#define SUFFIX ".so"
#define STATUS_FAILED 1
#define STATUS_USAGE 2

static void PB_PRINTF(1, 2) ENDS_CHILD usage(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	fputs("patchbay plugin-test: ", stderr);
	vfprintf(stderr, fmt, args);
	fputs("\nTry `patchbay plugin-test --help`.\n", stderr);
	exit(STATUS_USAGE);
}

static void take_given(struct givens *to, const char *word)
{
	const char *equals = strchr(word, '=');
	size_t len = strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_");
	if (equals == NULL || len == 0 || word + len != equals)
		usage("expected OPTION=VALUE: %s", word);
	if (strpbrk(equals, "\r\n") != NULL)
		usage("%.*s: a value is one line", (int)len, word);
	to->at = xrealloc(to->at, to->n + 1, sizeof *to->at);
	struct given *g = &to->at[to->n++];
	g->name = xstrdup(word);
	g->name[len] = '\0';
	g->value = equals + 1;
}

static unsigned take_kind(const char *word)
{
	for (unsigned kind = KIND_SOURCE; kind <= KIND_SINK; kind *= 2)
		if (strcmp(word, kind_name((enum kind)kind)) == 0)
			return kind;
	usage("--kind %s: expected source, filter or sink", word);
}

static int64_t take_number(const char *name, const char *word, int (*parse)(const char *, int64_t *),
			   const char *expected, int64_t least, int64_t most)
{
	int64_t number;
	if (parse(word, &number) < 0 || number < least || number > most)
		usage("%s %s: expected %s", name, word, expected);
	return number;
}

static void take_only(struct wanted *w, size_t *n, const char *word)
{
	const char **list = xrealloc((void *)w->only, *n + 2, sizeof *list);
	bool any = false;
	for (const struct rule *rule = rules; rule->name != NULL; rule++)
		any = any || glob_match(word, rule->name);
	if (!any)
		usage("--only %s: there is no such rule; --list shows them", word);
	list[(*n)++] = word;
	list[*n] = NULL;
	w->only = list;
}

/* An option's value: `name VALUE` or `name=VALUE` at argv[*i]; NULL: it is another. */
static const char *value_of(const char *name, char *argv[], int *i)
{
	size_t len = strlen(name);
	if (strncmp(argv[*i], name, len) != 0)
		return NULL;
	if (argv[*i][len] == '=')
		return argv[*i] + len + 1;
	if (argv[*i][len] != '\0')
		return NULL;
	if (argv[*i + 1] == NULL)
		usage("%s needs a value", name);
	return argv[++*i];
}

static bool take_limit(struct wanted *w, char *argv[], int *i)
{
	static const int64_t day = INT64_C(86400000);
	const char *value;
	if ((value = value_of("--limit", argv, i)) != NULL)
		w->limit = take_number("--limit", value, parse_duration, "a duration from 1s to 1d", 1000, day);
	else if ((value = value_of("--stop-limit", argv, i)) != NULL)
		w->stop_limit = take_number("--stop-limit", value, parse_duration, "a duration from 1ms to 1d", 1, day);
	else if ((value = value_of("--memory", argv, i)) != NULL)
		w->memory = take_number("--memory", value, parse_size, "a size of 1MiB or more", 1 << 20, INT64_MAX);
	else if ((value = value_of("--rounds", argv, i)) != NULL)
		w->rounds = take_number("--rounds", value, parse_int, "a number from 400 to 1000000", 400, 1000000);
	return value != NULL;
}

static bool take_option(struct wanted *w, size_t *only, char *argv[], int *i)
{
	const char *value;
	if (strcmp(argv[*i], "--list") == 0)
		w->list = true;
	else if (strcmp(argv[*i], "--json") == 0)
		w->json = true;
	else if ((value = value_of("--kind", argv, i)) != NULL)
		w->kind = take_kind(value);
	else if ((value = value_of("--only", argv, i)) != NULL)
		take_only(w, only, value);
	else if ((value = value_of("--failing", argv, i)) != NULL)
		take_given(&w->failing, value);
	else if ((value = value_of("--feed", argv, i)) != NULL)
		w->feed = value;
	else if ((value = value_of("--body", argv, i)) != NULL)
		w->body = value;
	else if ((value = value_of("--type", argv, i)) != NULL)
		w->type = value;
	else if ((value = value_of("--junit", argv, i)) != NULL)
		w->junit = value;
	else
		return take_limit(w, argv, i);
	return true;
}

static void take_file(struct wanted *w, char *word)
{
	const char *slash = strrchr(word, '/');
	size_t len;
	w->name = xstrdup(slash == NULL ? word : slash + 1);
	len = strlen(w->name);
	if (len <= sizeof SUFFIX - 1 || strcmp(w->name + len - (sizeof SUFFIX - 1), SUFFIX) != 0)
		usage("%s: a plugin's file is NAME" SUFFIX, word);
	w->name[len - (sizeof SUFFIX - 1)] = '\0';
	w->file = slash == NULL ? xasprintf("./%s", word) : xstrdup(word);
}

static void parse_line(struct wanted *w, char *argv[])
{
	size_t only = 0;
	for (int i = 1; argv[i] != NULL; i++) {
		if (take_option(w, &only, argv, &i))
			continue;
		if (argv[i][0] == '-')
			usage("there is no option %s", argv[i]);
		if (w->file == NULL)
			take_file(w, argv[i]);
		else
			take_given(&w->options, argv[i]);
	}
	if (w->file == NULL && !w->list)
		usage("which plugin? Expected FILE" SUFFIX);
}

static void givens_free(struct givens *givens)
{
	for (size_t i = 0; i < givens->n; i++)
		free(givens->at[i].name);
	free(givens->at);
}

static void wanted_free(struct wanted *w)
{
	givens_free(&w->options);
	givens_free(&w->failing);
	free((void *)w->only);
	free(w->name);
	free(w->file);
}

static bool write_junit(const struct suite *s)
{
	FILE *f = fopen(s->wanted->junit, "we");
	bool good = f != NULL;
	if (good) {
		report_junit(s, f);
		good = !ferror(f);
		good = fclose(f) == 0 && good;
	}
	if (!good)
		fprintf(stderr, "patchbay plugin-test: %s: %s\n", s->wanted->junit, strerror(errno));
	return good;
}

static int check_all(const struct wanted *w)
{
	struct suite suite;
	struct report report = { .suite = &suite };
	if (access(w->file, R_OK) < 0) {
		fprintf(stderr, "patchbay plugin-test: %s: %s\n", w->file, strerror(errno));
		return STATUS_USAGE;
	}
	if (!suite_begin(&suite, w))
		return STATUS_USAGE;
	if (!w->json)
		report_begin(&report, &suite, isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL);
	suite_run(&suite, w->json ? report_result_json : report_result, &report);
	if (!w->json)
		report_end(&report);
	int status = suite_count(&suite, FAIL) > 0 ? STATUS_FAILED : 0;
	if (w->junit != NULL && !write_junit(&suite))
		status = STATUS_FAILED;
	suite_end(&suite);
	return status;
}

int main(int argc, char *argv[])
{
	struct wanted w = {
		.body = "{\"number\":7,\"name\":\"conform\",\"text\":\"an event of the conformance suite\"}",
		.type = "conform.test", .limit = 60000, .stop_limit = 10000, .memory = 32 << 20,
		.rounds = 1000,
	};
	int status = 0;
	if (argc < 1)
		return STATUS_USAGE;
	parse_line(&w, argv);
	if (w.list) {
		report_rules(w.json);
	} else {
		status = check_all(&w);
	}
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == 0) {
		fprintf(stderr, "patchbay plugin-test: standard output: %s\n", strerror(errno));
		status = STATUS_FAILED;
	}
	wanted_free(&w);
	return status;
}
