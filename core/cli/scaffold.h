/*
 * scaffold.h - a new folder with copies of template files, a name put into them.
 *
 * In a file, and in its name, plugin-name becomes the name as it is, plugin_name a C identifier,
 * PLUGIN-NAME the name in capitals, plugin-kind the kind, and /usr/local/libexec/patchbay, where
 * programs are installed, the folder of this installation. A file that begins with #! is made
 * executable, and dot-X is named .X.
 */
#ifndef CLI_SCAFFOLD_H
#define CLI_SCAFFOLD_H

#include <stddef.h>

#define SCAFFOLD_WORDS 5

struct scaffold {
	const char *folder;	/* to be made; borrowed */
	struct { const char *word; char *value; } words[SCAFFOLD_WORDS];
	char **files, **folders;	/* what was made, below `folder` and in this order */
	size_t n_files, n_folders;
	char *error;		/* what the last call failed of, one line; NULL: nothing has */
};

/* Makes nothing yet. `folder` must stay. */
void scaffold_init(struct scaffold *, const char *folder, const char *kind, const char *name);
void scaffold_free(struct scaffold *);
/* Make the folder. 0 or -errno; -EEXIST: something of that name is there. */
int scaffold_begin(struct scaffold *);
/* Copy all files below the folder `from`, and its folders. 0 or -errno. */
int scaffold_copy(struct scaffold *, const char *from);
/* Remove what was made. */
void scaffold_undo(struct scaffold *);

#endif
