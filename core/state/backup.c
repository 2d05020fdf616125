/* backup.c - the segments held, the state copied, the segments copied. */
#include "state/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "journal/copy.h"
#include "state/state.h"

/* Both folders, each with its part's name. */
struct part {
	char *from, *to;
};

static struct part part_of(const char *folder, const char *to, const char *name)
{
	return (struct part){ xasprintf("%s/%s", folder, name), xasprintf("%s/%s", to, name) };
}

static void part_free(struct part *p)
{
	free(p->from);
	free(p->to);
}

static int failed(struct pb_error *error, const char *what, int r)
{
	if (r < 0)
		error_add(error, NULL, "%s: %s", what, strerror(-r));
	return r;
}

static int check_empty(const char *path)
{
	DIR *dir = opendir(path);
	if (dir == NULL)
		return -errno;
	int r = 0;
	struct dirent *entry;
	while (r == 0 && (entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = -ENOTEMPTY;
	closedir(dir);
	return r;
}

static int make_folder(const char *path)
{
	if (mkdir(path, 0700) == 0)
		return 0;
	return errno == EEXIST ? check_empty(path) : -errno;
}

static int sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 || fsync(fd) != 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return r;
}

static int copy_both(const struct part *journal, const struct part *state, const struct backup *b,
		     struct pb_error *error)
{
	int r;
	struct journal_copy *c = journal_copy_open(journal->from, &r);
	if (c == NULL)
		return failed(error, journal->from, r);
	r = failed(error, state->from, state_copy(state->from, state->to));
	if (r == 0)
		r = failed(error, journal->to, journal_copy_run(c, journal->to, b->progress, b->arg));
	journal_copy_close(c);
	return r;
}

int backup_run(const char *folder, const char *to, const struct backup *b, struct pb_error *error)
{
	struct part journal = part_of(folder, to, "journal"), state = part_of(folder, to, "state");
	int r = access(state.from, F_OK) != 0 ? -errno : 0;
	failed(error, state.from, r);
	if (r == 0)
		r = failed(error, to, make_folder(to));
	if (r == 0)
		r = failed(error, journal.to, make_folder(journal.to));
	if (r == 0)
		r = failed(error, state.to, make_folder(state.to));
	if (r == 0)
		r = copy_both(&journal, &state, b, error);
	if (r == 0)
		r = failed(error, to, sync_folder(to));
	part_free(&journal);
	part_free(&state);
	return r;
}
