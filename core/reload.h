/* reload.h - SIGHUP and `patchbay reload`: open files again, and read the configuration. */
#ifndef CORE_RELOAD_H
#define CORE_RELOAD_H

#include "cli/cli.h"
#include "config/config.h"
#include "control/reloads.h"
#include "dispatch/dispatch.h"
#include "plugin/loader.h"

/* What a reload acts on. */
struct reloader {
	const struct cli *cli;
	struct loader *loader;
	struct config **config;		/* the present one; it is replaced */
	struct dispatch *dispatch;
	struct reloads *reloads;
};

/* Set what log_level says. */
void reload_log_level(const struct options *core);
/* Do it: files and certificates are opened again in any case; the configuration is taken only if all of it is right, else the
 * old one stays and everything that is wrong is logged. Main thread. */
void reload_run(struct reloader *);

#endif
