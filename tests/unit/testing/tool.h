/* tool.h - a plugin that does what a test wants: its functions call the test's. */
#ifndef TESTS_TOOL_H
#define TESTS_TOOL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <patchbay/testing.h>

struct tool {
	struct pb_self *self;
	int settled;			/* calls */
	enum pb_outcome outcome;	/* of the last */
	bool duplicate;
	char reason[64], id[64];
};

/* What is NULL does nothing; sinks then answer ok, filters pass. */
struct tool_hooks {
	void (*check)(struct pb_self *, struct pb_error *);
	bool (*open)(struct tool *, struct pb_error *);
	int (*run)(struct tool *);
	void (*settled)(struct tool *, void *token, const struct pb_receipt *);
	int (*apply)(struct tool *, struct pb_event *, struct pb_error *);
	void (*write)(struct tool *, struct pb_delivery *const d[], size_t n);
	void (*stop)(struct tool *);
	void (*close)(struct tool *);
	int reopened;
};
extern struct tool_hooks tool_hooks;

/* `tool` has all three, its sink write(); `tool_async` a sink with submit(), and a source that may refuse. */
extern const struct pb_plugin tool_plugin, tool_async_plugin;

/* An event of type "t" from the plugin, emitted with `token`. What pb_emit() said. */
int tool_emit(struct tool *, const char *body, void *token);
/* pb_wait() until it is over; 0. */
int tool_wait(struct tool *);
/* An assertion on any thread: cmocka's are for the test's own. */
void tool_must(bool is);

#endif
