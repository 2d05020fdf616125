/* errors.c - standard error; the log itself bounds how many lines a second are written. */
#include "exec/errors.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void errors_end(struct errors *e, struct pb_self *self)
{
	if (e->len > 0)
		pb_log(self, PB_INFO, "stderr: %.*s%s", (int)e->len, e->line, e->cut ? "…" : "");
	e->len = 0;
	e->cut = false;
}

static void add(struct errors *e, const char *s, size_t len)
{
	size_t room = sizeof e->line - e->len, taken = len < room ? len : room;
	memcpy(e->line + e->len, s, taken);
	e->len += taken;
	e->cut = e->cut || taken < len;
}

bool errors_read(struct errors *e, struct pb_self *self, int fd, bool *ended)
{
	char bytes[4096];
	ssize_t n = read(fd, bytes, sizeof bytes);
	*ended = n == 0;
	if (n < 0)
		return errno == EINTR;
	for (const char *s = bytes, *end = bytes + n; s < end; ) {
		const char *line_end = memchr(s, '\n', (size_t)(end - s));
		add(e, s, (size_t)((line_end != NULL ? line_end : end) - s));
		if (line_end == NULL)
			break;
		errors_end(e, self);
		s = line_end + 1;
	}
	return (size_t)n == sizeof bytes;
}
