/* installed.c - where what was installed with this program is. */
#include "cli/installed.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

char *installed_path(const char *path)
{
	static const char configured[] = PATCHBAY_BIN_DIR "/patchbay";
	char own[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", own, sizeof own - 1);
	ssize_t root = len - (ssize_t)(sizeof configured - 1);
	own[len < 0 ? 0 : len] = '\0';
	return root > 0 && strcmp(own + root, configured) == 0 ? xasprintf("%.*s%s", (int)root, own, path) :
	       xstrdup(path);
}
