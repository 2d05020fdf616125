/* host.c - a plugin without a daemon: life, log, metrics, errors. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "plugins/host-self.h"

#define HOST_MAX_EVENT (1024 * 1024)

void host_bug(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

struct host *host_new(const struct pb_plugin *plugin)
{
	struct host *host = xcalloc(1, sizeof *host);
	struct pb_error err;
	pthread_mutex_init(&host->lock, NULL);
	cond_init(&host->answered);
	host->plugin = plugin;
	host->self.host = host;
	host->self.name = plugin->name;
	host->errors = xstrdup("");
	host->log = BUF_INIT(1024 * 1024);
	error_init(&err);
	if (plugin->load != NULL && (host->shared = plugin->load(&host->self, &err)) == NULL)
		host_bug("load(): %s", error_text(&err));
	error_free(&err);
	return host;
}

static void self_clear(struct pb_self *self)
{
	settings_free(self);
	while (self->metrics != NULL) {
		struct pb_metric *metric = self->metrics;
		self->metrics = metric->next;
		free(metric);
	}
}

int host_free(struct host *host)
{
	if (host->sinks != 0)
		return -1;
	if (host->plugin->unload != NULL)
		host->plugin->unload(host->shared);
	self_clear(&host->self);
	pthread_cond_destroy(&host->answered);
	pthread_mutex_destroy(&host->lock);
	buf_free(&host->log);
	free(host->errors);
	free(host);
	return 0;
}

static void errors_keep(struct host *host, const struct pb_error *err)
{
	struct buf all = BUF_INIT(1024 * 1024);
	for (const struct error_entry *e = err->first; e != NULL; e = e->next)
		buf_printf(&all, "%s: %s\n", e->option, e->text);
	free(host->errors);
	host->errors = all.len > 0 ? buf_take(&all) : xstrdup("");
}

static void *sink_open(struct host_sink *sink, const char *const settings[], struct pb_error *err)
{
	const struct pb_sink *face = sink->self.host->plugin->sink;
	settings_read(&sink->self, face->options, settings, err);
	if (err->count == 0 && face->check != NULL)
		face->check(&sink->self, err);
	if (err->count > 0)
		return NULL;
	void *state = face->open(&sink->self, err);
	if ((state == NULL) != (err->count > 0))
		host_bug("open() of %s: a state or an error, one of the two", sink->self.name);
	return state;
}

struct host_sink *host_open(struct host *host, const char *name, const char *const settings[])
{
	struct host_sink *sink = xcalloc(1, sizeof *sink);
	struct pb_error err;
	error_init(&err);
	sink->self = (struct pb_self){ .host = host, .name = name };
	sink->state = sink_open(sink, settings, &err);
	errors_keep(host, &err);
	error_free(&err);
	if (sink->state != NULL) {
		host->sinks++;
		return sink;
	}
	self_clear(&sink->self);
	free(sink);
	return NULL;
}

void host_close(struct host_sink *sink)
{
	struct host *host = sink->self.host;
	if (host->plugin->sink->stop != NULL)
		host->plugin->sink->stop(sink->state);
	host->plugin->sink->close(sink->state);
	host->sinks--;
	self_clear(&sink->self);
	free(sink);
}

const char *host_errors(const struct host *host)
{
	return host->errors;
}

void *host_state(const struct host_sink *sink)
{
	return sink->state;
}

void host_reopen(struct host_sink *sink)
{
	sink->self.host->plugin->sink->reopen(sink->state);
}

bool host_logged(struct host *host, const char *part)
{
	pthread_mutex_lock(&host->lock);
	bool found = host->log.len > 0 && strstr(host->log.data, part) != NULL;
	pthread_mutex_unlock(&host->lock);
	return found;
}

int64_t host_metric(const struct host_sink *sink, const char *name)
{
	for (struct pb_metric *m = sink->self.metrics; m != NULL; m = m->next)
		if (strcmp(m->name, name) == 0)
			return atomic_load(&m->value);
	host_bug("no metric %s", name);
	return 0;
}

/*** What the plugin calls. ***/

const char *pb_name(const struct pb_self *self)
{
	return self->name;
}

size_t pb_max_event(const struct pb_self *self)
{
	(void)self;
	return HOST_MAX_EVENT;
}

void *pb_shared(const struct pb_self *self)
{
	return self->host->shared;
}

void pb_log(struct pb_self *self, enum pb_level level, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	pthread_mutex_lock(&self->host->lock);
	buf_printf(&self->host->log, "%d [%s] ", (int)level, self->name);
	buf_vprintf(&self->host->log, fmt, args);
	buf_add_char(&self->host->log, '\n');
	pthread_mutex_unlock(&self->host->lock);
	va_end(args);
}

static struct pb_metric *metric_new(struct pb_self *self, const char *name, const char *help)
{
	if (*help == '\0')
		host_bug("metric %s has no help", name);
	struct pb_metric *metric = xcalloc(1, sizeof *metric);
	metric->name = name;
	metric->next = self->metrics;
	self->metrics = metric;
	return metric;
}

struct pb_metric *pb_counter(struct pb_self *self, const char *name, const char *help)
{
	return metric_new(self, name, help);
}

struct pb_metric *pb_gauge(struct pb_self *self, const char *name, const char *help)
{
	return metric_new(self, name, help);
}

void pb_add(struct pb_metric *metric, int64_t by)
{
	atomic_fetch_add_explicit(&metric->value, by, memory_order_relaxed);
}

void pb_set(struct pb_metric *metric, int64_t to)
{
	atomic_store_explicit(&metric->value, to, memory_order_relaxed);
}

void *pb_error(struct pb_error *err, const char *option, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	error_vadd(err, option, fmt, args);
	va_end(args);
	return NULL;
}
