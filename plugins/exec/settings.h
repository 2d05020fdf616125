/*
 * settings.h - what a section says of its program, made ready for execve(2).
 *
 * All that needs memory, locks or name look-ups happens here, in open(): between fork and exec nothing may.
 */
#ifndef EXEC_SETTINGS_H
#define EXEC_SETTINGS_H

#include <sys/types.h>

#include <patchbay/plugin.h>

#include "common/wire.h"

struct settings {
	enum wire_format format;
	char *path;			/* the file to execute */
	const char *const *argv;	/* the options' */
	char **environment;		/* NAME=value, ends in NULL */
	size_t n_environment;
	const char *directory;
	bool as_user;
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	int n_groups;
	int64_t memory, cpu_time, open_files;	/* bytes, ms, number; 0: as the daemon's */
	int64_t start_timeout, stop_timeout, kill_timeout, restart_pause, restart_max_pause;	/* ms */
	int64_t max_restarts;		/* in a row, 0: any */
	int64_t timeout;		/* ms */
	const char *kind;		/* source, filter, sink */
};

/* What the table cannot say of the options that all three kinds have; for check(). */
void settings_check(struct pb_self *, struct pb_error *);
/* False after pb_error(): there is no such program, or user. The strings of options are borrowed, until close(). */
bool settings_init(struct settings *, struct pb_self *, const char *kind, struct pb_error *);
void settings_free(struct settings *);
/* The name and value of one of `options`: "NAME=value". The length of the name; 0: it has none. */
size_t settings_option(const char *option, const char **value);

#endif
