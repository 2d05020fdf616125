/*
 * new-plugin.c - `patchbay new-plugin`: a folder in which a plugin stands that builds, passes and runs.
 *
 * What is written is a copy of files that are installed (etc/new-plugin in the source): what is
 * common to a language, and what is a kind's in it. They are whole and compile as they are; only the
 * name is put in. Nothing that is there already is ever written to.
 */
#include "cli/cli.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/flags.h"
#include "cli/installed.h"
#include "cli/scaffold.h"
#include "config/suggest.h"
#include "event/json.h"

#define NAME_MAX_LENGTH 32

static const char *const kinds[] = { "source", "sink", "filter", NULL };
static const char *const languages[] = { "c", "python", "sh", NULL };

/* `word` is one of the list, which `all` names; else said so. */
static int one_of(const struct cli *cli, const char *word, const char *const list[], const char *all)
{
	struct suggest near;
	char hint[SUGGEST_TEXT_SIZE];
	suggest_begin(&near, word);
	for (; *list != NULL; list++) {
		if (strcmp(*list, word) == 0)
			return CLI_OK;
		suggest_offer(&near, *list);
	}
	return cli_usage(cli, "'%s' is not one of %s%s", word, all, suggest_text(&near, hint));
}

static int check_name(const struct cli *cli, const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
	if (islower((unsigned char)*name) && name[len] == '\0' && len <= NAME_MAX_LENGTH)
		return CLI_OK;
	return cli_usage(cli, "'%s' is no name for a plugin: up to %d of a-z, 0-9, _ and -, the first a letter",
			 name, NAME_MAX_LENGTH);
}

/* Its file would take the place of the other's. */
static int check_taken(const char *name)
{
	char *folder = installed_path(PATCHBAY_PLUGIN_DIR), *path = xasprintf("%s/%s.so", folder, name);
	bool taken = access(path, F_OK) == 0;
	if (taken)
		fprintf(stderr, "patchbay new-plugin: there is a plugin %s already: %s\n", name, path);
	free(folder);
	free(path);
	return taken ? CLI_FAILED : CLI_OK;
}

static void print_made(const struct cli *cli, const struct scaffold *s)
{
	if (cli->json) {
		struct buf line = BUF_INIT(BUF_MAX);
		buf_add_str(&line, "{\"folder\":");
		json_quote(&line, (struct pb_span){ s->folder, strlen(s->folder) });
		for (size_t i = 0; i < s->n_files; i++) {
			buf_add_str(&line, i == 0 ? ",\"files\":[" : ",");
			json_quote(&line, (struct pb_span){ s->files[i], strlen(s->files[i]) });
		}
		buf_add_str(&line, "]}\n");
		fwrite(line.data, 1, line.len, stdout);
		buf_free(&line);
		return;
	}
	for (size_t i = 0; i < s->n_files; i++)
		printf("%s/%s\n", s->folder, s->files[i]);
	fprintf(stderr, "Made %s. Begin with: cd %s && make check\n", s->folder, s->folder);
}

/* `templates` is NULL for those that were installed. */
static int make_one(const struct cli *cli, const char *language, const char *templates, const char *folder)
{
	struct scaffold s;
	char *installed = installed_path(PATCHBAY_TEMPLATE_DIR);
	if (templates == NULL)
		templates = installed;
	scaffold_init(&s, folder, cli->argv[1], cli->argv[2]);
	char *common = xasprintf("%s/%s/common", templates, language);
	char *own = xasprintf("%s/%s/%s", templates, language, cli->argv[1]);
	int status = CLI_OK;
	if (scaffold_begin(&s) < 0 || scaffold_copy(&s, common) < 0 || scaffold_copy(&s, own) < 0) {
		fprintf(stderr, "patchbay new-plugin: %s\n", s.error);
		scaffold_undo(&s);
		status = CLI_FAILED;
	} else {
		print_made(cli, &s);
	}
	free(installed);
	free(common);
	free(own);
	scaffold_free(&s);
	return status;
}

int cli_new_plugin(struct cli *cli)
{
	const char *language = "c", *templates = NULL, *folder = NULL;
	const struct flag flags[] = {
		{ "--lang", FLAG_TEXT, &language }, { "--dir", FLAG_TEXT, &folder },
		{ "--templates", FLAG_TEXT, &templates }, { 0 },
	};
	int status = flags_take(cli, flags, 0);
	if (status == CLI_OK && cli->argc != 3)
		status = cli_usage(cli, "needs source, sink or filter, and a NAME");
	if (status == CLI_OK)
		status = one_of(cli, cli->argv[1], kinds, "source, sink and filter");
	if (status == CLI_OK)
		status = one_of(cli, language, languages, "the languages c, python and sh");
	if (status == CLI_OK)
		status = check_name(cli, cli->argv[2]);
	if (status == CLI_OK)
		status = check_taken(cli->argv[2]);
	return status != CLI_OK ? status :
	       make_one(cli, language, templates, folder != NULL ? folder : cli->argv[2]);
}
