/* process.c - posix_spawn(), pidfds and what a wait status says. */
#include "plugin/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"

extern char **environ;

/* What a library may need to know of where it runs: `*` stands for any rest. The daemon's environment may hold secrets. */
static const char *const environment[] = {
	"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "LC_*", "TZ", "TZDIR", "TMPDIR", "HOSTALIASES", "RES_OPTIONS",
	"LOCALDOMAIN", "JOURNAL_STREAM", "SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF", "LD_LIBRARY_PATH", "LD_PRELOAD",
	"MALLOC_*", "GLIBC_TUNABLES", "ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS",
};

static bool is_passed(const char *variable, const char *const wanted[])
{
	for (; *wanted != NULL; wanted++) {
		size_t len = strlen(*wanted);
		if (strncmp(variable, *wanted, len) == 0 && variable[len] == '=')
			return true;
	}
	for (size_t i = 0; i < sizeof environment / sizeof *environment; i++) {
		const char *name = environment[i];
		size_t len = strcspn(name, "*");
		if (strncmp(variable, name, len) == 0 && (name[len] == '*' || variable[len] == '='))
			return true;
	}
	return false;
}

/* Pointers into our own. */
static char **passed_environment(const char *const wanted[])
{
	size_t n = 0, k = 0;
	while (environ[n] != NULL)
		n++;
	char **passed = xcalloc(n + 1, sizeof *passed);
	for (size_t i = 0; i < n; i++)
		if (is_passed(environ[i], wanted))
			passed[k++] = environ[i];
	return passed;
}

static int spawn(const char *program, char *const argv[], char *const env[], int end, pid_t *pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, end, PROCESS_FD);
	posix_spawn_file_actions_addclosefrom_np(&files, PROCESS_FD + 1);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	int failed = posix_spawn(pid, program, &files, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return -failed;
}

int process_start(const char *program, char *const argv[], const char *const variables[], pid_t *pid, int *fd)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	char **env = passed_environment(variables);
	int failed = spawn(program, argv, env, ends[1], pid);
	free(env);
	close(ends[1]);
	if (failed == 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) {
		int status;
		failed = -errno;
		process_kill(*pid);
		process_wait(*pid, -1, &status);
	}
	if (failed < 0)
		close(ends[0]);
	else
		*fd = ends[0];
	return failed;
}

static bool has_ended(pid_t pid, int64_t ms)
{
	siginfo_t info = { .si_pid = 0 };
	int fd = pidfd_open(pid, 0);
	if (fd >= 0) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int n;
		do
			n = poll(&p, 1, ms < 0 ? -1 : ms > INT32_MAX ? INT32_MAX : (int)ms);
		while (n < 0 && errno == EINTR);
		close(fd);
	}
	/* Without a pidfd only an end that is waited for for ever can be waited for. */
	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | (fd >= 0 || ms >= 0 ? WNOHANG : 0)) == 0 &&
	       info.si_pid == pid;
}

bool process_wait(pid_t pid, int64_t ms, int *status)
{
	if (!has_ended(pid, ms))
		return false;
	/* Until it is taken the number is nobody else's. */
	process_kill(pid);
	while (waitpid(pid, status, 0) < 0 && errno == EINTR)
		;
	return true;
}

void process_kill(pid_t pid)
{
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);	/* it may have gone to another group, and left somebody in this */
}

bool process_has_ended(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };
	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) == 0 && info.si_pid == pid;
}

void process_how(int status, char text[static PROCESS_HOW_SIZE])
{
	const char *signal_name = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;
	if (!WIFSIGNALED(status))
		snprintf(text, PROCESS_HOW_SIZE, "exited with status %d", WEXITSTATUS(status));
	else if (signal_name != NULL)
		snprintf(text, PROCESS_HOW_SIZE, "was killed by SIG%s%s", signal_name,
			 WCOREDUMP(status) ? " (core dumped)" : "");
	else
		snprintf(text, PROCESS_HOW_SIZE, "was killed by signal %d", WTERMSIG(status));
}
