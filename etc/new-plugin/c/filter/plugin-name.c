/*
 * plugin-name - a filter for patchbay: puts a field of the event's JSON body into an attribute.
 *
 * It is whole, works, and is meant to be changed: put what you do with an event into the place of
 * plugin_name_apply(). What a filter has to see to, and where that is here:
 *
 * Options     a table, at the end. The core reads the section, refuses what is wrong at its
 *             line, and explains it all in `patchbay plugins plugin-name`.
 * The event   is this call's own copy: change it and hand it on with pb_pass(), or make others
 *             and hand those on; what is not passed is dropped.
 * Failures    -EAGAIN: later again, as when memory is short; -EBADMSG: never, a dead letter with
 *             the reason. Either is of this one event; the others go on.
 * Again       apply() may run more than once for an event: after a crash, or for a sink that fell
 *             behind. So it remembers nothing of an event that changes what it does with the next.
 * Threads     one at a time; with `workers = 4` there are four instances with a state each.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <patchbay/plugin.h>

/* One section's. There is nothing else: no variable outlives or is shared by sections. */
struct plugin_name_filter {
	struct pb_self *self;
	struct pb_metric *missed;
};

/* What the table cannot say. No side effects: `patchbay check` calls it too. */
static void plugin_name_check(struct pb_self *self, struct pb_error *err)
{
	const char *name = pb_str(self, "attribute");
	if (*name == '\0' || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.-")] != '\0')
		pb_error(err, "attribute", "expected a-z, 0-9, _, . and -");
	if (strcmp(name, "id") == 0)
		pb_error(err, "attribute", "an event keeps its id");
}

static void *plugin_name_open(struct pb_self *self, struct pb_error *err)
{
	struct plugin_name_filter *f = calloc(1, sizeof *f);
	if (f == NULL)
		return pb_error(err, NULL, "out of memory");
	f->self = self;
	f->missed = pb_counter(self, "missed", "Events without the field.");
	return f;
}

static void plugin_name_close(void *state)
{
	free(state);
}

/* As the option says of an event without the field. */
static int plugin_name_miss(struct plugin_name_filter *f, struct pb_event *ev, struct pb_error *err)
{
	const char *what = pb_str(f->self, "missing");
	pb_add(f->missed, 1);
	if (strcmp(what, "reject") == 0) {
		pb_error(err, NULL, "there is no field %s", pb_str(f->self, "field"));
		return -EBADMSG;
	}
	if (strcmp(what, "pass") == 0)
		pb_pass(f->self, ev);
	return 0;
}

static int plugin_name_apply(void *state, struct pb_event *ev, struct pb_error *err)
{
	struct plugin_name_filter *f = state;
	struct pb_span field = pb_field(ev, pb_str(f->self, "field"));
	if (field.data == NULL)
		return plugin_name_miss(f, ev, err);

	char *text = pb_text(field);
	int failed = text == NULL ? -ENOMEM : pb_event_set(ev, pb_str(f->self, "attribute"), text);
	free(text);
	if (failed == -ENOMEM) {
		pb_error(err, NULL, "out of memory");
		return -EAGAIN;
	}
	if (failed < 0) {
		pb_error(err, NULL, "the field %s is no text for an attribute", pb_str(f->self, "field"));
		return -EBADMSG;
	}
	pb_pass(f->self, ev);
	return 0;
}

static const struct pb_option options[] = {
	{ .name = "field", .type = PB_STRING,
	  .help = "The field of the JSON body, as report.name or rows.0; a value that is no string "
		  "is taken as it is written." },
	{ .name = "attribute", .type = PB_STRING, .value = "subject",
	  .help = "The attribute that gets its text." },
	{ .name = "missing", .type = PB_CHOICE, .value = "pass", .choices = "pass drop reject",
	  .help = "What becomes of an event without the field: passed as it is, dropped, or made a "
		  "dead letter." },
	{ 0 }
};

PB_PLUGIN(.name = "plugin-name", .version = "0.1",
	  .summary = "A field of the body becomes an attribute",
	  .filter = PB_FILTER(.options = options, .check = plugin_name_check,
			      .open = plugin_name_open, .close = plugin_name_close,
			      .apply = plugin_name_apply));
