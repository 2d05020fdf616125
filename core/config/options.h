/*
 * options.h - one section's values against the option tables that declare them.
 *
 * A table is parser, validator, default and manual. A section is read against two:
 * its plugin's own and the common one of its kind, which must not overlap.
 * Getters cannot fail: a name that no table has, or another type, aborts (a bug).
 */
#ifndef CONFIG_OPTIONS_H
#define CONFIG_OPTIONS_H

#include <patchbay/plugin.h>

#include "config/report.h"
#include "event/template.h"

struct options;

/* One `key = value` as it stands in the file, `${…}` already filled in. */
struct setting {
	char *key, *value;
	struct place place;
	bool used;		/* set by options_read() */
	bool secret;		/* came from a ${…}: never quoted */
	bool failed;		/* a ${…} of it could not be filled in, which is reported */
	char *exposed;		/* a file of it that every user can read, or NULL */
};

struct section {
	char *kind, *name;	/* "sink", "team"; name "" for [patchbay] */
	char *title;		/* "sink team" or "patchbay" */
	struct place place;
	struct setting *settings;
	size_t n, room;
	bool public;		/* it stands in a file that every user can read */
};

/* What an option table itself gets wrong (a default outside its limits, a bad name, no help, a
 * choice without choices, a name twice or in `common`): entries in `err`, one each. True when
 * it is sound. */
bool options_table_sound(const struct pb_option *own, const struct pb_option *common,
			 struct pb_error *err);

/* Parse `section` against the tables (either may be NULL). Everything wrong goes to the report:
 * unknown keys (with the nearest name), bad values (with what was expected), missing required
 * ones. Always returns an object; one with errors must not be used for opening. `own` and
 * `common` must outlive it. */
struct options *options_read(struct section *, const struct pb_option *own,
			     const struct pb_option *common, struct report *);
void options_free(struct options *);

/* The values, valid until options_free(): the text of every type that is no number or list; a
 * number, ms or bytes; a list that ends in NULL; was it written; the compiled template, NULL
 * when unset. */
const char *options_str(const struct options *, const char *name);
int64_t options_int(const struct options *, const char *name);
bool options_bool(const struct options *, const char *name);
const char *const *options_list(const struct options *, const char *name);
bool options_isset(const struct options *, const char *name);
const struct template *options_template(const struct options *, const char *name);
/* The type of the option, or -1 when no table has it. */
int options_type(const struct options *, const char *name);
/* Where the option was written, else where its section begins. */
struct place options_place(const struct options *, const char *name);
/* Is each option of the plugin's own table (`own`) within it, and there when required? Then all of them
 * may be asked for, whatever else of the section is wrong. */
bool options_own_sound(const struct options *);
/* Each option that was written, with its text, secrets too: for a process of the section's own. */
void options_each_written(const struct options *, void (*each)(void *arg, const char *name, const char *text), void *arg);
/* True when both hold the same values: an unchanged section over a reload. */
bool options_equal(const struct options *, const struct options *);
/* Is the one option's value the same in both? */
bool options_same(const struct options *, const struct options *, const char *name);
/* Of equal ones: `to` stands where `from` was written. Nobody else may ask for places meanwhile. */
void options_move(struct options *to, const struct options *from);
/* Move every entry of `err` to the report at the option's own line or the section's. One about
 * an option that is secret, or came from a ${…}, has "(secret)" where it quotes its value. */
void options_report(const struct options *, const char *title, struct pb_error *err,
		    struct report *);

#endif
