/* run.c - each rule in a child process, with a limit; whatever becomes of it is a result. */
#include "conform/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/parse.h"
#include "conform/rules.h"

#define OUTPUT_MAX (64 * 1024)
#define LOOK 2			/* ms */

/* How a child ended, and what it printed. */
struct ended {
	bool late;
	int status;
	char *output;
};

/* As the daemon has it before load(). */
static void take_daemons_signals(void)
{
	sigset_t blocked;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGHUP);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void ENDS_CHILD be_child(const struct suite *s, const struct rule *rule, int out, int err)
{
	struct check c = {
		.wanted = s->wanted, .rule = rule, .kind = s->kind, .told = s->told,
		.feed_log = memfd_create("feed", MFD_CLOEXEC),
	};
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	take_daemons_signals();
	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close(null);
	close(out);
	close(err);
	rule->run(&c);
	c.told->verdict = PASS;
	exit(0);	/* so that a sanitizer looks for leaks */
}

static void read_output(int fd, char **text, size_t *len)
{
	off_t size = lseek(fd, 0, SEEK_END);
	size_t more = size < 0 ? 0 : size > OUTPUT_MAX ? OUTPUT_MAX : (size_t)size;
	*text = xrealloc(*text, *len + more + 1, 1);
	ssize_t n = pread(fd, *text + *len, more, size > OUTPUT_MAX ? size - OUTPUT_MAX : 0);
	*len += n < 0 ? 0 : (size_t)n;
	(*text)[*len] = '\0';
}

/* All that it has started. */
static void kill_groups(const struct suite *s, pid_t pid)
{
	kill(-pid, SIGKILL);
	for (size_t i = 0; i < FEEDERS_MAX; i++)
		if (s->told->feeders[i] > 0)
			kill(-s->told->feeders[i], SIGKILL);
}

/* Wait for its end up to the limit, then see to it. Not by a pidfd, which valgrind may not know. */
static void wait_child(const struct suite *s, pid_t pid, struct ended *ended)
{
	int64_t end = now_ms() + s->wanted->limit;
	while (waitpid(pid, &ended->status, WNOHANG) == 0) {
		if (now_ms() >= end) {
			ended->late = true;
			kill(pid, SIGKILL);
			end = INT64_MAX;
		}
		pause_ms(LOOK);
	}
	kill_groups(s, pid);
}

static struct ended run_child(const struct suite *s, const struct rule *rule)
{
	struct ended ended = { 0 };
	size_t len = 0;
	int out = memfd_create("stdout", MFD_CLOEXEC), err = memfd_create("stderr", MFD_CLOEXEC);
	fflush(NULL);
	pid_t pid = out < 0 || err < 0 ? -1 : fork();
	if (pid == 0)
		be_child(s, rule, out, err);
	if (pid < 0) {
		fprintf(stderr, "patchbay plugin-test: no process can be started: %s\n", strerror(errno));
		exit(1);
	}
	setpgid(pid, pid);
	wait_child(s, pid, &ended);
	read_output(out, &ended.output, &len);
	read_output(err, &ended.output, &len);
	close(out);
	close(err);
	return ended;
}

/* The first line that has `part`, from there on, copied; false when none has. */
static bool line_with(const char *output, const char *part, char *to, size_t size)
{
	const char *at = strstr(output, part);
	if (at == NULL)
		return false;
	snprintf(to, size, "%.*s", (int)strcspn(at, "\n"), at);
	return true;
}

/* What the host or a sanitizer has said last, or nothing. */
static void last_words(const char *output, char words[static REASON_MAX])
{
	static const char host[] = "patchbay-testing: ";
	words[0] = '\0';
	if (line_with(output, "SUMMARY: ", words, REASON_MAX) ||
	    line_with(output, "runtime error: ", words, REASON_MAX))
		return;
	const char *at = output, *next;
	if (strstr(at, host) == NULL)
		return;
	while ((next = strstr(at + 1, host)) != NULL || strncmp(at, host, sizeof host - 1) != 0)
		at = next;
	snprintf(words, REASON_MAX, "%.*s", (int)strcspn(at, "\n") - (int)(sizeof host - 1),
		 at + sizeof host - 1);
}

static void describe_signal(struct result *r, const struct told *told, int signal)
{
	char words[REASON_MAX];
	const char *name = sigabbrev_np(signal);
	last_words(r->output, words);
	if (*words != '\0' && signal == SIGABRT)
		snprintf(r->reason, sizeof r->reason, "%s", words);
	else
		snprintf(r->reason, sizeof r->reason, "crashed with SIG%s %s%s%.1000s", name == NULL ? "?" : name,
			 told->doing, *words == '\0' ? "" : ": ", words);
}

static void describe_exit(struct result *r, const struct told *told, int status)
{
	char words[REASON_MAX];
	last_words(r->output, words);
	if (*words != '\0')
		snprintf(r->reason, sizeof r->reason, "%s", words);
	else if (told->verdict == PASS)
		snprintf(r->reason, sizeof r->reason, "the process ended with status %d", status);
	else
		snprintf(r->reason, sizeof r->reason, "the plugin ended the process with status %d %s", status,
			 told->doing);
}

