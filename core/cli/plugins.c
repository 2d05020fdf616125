/* plugins.c - `patchbay plugins`: which there are, and what their options mean. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "config/explain.h"
#include "event/json.h"
#include "plugin/loader.h"

#define PAGE_MAX (4 * 1024 * 1024)

/* What was asked for. */
struct asked {
	const char *name;
	bool core, man;
};

static int parse(const struct cli *cli, struct asked *asked)
{
	for (int i = 1; i < cli->argc; i++) {
		const char *arg = cli->argv[i];
		if (strcmp(arg, "--man") == 0)
			asked->man = true;
		else if (strcmp(arg, "--core") == 0)
			asked->core = true;
		else if (*arg == '-')
			return cli_usage(cli, "there is no option %s", arg);
		else if (asked->name != NULL)
			return cli_usage(cli, "takes one name");
		else
			asked->name = arg;
	}
	if (asked->core && asked->name != NULL)
		return cli_usage(cli, "takes a name or --core");
	if (asked->man && cli->json)
		return cli_usage(cli, "takes --man or --json");
	return CLI_OK;
}

static bool find_none(void *arg, enum config_kind kind, const char *plugin,
		      const struct pb_option **table, uint32_t *most, bool *repeat,
		      struct pb_error *err)
{
	(void)arg, (void)kind, (void)plugin, (void)table, (void)most, (void)repeat, (void)err;
	return false;
}

/* Let the configuration, if it can be read, say where plugins are. Nothing else in it matters here,
 * unless the operator named it. */
static bool take_folder(const struct cli *cli, struct loader *loader)
{
	struct config_plugins tables = loader_tables(loader);
	tables.find = find_none;
	struct report report;
	report_init(&report);
	struct config *config = config_load(cli->config, &tables, &report);
	bool good = config->files->n > 0 || strcmp(cli->config, PATCHBAY_CONFIG_FILE) == 0;
	if (!good)
		report_print(&report, stderr, false);
	config_free(config);
	report_free(&report);
	return good;
}

static int print(struct buf *b)
{
	int status = b->failed == 0 ? CLI_OK : CLI_FAILED;
	if (status == CLI_OK)
		fwrite(b->data, 1, b->len, stdout);
	else
		fprintf(stderr, "patchbay plugins: %s\n", strerror(-b->failed));
	buf_free(b);
	return status;
}

static void print_errors(const struct pb_error *err)
{
	for (const struct error_entry *e = err->first; e != NULL; e = e->next)
		fprintf(stderr, "patchbay plugins: %s\n", e->text);
}

static int explain_one(struct loader *loader, const char *name, enum explain_form form)
{
	struct pb_error err;
	error_init(&err);
	const struct pb_plugin *plugin = loader_find(loader, name, &err);
	print_errors(&err);
	error_free(&err);
	if (plugin == NULL)
		return CLI_FAILED;
	struct buf b = BUF_INIT(PAGE_MAX);
	explain_plugin(&b, plugin, form);
	return print(&b);
}

/* One line of the list. */
struct listing {
	bool json;
	int status;
	struct buf line;
};

static void list_broken(struct listing *list, const char *name, const struct pb_error *err)
{
	list->status = CLI_FAILED;
	if (!list->json) {
		print_errors(err);
		return;
	}
	buf_printf(&list->line, "{\"name\":\"%s\",\"errors\":[", name);
	for (const struct error_entry *e = err->first; e != NULL; e = e->next) {
		json_quote(&list->line, (struct pb_span){ e->text, strlen(e->text) });
		buf_add_str(&list->line, e->next != NULL ? "," : "");
	}
	buf_add_str(&list->line, "]}\n");
}

static void list_one(void *arg, const char *name, const struct pb_plugin *p,
		     const struct pb_error *err)
{
	struct listing *list = arg;
	buf_reset(&list->line);
	if (p == NULL) {
		list_broken(list, name, err);
	} else if (list->json) {
		explain_plugin(&list->line, p, EXPLAIN_JSON);
	} else {
		char kinds[32];
		snprintf(kinds, sizeof kinds, "%s%s%s", p->source == NULL ? "" : " source",
			 p->filter == NULL ? "" : " filter", p->sink == NULL ? "" : " sink");
		buf_printf(&list->line, "%-12s %-20s %s\n", name, kinds + 1, p->summary);
	}
	if (list->line.len > 0)
		fwrite(list->line.data, 1, list->line.len, stdout);
}

static int list_all(struct loader *loader, bool json)
{
	struct listing list = { .json = json, .line = BUF_INIT(PAGE_MAX) };
	int r = loader_each(loader, list_one, &list);
	buf_free(&list.line);
	if (r == 0)
		return list.status;
	fprintf(stderr, "patchbay plugins: %s: %s\n", loader_folder(loader), strerror(-r));
	return CLI_FAILED;
}

int cli_plugins(struct cli *cli)
{
	struct asked asked = { 0 };
	int status = parse(cli, &asked);
	if (status != CLI_OK)
		return status;
	enum explain_form form = asked.man ? EXPLAIN_MAN : cli->json ? EXPLAIN_JSON : EXPLAIN_TEXT;
	if (asked.core || (asked.man && asked.name == NULL)) {
		struct buf b = BUF_INIT(PAGE_MAX);
		explain_ini(&b, form);
		return print(&b);
	}
	struct loader *loader = loader_open(cli->plugin_dir);
	if (cli->plugin_dir == NULL && !take_folder(cli, loader))
		status = CLI_FAILED;
	else if (asked.name != NULL)
		status = explain_one(loader, asked.name, form);
	else
		status = list_all(loader, cli->json);
	loader_close(loader);
	return status;
}
