/* progress.c - one line on standard error that is written over. */
#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/table.h"

#define EVERY_MS 200

void progress_init(struct progress *p, const char *what, bool prints)
{
	*p = (struct progress){ .what = what, .next_ms = clock_mono(&clock_system) + EVERY_MS };
	p->shown = isatty(STDERR_FILENO) && !(prints && isatty(STDOUT_FILENO));
}

void progress_tell(void *progress, uint64_t done, uint64_t total)
{
	struct progress *p = progress;
	if (!p->shown)
		return;
	int64_t now = clock_mono(&clock_system);
	if (now < p->next_ms)
		return;
	char of[HUMAN_SIZE];
	bytes_format(total, of);
	fprintf(stderr, "\r%s: %u %% of %s ", p->what, total == 0 ? 0 : (unsigned)(done * 100 / total), of);
	p->there = true;
	p->next_ms = now + EVERY_MS;
}

void progress_clear(struct progress *p)
{
	if (p->there)
		fprintf(stderr, "\r%*s\r", 60, "");
	p->there = false;
}
