/*
 * secret.h - ${env:NAME}, ${file:PATH} and ${cred:NAME} in a value, filled in before it is parsed.
 *
 * "$${" stands for "${"; any other "$" is itself. A file is taken less one newline at its
 * end; a relative path is relative to the file that names it. A credential is a file in
 * the folder $CREDENTIALS_DIRECTORY that systemd sets. Nothing may come out empty,
 * longer than 64 KiB, or with control bytes other than tab and newline.
 */
#ifndef CONFIG_SECRET_H
#define CONFIG_SECRET_H

#include "config/options.h"

#define SECRET_MAX (64 * 1024)

/* Replace what stands in setting->value, and say so in its members `secret`, `failed` and
 * `exposed`. What is wrong goes to the report, never with what came out. */
void secret_fill(struct setting *, const char *title, struct report *);

#endif
