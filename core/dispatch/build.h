/* build.h - what runs, made of the configuration's sections: at start and at a reload. Main thread. */
#ifndef DISPATCH_BUILD_H
#define DISPATCH_BUILD_H

#include "dispatch/engine.h"

/* The plugin of the section as its instances share it, loaded when it is new. NULL after error_add(). */
struct plugin_use *build_use(struct dispatch *, struct loader *, const struct config_instance *, struct pb_error *);
/* All workers of the source; in->live is the first. The list is the caller's to free(). */
struct feed **build_feeds(struct dispatch *, struct config_instance *, struct plugin_use *, size_t *n);
/* The sink with the thread that it sends by, one of its own unless it is d->submitter; in->live is it. It is not
 * a router's yet, nor in the sender's list. */
struct outlet *build_outlet(struct dispatch *, struct config_instance *, struct plugin_use *);
/* The filter with its workers; in->live is it. */
struct stage *build_stage(struct dispatch *, struct config_instance *, struct plugin_use *);
/* What leads where, by the `live` of its sinks and filters, of which the counterpart's counts where nothing has changed. Without
 * lanes and rule. */
struct route *build_route(struct config_route *);
/* What was made of the section: of its counterpart, where it is the same. */
void *build_live(const struct config_instance *);

/* Open the instance; what is wrong goes to the report. */
void build_open(struct pb_self *, struct report *);
void build_open_stage(struct stage *, struct report *);

/* No instance of it may be left. */
void build_free_use(struct plugin_use *);
/* Their threads must have ended; what is open is closed. */
void build_free_feed(struct feed *);
void build_free_outlet(struct outlet *);
void build_free_stage(struct stage *);

#endif
