/* verb.h - the verbs themselves, each of which appends the whole answer to one request: for verbs.c only. */
#ifndef CONTROL_VERB_H
#define CONTROL_VERB_H

#include <jansson.h>

#include "control/reply.h"
#include "control/verbs.h"

/* One request under way. */
struct verb_call {
	const struct control_env *env;
	uid_t uid;		/* who asks */
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

/* "sinks": each of them. "sink-set": `name` gets the `mode` enabled, disabled or draining, for the `reason`. */
void verb_sinks(struct verb_call *);
void verb_sink_set(struct verb_call *);
/* "sink-retry": what waits for the sink `name` is tried now. */
void verb_sink_retry(struct verb_call *);
/* Answers that there is no such sink, and which is the nearest. */
void verb_no_sink(struct verb_call *, const char *name);
/* "reload": asks for one, and answers with its `number`. "reload-result" of a `number`: {"type":"reload","done":…,"right":…}
 * after what it has to say: a line {"level":…,"file":…,"message":…} for each error and warning, and
 * {"type":"section","change":…,"section":…} for each section that differs. */
void verb_reload(struct verb_call *);
void verb_reload_result(struct verb_call *);
/* "dead": a page of dead letters and a last line {"type":"page","more":…,"at":…}, to be asked for next; `sink`, `route`,
 * `type`, `reason`, `id`, `since`, `until` (ms) choose, `most` limits, `whole` adds response and event, one letter a page.
 * "dead-replay" and "dead-purge" take the same, and `dry_run`, and answer with the page's counts alone. */
void verb_dead(struct verb_call *);
void verb_dead_replay(struct verb_call *);
void verb_dead_purge(struct verb_call *);
/* "replay": a page of the journal is delivered again to the sink `to`; `route`, `type`, `id`, `since`, `until` (ms) choose, `dry_run`
 * only counts. {"type":"page",…} with the counts, whether there is `more`, and `at`, to be asked for next. */
void verb_replay(struct verb_call *);
/* "trace": where the events with the `id`, or else the one with the number `seq`, are, and what became of them, an object each;
 * then {"type":"history",…}: how far back that goes. */
void verb_trace(struct verb_call *);

#endif
