/* trust.c - may code from this file run as the daemon? */
#include "plugin/trust.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"

#define LINKS_MAX 40

/* The way to a file, walked as the kernel does: one name after the other. */
struct walk {
	struct buf at;		/* where it stands, absolute, without links; "" is / */
	struct buf rest;	/* the names that are still to come */
	unsigned links;
	bool sticky;		/* the folder it stands in is a sticky one that others can write */
	struct pb_error *err;
};

static const char *here(const struct walk *w)
{
	return w->at.len == 0 ? "/" : w->at.data;
}

static bool refuse(const struct walk *w, const char *why)
{
	error_add(w->err, "plugin", "%s %s", here(w), why);
	return false;
}

static bool owner_trusted(const struct walk *w, const struct stat *st)
{
	if (st->st_uid == 0 || st->st_uid == geteuid())
		return true;
	error_add(w->err, "plugin", "%s belongs to user %u; expected root or user %u", here(w),
		  (unsigned)st->st_uid, (unsigned)geteuid());
	return false;
}

static bool writers_trusted(struct walk *w, const struct stat *st)
{
	bool group = (st->st_mode & S_IWGRP) != 0, others = (st->st_mode & S_IWOTH) != 0;
	w->sticky = (group || others) && S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) != 0;
	if (w->sticky || (!group && !others))
		return true;
	return refuse(w, others ? "can be written by every user; chmod o-w" :
		      "can be written by its group; chmod g-w");
}

/* What is left to walk begins with the link's own way. */
static bool follow_link(struct walk *w)
{
	char target[PATH_MAX];
	ssize_t len = readlink(w->at.data, target, sizeof target);
	if (len < 0 || len == sizeof target || ++w->links > LINKS_MAX)
		return refuse(w, "is a link that leads nowhere");
	struct buf rest = BUF_INIT(w->rest.limit);
	buf_add(&rest, target, (size_t)len);
	buf_add_char(&rest, '/');
	buf_add(&rest, w->rest.data, w->rest.len);
	bool good = rest.failed == 0 || refuse(w, "is a link that is too long");
	buf_free(&w->rest);
	w->rest = rest;
	w->at.len = target[0] == '/' ? 0 : (size_t)(strrchr(w->at.data, '/') - w->at.data);
	w->at.data[w->at.len] = '\0';
	return good;
}

/* Is what it stands at safe? A link is left for where it leads to. */
static bool look(struct walk *w, struct stat *st)
{
	if (lstat(here(w), st) != 0) {
		error_add(w->err, "plugin", "%s: %s", here(w), strerror(errno));
		return false;
	}
	if (!owner_trusted(w, st))
		return false;
	return S_ISLNK(st->st_mode) ? follow_link(w) : writers_trusted(w, st);
}

/* Take the next name off `rest` and go there. */
static bool step(struct walk *w, struct stat *st)
{
	size_t skip = strspn(w->rest.data, "/"), len = strcspn(w->rest.data + skip, "/");
	const char *name = w->rest.data + skip;
	bool stay = len == 0 || (len == 1 && name[0] == '.');
	if (len == 2 && memcmp(name, "..", 2) == 0) {
		if (w->at.len > 0)
			w->at.len = (size_t)(strrchr(w->at.data, '/') - w->at.data);
		w->at.data[w->at.len] = '\0';
		buf_consume(&w->rest, skip + len);
		return look(w, st);
	}
	if (!stay)
		buf_printf(&w->at, "/%.*s", (int)len, name);
	buf_consume(&w->rest, skip + len);
	if (w->at.failed != 0)
		return refuse(w, "is too long");
	return stay || look(w, st);
}

static bool begin(struct walk *w, const char *path)
{
	char *folder = *path == '/' ? NULL : getcwd(NULL, 0);
	if (folder == NULL && *path != '/') {
		error_add(w->err, "plugin", "the working folder: %s", strerror(errno));
		return false;
	}
	buf_printf(&w->rest, "%s/%s", folder == NULL ? "" : folder, path);
	free(folder);
	buf_add(&w->at, "", 0);
	return (w->rest.failed == 0 && w->at.failed == 0) || refuse(w, "is too long");
}

bool trust_file(const char *path, struct pb_error *err)
{
	struct walk w = {
		.at = BUF_INIT(PATH_MAX), .rest = BUF_INIT(2 * PATH_MAX), .err = err,
	};
	struct stat st = { 0 };
	bool good = begin(&w, path) && look(&w, &st), in_sticky = false;
	while (good && strspn(w.rest.data, "/") < w.rest.len) {
		in_sticky = w.sticky;
		good = step(&w, &st);
	}
	if (good && !S_ISREG(st.st_mode))
		good = refuse(&w, "is not a regular file");
	if (good && in_sticky) {
		w.at.len = (size_t)(strrchr(w.at.data, '/') - w.at.data);
		w.at.data[w.at.len] = '\0';
		good = refuse(&w, "can be written by every user; put plugins in a folder of "
			      "their own");
	}
	buf_free(&w.at);
	buf_free(&w.rest);
	return good;
}
