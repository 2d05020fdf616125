/*
 * cli.c - the commands, and what all of them accept.
 *
 * Options that every command knows may stand anywhere; what is left is the
 * command's. Data goes to standard output, everything else to standard error. It must
 * not know what a command does.
 */
#include "cli/cli.h"

#include <config.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <patchbay/plugin.h>

#include "base/memory.h"
#include "config/suggest.h"

static const struct cli_command commands[] = {
	{ "run", "run", "run the daemon in the foreground",
	  "Logs to standard error; SIGTERM stops it, SIGHUP is `patchbay reload`. When all sources have come\n"
	  "to their end (`program | patchbay run`, with the source stdin), it ends once all is delivered, or,\n"
	  "with exit status 1, a dead letter.\n",
	  NULL },
	{ "check", "check", "check the configuration",
	  "Prints every error and warning; nothing when all is right. Opens and changes nothing. Warns if\n"
	  "the running daemon has something to deliver by a route or to a sink that is not there.\n",
	  cli_check },
	{ "dead", "dead list|show|replay|purge [ID]", "list, show, replay or purge dead letters",
	  "  list     one line each; show: with response, attributes and body\n"
	  "  replay   deliver them again, with their ids and a new schedule\n"
	  "  purge    give them up for good\n\n"
	  "Which ones (show, replay and purge need one of these):\n"
	  "  ID, --id ID        an event's\n"
	  "  --sink NAME        on the way to that sink\n"
	  "  --route NAME       of that route\n"
	  "  --type GLOB        of event types\n"
	  "  --reason REASON    rejected, exhausted, expired, overflow, filter, or removed\n"
	  "  --since TIME       dead since then: 2026-01-02T03:04:05Z, or how long ago, as 2h\n"
	  "  --until TIME       dead before then\n"
	  "  --limit N          not more than N\n"
	  "  --all              all there are\n"
	  "  --dry-run          only say how many would be replayed or purged\n",
	  cli_dead },
	{ "new-plugin", "new-plugin source|sink|filter NAME", "begin a plugin of one's own",
	  "Writes a folder with a small plugin that works and is meant to be changed: code, build, tests, manual\n"
	  "page, an example of a configuration. Nothing that is there already is written to. It is built outside of\n"
	  "patchbay's source, with what is installed: `make check` in the folder says if all is there.\n"
	  "  --lang LANGUAGE    c: a shared object (default); python, sh: a program that the plugin exec runs\n"
	  "  --dir FOLDER       the folder to be made (NAME)\n"
	  "  --templates DIR    take what is written from DIR, instead of " PATCHBAY_TEMPLATE_DIR "\n",
	  cli_new_plugin },
	{ "plugin-test", "plugin-test FILE.so [OPTION=VALUE]...", "put a plugin through the conformance suite",
	  "Loads FILE.so, opens it with the options given, as a section would have them, and checks the rules\n"
	  "that every plugin keeps, each in a process of its own. No daemon is needed, and none is asked. Exit\n"
	  "status 1 when a rule is broken; what a skipped one needs is said.\n"
	  "  --kind KIND        source, filter or sink, when the plugin is several\n"
	  "  --feed COMMAND     a shell command that causes an event or more, for a source; run as often as events\n"
	  "                     are needed. {port} is the port where the source listens, {OPTION} an option given.\n"
	  "                     Of a source that can refuse, its status is 0 only if the event was taken\n"
	  "  --failing OPTION=VALUE   instead of that option, or beside the others: nothing succeeds, such as a\n"
	  "                     port where nobody listens; may be repeated\n"
	  "  --body TEXT        the body of an ordinary event for a sink or filter; a JSON object unless given\n"
	  "  --type TYPE        its type (conform.test)\n"
	  "  --only GLOB        only these rules; may be repeated\n"
	  "  --list             show the rules, and what each means\n"
	  "  --junit FILE       write the results as JUnit XML too\n"
	  "  --limit DURATION   how long one rule may take (60s)\n"
	  "  --stop-limit DURATION   how long a stop may take (10s)\n"
	  "  --memory SIZE      how much a source may take while the store is full (32MiB)\n"
	  "  --rounds N         how often it is opened and closed, at least 400 (1000)\n",
	  cli_plugin_test },
	{ "plugins", "plugins [NAME] [--core] [--man]", "list the plugins, or explain one",
	  "  --core   explain the options that patchbay itself gives instead\n"
	  "  --man    print a manual page: NAME's, or without NAME that of patchbay.ini\n",
	  cli_plugins },
	{ "reload", "reload", "let the running daemon take the configuration anew",
	  "It also opens files and certificates again, as SIGHUP does. Sections that have not changed\n"
	  "run on; events accepted before are routed as they would have been. If anything is wrong,\n"
	  "all of it is printed, the old configuration stays, and the exit status is 1. Prints the\n"
	  "sections that were added, changed or removed.\n",
	  cli_reload },
	{ "replay", "replay --to SINK --since TIME", "deliver again to a sink what is kept",
	  "What the journal still has (option `keep`), with its ids, and by the routes as they are now. What\n"
	  "is still to be delivered the first time, waits for its next attempt, or is a dead letter, is left\n"
	  "out. Replayed events go out ahead of what waits, beside it with order = strict.\n"
	  "  --to NAME          the sink\n"
	  "  --since TIME       accepted since then: 2026-01-02T03:04:05Z, or how long ago, as 2h\n"
	  "  --until TIME       accepted before then\n"
	  "  --route NAME       by that route only\n"
	  "  --type GLOB        of event types\n"
	  "  --id ID            that event; then --since is not needed\n"
	  "  --dry-run          only say how many there are\n",
	  cli_replay },
	{ "sink", "sink list | disable|enable|drain|retry NAME", "list, disable, enable, drain or retry sinks",
	  "  disable  give it nothing more; its events stay in the store, over restarts too\n"
	  "  drain    deliver what is there and take nothing new, which stays in the store\n"
	  "  enable   undo either\n"
	  "  retry    try what waits for its next attempt now, and a receiver that is down\n"
	  "  --reason TEXT  why it is disabled or drained, to be shown\n",
	  cli_sink },
	{ "status", "status [--ages | --prometheus]", "show how the running daemon is doing",
	  "Prints the daemon's instances with their counters, and for each lane, a route's way to a\n"
	  "sink, how many events it is behind and how old the oldest is that waits. With --json the\n"
	  "daemon, an instance, or a lane is one object.\n"
	  "  --ages        count what waits in each lane by its age since it was accepted\n"
	  "  --prometheus  print everything that is counted or measured as Prometheus reads it\n",
	  cli_status },
	{ "store", "store inspect|verify|export|repair|backup DIR", "look after what is on disk",
	  "All but repair may run beside the daemon, and change nothing.\n"
	  "  inspect      show journal, state, lanes and marks\n"
	  "  verify       check every checksum, and what must hold; exit status 1 if something does not\n"
	  "  export       print events as CloudEvents, one JSON object a line\n"
	  "  repair       set aside what is broken and make the rest whole; only when no daemon runs\n"
	  "  backup DIR   copy the store to DIR, and verify the copy\n"
	  "  --store DIR    the store, instead of the configuration's\n"
	  "  --dry-run      repair: say what would be done first, and do nothing\n"
	  "  --lane NAME    export: what the lane, \"ROUTE SINK\", may still deliver\n"
	  "  --stragglers   export: what failed and waits, of all lanes or the one\n"
	  "  --dead         export: dead letters likewise\n"
	  "  --since WHEN   export: from a sequence number, a time, or so long ago (2h) on\n"
	  "  --annotate     export: add sequence number, lane, reason and so on as attributes\n",
	  cli_store },
	{ "trace", "trace ID", "show where an event is and what became of it",
	  "When it was accepted and from whom; which routes want it, and why others do not; each attempt\n"
	  "with its answer and how long that took; where it is now. The past is as long as the option\n"
	  "`history` has room for. With --json one object. Exit status 1 when no such event is known.\n",
	  cli_trace },
};
#define N_COMMANDS (sizeof commands / sizeof *commands)

