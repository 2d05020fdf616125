/*
 * conform.h - the conformance suite: what its files share.
 *
 * A plugin is put through rules. Each runs in a child process of its own, in which the plugin
 * is loaded, so that a crash or a hang is a result. The child says what it is doing and what
 * came out in memory that it shares with the suite; a rule that fails or is skipped ends
 * the child at once. What the plugin sees of the core is the host of <patchbay/testing.h>: this
 * folder knows no more of it than a test of a plugin does.
 */
#ifndef CONFORM_CONFORM_H
#define CONFORM_CONFORM_H

#include <sys/types.h>

#include <patchbay/testing.h>

#define DOING_MAX 200
#define REASON_MAX 4000
#define FEEDERS_MAX 16
#define ENDS_CHILD __attribute__((noreturn))

enum kind {
	KIND_SOURCE = 1,
	KIND_FILTER = 2,
	KIND_SINK = 4,
	KIND_ANY = 7
};

enum verdict {
	NO_VERDICT,		/* the child ended without a word */
	PASS,
	FAIL,
	SKIP
};

/* `name=value` of the command line. */
struct given {
	char *name;
	const char *value;
};

struct givens {
	struct given *at;
	size_t n;
};

/* What the command line asks for. */
struct wanted {
	char *file;		/* a path with a slash in it */
	char *name;		/* the file's, less ".so" */
	unsigned kind;		/* 0: the one that there is */
	struct givens options;
	struct givens failing;	/* in their place, or beside them: nothing succeeds */
	const char *feed;	/* shell command that causes events; NULL: none */
	const char *body, *type;	/* of an ordinary event */
	int64_t limit;		/* ms for a rule */
	int64_t stop_limit;	/* ms for a stop */
	int64_t memory;		/* bytes that back-pressure may take */
	int64_t rounds;		/* of opening and closing */
	const char *const *only;	/* globs, ending in NULL; NULL: all rules */
	const char *junit;
	bool json, list;
};

/* Whether something that rules need is to be had: found out once. */
enum known { UNKNOWN, YES, NO };

/* In memory that child and suite share. */
struct told {
	/* one rule's */
	_Atomic int verdict;
	char doing[DOING_MAX];
	char reason[REASON_MAX];
	pid_t feeders[FEEDERS_MAX];	/* process groups; 0: none */
	_Atomic bool storm_over;
	/* the plugin's */
	unsigned kinds;			/* that it offers */
	char about[DOING_MAX];
	bool accepted;			/* the host takes its descriptor */
	bool refused;			/* it does not open with the options given, and options.opens has said why */
	enum known events;		/* come of its source */
	enum known delivers;		/* its sink */
	char why_not[DOING_MAX];
};

struct rule;

/* A rule being checked, in its child. */
struct check {
	const struct wanted *wanted;
	const struct rule *rule;
	enum kind kind;
	struct told *told;
	struct pbt_host *host;
	const struct pb_plugin *plugin;	/* once loaded */
	int feed_log;			/* what the feeders print */
	int feed_status;		/* the last one's that ended: as of waitpid() */
};

struct rule {
	const char *name;		/* "group.what" */
	unsigned kinds;
	bool raw;			/* looks at a plugin that the host may refuse */
	const char *meaning;		/* one line */
	void (*run)(struct check *);
};

/* All rules in order, ending with a NULL name; rules.c. */
extern const struct rule rules[];

/* End the child: it fails, or is skipped. A text of several lines is cut to the first. */
void check_fail(struct check *, const char *fmt, ...) PB_PRINTF(2, 3) ENDS_CHILD;
void check_skip(struct check *, const char *fmt, ...) PB_PRINTF(2, 3) ENDS_CHILD;
/* What the plugin is asked to do from now on: said of it when it crashes or hangs. */
void doing(struct check *, const char *fmt, ...) PB_PRINTF(2, 3);
/* "source", "filter" or "sink". */
const char *kind_name(enum kind);
/* ms, monotonic; and a pause. */
int64_t now_ms(void);
void pause_ms(int ms);

