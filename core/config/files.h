/*
 * files.h - a configuration file and all that it includes, to sections.
 *
 * `include` of a file's [patchbay] names files and globs relative to that file; a glob
 * that matches nothing is fine, matches come sorted, and a file is read once. An
 * included file's [patchbay] may hold `include` only. A section may stand once in all files.
 */
#ifndef CONFIG_FILES_H
#define CONFIG_FILES_H

#include "config/ini.h"

#define FILES_MAX 10000
#define FILES_DEPTH_MAX 16

struct config_file;

struct config_files {
	struct config_file **at;	/* in the order they were read */
	size_t n, room;
	struct sections sections;	/* those in error have kind "" */
};

/* Read `path` and what it includes, with every ${…} filled in. Everything wrong goes to the report.
 * Never NULL; it owns the memory of all places. */
struct config_files *files_read(const char *path, struct report *);
void files_free(struct config_files *);
/* The i-th file's name, as the operator or an include named it. */
const char *files_name(const struct config_files *, size_t i);

#endif
