/*
 * loader.c - shared objects to descriptors, and nothing that is not trustworthy.
 *
 * Code runs as the daemon from the moment dlopen() maps it, so the file is looked at
 * before, and what it says of itself is copied and checked before it is believed. A
 * plugin that was refused is tried anew when it is next asked for: the operator may
 * have mended it. Main thread only. It must not know what a plugin does.
 */
#include "plugin/loader.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/magic.h"
#include "base/memory.h"
#include "config/section.h"
#include "config/suggest.h"
#include "plugin/descriptor.h"
#include "plugin/object.h"
#include "plugin/trust.h"

#define LOADER_MAGIC 0x6c6f6164u
#define SUFFIX ".so"

struct loaded {
	struct loaded *next;
	char *name;
	void *object;
	struct descriptor *descriptor;
};

struct loader {
	unsigned magic;
	char *folder;
	bool settled;		/* the folder was given, or told by a configuration */
	struct loaded *first;
};

struct loader *loader_open(const char *plugin_dir)
{
	struct loader *loader = xcalloc(1, sizeof *loader);
	loader->magic = LOADER_MAGIC;
	loader->settled = plugin_dir != NULL;
	loader->folder = xstrdup(plugin_dir == NULL ? PATCHBAY_PLUGIN_DIR : plugin_dir);
	return loader;
}

void loader_close(struct loader *loader)
{
	if (loader == NULL)
		return;
	CHECK_OBJ(loader, LOADER_MAGIC);
	for (struct loaded *p = loader->first, *next; p != NULL; p = next) {
		next = p->next;
		descriptor_free(p->descriptor);
		dlclose(p->object);
		free(p->name);
		free(p);
	}
	free(loader->folder);
	loader->magic = 0;
	free(loader);
}

const char *loader_folder(const struct loader *loader)
{
	CHECK_OBJ(loader, LOADER_MAGIC);
	return loader->folder;
}

/* The length of the plugin's name in a file's name, 0 when it is none. */
static size_t plugin_name(const char *file)
{
	size_t len = strlen(file), end = sizeof SUFFIX - 1;
	return len > end && strcmp(file + len - end, SUFFIX) == 0 ? len - end : 0;
}

static int only_plugins(const struct dirent *entry)
{
	char name[SECTION_NAME_MAX + 1];
	size_t len = plugin_name(entry->d_name);
	if (len == 0 || len >= sizeof name)
		return 0;
	memcpy(name, entry->d_name, len);
	name[len] = '\0';
	return section_name_valid(name);
}

/* The names of the folder's plugins, sorted; ends in NULL, freed by free_names(). NULL: cannot
 * be read. */
static char **list_names(const struct loader *loader)
{
	struct dirent **entries;
	int n = scandir(loader->folder, &entries, only_plugins, alphasort);
	if (n < 0)
		return NULL;
	char **names = xcalloc((size_t)n + 1, sizeof *names);
	for (int i = 0; i < n; i++) {
		names[i] = xstrdup(entries[i]->d_name);
		names[i][plugin_name(names[i])] = '\0';
		free(entries[i]);
	}
	free(entries);
	return names;
}

static void free_names(char **names)
{
	for (char **name = names; *name != NULL; name++)
		free(*name);
	free(names);
}

static void no_such(const struct loader *loader, const char *name, struct pb_error *err)
{
	char **names = list_names(loader);
	if (names == NULL) {
		error_add(err, "plugin", "there is no plugin %.64s: %s: %s", name, loader->folder,
			  strerror(errno));
		return;
	}
	struct suggest near;
	suggest_begin(&near, name);
	for (char **n = names; *n != NULL; n++)
		suggest_offer(&near, *n);
	char hint[SUGGEST_TEXT_SIZE];
	error_add(err, "plugin", "there is no plugin %.64s in %s%s", name, loader->folder,
		  suggest_text(&near, hint));
	free_names(names);
}

static struct loaded *load(struct loader *loader, const char *path, const char *name,
			   struct pb_error *err)
{
	const void *raw;
	void *object = trust_file(path, err) ? object_open(path, name, &raw, err) : NULL;
	if (object == NULL)
		return NULL;
	struct descriptor *descriptor = descriptor_new(raw, name, err);
	if (descriptor == NULL) {
		dlclose(object);
		return NULL;
	}
	struct loaded *p = xcalloc(1, sizeof *p);
	*p = (struct loaded){
		.next = loader->first, .name = xstrdup(name), .object = object,
		.descriptor = descriptor,
	};
	loader->first = p;
	return p;
}

const struct pb_plugin *loader_find(struct loader *loader, const char *name, struct pb_error *err)
{
	CHECK_OBJ(loader, LOADER_MAGIC);
	for (struct loaded *p = loader->first; p != NULL; p = p->next)
		if (strcmp(p->name, name) == 0)
			return descriptor_plugin(p->descriptor);
	if (!section_name_valid(name)) {
		error_add(err, "plugin", "\"%.64s\" is not the name of a plugin; expected a-z, 0-9, "
			  "_ and -, and no path", name);
		return NULL;
	}
	char *path = xasprintf("%s/%s" SUFFIX, loader->folder, name);
	struct loaded *p = NULL;
	struct stat st;
	if (lstat(path, &st) != 0 && errno == ENOENT)
		no_such(loader, name, err);
	else
		p = load(loader, path, name, err);
	free(path);
	return p == NULL ? NULL : descriptor_plugin(p->descriptor);
}

static bool find_table(void *arg, enum config_kind kind, const char *name,
		       const struct pb_option **table, uint32_t *most, bool *repeat,
		       struct pb_error *err)
{
	const struct pb_plugin *p = loader_find(arg, name, err);
	return p != NULL && descriptor_face(p, kind, table, most, repeat, err);
}

static void set_folder(void *arg, const char *plugin_dir)
{
	struct loader *loader = arg;
	CHECK_OBJ(loader, LOADER_MAGIC);
	if (loader->settled)
		return;
	free(loader->folder);
	loader->folder = xstrdup(plugin_dir);
	loader->settled = true;
}

struct config_plugins loader_tables(struct loader *loader)
{
	CHECK_OBJ(loader, LOADER_MAGIC);
	return (struct config_plugins){ .arg = loader, .find = find_table, .folder = set_folder };
}

int loader_each(struct loader *loader,
		void (*each)(void *arg, const char *name, const struct pb_plugin *,
			     const struct pb_error *), void *arg)
{
	char **names = list_names(loader);
	if (names == NULL)
		return -errno;
	for (char **name = names; *name != NULL; name++) {
		struct pb_error err;
		error_init(&err);
		const struct pb_plugin *plugin = loader_find(loader, *name, &err);
		each(arg, *name, plugin, &err);
		error_free(&err);
	}
	free_names(names);
	return 0;
}
