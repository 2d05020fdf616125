/*
 * confine.c - limits, and system calls that are refused.
 *
 * RLIMIT_DATA, not RLIMIT_AS: it counts what a plugin can fill, heap and writable private mappings with the stacks of threads; the address
 * space that glibc's arenas and libraries only reserve would make a limit on that meaningless.
 *
 * A refused call is trapped, so that the log can say which it was; it then fails with EPERM, and the plugin goes on as on a system
 * that does not let it. This list, not one of what is allowed, since what libraries call changes with every release of theirs.
 */
#include "plugin/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <asm/sockios.h>
#include <linux/sched.h>
#include <seccomp.h>

#define THREAD_NAME_SIZE 17
#define N(table) (sizeof(table) / sizeof *(table))

/* A sanitizer's own data is more than any limit, and it looks for leaks by ptrace(). */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

struct call {
	int number;
	const char *name;
};
#define CALL(name) { SCMP_SYS(name), #name }

static const struct call denied[] = {
	/* Other processes. */
	CALL(ptrace), CALL(process_vm_readv), CALL(process_vm_writev), CALL(kcmp), CALL(pidfd_getfd), CALL(pidfd_send_signal),
	CALL(rt_sigqueueinfo), CALL(rt_tgsigqueueinfo), CALL(tkill), CALL(perf_event_open),
	/* Files as they are for everybody. */
	CALL(mount), CALL(umount2), CALL(pivot_root), CALL(chroot), CALL(move_mount), CALL(open_tree), CALL(fsopen),
	CALL(fsconfig), CALL(fsmount), CALL(fspick), CALL(mount_setattr), CALL(swapon), CALL(swapoff), CALL(quotactl), CALL(acct),
	CALL(open_by_handle_at), CALL(fanotify_init),
	/* The kernel. */
	CALL(init_module), CALL(finit_module), CALL(delete_module), CALL(kexec_load), CALL(kexec_file_load), CALL(bpf), CALL(reboot),
	CALL(syslog), CALL(settimeofday), CALL(clock_settime), CALL(sethostname), CALL(setdomainname), CALL(iopl), CALL(ioperm),
	CALL(modify_ldt), CALL(userfaultfd), CALL(io_uring_setup), CALL(add_key), CALL(request_key), CALL(keyctl), CALL(vhangup),
	/* Who it is, and what it may. */
	CALL(setuid), CALL(setgid), CALL(setreuid), CALL(setregid), CALL(setresuid), CALL(setresgid), CALL(setgroups), CALL(setfsuid),
	CALL(setfsgid), CALL(capset), CALL(unshare), CALL(setns), CALL(personality),
};
static const struct call starting[] = { CALL(execve), CALL(execveat) };
/* Refused only with some arguments. */
static const struct call partly[] = { CALL(kill), CALL(tgkill), CALL(clone), CALL(ioctl), CALL(fcntl), CALL(setrlimit), CALL(prlimit64) };

int confine_begin(int64_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;	/* it died before we asked to be told */
}

static int limit(int what, int64_t most)
{
	struct rlimit now;
	if (most == 0)
		return 0;
	if (getrlimit((__rlimit_resource_t)what, &now) < 0)
		return -errno;
	rlim_t to = (rlim_t)most < now.rlim_max ? (rlim_t)most : now.rlim_max;
	return setrlimit((__rlimit_resource_t)what, &(struct rlimit){ to, to }) < 0 ? -errno : 0;
}

int confine_limits(int64_t memory, int64_t files)
{
	int failed = limit(RLIMIT_DATA, SANITIZED ? 0 : memory);
	return failed < 0 ? failed : limit(RLIMIT_NOFILE, files);
}

static const char *find_name(const struct call *table, size_t n, int number)
{
	for (size_t i = 0; i < n; i++)
		if (table[i].number == number)
			return table[i].name;
	return NULL;
}

static void add(char *line, size_t size, const char *text)
{
	size_t len = strlen(line), more = strlen(text);
	if (len + more < size)
		memcpy(line + len, text, more + 1);
}

/* Where a call that was trapped returns to, it finds EPERM. Only what is safe in a signal handler is called. */
static void refused(int number, siginfo_t *info, void *context)
{
	const char *name = find_name(denied, N(denied), info->si_syscall);
	char line[160] = "patchbay: an isolated section was refused ", thread[THREAD_NAME_SIZE] = "";
	ucontext_t *uc = context;
	(void)number;
	if (name == NULL)
		name = find_name(starting, N(starting), info->si_syscall);
	if (name == NULL)
		name = find_name(partly, N(partly), info->si_syscall);
	prctl(PR_GET_NAME, thread);
	add(line, sizeof line, name == NULL ? "a system call" : name);
	add(line, sizeof line, "() in thread '");
	add(line, sizeof line, thread);
	add(line, sizeof line, "'\n");
	if (write(STDERR_FILENO, line, strlen(line)) < 0)
		thread[0] = '\0';	/* nobody is left to be told */
#if defined(__x86_64__)
	uc->uc_mcontext.gregs[REG_RAX] = -EPERM;
#elif defined(__aarch64__)
	uc->uc_mcontext.regs[0] = (unsigned long long)-EPERM;
#elif defined(__riscv)
	uc->uc_mcontext.__gregs[REG_A0] = (unsigned long)-EPERM;
#else
	(void)uc;	/* what the call is seen to return is undefined, but it was not made */
#endif
}

