/* instance.c - one section: read, checked and opened as the daemon does it, and closed. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/magic.h"
#include "base/memory.h"
#include "config/ini.h"
#include "config/secret.h"
#include "config/section.h"
#include "testing/host.h"

#define INSTANCE_MAGIC 0x70627469u
#define INI_MAX (16 * 1024 * 1024)
#define FILE_NAME "test.ini"

static bool find_face(void *arg, enum config_kind kind, const char *name,
		      const struct pb_option **table, uint32_t *most, bool *repeat,
		      struct pb_error *err)
{
	const struct pbt_host *host = arg;
	if (strcmp(name, host->plugin->name) == 0)
		return descriptor_face(host->plugin, kind, table, most, repeat, err);
	error_add(err, "plugin", "this test has no plugin but %s", host->plugin->name);
	return false;
}

static bool has_setting(const struct section *section, const char *key)
{
	for (size_t i = 0; i < section->n; i++)
		if (strcmp(section->settings[i].key, key) == 0)
			return true;
	return false;
}

/* The instance that the text describes; NULL when there is none to read. */
static struct config_instance *read_section(struct pbt_host *host, struct section *section,
					    struct report *report)
{
	const struct config_plugins plugins = { .arg = host, .find = find_face };
	if (!has_setting(section, "plugin"))
		section_add(section, "plugin", host->plugin->name, section->place, report);
	for (size_t i = 0; i < section->n; i++)
		secret_fill(&section->settings[i], section->title, report);
	for (enum config_kind kind = 0; kind < CONFIG_KINDS; kind++)
		if (strcmp(section->kind, config_kind_name(kind)) == 0)
			return config_instance_read(kind, section, &plugins, report);
	if (report->errors == 0)
		misuse(NULL, "pbt_open() of [%s]; expected a source, filter or sink", section->title);
	return NULL;
}

static struct config_instance *read_text(struct pbt_host *host, struct pb_span text,
					 struct report *report)
{
	struct sections sections = { 0 };
	struct config_instance *in = NULL;
	ini_read(text, FILE_NAME, &sections, report);
	if (sections.n != 1 && report->errors == 0)
		misuse(NULL, "pbt_open() of %zu sections; expected one", sections.n);
	if (sections.n == 1)
		in = read_section(host, sections.at[0], report);
	sections_free(&sections);
	return in;
}

/* The plugin's own check(), with a self that is nobody's. */
static void ask_plugin(struct pbt_host *host, const struct config_instance *config, struct pb_error *err)
{
	const struct pb_plugin *p = host->plugin;
	void (*check)(struct pb_self *, struct pb_error *) =
		config->kind == CONFIG_SOURCE ? p->source->check :
		config->kind == CONFIG_FILTER ? p->filter->check : p->sink->check;
	if (check == NULL)
		return;
	struct plugin_use *use = plugin_use_new(p, &host->env);
	struct pb_self self;
	instance_init(&self, config, use, &host->env, 0);
	check(&self, err);
	instance_fini(&self);
	plugin_use_free(use);
}

static void piece_new(struct pbt_instance *in)
{
	switch (in->self.kind) {
	case CONFIG_SOURCE: feed_new(in); break;
	case CONFIG_FILTER: stage_new(in); break;
	default: outlet_new(in);
	}
}

static void piece_free(struct pbt_instance *in)
{
	switch (in->self.kind) {
	case CONFIG_SOURCE: feed_free(in); break;
	case CONFIG_FILTER: stage_free(in); break;
	default: outlet_free(in);
	}
}

static void instance_end(struct pbt_instance *in)
{
	piece_free(in);
	instance_fini(&in->self);
	config_instance_free(in->config);
	in->magic = 0;
	free(in);
}

static size_t count_metrics(const struct pb_self *self)
{
	size_t n = 0;
	for (const struct pb_metric *m = self->metrics.first; m != NULL; m = m->next)
		n++;
	return n;
}

