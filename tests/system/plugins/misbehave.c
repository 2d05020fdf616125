/*
 * misbehave: a source, filter and sink that do harm as an event says, for tests of isolated sections.
 *
 * The event's field `do` is the deed: segv, abort, exit, exec (start a program), ptrace (its parent), kill (its parent), memory (fill a GiB),
 * files (open as many as it can), hang, print (to standard output), environment (log what it has). A deed is done once for each `id` when
 * `once` names a file, which remembers it. Deliveries go to the file `log`, a line each.
 */
#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <patchbay/plugin.h>

#define LOOK 5	/* ms between two looks for a file */

extern char **environ;

struct misbehave {
	struct pb_self *self;
	struct pb_metric *deeds, *level;
};

static const struct pb_option options[] = {
	{ "log", PB_PATH, "", .help = "The file that gets a line for each event." },
	{ "once", PB_PATH, "", .help = "The file that is there once a deed was done: no other is." },
	{ "deed", PB_STRING, "", .help = "What it does at open(), or at stop, close or run with that word before it." },
	{ "secret", PB_SECRET, "", .help = "Is kept in memory." },
	{ 0 }
};

static void fill_memory(struct pb_self *self, size_t size)
{
	for (size_t had = 0; had < size; had += 1 << 20) {
		char *block = malloc(1 << 20);
		if (block == NULL) {
			pb_log(self, PB_INFO, "no memory after %zu MiB", had >> 20);
			abort();
		}
		memset(block, 1, 1 << 20);
	}
	pb_log(self, PB_INFO, "has filled %zu MiB", size >> 20);
}

static void start_program(struct pb_self *self)
{
	char path[] = "/bin/true";
	char *argv[] = { path, NULL };
	execv(path, argv);
	pb_log(self, PB_INFO, "execve: %s", strerror(errno));
}

static void open_files(struct pb_self *self)
{
	int fds[4096], n = 0;
	while (n < 4096 && (fds[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		n++;
	pb_log(self, PB_INFO, "opened %d files", n);
	while (n > 0)
		close(fds[--n]);
}

static void tell_environment(struct pb_self *self)
{
	for (char **at = environ; *at != NULL; at++)
		pb_log(self, PB_INFO, "environment: %s", *at);
}

static void hang(void)
{
	for (;;)
		poll(NULL, 0, -1);
}

static void do_deed(struct misbehave *m, const char *deed)
{
	if (strcmp(deed, "segv") == 0)
		raise(SIGSEGV);
	else if (strcmp(deed, "abort") == 0)
		abort();
	else if (strcmp(deed, "exit") == 0)
		exit(7);
	else if (strcmp(deed, "exec") == 0)
		start_program(m->self);
	else if (strcmp(deed, "ptrace") == 0)
		pb_log(m->self, PB_INFO, "ptrace: %s", ptrace(PTRACE_ATTACH, getppid(), 0, 0) < 0 ? strerror(errno) : "done");
	else if (strcmp(deed, "kill") == 0)
		pb_log(m->self, PB_INFO, "kill: %s", kill(getppid(), SIGKILL) < 0 ? strerror(errno) : "done");
	else if (strcmp(deed, "memory") == 0)
		fill_memory(m->self, (size_t)1 << 30);
	else if (strcmp(deed, "files") == 0)
		open_files(m->self);
	else if (strcmp(deed, "print") == 0)
		dprintf(STDOUT_FILENO, "a plugin prints\n");
	else if (strcmp(deed, "environment") == 0)
		tell_environment(m->self);
	else if (strcmp(deed, "hang") == 0)
		hang();
}

static bool may_do(struct misbehave *m)
{
	const char *once = pb_str(m->self, "once");
	if (*once == '\0')
		return true;
	int fd = open(once, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* The deed of the option, if it is for this moment: "stop hang". */
static void do_at(struct misbehave *m, const char *moment)
{
	const char *deed = pb_str(m->self, "deed");
	size_t len = strlen(moment);
	if (strncmp(deed, moment, len) == 0 && deed[len] == ' ' && may_do(m))
		do_deed(m, deed + len + 1);
}

static void note(struct misbehave *m, const char *id)
{
	const char *path = pb_str(m->self, "log");
	int fd = *path == '\0' ? -1 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0)
		return;
	dprintf(fd, "%s\n", id);
	close(fd);
}

/* The event is done with. */
static void handle(struct misbehave *m, const struct pb_event *ev)
{
	struct pb_span field = pb_field(ev, "do");
	char *deed = field.data != NULL ? pb_text(field) : NULL;
	pb_set(m->level, (int64_t)pb_event_body(ev).len);
	if (deed != NULL && may_do(m))
		do_deed(m, deed);
	pb_add(m->deeds, 1);
	free(deed);
	note(m, pb_event_id(ev));
}

static void *misbehave_open(struct pb_self *self, struct pb_error *err)
{
	struct misbehave *m = calloc(1, sizeof *m);
	if (m == NULL)
		return pb_error(err, NULL, "out of memory");
	m->self = self;
	m->deeds = pb_counter(self, "deeds", "Events that it was given.");
	m->level = pb_gauge(self, "level", "Bytes of the last one.");
	do_at(m, "open");
	if (strcmp(pb_str(self, "deed"), "refuse") != 0)
		return m;
	free(m);
	return pb_error(err, "deed", "is one that this plugin does not do: %s", pb_str(self, "deed"));
}

static void misbehave_close(void *state)
{
	do_at(state, "close");
	free(state);
}

static int misbehave_run(void *state)
{
	struct misbehave *m = state;
	do_at(m, "run");
	while (pb_wait(m->self, -1, -1) != -ECANCELED)
		;
	do_at(m, "stop");
	return 0;
}

static int misbehave_apply(void *state, struct pb_event *ev, struct pb_error *err)
{
	struct misbehave *m = state;
	(void)err;
	handle(m, ev);
	pb_pass(m->self, ev);
	return 0;
}

static void misbehave_write(void *state, struct pb_delivery *const d[], size_t n)
{
	struct misbehave *m = state;
	for (size_t i = 0; i < n; i++) {
		handle(m, pb_delivery_event(d[i]));
		pb_answer(d[i], PB_OK, 0, (struct pb_span){ NULL, 0 }, NULL);
	}
}

PB_PLUGIN(.name = "misbehave", .version = PACKAGE_VERSION,
	  .summary = "Does harm as a test tells it",
	  .source = PB_SOURCE(.options = options, .open = misbehave_open, .close = misbehave_close,
			      .run = misbehave_run),
	  .filter = PB_FILTER(.options = options, .open = misbehave_open, .close = misbehave_close,
			      .apply = misbehave_apply),
	  .sink = PB_SINK(.options = options, .open = misbehave_open, .close = misbehave_close,
			  .write = misbehave_write, .max_batch = 4));
