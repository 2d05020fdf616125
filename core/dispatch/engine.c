/* engine.c - what those that build, reload and stop the engine share. */
#include "dispatch/engine.h"

#include "base/memory.h"

void dispatch_add_writer(struct dispatch *d, struct sender *s)
{
	d->writers = xrealloc(d->writers, d->n_writers + 1, sizeof(struct sender *));
	d->writers[d->n_writers++] = s;
}

int dispatch_on_router(struct dispatch *d, struct inbox_call *call)
{
	return (d->env.on_router != NULL ? d->env.on_router : inbox_call)(&d->router.inbox, call);
}
