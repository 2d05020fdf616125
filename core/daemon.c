/*
 * daemon.c - `patchbay run`: start, signals, stop.
 *
 * The configuration is checked whole before anything in the store is opened. Signals are blocked
 * before the first thread or plugin and taken one by one here: SIGTERM and SIGINT stop, a second one
 * ends at once, SIGHUP opens again by name what is held open and reads the configuration, SIGUSR1 is of our own
 * threads: a reload is asked for, or what an earlier configuration left behind can be closed.
 */
#include "core/daemon.h"

#include <config.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/step.h"
#include "control/server.h"
#include "core/crash.h"
#include "core/notify.h"
#include "core/reload.h"
#include "dispatch/dispatch.h"
#include "state/history.h"
#include "plugin/checked.h"
#include "state/lock.h"
#include "state/rows.h"

#define SEGMENTS_MIN 8	/* a journal at its limit has as many, so that some can go */
#define LOOK_MS 50		/* between looks whether all is delivered, once all sources have ended */
#define HISTORY_WAIT 1000	/* ms, at an end with somebody late */
#define SPARE (1u << 20)	/* of the disk: what events do not get, so that they can still be settled */

/* What is open, in the order it was opened. */
struct daemon {
	struct cli *cli;
	struct loader *loader;
	struct config *config;
	int lock;
	struct metrics metrics;
	struct journal *journal;
	struct state *state;
	struct history *history;
	struct dispatch_env env;
	struct dispatch *dispatch;
	struct reloads reloads;
	struct control *control;
	sigset_t signals;
};

static void block_signals(struct daemon *d)
{
	sigemptyset(&d->signals);
	sigaddset(&d->signals, SIGTERM);
	sigaddset(&d->signals, SIGINT);
	sigaddset(&d->signals, SIGHUP);
	sigaddset(&d->signals, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &d->signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);	/* a file at its limit is a full disk, not the end */
}

/* As many open files as the system lets us have: a receiver, a sender, a file each take one. */
static void raise_file_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* For a person in the form of `check`; in a log like its other lines. */
static void say(struct report *report)
{
	if (log_has_priority())
		report_log(report);
	else
		report_print(report, stderr, false);
}

static bool load(struct daemon *d)
{
	struct report report;
	report_init(&report);
	d->loader = loader_open(d->cli->plugin_dir);
	d->config = checked_load(d->cli->config, d->loader, &report);
	say(&report);
	bool right = report.errors == 0;
	report_free(&report);
	return right;
}

/* `key` of [patchbay] is what it is about, unless the error says so itself; NULL: none. */
static bool failed(struct pb_error *err, const char *key)
{
	for (const struct error_entry *e = err->first; e != NULL; e = e->next) {
		const char *about = e->option[0] != '\0' ? e->option : key;
		if (about != NULL)
			log_write(PB_ERROR, "patchbay", "%s: %s", about, e->text);
		else
			log_error("%s", e->text);
	}
	error_free(err);
	return false;
}

static struct journal_options journal_limits(const struct options *core)
{
	uint64_t max = (uint64_t)options_int(core, "max_size");
	uint64_t segment = (uint64_t)options_int(core, "segment_size");
	return (struct journal_options){
		.max_size = max, .spare = SPARE,
		.segment_size = segment < max / SEGMENTS_MIN ? segment : max / SEGMENTS_MIN,
	};
}

static bool highest(void *arg, uint32_t lane, uint64_t watermark)
{
	uint64_t *seq = arg;
	(void)lane;
	if (watermark > *seq)
		*seq = watermark;
	return true;
}

/* What the state knows: which numbers are taken, and whether the last run ended in order. */
static void ask_state(struct state *state, struct journal_options *limits)
{
	struct meta_row meta;
	bool known = rows_get_meta(state, &meta) == 0;
	limits->next_seq = known ? meta.applied_seq : 0;
	limits->unsure = !known || !meta.clean;
	rows_each_lane(state, highest, &limits->next_seq);
}

