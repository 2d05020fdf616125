/*
 * host.c - the process of an isolated section.
 *
 * It is told by `hello` which section it is, confines itself before anything of the plugin is in memory, opens the plugin, and is then what
 * the engine would be to it.
 */
#include "core/host.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/memory.h"
#include "base/span.h"
#include "base/thread.h"
#include "config/section.h"
#include "core/crash.h"
#include "core/host-part.h"
#include "dispatch/isolate.h"
#include "plugin/confine.h"
#include "plugin/process.h"

#define METRICS_MS 1000		/* between two reports of what is counted */
#define STOP_MS 10		/* between two looks whether a source's thread has ended */
#define EXECS "exec"		/* the plugin that starts programs */

/* A metric, and what the daemon was told of it; INT64_MIN: nothing yet. */
struct told {
	const struct pb_metric *metric;
	int64_t value;
};

bool host_wanted(int argc, char *const argv[])
{
	struct stat st;
	return argc == 3 && strcmp(argv[1], "isolated") == 0 && fstat(PROCESS_FD, &st) == 0 && S_ISSOCK(st.st_mode);
}

void host_end(const char *why)
{
	if (why != NULL)
		log_error("an isolated section ends: %s", why);
	_exit(EXIT_FAILURE);
}

struct host *host_of(const struct pb_self *self)
{
	return CONTAINER_OF(self->env, struct host, env);
}

void host_send(struct host *h, const struct message *m)
{
	pthread_mutex_lock(&h->sending);
	int failed = link_add(&h->link, m);
	if (failed == 0)
		failed = link_flush_wait(&h->link, -1);
	pthread_mutex_unlock(&h->sending);
	if (failed == -ENOMEM)
		host_end("out of memory");
	if (failed < 0 && failed != -EMSGSIZE)
		host_end(NULL);
}

int host_next(struct host *h, struct message *m)
{
	int got = link_next(&h->link, m);
	if (got < 0)
		host_end("cannot read what the daemon says");
	return got;
}

void host_fill(struct host *h, int ms)
{
	struct pollfd p = { .fd = h->link.fd, .events = POLLIN };
	if (poll(&p, 1, ms) <= 0)
		return;
	long n = link_fill(&h->link);
	if (n == 0 || (n < 0 && n != -EAGAIN))
		host_end(NULL);
}

/* What is counted. */

static struct told *told_of(struct host *h, const struct pb_metric *metric)
{
	for (size_t i = 0; i < h->n_told; i++)
		if (h->told[i].metric == metric)
			return &h->told[i];
	h->told = xrealloc(h->told, h->n_told + 1, sizeof *h->told);
	h->told[h->n_told] = (struct told){ .metric = metric, .value = INT64_MIN };
	return &h->told[h->n_told++];
}

static void tell_metric(void *arg, const struct metric_set *set, const struct pb_metric *metric)
{
	struct told *told = told_of(arg, metric);
	int64_t now = atomic_load_explicit(&metric->value, memory_order_relaxed);
	int64_t before = told->value == INT64_MIN ? 0 : told->value;
	struct message m = {
		.kind = MESSAGE_METRIC, .name = span_str(metric->name), .help = span_str(metric->help), .gauge = metric->gauge,
		.value = metric->gauge ? now : now - before,
	};
	(void)set;
	if (told->value == now)
		return;
	told->value = now;
	host_send(arg, &m);
}

static void tell_metrics(struct host *h)
{
	metrics_each(&h->metrics, tell_metric, h);
}

/* A socket of the daemon's. In open(), on the main thread. */
static int ask_listen(struct pb_self *self, const char *option, size_t i, struct pb_error *err)
{
	struct host *h = host_of(self);
	struct message m = { .kind = MESSAGE_LISTEN, .option = span_str(option), .index = (int64_t)i };
	host_send(h, &m);
	while (host_next(h, &m) == 0)
		host_fill(h, -1);
	bool right = m.kind == MESSAGE_LISTENING;
	if (right && h->link.passed < 0)
		error_add(err, option, "%.*s", (int)m.reason.len, m.reason.len == 0 ? "" : (const char *)m.reason.data);
	message_free(&m);
	if (!right)
		host_end("asked for a socket, and was told something else");
	int fd = h->link.passed;
	h->link.passed = -1;
	if (fd >= 0)
		instance_take_listener(self, option, i, fd);
	return fd;
}