static int catch_refused(void)
{
	struct sigaction action = { .sa_sigaction = refused, .sa_flags = SA_SIGINFO };
	sigset_t set;
	sigemptyset(&action.sa_mask);
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	if (sigaction(SIGSYS, &action, NULL) < 0)
		return -errno;
	return -pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static int deny_table(scmp_filter_ctx filter, uint32_t action, const struct call *table, size_t n)
{
	int failed = 0;
	for (size_t i = 0; i < n && failed == 0; i++) {
		if (SANITIZED && (table[i].number == SCMP_SYS(ptrace) || table[i].number == SCMP_SYS(personality)))
			continue;
		failed = seccomp_rule_add(filter, action, table[i].number, 0);
	}
	return failed;
}

/* A thread has no namespaces of its own, and no terminal is typed at. clone3() has its flags where no filter can look: glibc, and who else
 * starts threads, then takes clone(). */
static int deny_by_value(scmp_filter_ctx filter, uint32_t action)
{
	static const unsigned long namespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
						CLONE_NEWNET | CLONE_NEWCGROUP;
	static const unsigned long typing[] = { TIOCSTI, TIOCLINUX };
	int failed = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	for (unsigned bit = 0; bit < 32 && failed == 0; bit++)
		if ((namespaces & 1ul << bit) != 0)
			failed = seccomp_rule_add(filter, action, SCMP_SYS(clone), 1,
						  SCMP_A0(SCMP_CMP_MASKED_EQ, 1ul << bit, 1ul << bit));
	for (size_t i = 0; i < N(typing) && failed == 0; i++)
		failed = seccomp_rule_add(filter, action, SCMP_SYS(ioctl), 1,
					  SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, typing[i]));
	return failed;
}

/* Who owns a descriptor is sent any signal, SIGKILL too, when there is something to read. */
static int deny_owners(scmp_filter_ctx filter)
{
	static const unsigned long ioctls[] = { FIOSETOWN, SIOCSPGRP };
	static const unsigned long fcntls[] = { F_SETOWN, F_SETOWN_EX };
	int failed = 0;
	for (size_t i = 0; i < N(ioctls) && failed == 0; i++)
		failed = seccomp_rule_add(filter, SCMP_ACT_TRAP, SCMP_SYS(ioctl), 1,
					  SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, ioctls[i]));
	for (size_t i = 0; i < N(fcntls) && failed == 0; i++)
		failed = seccomp_rule_add(filter, SCMP_ACT_TRAP, SCMP_SYS(fcntl), 1,
					  SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, fcntls[i]));
	return failed;
}

/* Signals are for itself, and limits stay as they are. */
static int deny_others(scmp_filter_ctx filter)
{
	uint64_t self = (uint64_t)getpid();
	int failed = seccomp_rule_add(filter, SCMP_ACT_TRAP, SCMP_SYS(kill), 1, SCMP_A0(SCMP_CMP_NE, self, 0));
	if (failed == 0)
		failed = seccomp_rule_add(filter, SCMP_ACT_TRAP, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_NE, self, 0));
	if (failed == 0)
		failed = seccomp_rule_add(filter, SCMP_ACT_TRAP, SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_NE, 0, 0));
	if (failed == 0)
		failed = seccomp_rule_add(filter, SCMP_ACT_TRAP, SCMP_SYS(setrlimit), 0);
	return failed == 0 ? deny_owners(filter) : failed;
}

int confine_calls(bool execs)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	if (filter == NULL)
		return -ENOMEM;
	/* A program that it starts has not our handler: to be trapped would be its end. */
	uint32_t action = execs ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_TRAP;
	int failed = execs ? 0 : catch_refused();
	if (failed == 0)
		failed = deny_table(filter, action, denied, N(denied));
	if (failed == 0)
		failed = deny_by_value(filter, action);
	if (failed == 0 && !execs)
		failed = deny_table(filter, SCMP_ACT_TRAP, starting, N(starting));
	if (failed == 0 && !execs)
		failed = deny_others(filter);
	if (failed == 0)
		failed = seccomp_load(filter);
	seccomp_release(filter);
	return failed;
}
