/* store.c - `patchbay store`: which part, which folder, what was asked for. */
#include "cli/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "cli/ask.h"
#include "cli/flags.h"
#include "config/suggest.h"

enum part { PART_INSPECT, PART_VERIFY, PART_EXPORT, PART_REPAIR, PART_BACKUP, PARTS };

static const char *const part_names[PARTS] = { "inspect", "verify", "export", "repair", "backup" };

int store_failed(struct pb_error *error, int why)
{
	for (const struct error_entry *e = error->first; e != NULL; e = e->next)
		fprintf(stderr, "patchbay store: %s\n", e->text);
	error_free(error);
	return why == EACCES || why == EPERM ? CLI_NOT_PERMITTED : CLI_FAILED;
}

void store_print(json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}

static int find_part(const struct cli *cli, enum part *part)
{
	struct suggest near;
	char hint[SUGGEST_TEXT_SIZE];
	if (cli->argc < 2)
		return cli_usage(cli, "inspect, verify, export, repair or backup?");
	suggest_begin(&near, cli->argv[1]);
	for (*part = 0; *part < PARTS; ++*part) {
		if (strcmp(cli->argv[1], part_names[*part]) == 0)
			return CLI_OK;
		suggest_offer(&near, part_names[*part]);
	}
	return cli_usage(cli, "there is no %s%s", cli->argv[1], suggest_text(&near, hint));
}

static int take_flags(struct cli *cli, enum part part, struct store_args *args)
{
	const struct flag export[] = {
		{ "--store", FLAG_TEXT, &args->store },
		{ "--lane", FLAG_TEXT, &args->lane },
		{ "--since", FLAG_TEXT, &args->since },
		{ "--stragglers", FLAG_YES, &args->stragglers },
		{ "--dead", FLAG_YES, &args->dead },
		{ "--annotate", FLAG_YES, &args->annotate },
		{ NULL, 0, NULL },
	};
	const struct flag repair[] = {
		{ "--store", FLAG_TEXT, &args->store },
		{ "--dry-run", FLAG_YES, &args->dry_run },
		{ NULL, 0, NULL },
	};
	const struct flag others[] = {
		{ "--store", FLAG_TEXT, &args->store },
		{ NULL, 0, NULL },
	};
	return flags_take(cli, part == PART_EXPORT ? export : part == PART_REPAIR ? repair : others, 0);
}

static int parse(struct cli *cli, enum part *part, struct store_args *args)
{
	int status = find_part(cli, part);
	if (status == CLI_OK)
		status = take_flags(cli, *part, args);
	if (status != CLI_OK)
		return status;
	bool takes = *part == PART_BACKUP;
	if (cli->argc > 2 + takes)
		return cli_usage(cli, "%s takes no %sargument", part_names[*part], takes ? "further " : "");
	if (takes && cli->argc < 3)
		return cli_usage(cli, "backup needs a folder to copy to");
	args->to = takes ? cli->argv[2] : NULL;
	return CLI_OK;
}

/* The folder of the store, which the caller frees; NULL with *status when it was said what is wrong. */
static char *find_folder(const struct cli *cli, const struct store_args *args, int *status)
{
	unsigned errors;
	if (args->store != NULL)
		return xstrdup(args->store);
	if (access(cli->config, R_OK) == 0)
		return cli_core_option(cli->config, "state", &errors);
	*status = errno == EACCES ? CLI_NOT_PERMITTED : CLI_FAILED;
	fprintf(stderr, "patchbay store: %s: %s; --store DIR names a store without it\n", cli->config,
		strerror(errno));
	return NULL;
}

/* All segments are held open. */
static void raise_file_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int run(const struct cli *cli, enum part part, const char *folder, const struct store_args *args)
{
	switch (part) {
	case PART_INSPECT:
		return store_inspect(cli, folder);
	case PART_VERIFY:
		return store_verify(cli, folder);
	case PART_EXPORT:
		return store_export(cli, folder, args);
	case PART_REPAIR:
		return store_repair(cli, folder, args);
	default:
		return store_backup(cli, folder, args);
	}
}

int cli_store(struct cli *cli)
{
	enum part part;
	struct store_args args = { .store = NULL };
	int status = parse(cli, &part, &args);
	if (status != CLI_OK)
		return status;
	char *folder = find_folder(cli, &args, &status);
	if (folder == NULL)
		return status;
	log_open(PB_ERROR);
	raise_file_limit();
	status = run(cli, part, folder, &args);
	free(folder);
	return status;
}