/* The state first: it knows which numbers are taken, also when the journal has gone missing. */
static bool open_parts(struct daemon *d, const char *state, const char *journal, struct pb_error *err)
{
	struct journal_options limits = journal_limits(d->config->core);
	d->state = state_open(state, limits.max_size, err);
	if (d->state == NULL)
		return false;
	step_at("start: state opened");
	ask_state(d->state, &limits);
	d->journal = journal_open(journal, &limits, err);
	step_at("start: journal opened");
	return d->journal != NULL;
}

/* Who may write there may put in what was never accepted. */
static void warn_exposed(const char *folder)
{
	struct stat st;
	if (stat(folder, &st) == 0 && (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		log_write(PB_WARN, "patchbay", "state: others may write to %s: chmod go-w it", folder);
}

static bool open_store(struct daemon *d)
{
	const char *folder = options_str(d->config->core, "state");
	struct pb_error err;
	error_init(&err);
	d->lock = store_lock(folder, &err);
	if (d->lock < 0)
		return failed(&err, "state");
	step_at("start: locked");
	warn_exposed(folder);
	char *journal = xasprintf("%s/journal", folder), *state = xasprintf("%s/state", folder);
	char *history = xasprintf("%s/history", folder);
	bool opened = open_parts(d, state, journal, &err);
	if (opened)
		d->history = history_open(history, (uint64_t)options_int(d->config->core, "history"),
					  &clock_system);
	free(journal);
	free(state);
	free(history);
	return opened || failed(&err, "state");
}

/* From another thread: there is something for the main thread to do. */
static void wake_main(void)
{
	kill(getpid(), SIGUSR1);
}

static void wake(void *arg)
{
	(void)arg;
	wake_main();
}

static bool open_engine(struct daemon *d)
{
	const struct options *core = d->config->core;
	struct pb_error err;
	struct report report;
	error_init(&err);
	report_init(&report);
	metrics_init(&d->metrics);
	d->env = (struct dispatch_env){
		.instance = { .clock = &clock_system, .metrics = &d->metrics,
			      .max_event = (size_t)options_int(core, "max_event") },
		.journal = d->journal, .state = d->state, .history = d->history,
		.keep = config_keep(core), .max_size = (uint64_t)options_int(core, "max_size"),
		.memory = (size_t)options_int(core, "memory"),
		.shutdown_ms = options_int(core, "shutdown_timeout"),
		.wake = wake,
	};
	d->dispatch = dispatch_new(d->config, d->loader, &d->env, &err);
	if (d->dispatch == NULL)
		return failed(&err, NULL);
	bool opened = dispatch_open(d->dispatch, &report);
	say(&report);
	report_free(&report);
	return opened;
}

static bool open_control(struct daemon *d)
{
	const struct options *core = d->config->core;
	const char *path = options_str(core, "control");
	char *made = path[0] == '\0' ? xasprintf("%s/control.sock", options_str(core, "state")) : NULL;
	struct pb_error err;
	error_init(&err);
	d->control = control_open(made != NULL ? made : path, options_str(core, "control_group"),
				  d->dispatch, &err);
	free(made);
	if (d->control == NULL)
		return failed(&err, NULL);
	control_set_reloads(d->control, &d->reloads);
	int result = dispatch_start(d->dispatch);
	if (result == 0)
		result = control_start(d->control);
	if (result < 0)
		log_error("cannot start a thread: %s", strerror(-result));
	return result == 0;
}

/* The next signal; 0: there was none, but it is time to look. */
static int next_signal(struct daemon *d, enum dispatch_progress progress)
{
	static const struct timespec look = { .tv_nsec = LOOK_MS * 1000000L };
	int got = progress == DISPATCH_ENDS ? sigtimedwait(&d->signals, NULL, &look) :
		  sigwaitinfo(&d->signals, NULL);
	return got < 0 ? 0 : got;
}

/* All sources have come to their end: the exit status says what became of what they brought. */
static int told(enum dispatch_progress progress)
{
	switch (progress) {
	case DISPATCH_RUNS:
		return CLI_OK;
	case DISPATCH_DELIVERED:
		log_info("all sources have ended, and all is delivered: stopping");
		return CLI_OK;
	case DISPATCH_DIED:
		log_info("all sources have ended, and not all is delivered, see patchbay dead: stopping");
		return CLI_FAILED;
	default:
		log_info("all sources have ended; what is not delivered goes out at the next start");
		return CLI_FAILED;
	}
}

/* The exit status. */
static int wait_for_stop(struct daemon *d)
{
	struct reloader rl = {
		.cli = d->cli, .loader = d->loader, .config = &d->config, .dispatch = d->dispatch,
		.reloads = &d->reloads,
	};
	enum dispatch_progress progress = DISPATCH_RUNS;
	while (progress < DISPATCH_DELIVERED) {
		int got = next_signal(d, progress);
		if (got == SIGTERM || got == SIGINT) {
			log_info("stopping (%s)", got == SIGINT ? "SIGINT" : "SIGTERM");
			return told(dispatch_progress(d->dispatch));
		}
		if (got == SIGHUP)
			reloads_ask(&d->reloads);
		while (reloads_begin(&d->reloads))
			reload_run(&rl);
		dispatch_bury(d->dispatch);
		progress = dispatch_progress(d->dispatch);
	}
	return told(progress);
}

/* From here on a second SIGTERM or SIGINT ends at once. */
static void unblock_stop(void)
{
	sigset_t stop;
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	pthread_sigmask(SIG_UNBLOCK, &stop, NULL);
}

static int stop(struct daemon *d, int status)
{
	notify("STOPPING=1");
	unblock_stop();
	bool all = dispatch_stop(d->dispatch);
	step_at("stop: all stopped");
	control_close(d->control);
	d->control = NULL;
	if (!all) {
		/* Somebody is still inside a plugin: what it holds cannot be freed. All is on disk. */
		history_sync(d->history, HISTORY_WAIT);
		log_info("stopped; what was in flight is delivered again at the next start");
		_exit(status);
	}
	log_flush();
	log_info("stopped");
	return status;
}

static void close_all(struct daemon *d)
{
	if (d->control != NULL)
		control_close(d->control);
	if (d->dispatch != NULL)
		dispatch_free(d->dispatch);
	if (d->env.journal != NULL)
		metrics_free(&d->metrics);
	state_close(d->state);
	journal_close(d->journal);
	history_close(d->history);
	if (d->lock >= 0)
		close(d->lock);
	config_free(d->config);
	loader_close(d->loader);
	reloads_free(&d->reloads);
}

static void say_ready(const struct daemon *d)
{
	log_info("ready: patchbay " PACKAGE_VERSION ", %s, state %s", d->cli->config,
		 options_str(d->config->core, "state"));
	notify("READY=1");
	step_at("start: ready");
}

int daemon_run(struct cli *cli)
{
	if (cli->argc > 1)
		return cli_usage(cli, "takes no argument; the file comes after -c");
	if (cli->json)
		return cli_usage(cli, "takes no --json: its log is text");
	struct daemon d = { .cli = cli, .lock = -1 };
	reloads_init(&d.reloads, wake_main);
	int status = CLI_FAILED;
	block_signals(&d);
	log_open(PB_INFO);
	crash_open();
	raise_file_limit();
	if (!load(&d))
		goto out;
	reload_log_level(d.config->core);
	if (!open_store(&d) || !open_engine(&d) || !open_control(&d))
		goto out;
	say_ready(&d);
	status = stop(&d, wait_for_stop(&d));
	close_all(&d);
	return status;
out:
	if (d.dispatch != NULL && !dispatch_stop(d.dispatch))
		_exit(status);	/* somebody is still inside a plugin */
	close_all(&d);
	return status;
}
