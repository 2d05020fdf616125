/* files.c - a configuration file and all that it includes. */
#include "config/files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/parse.h"
#include "config/lines.h"
#include "config/secret.h"
#include "config/section.h"

#define PATH_SIZE 4096

struct config_file {
	char *name;
	const struct config_file *from;	/* the file that includes it */
	unsigned depth;
	dev_t dev;
	ino_t ino;
	bool public;
};

struct reading {
	struct config_files *files;
	struct report *report;
};

/* Where an error of opening a file is shown: at the `include` that names it. */
struct include {
	const struct config_file *from;	/* NULL for the first file */
	const struct setting *setting;
};

static void read_file(struct reading *r, const char *path, const struct include *by);

static void wrong(const struct reading *r, const char *path, const struct include *by,
		  const char *why)
{
	if (by->from == NULL)
		report_error(r->report, (struct place){ path, 0 }, NULL, NULL, "%s", why);
	else
		report_error(r->report, by->setting->place, "patchbay", "include", "%s: %s", path,
			     why);
}

/* An open descriptor of a regular file, or -1. */
static int open_file(const struct reading *r, const char *path, const struct include *by,
		     struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, st) != 0)
		wrong(r, path, by, strerror(errno));
	else if (S_ISREG(st->st_mode))
		return fd;
	else
		wrong(r, path, by, "is not a regular file");
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool read_text(const struct reading *r, int fd, const char *path, const struct include *by,
		      struct buf *text)
{
	for (;;) {
		if (text->len >= LINES_FILE_MAX || buf_reserve(text, 64 * 1024) != 0) {
			wrong(r, path, by, "is longer than 16 MiB");
			return false;
		}
		ssize_t n = read(fd, text->data + text->len, 64 * 1024);
		if (n == 0)
			return true;
		if (n < 0 && errno != EINTR) {
			wrong(r, path, by, strerror(errno));
			return false;
		}
		text->len += n > 0 ? (size_t)n : 0;
	}
}

static bool same_file(const struct config_file *file, const struct stat *st)
{
	return file->dev == st->st_dev && file->ino == st->st_ino;
}

/* Is it to be read? Not if it is being read already (an error), nor when it was read before. */
static bool is_new(const struct reading *r, const char *path, const struct include *by,
		   const struct stat *st)
{
	for (const struct config_file *f = by->from; f != NULL; f = f->from) {
		if (!same_file(f, st))
			continue;
		wrong(r, path, by, f == by->from ? "the file includes itself" :
		      "the files include each other in a circle");
		return false;
	}
	for (size_t i = 0; i < r->files->n; i++)
		if (same_file(r->files->at[i], st))
			return false;
	if (r->files->n < FILES_MAX && (by->from == NULL || by->from->depth < FILES_DEPTH_MAX))
		return true;
	wrong(r, path, by, "is one file too many, or included too deeply");
	return false;
}

static struct config_file *add_file(struct config_files *files, const char *path,
				    const struct config_file *from, const struct stat *st)
{
	struct config_file *file = xcalloc(1, sizeof *file);
	*file = (struct config_file){
		.name = xstrdup(path), .from = from, .depth = from == NULL ? 0 : from->depth + 1,
		.dev = st->st_dev, .ino = st->st_ino, .public = (st->st_mode & S_IROTH) != 0,
	};
	if (files->n == files->room) {
		files->room = files->room == 0 ? 8 : files->room * 2;
		files->at = xrealloc(files->at, files->room, sizeof *files->at);
	}
	files->at[files->n++] = file;
	return file;
}

/* A glob's fixed beginning is no pattern, whatever is in the folder's name. */
static void add_escaped(struct buf *b, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (strchr("*?[\\", text[i]) != NULL)
			buf_add_char(b, '\\');
		buf_add_char(b, text[i]);
	}
}

static int stop_unless_absent(const char *path, int error)
{
	(void)path;
	return error != ENOENT && error != ENOTDIR;
}

static void include_glob(struct reading *r, const char *pattern, const char *written,
			 const struct include *by)
{
	glob_t found;
	int code = glob(pattern, 0, stop_unless_absent, &found);
	if (code != 0 && code != GLOB_NOMATCH)
		wrong(r, written, by, "a folder cannot be read");
	for (size_t i = 0; code == 0 && i < found.gl_pathc; i++)
		read_file(r, found.gl_pathv[i], by);
	globfree(&found);
}