static const char common_help[] =
	"Options:\n"
	"  -c FILE            the configuration (" PATCHBAY_CONFIG_FILE ")\n"
	"  --plugin-dir DIR   load plugins from DIR alone, not from plugin_dir\n"
	"  --json             print data as JSON, a list as one object a line\n"
	"  --help             this help, or with a command the command's\n"
	"  --version          the version\n";

/* The command line, taken apart. */
struct parsed {
	struct cli cli;
	int (*run)(struct cli *);	/* the daemon's; NULL: there is none */
	const struct cli_command *command;
	bool help, version;
};

/* What the command does; NULL when it is not to be had. */
static int (*implementation(const struct parsed *p, const struct cli_command *c))(struct cli *)
{
	return c->run == NULL ? p->run : c->run;
}

static int PB_PRINTF(2, 0) usage(const char *command, const char *fmt, va_list args)
{
	const char *space = command == NULL ? "" : " ", *name = command == NULL ? "" : command;
	fprintf(stderr, "patchbay%s%s: ", space, name);
	vfprintf(stderr, fmt, args);
	fprintf(stderr, "\nTry `patchbay%s%s --help`.\n", space, name);
	return CLI_USAGE;
}

int cli_usage(const struct cli *cli, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	usage(cli->argc > 0 ? cli->argv[0] : NULL, fmt, args);
	va_end(args);
	return CLI_USAGE;
}