static void check_metrics(const struct pb_self *self)
{
	for (const struct pb_metric *m = self->metrics.first; m != NULL; m = m->next) {
		if (m->name[strspn(m->name, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0')
			misuse(self, "metric \"%s\": a name is lower_case_with_underscores", m->name);
		if (m->help[0] == '\0')
			misuse(self, "metric %s has no help", m->name);
	}
}

/* open(); its error, if it has one, is in `err`. */
static bool open_state(struct pbt_instance *in, struct pb_error *err)
{
	struct pb_self *self = &in->self;
	in->host->opening = self;
	bool opened = instance_open(self, err);
	in->host->opening = NULL;
	if (opened && err->count > 0)
		misuse(self, "open() returned a state after pb_error(): %s", error_text(err));
	check_metrics(self);
	in->n_metrics = count_metrics(self);
	return opened;
}

static struct pbt_instance *instance_begin(struct pbt_host *host, struct config_instance *config,
					   struct report *report)
{
	struct pbt_instance *in = xcalloc(1, sizeof *in);
	struct pb_error err;
	in->magic = INSTANCE_MAGIC;
	in->host = host;
	in->config = config;
	instance_init(&in->self, config, host->use, &host->env, 0);
	piece_new(in);
	error_init(&err);
	bool opened = open_state(in, &err);
	options_report(config->options, config->title, &err, report);
	if (opened)
		return in;
	instance_end(in);
	return NULL;
}

static struct pbt_instance *open_text(struct pbt_host *host, struct pb_span text,
				      struct report *report)
{
	struct config_instance *config = read_text(host, text, report);
	if (config != NULL && config->own_sound) {
		struct pb_error err;
		error_init(&err);
		ask_plugin(host, config, &err);
		options_report(config->options, config->title, &err, report);
	}
	if (report->errors == 0)
		return instance_begin(host, config, report);
	if (config != NULL)
		config_instance_free(config);
	return NULL;
}

static void keep_errors(struct pbt_host *host, const struct report *report)
{
	size_t len;
	free(host->errors);
	FILE *f = open_memstream(&host->errors, &len);
	if (f == NULL)
		misuse(NULL, "out of memory");
	report_print((struct report *)report, f, false);
	fclose(f);
}

struct pbt_instance *pbt_open(struct pbt_host *host, const char *ini, ...)
{
	struct buf text = BUF_INIT(INI_MAX);
	struct report report;
	va_list args;
	va_start(args, ini);
	buf_vprintf(&text, ini, args);
	va_end(args);
	report_init(&report);
	struct pbt_instance *in = open_text(host, buf_span(&text), &report);
	buf_free(&text);
	keep_errors(host, &report);
	report_free(&report);
	if (in == NULL)
		return NULL;
	in->next = host->first;
	host->first = in;
	return in;
}

const char *pbt_errors(const struct pbt_host *host)
{
	return host->errors;
}

static void close_it(struct pbt_instance *in)
{
	struct pbt_instance **at = &in->host->first;
	while (*at != in)
		at = &(*at)->next;
	*at = in->next;
	if (count_metrics(&in->self) != in->n_metrics)
		complain(in->host, &in->self, "registered a metric after open()");
	instance_close(&in->self);
	instance_end(in);
}

void pbt_close(struct pbt_instance *in)
{
	CHECK_OBJ(in, INSTANCE_MAGIC);
	if (in->self.kind == CONFIG_SINK)
		outlet_finish(in);
	else if (in->self.kind == CONFIG_SOURCE)
		feed_let_go(in);
	if (in->self.kind == CONFIG_SOURCE && !pbt_stop(in, PBT_LONG))
		misuse(&in->self, "did not stop: run() has not returned after %d ms", PBT_LONG);
	close_it(in);
}

void pbt_break_off(struct pbt_instance *in)
{
	pbt_sink_stop(in);
	close_it(in);
}

void must_be(const struct pbt_instance *in, enum config_kind kind, const char *call)
{
	CHECK_OBJ(in, INSTANCE_MAGIC);
	if (in->self.kind != kind)
		misuse(&in->self, "%s() is for a %s", call, config_kind_name(kind));
}

struct pbt_host *pbt_host(struct pbt_instance *in)
{
	CHECK_OBJ(in, INSTANCE_MAGIC);
	return in->host;
}

struct pb_self *pbt_self(struct pbt_instance *in)
{
	CHECK_OBJ(in, INSTANCE_MAGIC);
	return &in->self;
}

void *pbt_state(struct pbt_instance *in)
{
	CHECK_OBJ(in, INSTANCE_MAGIC);
	return in->self.state;
}

int pbt_port(const struct pbt_instance *in, size_t i)
{
	struct sockaddr_storage at = { 0 };
	socklen_t len = sizeof at;
	if (i >= in->self.n_listeners ||
	    getsockname(in->self.listeners[i].fd, (struct sockaddr *)&at, &len) < 0)
		misuse(&in->self, "has no %zuth listener", i);
	return at.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)&at)->sin_port) :
	       at.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&at)->sin6_port) : 0;
}

int64_t pbt_metric(const struct pbt_instance *in, const char *name)
{
	for (const struct pb_metric *m = in->self.metrics.first; m != NULL; m = m->next)
		if (strcmp(m->name, name) == 0)
			return atomic_load(&m->value);
	misuse(&in->self, "has no metric %s", name);
}

void pbt_reopen(struct pbt_instance *in)
{
	CHECK_OBJ(in, INSTANCE_MAGIC);
	const struct pb_sink *sink = in->host->plugin->sink;
	if (in->self.kind == CONFIG_SOURCE)
		feed_reopen(in);
	else if (in->self.kind == CONFIG_SINK && sink->reopen != NULL)
		sink->reopen(in->self.state);
}
