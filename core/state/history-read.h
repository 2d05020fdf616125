/* history-read.h - one file of the history: for the history alone. */
#ifndef STATE_HISTORY_READ_H
#define STATE_HISTORY_READ_H

#include "state/history.h"

/* The file's salt, where its last valid chunk ends, and the highest number of an event in it, which raises *last. 0; -EBADMSG:
 * it is no such file; -errno. */
int history_file_look(const char *name, uint64_t *salt, uint64_t *end, uint64_t *last);

#endif