static int find_command(struct parsed *p, const char *name)
{
	struct suggest near;
	suggest_begin(&near, name);
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (implementation(p, &commands[i]) == NULL)
			continue;
		suggest_offer(&near, commands[i].name);
		if (strcmp(commands[i].name, name) == 0)
			p->command = &commands[i];
	}
	char hint[SUGGEST_TEXT_SIZE];
	return p->command != NULL ? CLI_OK :
	       cli_usage(&p->cli, "there is no command %s%s", name, suggest_text(&near, hint));
}

static int unknown_option(const struct parsed *p, const char *option)
{
	static const char *const known[] = { "--plugin-dir", "--json", "--help", "--version" };
	struct suggest near;
	suggest_begin(&near, option);
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		suggest_offer(&near, known[i]);
	char hint[SUGGEST_TEXT_SIZE];
	return cli_usage(&p->cli, "there is no option %s%s", option, suggest_text(&near, hint));
}

/* An option `name VALUE` or `name=VALUE` at *arg, which moves on past it. */
static bool take_value(const char *name, char **arg[], const char **value)
{
	size_t len = strlen(name);
	if (strcmp(**arg, name) == 0) {
		*value = *++*arg;
		return true;
	}
	bool joined = strncmp(**arg, name, len) == 0 && (**arg)[len] == '=';
	if (joined)
		*value = **arg + len + 1;
	return joined;
}

static bool take_flag(const char *name, char *const *arg, bool *flag)
{
	bool is = strcmp(*arg, name) == 0;
	*flag = *flag || is;
	return is;
}

/* An option that every command knows, at *arg. */
static bool take_common(struct parsed *p, char **arg[])
{
	return take_value("-c", arg, &p->cli.config) ||
	       take_value("--plugin-dir", arg, &p->cli.plugin_dir) ||
	       take_flag("--json", *arg, &p->cli.json) || take_flag("--help", *arg, &p->help) ||
	       take_flag("-h", *arg, &p->help) || take_flag("--version", *arg, &p->version);
}

/* Split argv; p->cli.argv has room for all of it. */
static int parse(struct parsed *p, char *argv[])
{
	struct cli *cli = &p->cli;
	bool options = true;
	for (char **arg = argv; *arg != NULL; arg++) {
		char *first = *arg;
		if (options && strcmp(first, "--") == 0) {
			options = false;
		} else if (options && take_common(p, &arg)) {
			if (*arg == NULL)
				return cli_usage(cli, "%s needs a value", first);
		} else if (options && cli->argc == 0 && *first == '-') {
			return unknown_option(p, first);
		} else {
			if (cli->argc == 0 && find_command(p, first) != CLI_OK)
				return CLI_USAGE;
			cli->argv[cli->argc++] = first;
		}
	}
	return CLI_OK;
}

static void print_overview(const struct parsed *p, FILE *to)
{
	fputs("Usage: patchbay COMMAND [OPTION]...\n\nCommands:\n", to);
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (implementation(p, &commands[i]) != NULL)
			fprintf(to, "  %-18s %s\n", commands[i].name, commands[i].summary);
	fprintf(to, "\n%s", common_help);
}

static void print_help(const struct parsed *p)
{
	const struct cli_command *command = p->command;
	if (command == NULL)
		print_overview(p, stdout);
	else
		printf("Usage: patchbay %s [OPTION]...\n\n%c%s.\n\n%s\n%s", command->usage,
		       toupper((unsigned char)command->summary[0]), command->summary + 1,
		       command->help, common_help);
}

static void print_version(bool json)
{
	if (json)
		printf("{\"version\":\"%s\",\"abi\":\"%d.%d\"}\n", PACKAGE_VERSION, PB_ABI_MAJOR, PB_ABI_MINOR);
	else
		puts("patchbay " PACKAGE_VERSION);
}

static int dispatch(struct parsed *p)
{
	if (p->help) {
		print_help(p);
	} else if (p->version) {
		print_version(p->cli.json);
	} else if (p->command == NULL) {
		print_overview(p, stderr);
		return CLI_USAGE;
	} else {
		return implementation(p, p->command)(&p->cli);
	}
	return CLI_OK;
}

int cli_main(int argc, char *argv[], int (*run)(struct cli *))
{
	struct parsed p = { .cli = { .config = PATCHBAY_CONFIG_FILE }, .run = run };
	p.cli.argv = xcalloc((size_t)argc + 1, sizeof *p.cli.argv);
	char **args = p.cli.argv;
	int status = argc < 1 ? CLI_USAGE : parse(&p, argv + 1);
	if (status == CLI_OK)
		status = dispatch(&p);
	free(args);
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == CLI_OK) {
		fprintf(stderr, "patchbay: standard output: %s\n", strerror(errno));
		status = CLI_FAILED;
	}
	return status;
}