/* box.c: the plugin in its host. Each says what it does, and fails the rule when the plugin does
 * not do its part. */

/* Load it. */
void box_load(struct check *);
/* Open a section by that name with the options given; when it does not open, the rule is skipped. */
struct pbt_instance *box_open(struct check *, const char *name);
/* Likewise with the failing ones, and `also` (or NULL). Skipped when there are none. */
struct pbt_instance *box_open_failing(struct check *, const char *name, const struct given *also);
/* Open it with `instead` in place of what is given of that name (NULL: as given), and without
 * `without` (or NULL); NULL when it does not. Then *line (or NULL) is that of `instead`. */
struct pbt_instance *box_try(struct check *, const char *name, const struct given *instead,
			     const char *without, unsigned *line);
void box_close(struct check *, struct pbt_instance *);
/* Start run(); and stop it within the limit: what it returns. */
void box_start(struct check *, struct pbt_instance *);
int box_stop(struct check *, struct pbt_instance *);
/* Close all and unload. What it left is the rule's failure only if `clean`. How many things. */
int box_free(struct check *, bool clean);
/* Load, open by the name "test", and start a source. */
struct pbt_instance *box_ready(struct check *);

/* feed.c: events for a source. */

/* Run the feed command once, beside the rule. Its process id; `limit` is how many may run. */
pid_t feed_begin(struct check *, struct pbt_instance *);
/* Wait until this one has ended; c->feed_status is how. False after `ms`. */
bool feed_wait(struct check *, pid_t, int64_t ms);
/* Wait up to `ms` for all that run, then kill those left. */
void feed_end(struct check *, int64_t ms);
/* Let events come until `n` more are emitted, or one, when they come by themselves; false when they do not. */
bool feed_events(struct check *, struct pbt_instance *, size_t n);
/* Does a source that has just been started emit at all? Then what came is committed, if it commits. The answer
 * is kept for the rules to come. */
bool feed_works(struct check *, struct pbt_instance *);
/* The rule needs events: skipped when none come. */
void feed_need(struct check *, struct pbt_instance *);
/* The rule needs a feed command: skipped when there is none. */
void feed_need_command(struct check *);

/* events.c: events for sinks and filters. */

/* One as the command line describes it. */
struct pb_event *event_ordinary(struct check *);
/* The i-th that a plugin would rather not see, *what it is; NULL past the last. */
struct pb_event *event_hostile(struct check *, size_t i, const char **what);

/* deliver.c: deliveries for a sink. */

/* The most that one batch may hold, at most 256. */
size_t deliver_most(struct check *, struct pbt_instance *);
/* Hand over the events as one batch and wait; each must be answered within the sink's timeout, or
 * left where that is allowed. Calls each(arg, i, answer) for them; NULL: not. */
void deliver_batch(struct check *, struct pbt_instance *, struct pb_event *const evs[], size_t n,
		   void (*each)(void *arg, size_t i, const struct pbt_answer *), void *arg);
/* One ordinary event until it is answered; what came of it. Its texts are gone. */
enum pb_code deliver_one(struct check *, struct pbt_instance *);
/* One likewise: why it is not ok, in `reason`. */
enum pb_code deliver_told(struct check *, struct pbt_instance *, char reason[static DOING_MAX]);

/* work.c: the usual work of each kind, a little of everything. A source needs no events for it. */
void work(struct check *, struct pbt_instance *);
/* Load, open, work, close and unload. */
void work_whole(struct check *, bool clean);

/* census.c: what this process has. */

/* How many descriptors and threads. */
size_t census_descriptors(void);
size_t census_threads(void);
/* Bytes of the heap in use, 0 when that cannot be told; bytes resident. */
size_t census_heap(void);
size_t census_resident(void);
/* Call for each descriptor, or thread. */
void census_each(bool threads, void (*each)(void *arg, long number), void *arg);
/* What descriptor `fd` is open on. */
const char *census_target(int fd, char text[static DOING_MAX]);

#endif
