/*
 * host.c - the box: one plugin, from its descriptor to the account of what it left.
 *
 * It must not know what a source emits or a sink answers.
 */
#include "testing/host.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/memory.h"
#include "plugin/object.h"

#define HOST_MAGIC 0x7062746fu
#define LOG_MAX (64 * 1024 * 1024)
#define COMPLAINTS_MAX (1024 * 1024)
#define MAX_EVENT (1024 * 1024)
#define SUFFIX ".so"

static struct pbt_host *host_alloc(void)
{
	struct pbt_host *host = xcalloc(1, sizeof *host);
	host->magic = HOST_MAGIC;
	host->before = census_take();
	host->tester = pthread_self();
	host->errors = xstrdup("");
	host->log = BUF_INIT(LOG_MAX);
	host->complaints = BUF_INIT(COMPLAINTS_MAX);
	host_clock_init(&host->clock);
	metrics_init(&host->metrics);
	pthread_mutex_init(&host->lock, NULL);
	cond_init(&host->changed);
	host->env = (struct instance_env){
		.clock = &host->clock.clock, .metrics = &host->metrics, .max_event = MAX_EVENT,
	};
	for (enum pbt_call call = 0; call < PBT_CALLS; call++)
		pbt_fail_at(call, 0);
	log_open(PB_WARN);	/* of the core's own; the plugin's goes to the host */
	return host;
}

/* `raw` is the plugin's own symbol, `name` what it must call itself. */
static void believe(struct pbt_host *host, const void *raw, const char *name)
{
	struct pb_error err;
	error_init(&err);
	host->descriptor = descriptor_new(raw, name, &err);
	if (host->descriptor == NULL)
		misuse(NULL, "%s", error_text(&err));
	error_free(&err);
	host->plugin = descriptor_plugin(host->descriptor);
	host->use = plugin_use_new(host->plugin, &host->env);
}

struct pbt_host *pbt_new(const struct pb_plugin *plugin)
{
	struct pbt_host *host = host_alloc();
	believe(host, plugin, plugin->name == NULL ? "" : plugin->name);
	return host;
}

struct pbt_host *pbt_new_file(const char *path)
{
	struct pbt_host *host = host_alloc();
	const char *slash = strrchr(path, '/');
	char *name = xstrdup(slash == NULL ? path : slash + 1);
	size_t len = strlen(name), suffix = strlen(SUFFIX);
	if (len <= suffix || strcmp(name + len - suffix, SUFFIX) != 0)
		misuse(NULL, "a plugin's file is NAME" SUFFIX ": %s", path);
	name[len - suffix] = '\0';
	struct pb_error err;
	const void *raw;
	error_init(&err);
	host->object = object_open(path, name, &raw, &err);
	if (host->object == NULL)
		misuse(NULL, "%s", error_text(&err));
	believe(host, raw, name);
	free(name);
	return host;
}

const struct pb_plugin *pbt_plugin(const struct pbt_host *host)
{
	CHECK_OBJ(host, HOST_MAGIC);
	return host->plugin;
}

static void close_all(struct pbt_host *host, bool sources)
{
	for (struct pbt_instance *in = host->first, *next; in != NULL; in = next) {
		next = in->next;
		if ((in->self.kind == CONFIG_SOURCE) == sources)
			pbt_close(in);
	}
}

int pbt_free(struct pbt_host *host)
{
	CHECK_OBJ(host, HOST_MAGIC);
	close_all(host, true);
	close_all(host, false);
	plugin_use_free(host->use);
	ledger_settle(host);
	stores_free(host);
	deliveries_free(host);
	descriptor_free(host->descriptor);
	bool ended = census_threads_ended(host->before);
	if (host->object != NULL && ended)	/* else one may be in its code */
		dlclose(host->object);
	census_compare(host->before, host);
	census_free(host->before);
	metrics_free(&host->metrics);
	int n = host->n_complaints;
	if (n > 0)
		fputs(host->complaints.data, stderr);
	buf_free(&host->complaints);
	buf_free(&host->log);
	free(host->errors);
	pthread_cond_destroy(&host->changed);
	pthread_mutex_destroy(&host->lock);
	host->magic = 0;
	free(host);
	return n;
}

void pbt_set_max_event(struct pbt_host *host, size_t bytes)
{
	CHECK_OBJ(host, HOST_MAGIC);
	if (host->first != NULL)
		misuse(NULL, "pbt_set_max_event() when an instance is open");
	host->env.max_event = bytes;
}

struct pbt_host *host_of(const struct pb_self *self)
{
	struct pbt_host *host = CONTAINER_OF(self->env, struct pbt_host, env);
	CHECK_OBJ(host, HOST_MAGIC);
	return host;
}

static void PB_PRINTF(3, 0) say(const struct pb_self *who, struct buf *to, const char *fmt, va_list args)
{
	buf_add_str(to, "patchbay-testing: ");
	if (who != NULL)
		buf_printf(to, "[%s] ", who->title);
	buf_vprintf(to, fmt, args);
	buf_add_char(to, '\n');
}

void misuse(const struct pb_self *who, const char *fmt, ...)
{
	struct buf line = BUF_INIT(COMPLAINTS_MAX);
	va_list args;
	va_start(args, fmt);
	say(who, &line, fmt, args);
	va_end(args);
	fflush(stdout);
	fputs(line.data, stderr);
	abort();
}

void complain(struct pbt_host *host, const struct pb_self *who, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	say(who, &host->complaints, fmt, args);
	va_end(args);
	host->n_complaints++;
}

bool host_wait(struct pbt_host *host, bool (*done)(void *arg), void *arg, int64_t ms)
{
	int64_t end = clock_mono(&clock_system) + ms, left;
	pthread_mutex_lock(&host->lock);
	bool is;
	while (!(is = done(arg)) && (left = end - clock_mono(&clock_system)) > 0)
		cond_wait_ms(&host->changed, &host->lock, left);
	pthread_mutex_unlock(&host->lock);
	return is;
}