static void include_item(struct reading *r, const char *item, const struct include *by)
{
	const char *name = by->from->name;
	const char *slash = *item == '/' ? NULL : strrchr(name, '/');
	size_t folder = slash == NULL ? 0 : (size_t)(slash + 1 - name);
	bool pattern = strpbrk(item, "*?[") != NULL;
	struct buf path = BUF_INIT(PATH_SIZE);
	if (pattern)
		add_escaped(&path, name, folder);
	else
		buf_add(&path, name, folder);
	buf_add_str(&path, item);
	if (path.failed != 0)
		wrong(r, "a path", by, "is longer than 4096 bytes");
	else if (pattern)
		include_glob(r, path.data, item, by);
	else
		read_file(r, path.data, by);
	buf_free(&path);
}

static void include_all(struct reading *r, struct setting *setting, const struct config_file *from)
{
	struct include by = { .from = from, .setting = setting };
	const char *next = setting->value;
	size_t size = strlen(next) + 1;
	char *item = xcalloc(size, 1);
	int more;
	while ((more = parse_list_next(&next, item, size)) == 1)
		include_item(r, item, &by);
	free(item);
	if (more == 0)
		return;
	setting->failed = true;
	report_error(r->report, setting->place, "patchbay", "include",
		     "is not a list; expected files and globs between commas");
}

/* The core's section of a file: follow its include. One of an included file ends here. */
static void read_core(struct reading *r, struct section *s, const struct config_file *file)
{
	for (size_t i = 0; i < s->n; i++) {
		struct setting *setting = &s->settings[i];
		if (strcmp(setting->key, "include") == 0 && !setting->failed)
			include_all(r, setting, file);
		else if (file->from != NULL)
			report_error(r->report, setting->place, s->title, setting->key,
				     "belongs to %s; in an included file [patchbay] may hold "
				     "include only", r->files->at[0]->name);
	}
	if (file->from != NULL)
		s->kind[0] = '\0';
}

static void read_sections(struct reading *r, size_t first, const struct config_file *file)
{
	struct sections *sections = &r->files->sections;
	size_t end = sections->n;
	for (size_t i = first; i < end; i++) {
		struct section *s = sections->at[i];
		s->public = file->public;
		if (*s->kind == '\0')
			continue;
		for (size_t k = 0; k < s->n; k++)
			secret_fill(&s->settings[k], s->title, r->report);
	}
	for (size_t i = first; i < end; i++)
		if (strcmp(sections->at[i]->kind, "patchbay") == 0)
			read_core(r, sections->at[i], file);
}

static void read_file(struct reading *r, const char *path, const struct include *by)
{
	struct stat st;
	int fd = open_file(r, path, by, &st);
	if (fd < 0)
		return;
	struct buf text = BUF_INIT(LINES_FILE_MAX + 64 * 1024);
	if (is_new(r, path, by, &st) && read_text(r, fd, path, by, &text)) {
		struct config_file *file = add_file(r->files, path, by->from, &st);
		size_t first = r->files->sections.n;
		ini_read(buf_span(&text), file->name, &r->files->sections, r->report);
		read_sections(r, first, file);
	}
	buf_free(&text);
	close(fd);
}

struct numbered {
	struct section *section;
	size_t i;
};

static int by_title(const void *one, const void *two)
{
	const struct numbered *a = one, *b = two;
	int order = strcmp(a->section->title, b->section->title);
	return order != 0 ? order : (a->i > b->i) - (a->i < b->i);
}

static void refuse_doubles(const struct sections *sections, struct report *report)
{
	struct numbered *all = xcalloc(sections->n, sizeof *all);
	size_t n = 0;
	for (size_t i = 0; i < sections->n; i++)
		if (*sections->at[i]->kind != '\0')
			all[n++] = (struct numbered){ sections->at[i], i };
	qsort(all, n, sizeof *all, by_title);
	for (size_t i = 1, first = 0; i < n; i++) {
		const struct section *kept = all[first].section;
		if (strcmp(all[i].section->title, kept->title) != 0) {
			first = i;
			continue;
		}
		report_error(report, all[i].section->place, kept->title, NULL,
			     "stands here again, first at %s:%u", kept->place.file,
			     kept->place.line);
		all[i].section->kind[0] = '\0';
	}
	free(all);
}

struct config_files *files_read(const char *path, struct report *report)
{
	struct config_files *files = xcalloc(1, sizeof *files);
	struct reading r = { .files = files, .report = report };
	read_file(&r, path, &(struct include){ 0 });
	refuse_doubles(&files->sections, report);
	return files;
}

void files_free(struct config_files *files)
{
	if (files == NULL)
		return;
	sections_free(&files->sections);
	for (size_t i = 0; i < files->n; i++) {
		free(files->at[i]->name);
		free(files->at[i]);
	}
	free(files->at);
	free(files);
}

const char *files_name(const struct config_files *files, size_t i)
{
	assert(i < files->n);
	return files->at[i]->name;
}
