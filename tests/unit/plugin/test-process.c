/* test-process.c - a process is begun with nothing but its socket, and its end is told as it was. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/sched.h>

#include <cmocka.h>

#include "base/memory.h"
#include "plugin/confine.h"
#include "plugin/process.h"

static const char *const passed[] = { "WANTED", NULL };

/* Begin a shell with this command. */
static pid_t begin(const char *command, int *fd)
{
	char name[] = "sh", option[] = "-c";
	char *text = xstrdup(command);
	char *argv[] = { name, option, text, NULL };
	pid_t pid = 0;
	assert_int_equal(process_start("/bin/sh", argv, passed, &pid, fd), 0);
	free(text);
	return pid;
}

static void its_end_is_told(void **state)
{
	static const struct { const char *command, *how; } ends[] = {
		{ "exit 0", "exited with status 0" }, { "exit 3", "exited with status 3" },
		{ "kill -9 $$", "was killed by SIGKILL" }, { "kill -15 $$", "was killed by SIGTERM" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		char how[PROCESS_HOW_SIZE];
		int fd, status;
		pid_t pid = begin(ends[i].command, &fd);
		assert_true(process_wait(pid, 60000, &status));
		process_how(status, how);
		assert_string_equal(how, ends[i].how);
		assert_int_equal(kill(pid, 0), -1);
		close(fd);
	}
}

/* What it writes to its socket until it has ended. */
static void hear(int fd, char *text, size_t size)
{
	size_t len = 0;
	for (ssize_t n = 1; n > 0; len += (size_t)(n > 0 ? n : 0)) {
		while ((n = recv(fd, text + len, size - 1 - len, 0)) < 0 && errno == EAGAIN)
			;
		assert_true(n >= 0);
	}
	text[len] = '\0';
}

static void it_has_its_socket_and_no_secret(void **state)
{
	char text[4096];
	int fd, status;
	(void)state;
	setenv("A_SECRET", "sesame", 1);
	setenv("LC_TEST", "kept", 1);
	setenv("WANTED", "too", 1);
	setenv("WANTED_NOT", "out", 1);
	pid_t pid = begin("{ env; ls /proc/self/fd | tr '\\n' ' '; cut -d\" \" -f5 /proc/self/stat; } >&3", &fd);
	hear(fd, text, sizeof text);
	assert_true(process_wait(pid, 60000, &status));
	assert_null(strstr(text, "sesame"));
	assert_non_null(strstr(text, "LC_TEST=kept"));
	assert_non_null(strstr(text, "WANTED=too"));
	assert_null(strstr(text, "WANTED_NOT"));
	assert_non_null(strstr(text, "0 1 2 3"));
	char *group = xasprintf("%d\n", (int)pid);
	assert_non_null(strstr(text, group));
	free(group);
	close(fd);
}

static void its_group_ends_with_it(void **state)
{
	char text[256];
	int fd, status;
	(void)state;
	pid_t pid = begin("cat <&3 & echo $! >&3; exit 0", &fd);
	memset(text, 0, sizeof text);
	while (recv(fd, text, sizeof text - 1, 0) < 0 && errno == EAGAIN)
		;
	assert_true(process_wait(pid, 60000, &status));
	hear(fd, text, sizeof text);		/* the end of file: nobody else has the socket */
	close(fd);
}

static void one_that_lives_is_said_to(void **state)
{
	int fd, status;
	(void)state;
	pid_t pid = begin("cat <&3", &fd);
	assert_false(process_wait(pid, 10, &status));
	process_kill(pid);
	assert_true(process_wait(pid, 60000, &status));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	close(fd);
}

/* It leaves its group, in which another stays. */
static void one_that_leaves_its_group_is_ended(void **state)
{
	int ready[2], status;
	char byte;
	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		if (fork() == 0)
			pause();
		if (setpgid(0, getpgid(getppid())) == 0 && write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_false(process_has_ended(pid));
	process_kill(pid);
	assert_true(process_wait(pid, 60000, &status));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	close(ready[0]);
	close(ready[1]);
}

static void what_is_not_there_cannot_be_begun(void **state)
{
	char name[] = "nothing";
	char *argv[] = { name, NULL };
	pid_t pid;
	int fd;
	(void)state;
	assert_int_equal(process_start("/nowhere/nothing", argv, passed, &pid, &fd), -ENOENT);
}

/* In a child, since it is for good. */
static int confined_as(bool execs, int (*deed)(void))
{
	int status;
	pid_t pid = fork();
	if (pid == 0)
		_exit(confine_begin(getppid()) < 0 || confine_limits(0, 20) < 0 || confine_calls(execs) < 0 ? 99 : deed());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int confined(int (*deed)(void))
{
	return confined_as(false, deed);
}

static int try_exec(void)
{
	execl("/bin/true", "true", NULL);
	return errno;
}

static int try_kill(void)
{
	return kill(getppid(), 0) < 0 ? errno : 0;
}

static int try_owner(void)
{
	return fcntl(0, F_SETOWN, getppid()) < 0 ? errno : 0;
}

static int try_own_signal(void)
{
	return kill(getpid(), 0) < 0 ? errno : 0;
}

static int try_chroot(void)
{
	return chroot("/") < 0 ? errno : 0;
}

static int try_clone3(void)
{
	return syscall(SYS_clone3, NULL, 0) < 0 ? errno : 0;
}

static int try_namespace(void)
{
	return syscall(SYS_clone, CLONE_NEWUTS, NULL, NULL, NULL, 0) < 0 ? errno : 0;
}

static int try_typing(void)
{
	return ioctl(-1, TIOCSTI, "x") < 0 ? errno : 0;
}

static int try_files(void)
{
	int n = 0;
	while (dup(0) >= 0)
		n++;
	return n < 20 ? errno : 0;
}

static void calls_are_refused(void **state)
{
	(void)state;
	assert_int_equal(confined(try_exec), EPERM);
	assert_int_equal(confined(try_kill), EPERM);
	assert_int_equal(confined(try_chroot), EPERM);
	assert_int_equal(confined(try_own_signal), 0);
	assert_int_equal(confined(try_owner), EPERM);
	assert_int_equal(confined(try_files), EMFILE);
	for (int execs = 0; execs < 2; execs++) {
		assert_int_equal(confined_as(execs, try_clone3), ENOSYS);
		assert_int_equal(confined_as(execs, try_namespace), EPERM);
		assert_int_equal(confined_as(execs, try_typing), EPERM);
	}
	assert_int_equal(confined_as(true, try_exec), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_end_is_told),
		cmocka_unit_test(it_has_its_socket_and_no_secret),
		cmocka_unit_test(its_group_ends_with_it),
		cmocka_unit_test(one_that_lives_is_said_to),
		cmocka_unit_test(one_that_leaves_its_group_is_ended),
		cmocka_unit_test(what_is_not_there_cannot_be_begun),
		cmocka_unit_test(calls_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
