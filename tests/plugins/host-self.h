/* host-self.h - what the files of the host share. */
#ifndef TESTS_HOST_SELF_H
#define TESTS_HOST_SELF_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "base/thread.h"
#include "plugins/host.h"

struct pb_metric {
	struct pb_metric *next;
	const char *name;
	_Atomic int64_t value;
};

/* One option's value. */
struct setting {
	const struct pb_option *option;
	char *text;
	int64_t number;
	char **list;		/* ends in NULL */
	bool set;
};

struct pb_self {
	struct host *host;
	const char *name;
	struct setting *settings;
	size_t n;
	struct pb_metric *metrics;
};

struct host_sink {
	struct pb_self self;
	void *state;
};

struct host {
	const struct pb_plugin *plugin;
	struct pb_self self;		/* the plugin's own, for load() */
	void *shared;
	unsigned sinks;			/* open ones */
	char *errors;
	pthread_mutex_t lock;		/* guards the log and every delivery's answer */
	pthread_cond_t answered;
	struct buf log;
};

/* The test, or the plugin, does what it must not. */
void host_bug(const char *fmt, ...) PB_PRINTF(1, 2) __attribute__((noreturn));
/* "name = value" into its two; both to be freed. */
void setting_split(const char *text, char **name, char **value);
/* Parse against the plugin's table and the common one; faults go to `err`. */
void settings_read(struct pb_self *, const struct pb_option *, const char *const settings[],
		   struct pb_error *err);
void settings_free(struct pb_self *);

#endif
