/*
 * reload-sinks.c - sinks that cannot be opened while an old one is: a file is locked by whoever writes it.
 *
 * Those of the same plugin that are to go are given nothing more, and closed once they have answered what they have. If
 * the new ones cannot be opened then either, the old ones are opened again.
 */
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/memory.h"
#include "dispatch/build.h"
#include "dispatch/reload.h"

#define LOOK_MS 5
#define SPARE_MS 1000		/* beyond the sink's timeout */

void reload_pause(struct inbox_call *call)
{
	struct reload *rl = (struct reload *)call;
	struct outlet *o = rl->outlet;
	o->paused = rl->pause;
	rl->idle = o->in_flight == 0;
	if (!o->paused)
		router_pump(o->router, o);
}

static void pause_outlet(struct reload *rl, struct outlet *o, bool pause)
{
	rl->call.run = reload_pause;
	rl->outlet = o;
	rl->pause = pause;
	dispatch_on_router(rl->d, &rl->call);
}

/* It has answered all, and is not inside its plugin. */
static bool wait_for(struct reload *rl, struct outlet *o)
{
	const struct clock *clock = rl->d->env.instance.clock;
	int64_t until = clock_mono(clock) + options_int(o->config->options, "timeout") + SPARE_MS;
	for (pause_outlet(rl, o, true); !rl->idle; pause_outlet(rl, o, true)) {
		if (clock_mono(clock) > until)
			return false;
		if (rl->d->router.started)
			nanosleep(&(struct timespec){ .tv_nsec = LOOK_MS * 1000000L }, NULL);
	}
	return sender_leave(o->sender, o, clock, until + SPARE_MS);
}

static void open_again(struct reload *rl, struct outlet *o)
{
	struct pb_error err;
	error_init(&err);
	if (o->self.opened || instance_open(&o->self, &err)) {
		sender_remove(o->sender, o);
		sender_add(o->sender, o);
		pause_outlet(rl, o, false);
	} else {
		log_write(PB_ERROR, o->self.title, "cannot be opened again as it was: %s; it is given nothing until "
			  "the next reload", error_text(&err));
	}
	error_free(&err);
}

void reload_sinks_undo(struct reload *rl)
{
	for (size_t i = 0; i < rl->n_late; i++) {
		sender_remove(rl->late[i]->sender, rl->late[i]);
		instance_close(&rl->late[i]->self);
	}
	for (size_t i = 0; i < rl->n_closed; i++)
		open_again(rl, rl->closed[i]);
	rl->n_closed = 0;
}

/* Isolated or not. */
static bool is_same_plugin(const struct outlet *a, const struct outlet *b)
{
	return strcmp(a->config->plugin, b->config->plugin) == 0;
}

static bool same_plugin(const struct reload *rl, const struct outlet *o)
{
	for (size_t i = 0; i < rl->n_late; i++)
		if (is_same_plugin(rl->late[i], o))
			return true;
	return false;
}

/* Is it an old one that the new configuration has not? */
bool reload_goes(const struct config_instance *in)
{
	return in->other == NULL || !in->other->same;
}

bool reload_may_wait(const struct reload *rl, const struct outlet *o)
{
	const struct router *r = &rl->d->router;
	for (size_t i = 0; i < r->n_outlets; i++)
		if (is_same_plugin(r->outlets[i], o) && reload_goes(r->outlets[i]->config))
			return true;
	return false;
}

void reload_sinks(struct reload *rl)
{
	struct router *r = &rl->d->router;
	unsigned before = rl->report->errors;
	for (size_t i = 0; i < r->n_outlets && rl->n_late > 0; i++) {
		struct outlet *o = r->outlets[i];
		if (!same_plugin(rl, o) || !reload_goes(o->config))
			continue;
		rl->closed = xrealloc(rl->closed, rl->n_closed + 1, sizeof(struct outlet *));
		rl->closed[rl->n_closed++] = o;
		if (wait_for(rl, o))
			instance_close(&o->self);
		else
			report_error(rl->report, o->config->place, o->self.title, NULL,
				     "did not answer within its timeout, so that what takes its place could not be "
				     "opened");
	}
	for (size_t i = 0; i < rl->n_late && rl->report->errors == before; i++)
		reload_open_outlet(rl, rl->late[i], rl->report);
}
