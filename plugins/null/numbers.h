/* numbers.h - the source of plugin null: events with a number in them. */
#ifndef NULL_NUMBERS_H
#define NULL_NUMBERS_H

#include <patchbay/plugin.h>

/* Its options; ends in {0}. */
extern const struct pb_option numbers_options[];
/* As struct pb_source has them. */
void *numbers_open(struct pb_self *, struct pb_error *);
void numbers_close(void *state);
int numbers_run(void *state);
void numbers_settled(void *state, void *token, const struct pb_receipt *);

#endif
