/* scaffold.c - a new folder with copies of template files, a name put into them. */
#include "cli/scaffold.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/memory.h"
#include "cli/installed.h"

#define FILE_MAX (1024 * 1024)

void scaffold_init(struct scaffold *s, const char *folder, const char *kind, const char *name)
{
	*s = (struct scaffold){ .folder = folder };
	char *identifier = xstrdup(name), *capitals = xstrdup(name);
	for (size_t i = 0; name[i] != '\0'; i++) {
		identifier[i] = name[i] == '-' ? '_' : name[i];
		capitals[i] = (char)toupper((unsigned char)name[i]);
	}
	s->words[0].word = "plugin-name";
	s->words[0].value = xstrdup(name);
	s->words[1].word = "plugin_name";
	s->words[1].value = identifier;
	s->words[2].word = "PLUGIN-NAME";
	s->words[2].value = capitals;
	s->words[3].word = "plugin-kind";
	s->words[3].value = xstrdup(kind);
	s->words[4].word = "/usr/local/libexec/patchbay";
	s->words[4].value = installed_path(PATCHBAY_LIBEXEC_DIR);
}

static void free_list(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

void scaffold_free(struct scaffold *s)
{
	for (size_t i = 0; i < SCAFFOLD_WORDS; i++)
		free(s->words[i].value);
	free_list(s->files, s->n_files);
	free_list(s->folders, s->n_folders);
	free(s->error);
}

static int failed(struct scaffold *s, int error, const char *path)
{
	free(s->error);
	s->error = xasprintf("%s: %s", path, strerror(-error));
	return error;
}

static void add(char ***list, size_t *n, const char *name)
{
	*list = xrealloc(*list, *n + 1, sizeof **list);
	(*list)[(*n)++] = xstrdup(name);
}

int scaffold_begin(struct scaffold *s)
{
	if (mkdir(s->folder, 0777) < 0)
		return failed(s, -errno, s->folder);
	add(&s->folders, &s->n_folders, "");
	return 0;
}

/* The text with the words' values in their places. */
static void put_in(const struct scaffold *s, struct buf *to, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		const char *value = NULL;
		for (size_t w = 0; w < SCAFFOLD_WORDS && value == NULL; w++) {
			size_t n = strlen(s->words[w].word);
			if (n <= len - i && memcmp(text + i, s->words[w].word, n) == 0) {
				value = s->words[w].value;
				i += n - 1;
			}
		}
		if (value != NULL)
			buf_add_str(to, value);
		else
			buf_add_char(to, text[i]);
	}
}

static int read_whole(const char *path, struct buf *to)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), error = fd < 0 ? -errno : 0;
	char part[8192];
	ssize_t n = 1;
	while (error == 0 && n > 0) {
		n = read(fd, part, sizeof part);
		error = n < 0 ? -errno : buf_add(to, part, (size_t)n);
	}
	if (fd >= 0)
		close(fd);
	return error;
}

static int write_whole(const char *path, const struct buf *from)
{
	bool script = from->len > 2 && memcmp(from->data, "#!", 2) == 0;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, script ? 0777 : 0666), error = 0;
	if (fd < 0)
		return -errno;
	for (size_t done = 0; error == 0 && done < from->len;) {
		ssize_t n = write(fd, from->data + done, from->len - done);
		error = n < 0 ? -errno : 0;
		done += n > 0 ? (size_t)n : 0;
	}
	if (close(fd) < 0 && error == 0)
		error = -errno;
	if (error < 0)
		unlink(path);
	return error;
}

/* The file `from` as `name` in the new folder. */
static int copy_file(struct scaffold *s, const char *from, const char *name)
{
	struct buf text = BUF_INIT(FILE_MAX), made = BUF_INIT(2 * FILE_MAX);
	char *path = xasprintf("%s/%s", s->folder, name);
	int error = read_whole(from, &text);
	if (error < 0) {
		failed(s, error, from);
	} else {
		put_in(s, &made, text.data, text.len);
		error = made.failed < 0 ? made.failed : write_whole(path, &made);
		if (error < 0)
			failed(s, error, path);
		else
			add(&s->files, &s->n_files, name);
	}
	buf_free(&text);
	buf_free(&made);
	free(path);
	return error;
}

static int copy_folder(struct scaffold *s, const char *from, const char *below);

/* One entry of the folder `from`, which is `below` in the new one ("" or "tests/"). */
static int copy_entry(struct scaffold *s, const char *from, const char *below, const char *entry)
{
	bool hidden = strncmp(entry, "dot-", 4) == 0;
	struct buf name = BUF_INIT(FILE_MAX);
	buf_printf(&name, "%s%s", below, hidden ? "." : "");
	put_in(s, &name, entry + (hidden ? 4 : 0), strlen(entry) - (hidden ? 4 : 0));
	char *path = xasprintf("%s/%s", from, entry);
	struct stat st;
	int error;
	if (stat(path, &st) < 0)
		error = failed(s, -errno, path);
	else if (!S_ISDIR(st.st_mode))
		error = copy_file(s, path, name.data);
	else
		error = buf_add_char(&name, '/') < 0 ? name.failed : copy_folder(s, path, name.data);
	buf_free(&name);
	free(path);
	return error;
}

/* Common and own templates may have a folder in common. */
static int make_folder(struct scaffold *s, const char *below)
{
	char *path = xasprintf("%s/%s", s->folder, below);
	int error = mkdir(path, 0777) == 0 ? 0 : -errno;
	bool ours = false;
	for (size_t i = 0; i < s->n_folders; i++)
		ours = ours || strcmp(s->folders[i], below) == 0;
	if (error == 0)
		add(&s->folders, &s->n_folders, below);
	else if (error == -EEXIST && ours)
		error = 0;
	else
		failed(s, error, path);
	free(path);
	return error;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int copy_folder(struct scaffold *s, const char *from, const char *below)
{
	struct dirent **entries = NULL;
	int n = scandir(from, &entries, is_visible, alphasort);
	int error = n < 0 ? failed(s, -errno, from) : *below == '\0' ? 0 : make_folder(s, below);
	for (int i = 0; i < n; i++) {
		if (error == 0)
			error = copy_entry(s, from, below, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return error;
}

int scaffold_copy(struct scaffold *s, const char *from)
{
	return copy_folder(s, from, "");
}

/* The last made goes first. */
void scaffold_undo(struct scaffold *s)
{
	for (size_t i = s->n_files + s->n_folders; i > 0; i--) {
		bool file = i > s->n_folders;
		const char *name = file ? s->files[i - s->n_folders - 1] : s->folders[i - 1];
		char *path = xasprintf("%s/%s", s->folder, name);
		if (file)
			unlink(path);
		else
			rmdir(path);
		free(path);
	}
}
