/*
 * reload.c - SIGHUP and `patchbay reload`.
 *
 * Of [patchbay] only what LIVE names takes effect: the rest stays as it was at the start, and a warning says so.
 */
#include "core/reload.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/notify.h"
#include "dispatch/reload.h"
#include "event/json.h"
#include "plugin/checked.h"

static const char *const live[] = { "include", "keep", "log_level", "memory", "shutdown_timeout" };

static enum pb_level level_of(const struct options *core)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };
	unsigned i = 0;
	while (strcmp(names[i], options_str(core, "log_level")) != 0)
		i++;
	return (enum pb_level)i;
}

void reload_log_level(const struct options *core)
{
	log_open(level_of(core));
}

struct warning {
	const struct config *now;
	struct report *report;
};

static void warn_restart(void *arg, const char *name)
{
	const struct warning *w = arg;
	for (size_t i = 0; i < sizeof live / sizeof *live; i++)
		if (strcmp(live[i], name) == 0)
			return;
	report_warning(w->report, options_place(w->now->core, name), "patchbay", name,
		       "needs a restart to take effect: the old value stays");
}

/* The daemon goes on with the [patchbay] that it began with, but for what is live. */
static void swap_core(struct config *now, struct config *old)
{
	struct options *core = now->core;
	now->core = old->core;
	old->core = core;
}

static bool take(struct reloader *rl, struct config *now, struct report *report, struct config_changes *changes)
{
	const struct options *core = now->core;
	size_t memory = (size_t)options_int(core, "memory");
	int64_t shutdown_ms = options_int(core, "shutdown_timeout");
	struct keep keep = config_keep(core);
	config_each_core_change(now, *rl->config, warn_restart, &(struct warning){ now, report });
	enum pb_level level = level_of(core);
	swap_core(now, *rl->config);
	bool taken = dispatch_reload(rl->dispatch, now, *rl->config, rl->loader, report, changes);
	if (taken) {
		dispatch_limits(rl->dispatch, memory, shutdown_ms, &keep);
		if (level != log_shown()) {
			log_level(level);
			dispatch_reopen(rl->dispatch);	/* so that isolated sections know it too */
		}
		*rl->config = now;
	} else {
		swap_core(now, *rl->config);
		config_free(now);
	}
	return taken;
}

/* What is told to whoever asked: a line an entry of the report, and one for each section. */
static void tell(struct buf *to, struct report *report, const struct config_changes *changes)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (f != NULL) {
		report_print(report, f, true);
		fclose(f);
		buf_add(to, text, len);
		free(text);
	}
	for (int kind = 0; kind < CHANGE_KINDS; kind++)
		for (unsigned i = 0; i < changes->counts[kind] && i < CHANGES_MAX; i++) {
			buf_printf(to, "{\"type\":\"section\",\"change\":\"%s\",\"section\":",
				   config_change_name((enum config_change_kind)kind));
			json_quote(to, (struct pb_span){ changes->titles[kind][i],
							 strlen(changes->titles[kind][i]) });
			buf_add_str(to, "}\n");
		}
}

static bool reload(struct reloader *rl, struct buf *lines)
{
	struct report report;
	struct config_changes changes = { 0 };
	report_init(&report);
	struct config *now = checked_load(rl->cli->config, rl->loader, &report);
	bool right = false;
	if (report.errors == 0)
		right = take(rl, now, &report, &changes);
	else
		config_free(now);
	report_log(&report);
	if (right)
		log_info("reloaded: %u sections added, %u changed, %u removed", changes.counts[CHANGE_ADDED],
			 changes.counts[CHANGE_CHANGED], changes.counts[CHANGE_REMOVED]);
	else
		log_error("the configuration is not taken, the old one stays: %u error%s", report.errors,
			  report.errors == 1 ? "" : "s");
	tell(lines, &report, right ? &changes : &(struct config_changes){ 0 });
	config_changes_free(&changes);
	report_free(&report);
	return right;
}

void reload_run(struct reloader *rl)
{
	struct buf lines = BUF_INIT(BUF_MAX);
	notify_reloading();
	log_info("opening files again, and reading the configuration");
	dispatch_reopen(rl->dispatch);
	bool right = reload(rl, &lines);
	dispatch_note_reload(rl->dispatch, right);
	notify("READY=1");
	reloads_end(rl->reloads, right, &lines);
}
