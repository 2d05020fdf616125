/* log.c - what the plugin tells the operator. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testing/host.h"

static void PB_PRINTF(4, 0) add_line(struct buf *log, enum pb_level level,
				     const struct pb_self *self, const char *fmt, va_list args)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };
	size_t before = log->len;
	buf_printf(log, "%s [%s] ", names[level], self->title);
	buf_vprintf(log, fmt, args);
	buf_add_char(log, '\n');
	if (getenv("PBT_LOG") != NULL && log->failed == 0)
		fputs(log->data + before, stderr);
}

void pb_log(struct pb_self *self, enum pb_level level, const char *fmt, ...)
{
	struct pbt_host *host = host_of(self);
	va_list args;
	if ((int)level < PB_ERROR || level > PB_DEBUG)
		misuse(self, "logs with level %d, which is none", (int)level);
	va_start(args, fmt);
	pthread_mutex_lock(&host->lock);
	add_line(&host->log, level, self, fmt, args);
	pthread_cond_broadcast(&host->changed);
	pthread_mutex_unlock(&host->lock);
	va_end(args);
}

struct search {
	const struct pbt_host *host;
	const char *part;
};

static bool is_logged(void *arg)
{
	const struct search *search = arg;
	return search->host->log.len > 0 && strstr(search->host->log.data, search->part) != NULL;
}

bool pbt_logged(struct pbt_host *host, const char *part)
{
	return pbt_wait_logged(host, part, 0);
}

bool pbt_wait_logged(struct pbt_host *host, const char *part, int64_t ms)
{
	return host_wait(host, is_logged, &(struct search){ host, part }, ms);
}
