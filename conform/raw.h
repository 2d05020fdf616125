/* raw.h - a plugin's descriptor as it lies in the file: not believed, and not read past its own sizes. */
#ifndef CONFORM_RAW_H
#define CONFORM_RAW_H

#include "conform/conform.h"

/* How far its size must reach. */
enum raw_part { RAW_ABI, RAW_NAME, RAW_VERSION, RAW_SUMMARY, RAW_FACES, RAW_WHOLE };

/* Map the file and find its descriptor; the rule fails otherwise. */
const struct pb_plugin *raw_load(struct check *);
/* The bytes that ABI 1.0 has up to and with the part; does the descriptor say it has them? */
size_t raw_size(enum raw_part);
bool raw_has(const struct pb_plugin *, enum raw_part);
/* One of its texts, "" when it has none. */
const char *raw_text(const struct pb_plugin *, enum raw_part);
/* Which kinds it has, enum kind. */
unsigned raw_kinds(const struct pb_plugin *);
/* Its option table of a kind, copied: ends with a NULL name; the caller frees. NULL when it has none. *ends (or NULL):
 * does it end at all? */
struct pb_option *raw_table(const struct pb_plugin *, enum kind, bool *ends);
/* "source", if that says by its size that it is too short; NULL when all are long enough. */
const char *raw_short_part(const struct pb_plugin *);
/* What functions a kind lacks, a sentence; NULL when none. */
const char *raw_lacking(const struct pb_plugin *);
/* Call for each symbol that the file exports. False when it cannot be read as a shared object. */
bool raw_each_export(const char *path, void (*each)(void *arg, const char *name, bool writable), void *arg);

#endif
