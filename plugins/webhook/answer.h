/* answer.h - what came of an attempt, as the answer that the core is given. Pure: no I/O. */
#ifndef WEBHOOK_ANSWER_H
#define WEBHOOK_ANSWER_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <curl/curl.h>
#include <patchbay/plugin.h>

#define REASON_SIZE 320
#define LOCATION_SIZE 160

struct answer {
	enum pb_code code;
	int64_t after;		/* ms; 0: as scheduled */
	char reason[REASON_SIZE];
};

/* What a receiver said: a final status (200 or above) with all its header. */
struct reply {
	long status;
	int64_t retry_after;		/* ms; 0: none */
	char location[LOCATION_SIZE];	/* as location_show() leaves it; "": none */
};

enum phase {
	PHASE_RESOLVING,
	PHASE_CONNECTING,
	PHASE_HANDSHAKE,
	PHASE_SENDING,
	PHASE_WAITING,
	PHASE_READING
};

/* Why no status came. */
struct failure {
	CURLcode code;
	enum phase phase;	/* how far the attempt got */
	int os_error;		/* errno of the connection, or 0 */
	int64_t timeout;	/* the sink's, ms */
	const char *detail;	/* curl's own words, or "" */
};

/* RFC 9110 section 15: 2xx ok; 408, 425, 429, 5xx later; 410 gone; the rest refuses. */
void answer_reply(struct answer *, const struct reply *);
/* Never more than "later": a receiver that cannot be reached may be back. */
void answer_failure(struct answer *, const struct failure *);

/* It could not even be tried, for want of something here. */
void answer_untried(struct answer *, int os_error);

/* The value of Retry-After (RFC 9110 section 10.2.3), seconds or a date, to ms from
 * `now`; 0 when it is neither, or past. */
int64_t retry_after_parse(const char *value, time_t now);
/* A Location fit to be shown: no user name, password, query or control bytes; cut. */
void location_show(const char *value, char shown[static LOCATION_SIZE]);

#endif