/* The beginning. */

static void block_signals(void)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };	/* the daemon's to act on */
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		sigaddset(&set, numbers[i]);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

static char *text_of(struct pb_span s)
{
	char *text = xcalloc(s.len + 1, 1);
	if (s.len > 0)
		memcpy(text, s.data, s.len);
	return text;
}

static void confine(const struct message *hello, const char *plugin, struct pb_error *err)
{
	int failed = confine_begin(hello->pid);
	if (failed == 0)
		failed = confine_limits(hello->memory, hello->files);
	if (failed < 0)
		error_add(err, "isolate", "its limits cannot be set: %s", strerror(-failed));
	else if ((failed = confine_calls(strcmp(plugin, EXECS) == 0)) < 0)
		error_add(err, "isolate", "system calls cannot be refused (seccomp): %s", strerror(-failed));
}

/* All values have been found right by the daemon, and nothing here may quote one. */
static void add_settings(struct section *section, const struct message *hello, struct report *report)
{
	for (size_t i = 0; i + 1 < hello->options.n; i += 2) {
		char *key = text_of(hello->options.at[i]), *value = text_of(hello->options.at[i + 1]);
		section_add(section, key, value, section->place, report);
		if (section->n > 0)
			section->settings[section->n - 1].secret = strcmp(key, "plugin") != 0;
		explicit_bzero(value, strlen(value));
		free(key);
		free(value);
	}
}

static void keep_report(struct report *report, struct pb_error *err)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (report->errors > 0 && f != NULL) {
		report_print(report, f, false);
		fflush(f);
		error_add(err, "isolate", "the plugin is another than the daemon's: %s", text);
	}
	if (f != NULL)
		fclose(f);
	free(text);
	report_free(report);
}

/* NULL after error_add(). */
static struct config_instance *read_section(struct host *h, const struct message *hello, struct pb_error *err)
{
	struct config_plugins plugins = loader_tables(h->loader);
	struct config_instance *in = NULL;
	struct report report;
	char *line = xasprintf("[%.*s %.*s]", (int)hello->section.len, (const char *)hello->section.data,
			       (int)hello->name.len, (const char *)hello->name.data);
	report_init(&report);
	struct section *section = section_new(line, strlen(line), (struct place){ "patchbay.ini", 0 }, &report);
	add_settings(section, hello, &report);
	for (enum config_kind kind = 0; kind < CONFIG_KINDS; kind++)
		if (strcmp(section->kind, config_kind_name(kind)) == 0)
			in = config_instance_read(kind, section, &plugins, &report);
	section_free(section);
	free(line);
	bool right = in != NULL && report.errors == 0;
	keep_report(&report, err);
	if (right)
		return in;
	if (in != NULL)
		config_instance_free(in);
	return NULL;
}

static void init_part(struct host *h, unsigned worker)
{
	if (h->config->kind == CONFIG_SOURCE)
		host_source_init(h, worker);
	else
		host_deliver_init(h, worker);
	h->self->worker = worker;
}

/* The plugin is open, or it is told why not. */
static void open_section(struct host *h, const struct message *hello, struct pb_error *err)
{
	char *plugin = text_of(hello->plugin), *folder = text_of(hello->folder), *name = text_of(hello->name);
	unsigned worker = (unsigned)hello->worker;
	prctl(PR_SET_NAME, name);
	log_level((enum pb_level)hello->level);
	confine(hello, plugin, err);
	h->loader = loader_open(folder);
	metrics_init(&h->metrics);
	h->env = (struct instance_env){
		.clock = &clock_system, .metrics = &h->metrics, .max_event = (size_t)hello->max_event, .listen = ask_listen,
	};
	if (err->count == 0)
		h->config = read_section(h, hello, err);
	/* From here on what the daemon says overwrites `hello`. */
	const struct pb_plugin *loaded = h->config == NULL ? NULL : loader_find(h->loader, plugin, err);
	if (loaded != NULL) {
		h->use = plugin_use_new(loaded, &h->env);
		init_part(h, worker);
		instance_open(h->self, err);
	}
	free(plugin);
	free(folder);
	free(name);
}

