/* status.h - the other faces of `patchbay status`. */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H

#include "cli/cli.h"

/* --ages: each lane's backlog by age. The command's exit status. */
int status_ages(struct cli *);
/* --prometheus: everything that is counted, in the text format that Prometheus reads. Nothing is printed of an
 * answer that is not whole. Likewise. */
int status_prometheus(struct cli *);

#endif
