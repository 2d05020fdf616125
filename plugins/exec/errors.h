/* errors.h - a program's standard error, line by line into the log. */
#ifndef EXEC_ERRORS_H
#define EXEC_ERRORS_H

#include <patchbay/plugin.h>

struct errors {
	size_t len;
	bool cut;		/* the rest of the line is passed over */
	char line[1024];	/* so far */
};

/* Read once what is there, and log the lines that end. False: there was no more. *ended: nobody has the other end. */
bool errors_read(struct errors *, struct pb_self *, int fd, bool *ended);
/* Log a last line without its end. */
void errors_end(struct errors *, struct pb_self *);

#endif
