/* check.h - what does not go together, and what is legal but surely wrong. */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "config/config.h"

/* Add the errors and warnings about a loaded configuration as a whole to the report. */
void config_check(const struct config *, struct report *);

/* A sink's `order_by`, as its section is read: what is wrong with it goes to `err`. */
void check_order_by(const struct options *, struct pb_error *err);

#endif
