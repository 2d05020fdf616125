/* filter.c - a filter at one event. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "event/event.h"
#include "testing/host.h"

#define PASSED_MAX 1024		/* as in the daemon */

struct stage {
	struct pb_event *own;	/* apply()'s, until it is passed; NULL outside */
	bool applying;
	pthread_t thread;
	struct pb_event **passed;
	size_t n, room;
	char *reason;
};

void stage_new(struct pbt_instance *in)
{
	in->self.stage = xcalloc(1, sizeof *in->self.stage);
	in->self.stage->reason = xstrdup("");
}

static void forget(struct stage *st)
{
	for (size_t i = 0; i < st->n; i++)
		event_unref(st->passed[i]);
	st->n = 0;
}

void stage_free(struct pbt_instance *in)
{
	struct stage *st = in->self.stage;
	forget(st);
	free(st->passed);
	free(st->reason);
	free(st);
}

void pb_pass(struct pb_self *self, struct pb_event *ev)
{
	struct stage *st = self->stage;
	if (st == NULL || !st->applying || !pthread_equal(st->thread, pthread_self()))
		misuse(self, "called pb_pass() outside apply()");
	if (ledger_take(ev, self, "pb_pass():") == OWNER_CORE)
		st->own = NULL;
	/* A copy, so that a sanitizer sees it when the plugin looks at it again. */
	struct pb_event *copy = event_copy(ev, event_body(ev));
	event_unref(ev);
	if (copy == NULL)
		misuse(NULL, "out of memory");
	if (st->n == st->room) {
		st->room = st->room * 2 + 4;
		st->passed = xrealloc(st->passed, st->room, sizeof(struct pb_event *));
	}
	st->passed[st->n++] = copy;
}

/* "ID", "ID~2" and so on. */
static bool name_passed(struct stage *st, const struct pb_event *ev)
{
	char id[EVENT_ID_MAX + 16];
	for (size_t i = 0; i < st->n; i++) {
		if (i == 0)
			snprintf(id, sizeof id, "%s", event_id(ev));
		else
			snprintf(id, sizeof id, "%s~%zu", event_id(ev), i + 1);
		if (event_set(st->passed[i], "id", id) < 0)
			return false;
	}
	return true;
}

static int call_apply(struct pbt_instance *in, const struct pb_event *ev, struct pb_error *err)
{
	struct stage *st = in->self.stage;
	st->own = event_copy(ev, event_body(ev));
	if (st->own == NULL)
		misuse(NULL, "out of memory");
	ledger_add(st->own, in->host, &in->self, OWNER_CORE);
	st->thread = pthread_self();
	st->applying = true;
	int result = in->host->plugin->filter->apply(in->self.state, st->own, err);
	st->applying = false;
	if (st->own != NULL) {
		ledger_take(st->own, &in->self, "apply():");
		event_unref(st->own);
		st->own = NULL;
	}
	return result == 0 || result == -EAGAIN ? result : -EBADMSG;
}

int pbt_apply(struct pbt_instance *in, const struct pb_event *ev)
{
	must_be(in, CONFIG_FILTER, "pbt_apply");
	struct stage *st = in->self.stage;
	struct pb_error err;
	forget(st);
	error_init(&err);
	int result = call_apply(in, ev, &err);
	if (result == 0 && st->n > PASSED_MAX) {
		error_add(&err, NULL, "made more than %d events of one", PASSED_MAX);
		result = -EBADMSG;
	} else if (result == 0 && !name_passed(st, ev)) {
		error_add(&err, NULL, "no id can be made: that of the event is too long");
		result = -EBADMSG;
	}
	free(st->reason);
	st->reason = xstrdup(result == 0 ? "" : error_text(&err));
	error_free(&err);
	if (result != 0)
		forget(st);
	return result;
}

size_t pbt_n_passed(const struct pbt_instance *in)
{
	must_be(in, CONFIG_FILTER, "pbt_n_passed");
	return in->self.stage->n;
}

const struct pb_event *pbt_passed(const struct pbt_instance *in, size_t i)
{
	must_be(in, CONFIG_FILTER, "pbt_passed");
	if (i >= in->self.stage->n)
		misuse(&in->self, "passed %zu events: there is no [%zu]", in->self.stage->n, i);
	return in->self.stage->passed[i];
}

const char *pbt_reason(const struct pbt_instance *in)
{
	must_be(in, CONFIG_FILTER, "pbt_reason");
	return in->self.stage->reason;
}
