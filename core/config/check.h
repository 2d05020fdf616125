/* check.h - what does not go together, and what is legal but surely wrong. */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "config/config.h"

/* Add the errors and warnings about a loaded configuration as a whole to the report. */
void config_check(const struct config *, struct report *);

#endif
