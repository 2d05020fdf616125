/*
 * text.h - an event as one syslog message, RFC 5424 or RFC 3164. Pure: no I/O.
 *
 * No event forges a line or another message: control bytes, C1 controls and bytes that
 * are not UTF-8 appear as '#' and three octal digits (#012), as rsyslog writes them.
 */
#ifndef SYSLOG_TEXT_H
#define SYSLOG_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <patchbay/plugin.h>

#define TEXT_MIN 480		/* RFC 5424 section 6.1: what every receiver takes */
#define TEXT_CUT "...[cut]"	/* how a message ends of which something was cut off */

struct text_style {
	bool rfc5424;		/* else RFC 3164 */
	bool with_host;		/* RFC 3164: local sockets leave the host name out */
	int priority;		/* facility * 8 + severity */
	const char *app;
	const char *host;
	long pid;
	size_t max;		/* bytes of a message, at least TEXT_MIN */
};

/* Write the event's message to `out`, which has room for style->max bytes; not terminated.
 * Its length. A body that does not fit is cut at a character's boundary and ends in
 * TEXT_CUT; an attribute for which there is no room in the first half is left out.
 * Either sets *cut. */
size_t text_format(const struct text_style *, const struct pb_event *, char *out, bool *cut);

#endif
