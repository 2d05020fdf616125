/* ending.h - how the process ends when what is on disk is no longer known. */
#ifndef DISPATCH_ENDING_H
#define DISPATCH_ENDING_H

#include <unistd.h>

/* A test puts a function of its own there, which returns: then nothing that the engine does counts any more, and
 * all that may be done with it is to free it. */
struct ending {
	void (*end)(void *arg);	/* NULL: _exit(1) */
	void *arg;
};

/* End; why was logged. [any thread] */
static inline void ending_end(const struct ending *e)
{
	if (e->end == NULL)
		_exit(1);
	e->end(e->arg);
}

#endif
