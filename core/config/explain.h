/* explain.h - option tables as text, JSON and manual pages. */
#ifndef CONFIG_EXPLAIN_H
#define CONFIG_EXPLAIN_H

#include "base/buf.h"
#include "config/config.h"

enum explain_form { EXPLAIN_TEXT, EXPLAIN_JSON, EXPLAIN_MAN };

/* Append one plugin's page. */
void explain_plugin(struct buf *, const struct pb_plugin *, enum explain_form);
/* Append patchbay.ini(5): the format, [patchbay], routes, and the common options of each kind. */
void explain_ini(struct buf *, enum explain_form);

#endif
