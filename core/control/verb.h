/* verb.h - the verbs themselves, each of which appends the whole answer to one request: for verbs.c only. */
#ifndef CONTROL_VERB_H
#define CONTROL_VERB_H

#include <jansson.h>

#include "control/reply.h"
#include "control/verbs.h"

/* One request under way. */
struct verb_call {
	const struct control_env *env;
	const json_t *args;	/* an object or NULL */
	struct buf *out;
};

/* End the answer: `result` is 0 or -errno. The server's thread. */
void verb_done(struct verb_call *, int result);

/* "status": the daemon, each instance, each lane. */
void verb_status(struct verb_call *);
/* "ages": each lane's backlog by age. */
void verb_ages(struct verb_call *);
/* "metrics": a line {"metric":NAME,"kind":"counter|gauge|histogram","help":…} and after it one for each of its values,
 * {"labels":{…},"value":N}. A histogram's first line has "limits", its values are {"labels":{…},"counts":[…],"sum":N} with
 * one count more than there are limits, none of which holds another. Times are seconds. */
void verb_metrics(struct verb_call *);

#endif
