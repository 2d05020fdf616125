/* escape.h - text from outside, fit for a terminal. */
#ifndef CLI_ESCAPE_H
#define CLI_ESCAPE_H

#include <stdio.h>

#include <patchbay/plugin.h>

/* Print `text` in lines that begin with `indent`, ending in a newline unless it is empty; what could speak to the
 * terminal (control bytes but tab and newline) and what is not UTF-8 is shown as \xNN. */
void escape_print(FILE *, struct pb_span text, const char *indent);

#endif