static void greet(struct host *h, struct pb_error *err)
{
	struct message hello;
	while (host_next(h, &hello) == 0)
		host_fill(h, -1);
	if (hello.kind != MESSAGE_HELLO || hello.protocol != MESSAGE_PROTOCOL)
		host_end("was not greeted");
	size_t frame = ISOLATE_FRAME_MAX((size_t)hello.max_event);
	h->link.out.limit = 2 * (frame + MESSAGE_HEAD);
	open_section(h, &hello, err);
	message_free(&hello);
}

static int refuse(struct host *h, struct pb_error *err)
{
	for (const struct error_entry *e = err->first; e != NULL; e = e->next) {
		struct message m = {
			.kind = MESSAGE_ERROR, .option = span_str(e->option), .reason = span_str(e->text),
		};
		host_send(h, &m);
	}
	_exit(EXIT_FAILURE);
}

/* What it does. */

static bool take(struct host *h, const struct message *m)
{
	if (m->kind == MESSAGE_REOPEN)
		log_level((enum pb_level)m->level);
	return h->self->kind == CONFIG_SOURCE ? host_source_take(h, m) : host_deliver_take(h, m);
}

/* Until it is to stop, or, of a source that is, its thread has ended. */
static void serve(struct host *h)
{
	int64_t due = clock_mono(&clock_system) + METRICS_MS;
	for (bool stopping = false; ; ) {
		struct message m;
		host_fill(h, stopping ? STOP_MS : METRICS_MS);
		while (host_next(h, &m) == 1) {
			stopping = stopping || m.kind == MESSAGE_STOP;
			if (!take(h, &m))
				host_end("was told what it cannot know");
			message_free(&m);
		}
		int64_t now = clock_mono(&clock_system);
		if (now >= due) {
			tell_metrics(h);
			log_flush();
			due = now + METRICS_MS;
		}
		if (stopping && (h->self->kind != CONFIG_SOURCE || thread_join_until(h->feed.thread, now)))
			return;
	}
}

static void close_section(struct host *h)
{
	if (h->self->kind == CONFIG_SOURCE)
		host_source_stop(h);
	else
		host_deliver_stop(h);
	instance_close(h->self);
	tell_metrics(h);
	if (h->self->kind == CONFIG_SOURCE)
		host_source_fini(h);
	else
		host_deliver_fini(h);
	plugin_use_free(h->use);
	config_instance_free(h->config);
	metrics_free(&h->metrics);
	loader_close(h->loader);
	link_fini(&h->link);
	buf_free(&h->mark);
	buf_free(&h->keys);
	free(h->told);
	log_flush();
}

int host_run(void)
{
	struct host *h = xcalloc(1, sizeof *h);
	struct message ready = { .kind = MESSAGE_READY, .protocol = MESSAGE_PROTOCOL };
	struct pb_error err;
	block_signals();
	log_open(PB_INFO);
	crash_open();
	error_init(&err);
	link_init(&h->link, PROCESS_FD, UINT32_MAX);
	pthread_mutex_init(&h->sending, NULL);
	h->mark = h->keys = BUF_INIT(BUF_MAX);
	greet(h, &err);
	if (h->self == NULL || !h->self->opened)
		return refuse(h, &err);
	error_free(&err);
	tell_metrics(h);
	host_send(h, &ready);
	if (!(h->self->kind == CONFIG_SOURCE ? host_source_start(h) : host_deliver_start(h)))
		host_end("cannot start a thread; isolate_memory may be too small for it");
	serve(h);
	close_section(h);
	pthread_mutex_destroy(&h->sending);
	free(h);
	return EXIT_SUCCESS;
}
