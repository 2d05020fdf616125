/* check.h - what is legal but surely wrong. */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "config/config.h"

/* Add the warnings about a loaded configuration to the report. */
void config_check(const struct config *, struct report *);

#endif
