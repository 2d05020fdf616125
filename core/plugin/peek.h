/* peek.h - the numbers in a shared object's descriptor, read from its file: nothing of it is mapped as code, or run. */
#ifndef PLUGIN_PEEK_H
#define PLUGIN_PEEK_H

#include <stdbool.h>

/* The descriptor's numbers. False when the file is none, or one that says nothing of them: dlopen() then tells why. */
bool peek_abi(const char *path, unsigned *major, unsigned *minor);

#endif
