/* process.c - what of the process a plugin must leave alone. */
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/memory.h"
#include "conform/rules.h"

#define STATE_MAX (4 * 1024 * 1024)
#define HELD_MAX 5000		/* ms */
#define CHILDREN_END 2000	/* ms */
#define FDS_MAX 65536

/* The first line of what stands in the file, that is not the host's or a sanitizer's; NULL: none. */
static char *own_words(int fd)
{
	static const char host[] = "patchbay-testing: ";
	char *text = xcalloc(1, REASON_MAX + 1), *line = text, *rest = text;
	ssize_t len = pread(fd, text, REASON_MAX, 0);
	text[len < 0 ? 0 : len] = '\0';
	while (len > 0 && (line = strsep(&rest, "\n")) != NULL)
		if (*line != '\0' && strncmp(line, host, sizeof host - 1) != 0 && strncmp(line, "==", 2) != 0)
			return line;
	if (len > 0 && text[0] == '\n')
		return text;
	free(text);
	return NULL;
}

void process_streams(struct check *c)
{
	work_whole(c, false);
	fflush(NULL);
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
		const char *words = own_words(fd);
		if (words != NULL)
			check_fail(c, "it writes to standard %s: %.100s; pb_log() is for that",
				   fd == STDOUT_FILENO ? "output" : "error", words);
	}
}

/* Which descriptors there were before. */
struct seen {
	struct check *c;
	const char *when;
	bool before[FDS_MAX];
};

static void note_descriptor(void *arg, long fd)
{
	struct seen *seen = arg;
	if (fd < FDS_MAX)
		seen->before[fd] = true;
}

/* What a library has opened its user can only mark afterwards: that takes a moment on another thread. */
static bool inherited(int fd)
{
	int flags = 0;
	for (int i = 0; i < 100 && (flags & FD_CLOEXEC) == 0; i++) {
		if (i > 0)
			poll(NULL, 0, 10);
		flags = fcntl(fd, F_GETFD);
		if (flags < 0)
			return false;
	}
	return (flags & FD_CLOEXEC) == 0;
}

static void check_descriptor(void *arg, long fd)
{
	struct seen *seen = arg;
	char target[DOING_MAX];
	if (fd < FDS_MAX && !seen->before[fd] && inherited((int)fd))
		check_fail(seen->c, "descriptor %ld (%s), open %s, lacks O_CLOEXEC", fd,
			   census_target((int)fd, target), seen->when);
}

static void look(struct seen *seen, const char *when)
{
	seen->when = when;
	census_each(false, check_descriptor, seen);
}

/* Look while a sender waits for its answer, or a delivery is under way. */
static void look_during(struct check *c, struct pbt_instance *in, struct seen *seen)
{
	if (c->kind == KIND_SOURCE && c->wanted->feed != NULL && c->told->events != NO) {
		pbt_store(in, PBT_HOLDS, 0);
		feed_begin(c, in);
		if (!pbt_wait_held(in, HELD_MAX))
			check_skip(c, "an event is not committed: see source.commits");
		look(seen, "while a commit is under way");
		pbt_store(in, PBT_STORES, 0);
		feed_end(c, HELD_MAX);
	} else if (c->kind == KIND_SINK) {
		struct pb_delivery *d = pbt_delivery(in, event_ordinary(c));
		pbt_send(in, &d, 1);
		look(seen, "while a delivery is under way");
		if (!pbt_wait(&d, 1, pb_int(pbt_self(in), "timeout") + HELD_MAX))
			check_skip(c, "a delivery is not answered: see sink.answers");
	}
}

void process_descriptors(struct check *c)
{
	struct seen *seen = xcalloc(1, sizeof *seen);
	seen->c = c;
	census_each(false, note_descriptor, seen);
	struct pbt_instance *in = box_ready(c);
	look(seen, "after open()");
	look_during(c, in, seen);
	work(c, in);
	look(seen, "after some work");
	if (c->kind == KIND_SOURCE)
		box_stop(c, in);
	box_close(c, in);
	look(seen, "after close()");
	box_free(c, false);
	free(seen);
}

#define SIGNALS 65

struct dispositions {
	struct sigaction of[SIGNALS];
	sigset_t mask;
};

static void read_dispositions(struct dispositions *d)
{
	memset(d, 0, sizeof *d);
	for (int i = 1; i < SIGNALS; i++)
		sigaction(i, NULL, &d->of[i]);
	pthread_sigmask(SIG_BLOCK, NULL, &d->mask);
}

static void compare_dispositions(struct check *c, const struct dispositions *before, const char *when)
{
	struct dispositions now;
	read_dispositions(&now);
	for (int i = 1; i < SIGNALS; i++) {
		const char *name = sigabbrev_np(i);
		if (now.of[i].sa_handler != before->of[i].sa_handler)
			check_fail(c, "the disposition of SIG%s is changed %s", name == NULL ? "RTMIN+" : name, when);
		if (sigismember(&now.mask, i) != sigismember(&before->mask, i))
			check_fail(c, "SIG%s is %s %s", name == NULL ? "RTMIN+" : name,
				   sigismember(&now.mask, i) == 1 ? "blocked" : "no longer blocked", when);
	}
}

/* The threads that there were before. */
struct tasks {
	struct check *c;
	long at[16];
	size_t n;
};

