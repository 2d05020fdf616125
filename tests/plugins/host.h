/*
 * host.h - a plugin without a daemon: the pb_ functions that a sink calls, and a test's view.
 *
 * A test links the plugin's own files and this library. It opens sinks with options
 * as an INI section would hold them, hands over events, and reads the answers. The
 * test's thread stands for the main thread and for the sink's own; nothing is retried,
 * limited or kept. Misuse of a pb_ function ends the test with a message.
 */
#ifndef TESTS_HOST_H
#define TESTS_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <patchbay/plugin.h>

struct host;
struct host_sink;

/* One delivery and, once `answered`, its answer. The test may read it then. */
struct pb_delivery {
	struct host *host;
	struct pb_event *event;
	unsigned attempt;
	bool answered;
	enum pb_code code;
	int64_t after;
	char *response;		/* NUL-terminated copy; NULL: none */
	size_t response_len;
	char reason[512];
};

/* The plugin, loaded. */
struct host *host_new(const struct pb_plugin *);
/* Unload. -1, and nothing is freed, when a sink is open: the test forgot it, or has failed. */
int host_free(struct host *);
/* Open a sink with settings "name = value", ending in NULL: the table's types and limits,
 * check(), then open(). NULL: host_errors() says why. */
struct host_sink *host_open(struct host *, const char *name, const char *const settings[]);
/* What the last host_open() found wrong, "option: text" a line; "" when nothing. */
const char *host_errors(const struct host *);
/* stop(), then close(). */
void host_close(struct host_sink *);
/* What close() was given: for calling the descriptor's functions directly. */
void *host_state(const struct host_sink *);
void host_reopen(struct host_sink *);

/* An event for the sink; settings "type = x" set attributes, `settings` may be NULL. */
struct pb_event *host_event(struct host_sink *, const void *body, size_t len,
			    const char *const settings[]);
/* A delivery of `ev`, which becomes its own; end with host_delivery_free(). */
struct pb_delivery *host_delivery(struct host_sink *, struct pb_event *ev);
void host_delivery_free(struct pb_delivery *);
/* Hand `n` over by write() or submit(). */
void host_send(struct host_sink *, struct pb_delivery *const d[], size_t n);
/* Wait until each is answered; false when `ms` were not enough. */
bool host_wait(struct pb_delivery *const d[], size_t n, int64_t ms);

/* True when a line logged so far holds `part`. */
bool host_logged(struct host *, const char *part);
/* A metric's value; it must be there. */
int64_t host_metric(const struct host_sink *, const char *name);

#endif
