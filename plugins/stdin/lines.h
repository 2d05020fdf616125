/* lines.h - a stream of bytes cut into lines, none of which is longer than allowed. */
#ifndef STDIN_LINES_H
#define STDIN_LINES_H

#include <patchbay/plugin.h>

#define LINES_CHUNK 65536	/* bytes that one read brings at most */

enum lines_overlong { LINES_CUT, LINES_SPLIT, LINES_SKIP };

struct lines {
	char *data;
	size_t begin, end, room;	/* what was read and not taken yet */
	size_t max;
	enum lines_overlong overlong;
	bool keep_empty;
	bool dropping;			/* up to the next line break */
	bool split;			/* the line has begun, and was split */
	size_t n_overlong;		/* lines so far */
};

/* Lines of at most `max` bytes. False: no memory. */
bool lines_init(struct lines *, size_t max, enum lines_overlong, bool keep_empty);
void lines_fini(struct lines *);
/* Where the next bytes go, LINES_CHUNK of them at least, once lines_next() has said no; then add to `end`. */
char *lines_space(struct lines *, size_t *size);
/* The next line without its line break (LF or CRLF); `last`: nothing follows, so that what has no line break is one
 * too. The bytes are ours, until lines_space(). False: more has to be read. A copy of the struct made before takes the
 * line back. */
bool lines_next(struct lines *, bool last, struct pb_span *line);

#endif