static void note_task(void *arg, long task)
{
	struct tasks *tasks = arg;
	if (tasks->n < sizeof tasks->at / sizeof *tasks->at)
		tasks->at[tasks->n++] = task;
}

/* The mask of blocked signals of a thread: bit n - 1 is signal n. */
static bool read_blocked(long task, unsigned long long *mask)
{
	char path[64], line[128];
	bool found = false;
	snprintf(path, sizeof path, "/proc/self/task/%ld/status", task);
	FILE *f = fopen(path, "re");
	while (f != NULL && !found && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, "SigBlk:", 7) == 0) {
			*mask = strtoull(line + 7, NULL, 16);
			found = true;
		}
	if (f != NULL)
		fclose(f);
	return found;
}

static const int daemon_blocks[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };
#define N_BLOCKED (sizeof daemon_blocks / sizeof *daemon_blocks)

static void check_task(void *arg, long task)
{
	const struct tasks *tasks = arg;
	unsigned long long mask;
	for (size_t i = 0; i < tasks->n; i++)
		if (tasks->at[i] == task)
			return;
	if (!read_blocked(task, &mask))
		return;
	for (size_t i = 0; i < N_BLOCKED; i++)
		if ((mask >> (daemon_blocks[i] - 1) & 1) == 0)
			check_fail(tasks->c, "a thread of its lets SIG%s in, which the daemon waits for elsewhere",
				   sigabbrev_np(daemon_blocks[i]));
}

void process_signals(struct check *c)
{
	struct dispositions before;
	struct tasks tasks = { .c = c };
	read_dispositions(&before);
	census_each(true, note_task, &tasks);
	struct pbt_instance *in = box_ready(c);
	compare_dispositions(c, &before, "after open()");
	work(c, in);
	compare_dispositions(c, &before, "after some work");
	census_each(true, check_task, &tasks);
	doing(c, "with SIGTERM, SIGINT, SIGHUP and SIGUSR1 sent, which the daemon has blocked");
	for (size_t i = 0; i < N_BLOCKED; i++)
		kill(getpid(), daemon_blocks[i]);
	kill(getpid(), SIGPIPE);
	work(c, in);
	if (c->kind == KIND_SOURCE)
		box_stop(c, in);
	box_close(c, in);
	box_free(c, false);
	compare_dispositions(c, &before, "at the end");
}

/* Everything that is the process's, a line each. */
static char *state_text(void)
{
	struct buf text = BUF_INIT(STATE_MAX);
	char folder[4096], line[128];
	FILE *f = fopen("/proc/self/status", "re");
	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, "Umask:", 6) == 0)
			buf_printf(&text, "umask %s", line + 7);
	if (f != NULL)
		fclose(f);
	buf_printf(&text, "working folder %s\n", getcwd(folder, sizeof folder));
	buf_printf(&text, "locale %s\n", setlocale(LC_ALL, NULL));
	buf_printf(&text, "user and group %d %d %d %d\n", getuid(), geteuid(), getgid(), getegid());
	buf_printf(&text, "priority %d\n", getpriority(PRIO_PROCESS, 0));
	buf_printf(&text, "dumpable %d\n", prctl(PR_GET_DUMPABLE));
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit r = { 0 };
		getrlimit(i, &r);
		buf_printf(&text, "limit %d: %lld %lld\n", i, (long long)r.rlim_cur, (long long)r.rlim_max);
	}
	for (char **e = environ; e != NULL && *e != NULL; e++)
		buf_printf(&text, "environment %s\n", *e);
	return buf_take(&text);
}

static void compare_state(struct check *c, const char *before, const char *when)
{
	char *now = state_text();
	const char *a = before, *b = now;
	while (*a != '\0' && *b != '\0' && strcspn(a, "\n") == strcspn(b, "\n") &&
	       strncmp(a, b, strcspn(a, "\n")) == 0) {
		a += strcspn(a, "\n") + (a[strcspn(a, "\n")] == '\n');
		b += strcspn(b, "\n") + (b[strcspn(b, "\n")] == '\n');
	}
	if (*a != '\0' || *b != '\0')
		check_fail(c, "%s: \"%.*s\" was \"%.*s\"", when, (int)strcspn(b, "\n"), b,
			   (int)strcspn(a, "\n"), a);
	free(now);
}

void process_state(struct check *c)
{
	char *before = state_text();
	struct pbt_instance *in = box_ready(c);
	compare_state(c, before, "after open()");
	work(c, in);
	compare_state(c, before, "after some work");
	if (c->kind == KIND_SOURCE)
		box_stop(c, in);
	box_close(c, in);
	box_free(c, false);
	compare_state(c, before, "at the end");
	free(before);
}

void process_children(struct check *c)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	work_whole(c, false);
	feed_end(c, 0);
	pid_t pid = waitpid(-1, NULL, WNOHANG);
	int64_t end = now_ms() + CHILDREN_END;
	while (pid == 0 && now_ms() < end) {
		pause_ms(5);
		pid = waitpid(-1, NULL, WNOHANG);
	}
	if (pid > 0)
		check_fail(c, "process %d, which has ended, was not waited for", (int)pid);
	if (pid == 0)
		check_fail(c, "a process that it started still runs");
}
