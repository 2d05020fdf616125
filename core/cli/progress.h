/* progress.h - how far long work is, on a terminal. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what;
	bool shown;		/* standard error is a terminal, and standard output needs it not */
	bool there;		/* a line is shown now */
	int64_t next_ms;
};

/* `what` is being done; `prints` when lines of data come meanwhile. */
void progress_init(struct progress *, const char *what, bool prints);
/* So many bytes of so many: shown now and then. `progress` is a struct progress, for callbacks. */
void progress_tell(void *progress, uint64_t done, uint64_t total);
/* Take the line away: before anything is printed, and at the end. */
void progress_clear(struct progress *);

#endif
