/* host.h - the process of an isolated section: this very program, begun by the daemon (dispatch/isolate.h). */
#ifndef CORE_HOST_H
#define CORE_HOST_H

#include <stdbool.h>

/* Were we begun as one? `argc` and `argv` are main()'s. */
bool host_wanted(int argc, char *const argv[]);
/* What it does, until the daemon tells it to stop, or is gone. The exit status. */
int host_run(void);

#endif