static void judge(struct result *r, const struct suite *s, const struct ended *ended)
{
	const struct told *told = s->told;
	r->verdict = FAIL;
	if (ended->late) {
		snprintf(r->reason, sizeof r->reason, "hangs: after %lld ms still %s",
			 (long long)s->wanted->limit, told->doing);
	} else if (WIFSIGNALED(ended->status)) {
		describe_signal(r, told, WTERMSIG(ended->status));
	} else if (WEXITSTATUS(ended->status) != 0 || told->verdict == NO_VERDICT) {
		describe_exit(r, told, WEXITSTATUS(ended->status));
	} else {
		r->verdict = (enum verdict)told->verdict;
		snprintf(r->reason, sizeof r->reason, "%s", told->reason);
	}
}

static void forget(struct told *told)
{
	told->verdict = NO_VERDICT;
	told->doing[0] = told->reason[0] = '\0';
	told->storm_over = false;
	memset(told->feeders, 0, sizeof told->feeders);
}

/* LeakSanitizer itself failed, as where processes are traced already. */
static bool tracer_failed(const struct ended *ended)
{
	return strstr(ended->output, "LeakSanitizer has encountered a fatal error") != NULL;
}

static void run_rule(struct suite *s, const struct rule *rule, struct result *r)
{
	int64_t begin = now_ms();
	struct ended ended;
	for (unsigned n = 0; n < 3; n++) {
		forget(s->told);
		ended = run_child(s, rule);
		if (!tracer_failed(&ended))
			break;
		if (n < 2)
			free(ended.output);
	}
	*r = (struct result){ .rule = rule, .output = ended.output };
	judge(r, s, &ended);
	r->ms = now_ms() - begin;
}

static const struct rule *find_rule(void (*run)(struct check *))
{
	const struct rule *rule = rules;
	while (rule->run != run)
		rule++;
	return rule;
}

/* A rule that the others build on, checked without being told of. */
static void look(struct suite *s, void (*run)(struct check *))
{
	struct result r;
	run_rule(s, find_rule(run), &r);
	free(r.output);
}

static bool choose_kind(struct suite *s)
{
	unsigned kinds = s->told->kinds, kind = s->wanted->kind;
	if (kind == 0)
		kind = kinds == 0 ? KIND_SINK : kinds;
	if ((kind & (kind - 1)) != 0) {
		fprintf(stderr, "patchbay plugin-test: %s is several kinds: choose one with --kind\n",
			s->wanted->name);
		return false;
	}
	if (kinds != 0 && (kinds & kind) == 0) {
		fprintf(stderr, "patchbay plugin-test: %s has no %s\n", s->wanted->name, kind_name(kind));
		return false;
	}
	s->kind = (enum kind)kind;
	return true;
}

bool suite_begin(struct suite *s, const struct wanted *wanted)
{
	void *told = mmap(NULL, sizeof *s->told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (told == MAP_FAILED) {
		fprintf(stderr, "patchbay plugin-test: %s\n", strerror(errno));
		exit(1);
	}
	*s = (struct suite){ .wanted = wanted, .told = told, .kind = KIND_SINK };
	look(s, descriptor_loads);
	if (!choose_kind(s))
		return false;
	look(s, descriptor_accepted);
	return true;
}

static bool is_wanted(const struct suite *s, const struct rule *rule)
{
	if ((rule->kinds & s->kind) == 0)
		return false;
	if (s->wanted->only == NULL)
		return true;
	for (size_t i = 0; s->wanted->only[i] != NULL; i++)
		if (glob_match(s->wanted->only[i], rule->name))
			return true;
	return false;
}

static void check_rule(struct suite *s, const struct rule *rule, struct result *r)
{
	if (rule->raw || s->told->accepted) {
		run_rule(s, rule, r);
		return;
	}
	*r = (struct result){ .rule = rule, .verdict = SKIP, .output = xstrdup("") };
	snprintf(r->reason, sizeof r->reason, "the daemon does not take it: see descriptor.accepted");
}

void suite_run(struct suite *s, void (*each)(void *arg, const struct result *), void *arg)
{
	int64_t begin = now_ms();
	for (const struct rule *rule = rules; rule->name != NULL; rule++) {
		if (!is_wanted(s, rule))
			continue;
		s->results = xrealloc(s->results, s->n + 1, sizeof *s->results);
		check_rule(s, rule, &s->results[s->n]);
		each(arg, &s->results[s->n++]);
	}
	s->ms = now_ms() - begin;
}

void suite_end(struct suite *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->results[i].output);
	free(s->results);
	munmap(s->told, sizeof *s->told);
}

size_t suite_count(const struct suite *s, enum verdict verdict)
{
	size_t n = 0;
	for (size_t i = 0; i < s->n; i++)
		n += s->results[i].verdict == verdict;
	return n;
}
