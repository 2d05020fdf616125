/* explain-part.h - the forms of explain.h, a file each. */
#ifndef CONFIG_EXPLAIN_PART_H
#define CONFIG_EXPLAIN_PART_H

#include "config/explain.h"

/* One of a plugin's up to three parts. */
struct explain_part {
	enum config_kind kind;
	const struct pb_option *options;	/* NULL: none */
};

/* The plugin's parts; how many. */
size_t explain_parts(const struct pb_plugin *, struct explain_part parts[static CONFIG_KINDS]);
/* Append what a value looks like: "duration, 1s to 1h" or "json | raw". */
void explain_type(struct buf *, const struct pb_option *);
/* Append the names of a table, with commas. */
void explain_names(struct buf *, const struct pb_option *);

/* explain_plugin() and explain_ini() in one form. */
void explain_plugin_man(struct buf *, const struct pb_plugin *);
void explain_ini_man(struct buf *);
void explain_plugin_json(struct buf *, const struct pb_plugin *);
void explain_ini_json(struct buf *);

#endif
