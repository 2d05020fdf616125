/* folder.h - a temporary folder for a test's files. */
#ifndef UNIT_CONFIG_FOLDER_H
#define UNIT_CONFIG_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Set up: a fresh folder, which becomes the working one. *state is its path. */
static inline int folder_begin(void **state)
{
	char *path = strdup("/tmp/patchbay-test-XXXXXX");
	if (mkdtemp(path) == NULL || chdir(path) != 0)
		return -1;
	*state = path;
	return 0;
}

static inline int folder_remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st, (void)kind, (void)at;
	return remove(path);
}

/* Tear down: the folder is removed with what is in it. */
static inline int folder_end(void **state)
{
	int r = chdir("/") == 0 ? nftw(*state, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS) : -1;
	free(*state);
	return r;
}

/* Write a file that only its owner can read. */
static inline void file_write(const char *path, const char *text)
{
	FILE *to = fopen(path, "w");
	if (to == NULL || fchmod(fileno(to), 0600) != 0 || fputs(text, to) < 0 || fclose(to) != 0)
		abort();
}

#endif
