/* kinds.h - what the descriptor in exec.c is made of: the functions of patchbay/plugin.h, for each kind. */
#ifndef EXEC_KINDS_H
#define EXEC_KINDS_H

#include <patchbay/plugin.h>

/* As struct pb_source has them. */
void source_check(struct pb_self *, struct pb_error *);
void *source_open(struct pb_self *, struct pb_error *);
void source_close(void *state);
int source_run(void *state);
void source_settled(void *state, void *token, const struct pb_receipt *);
void source_reopen(void *state);

/* As struct pb_sink has them. */
void sink_check(struct pb_self *, struct pb_error *);
void *sink_open(struct pb_self *, struct pb_error *);
void sink_close(void *state);
void sink_submit(void *state, struct pb_delivery *const d[], size_t n);
void sink_stop(void *state);
void sink_reopen(void *state);

/* As struct pb_filter has them. */
void *filter_open(struct pb_self *, struct pb_error *);
void filter_close(void *state);
int filter_apply(void *state, struct pb_event *, struct pb_error *);

#endif
