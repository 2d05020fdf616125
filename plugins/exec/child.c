/* child.c - vfork, execve, and the end of it. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec/child.h"

/* What can fail between fork and exec. */
enum step {
	STEP_STREAMS,
	STEP_LIMITS,
	STEP_USER,
	STEP_DIRECTORY,
	STEP_EXEC
};

struct failure {
	int step, error;
};

/* The six ends of three pipes, and of the one that tells of a failure. */
struct pipes {
	int in[2], out[2], err[2], told[2];
};

/* All that the new process needs, made before there is one. */
struct birth {
	const struct settings *settings;
	char *const *environment;
	struct pipes pipes;
	pid_t parent;
};

/*** In the new process, which shares our memory until it executes: system calls and nothing else. ***/

static bool set_limit(int which, int64_t soft)
{
	struct rlimit limit;
	if (getrlimit((__rlimit_resource_t)which, &limit) < 0)
		return false;
	if (limit.rlim_max == RLIM_INFINITY || (rlim_t)soft < limit.rlim_max)
		limit.rlim_max = limit.rlim_cur = (rlim_t)soft;
	else
		limit.rlim_cur = limit.rlim_max;
	return setrlimit((__rlimit_resource_t)which, &limit) == 0;
}

static bool set_limits(const struct settings *s)
{
	int64_t seconds = (s->cpu_time + 999) / 1000;
	return set_limit(RLIMIT_CORE, 0) && (s->memory == 0 || set_limit(RLIMIT_DATA, s->memory)) &&
	       (seconds == 0 || set_limit(RLIMIT_CPU, seconds)) &&
	       (s->open_files == 0 || set_limit(RLIMIT_NOFILE, s->open_files));
}

/* Not by the C library, which would have all threads of the process that we share memory with do it too. */
static bool set_user(const struct settings *s)
{
	return !s->as_user || (syscall(SYS_setgroups, s->n_groups, s->groups) == 0 &&
			       syscall(SYS_setresgid, s->gid, s->gid, s->gid) == 0 &&
			       syscall(SYS_setresuid, s->uid, s->uid, s->uid) == 0);
}

