/* installed.h - where what was installed with this program is. */
#ifndef CLI_INSTALLED_H
#define CLI_INSTALLED_H

/* `path` as it was configured, or below the folder that `make install DESTDIR=…` put this program into, if that
 * is where it runs. The caller frees. */
char *installed_path(const char *path);

#endif
