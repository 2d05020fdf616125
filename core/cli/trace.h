/* trace.h - what the files of `patchbay trace` share. */
#ifndef CLI_TRACE_H
#define CLI_TRACE_H

#include <jansson.h>

/* Print what is known of one event, as `now_ms` sees it. */
void trace_show(const json_t *event, int64_t now_ms);

#endif