static void reset_signals(void)
{
	sigset_t none;
	struct sigaction plain;
	memset(&plain, 0, sizeof plain);
	plain.sa_handler = SIG_DFL;
	for (int signal = 1; signal < NSIG; signal++)
		sigaction(signal, &plain, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The pipes' numbers are above these. `told` goes to 3 and stays, until execve() closes it; all else is closed. */
static bool set_streams(const struct pipes *p)
{
	return dup2(p->in[0], 0) == 0 && dup2(p->out[1], 1) == 1 && dup2(p->err[1], 2) == 2 &&
	       dup3(p->told[1], 3, O_CLOEXEC) == 3 && syscall(SYS_close_range, 4u, ~0u, 0u) == 0;
}

static enum step be_born(const struct birth *b)
{
	const struct settings *s = b->settings;
	setsid();
	reset_signals();
	umask(022);
	if (!set_streams(&b->pipes))
		return STEP_STREAMS;
	if (!set_limits(s))
		return STEP_LIMITS;
	if (!set_user(s))
		return STEP_USER;
	/* After the change of user, which would undo it. The daemon may have died before it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != b->parent)
		_exit(127);
	if (chdir(s->directory) < 0)
		return STEP_DIRECTORY;
	execve(s->path, (char *const *)s->argv, b->environment);
	return STEP_EXEC;
}

__attribute__((noreturn)) static void child_main(const struct birth *b)
{
	struct failure failure = { .step = be_born(b), .error = errno };
	if (write(3, &failure, sizeof failure) < 0)
		_exit(126);
	_exit(127);
}

/*** In the daemon. ***/

/* All signals are held, since a handler of ours would run in memory that is shared. */
__attribute__((noinline)) static pid_t give_birth(const struct birth *b)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t pid = vfork();
	if (pid == 0)
		child_main(b);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid;
}

void child_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_all(struct pipes *p)
{
	int *fds = &p->in[0];
	for (size_t i = 0; i < sizeof *p / sizeof *fds; i++)
		child_close(&fds[i]);
}

/* Above 3 all of them, so that none is in the way of the standard streams. */
static bool make_pipe(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	for (int i = 0; i < 2; i++) {
		if (ends[i] > 3)
			continue;
		int moved = fcntl(ends[i], F_DUPFD_CLOEXEC, 4);
		if (moved < 0)
			return false;
		close(ends[i]);
		ends[i] = moved;
	}
	return true;
}

static bool make_pipes(struct pipes *p)
{
	*p = (struct pipes){ { -1, -1 }, { -1, -1 }, { -1, -1 }, { -1, -1 } };
	return make_pipe(p->in) && make_pipe(p->out) && make_pipe(p->err) && make_pipe(p->told) &&
	       fcntl(p->in[1], F_SETFL, O_NONBLOCK) == 0 && fcntl(p->out[0], F_SETFL, O_NONBLOCK) == 0 &&
	       fcntl(p->err[0], F_SETFL, O_NONBLOCK) == 0;
}

static int tell_failure(const struct settings *s, const struct failure *failure, char *why, size_t size)
{
	static const char *const steps[] = {
		[STEP_STREAMS] = "its standard streams cannot be set", [STEP_LIMITS] = "its limits cannot be set",
		[STEP_USER] = "its user cannot be set", [STEP_DIRECTORY] = "its directory",
		[STEP_EXEC] = "cannot be executed",
	};
	snprintf(why, size, "%s: %s: %s", failure->step == STEP_DIRECTORY ? s->directory : s->path,
		 steps[failure->step], strerror(failure->error));
	return -failure->error;
}

/* What the new process told before it could execute; nothing when it could. */
static int await_birth(struct child *c, const struct settings *s, struct pipes *p, char *why, size_t size)
{
	struct failure failure;
	ssize_t n;
	child_close(&p->told[1]);
	do {
		n = read(p->told[0], &failure, sizeof failure);
	} while (n < 0 && errno == EINTR);
	if (n != sizeof failure)
		return 0;
	child_reap(c);
	return tell_failure(s, &failure, why, size);
}

static char **joined(const struct settings *s, char *const more[])
{
	size_t n = 0;
	while (more != NULL && more[n] != NULL)
		n++;
	char **list = calloc(s->n_environment + n + 1, sizeof *list);
	if (list == NULL)
		return NULL;
	if (s->n_environment > 0)
		memcpy(list, s->environment, s->n_environment * sizeof *list);
	if (n > 0)
		memcpy(list + s->n_environment, more, n * sizeof *list);
	return list;
}

int child_start(struct child *c, const struct settings *s, char *const more[], char *why, size_t size)
{
	char **environment = joined(s, more);
	struct birth b = { .settings = s, .environment = environment, .parent = getpid() };
	int result = 0;
	*c = (struct child){ .pidfd = -1, .in = -1, .out = -1, .err = -1 };
	errno = ENOMEM;
	if (!make_pipes(&b.pipes) || environment == NULL || (c->pid = give_birth(&b)) < 0) {
		result = -errno;
		c->pid = 0;
		snprintf(why, size, "no process can be started: %s", strerror(-result));
	} else {
		c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
		result = await_birth(c, s, &b.pipes, why, size);
	}
	if (result == 0) {
		c->in = b.pipes.in[1];
		c->out = b.pipes.out[0];
		c->err = b.pipes.err[0];
		b.pipes.in[1] = b.pipes.out[0] = b.pipes.err[0] = -1;
	}
	close_all(&b.pipes);
	free(environment);
	return result;
}

void child_signal(const struct child *c, int signal)
{
	if (c->pid > 0)
		kill(-c->pid, signal);
}

bool child_has_ended(const struct child *c)
{
	siginfo_t info = { .si_pid = 0 };
	return c->pid > 0 && waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

int child_reap(struct child *c)
{
	int status = 0;
	child_signal(c, SIGKILL);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	child_close(&c->pidfd);
	child_close(&c->in);
	child_close(&c->out);
	child_close(&c->err);
	c->pid = 0;
	return status;
}

void child_tell(int status, char *text, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(text, size, "was ended by SIG%s", sigabbrev_np(WTERMSIG(status)) != NULL ?
			 sigabbrev_np(WTERMSIG(status)) : "?");
	else
		snprintf(text, size, "exited with %d", WEXITSTATUS(status));
}
