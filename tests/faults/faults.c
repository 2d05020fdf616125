/*
 * faults.c - a library for LD_PRELOAD that makes one call of a program fail, for tests/faults/faults.py.
 *
 * Only calls on files in the folder PATCHBAY_FAULT_UNDER count, each kind by itself and by the part of the store that
 * the file is in: "pwritev@journal". PATCHBAY_FAULT is CALL@PART/N/HOW: the N-th such call fails (N+: and all
 * after it). HOW is an errno's name; SHORT: half is written; KILL: the process ends there. Each call that
 * counts adds its line to the file PATCHBAY_FAULT_LOG. Sanitizers want to be the first that is loaded: not with them.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define SHORT (-1)	/* instead of an errno */

static const struct {
	const char *name;
	int number;
} hows[] = {
	{ "EIO", EIO }, { "ENOSPC", ENOSPC }, { "EINTR", EINTR }, { "ENOMEM", ENOMEM }, { "EMFILE", EMFILE },
	{ "EACCES", EACCES }, { "EDQUOT", EDQUOT }, { "SHORT", SHORT },
};

/* The rest of the path below the folder, NULL: it is elsewhere. */
static const char *below(const char *path)
{
	const char *under = getenv("PATCHBAY_FAULT_UNDER");
	size_t len = under == NULL ? 0 : strlen(under);
	return len > 0 && strncmp(path, under, len) == 0 && path[len] == '/' ? path + len + 1 : NULL;
}

static void note(const char *key)
{
	const char *log = getenv("PATCHBAY_FAULT_LOG");
	char line[64];
	if (log == NULL)
		return;
	int len = snprintf(line, sizeof line, "%s\n", key);
	int fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	syscall(SYS_write, fd, line, len);
	syscall(SYS_close, fd);
}

/* Is it this one's turn? */
static bool turn(const char *fault, size_t len)
{
	static atomic_ulong count;
	char *end;
	unsigned long nth = strtoul(fault + len + 1, &end, 10), now = atomic_fetch_add(&count, 1) + 1;
	return now == nth || (*end == '+' && now > nth);
}

static int how(const char *fault)
{
	const char *name = strrchr(fault, '/') + 1;
	if (strcmp(name, "KILL") == 0)
		raise(SIGKILL);
	for (size_t i = 0; i < sizeof hows / sizeof hows[0]; i++)
		if (strcmp(hows[i].name, name) == 0)
			return hows[i].number;
	abort();
}

/* What the call on that file is to fail with; 0: it is not. */
static int fault_at(const char *call, const char *path)
{
	const char *rest = below(path), *fault = getenv("PATCHBAY_FAULT");
	char key[64];
	if (rest == NULL)
		return 0;
	const char *part = strncmp(rest, "journal", 7) == 0 ? "journal" :
			   strncmp(rest, "state", 5) == 0 ? "state" : "store";
	size_t len = (size_t)snprintf(key, sizeof key, "%s@%s", call, part);
	note(key);
	if (fault == NULL || strncmp(fault, key, len) != 0 || fault[len] != '/' || !turn(fault, len))
		return 0;
	return how(fault);
}

static void path_of(int fd, char path[static PATH_MAX])
{
	char link[40];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, path, PATH_MAX - 1);
	path[len < 0 ? 0 : len] = '\0';
}

static int fault_fd(const char *call, int fd)
{
	char path[PATH_MAX];
	int kept = errno;
	path_of(fd, path);
	int failed = fault_at(call, path);
	errno = kept;
	return failed;
}

static int fault_name(const char *call, int folder, const char *name)
{
	char path[PATH_MAX];
	if (name[0] == '/' || folder == AT_FDCWD)
		return fault_at(call, name);
	path_of(folder, path);
	size_t len = strlen(path);
	snprintf(path + len, sizeof path - len, "/%s", name);
	return fault_at(call, path);
}

static int failed(int number)
{
	errno = number;
	return -1;
}

/* dlsym() gives an object's address where a function's is meant. */
#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

static int open_at(int folder, const char *name, int flags, mode_t mode)
{
	int number = fault_name((flags & O_CREAT) != 0 ? "create" : "open", folder, name);
	return number != 0 ? failed(number) : (int)syscall(SYS_openat, folder, name, flags, mode);
}

static mode_t mode_of(int flags, va_list args)
{
	return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
}

int open(const char *name, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = mode_of(flags, args);
	va_end(args);
	return open_at(AT_FDCWD, name, flags, mode);
}

int open64(const char *name, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = mode_of(flags, args);
	va_end(args);
	return open_at(AT_FDCWD, name, flags, mode);
}

int openat(int folder, const char *name, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = mode_of(flags, args);
	va_end(args);
	return open_at(folder, name, flags, mode);
}

int openat64(int folder, const char *name, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = mode_of(flags, args);
	va_end(args);
	return open_at(folder, name, flags, mode);
}

/* What the compiler makes of open() without a mode. */
int __open_2(const char *name, int flags);
int __open_2(const char *name, int flags)
{
	return open_at(AT_FDCWD, name, flags, 0);
}

int __open64_2(const char *name, int flags);
int __open64_2(const char *name, int flags)
{
	return open_at(AT_FDCWD, name, flags, 0);
}

int __openat_2(int folder, const char *name, int flags);
int __openat_2(int folder, const char *name, int flags)
{
	return open_at(folder, name, flags, 0);
}

int __openat64_2(int folder, const char *name, int flags);
int __openat64_2(int folder, const char *name, int flags)
{
	return open_at(folder, name, flags, 0);
}

int mkdir(const char *name, mode_t mode)
{
	int number = fault_name("mkdir", AT_FDCWD, name);
	return number != 0 ? failed(number) : NEXT(mkdir)(name, mode);
}

int mkdirat(int folder, const char *name, mode_t mode)
{
	int number = fault_name("mkdir", folder, name);
	return number != 0 ? failed(number) : NEXT(mkdirat)(folder, name, mode);
}

int unlink(const char *name)
{
	int number = fault_name("unlink", AT_FDCWD, name);
	return number != 0 ? failed(number) : NEXT(unlink)(name);
}

int unlinkat(int folder, const char *name, int flags)
{
	int number = fault_name("unlink", folder, name);
	return number != 0 ? failed(number) : NEXT(unlinkat)(folder, name, flags);
}

int renameat(int from, const char *old, int to, const char *name)
{
	int number = fault_name("rename", from, old);
	return number != 0 ? failed(number) : NEXT(renameat)(from, old, to, name);
}

int flock(int fd, int what)
{
	int number = fault_fd("flock", fd);
	return number != 0 ? failed(number) : NEXT(flock)(fd, what);
}

int fsync(int fd)
{
	int number = fault_fd("fsync", fd);
	return number != 0 ? failed(number) : NEXT(fsync)(fd);
}

int fdatasync(int fd)
{
	int number = fault_fd("fdatasync", fd);
	return number != 0 ? failed(number) : NEXT(fdatasync)(fd);
}

int ftruncate(int fd, off_t len)
{
	int number = fault_fd("ftruncate", fd);
	return number != 0 ? failed(number) : NEXT(ftruncate)(fd, len);
}

int ftruncate64(int fd, off64_t len)
{
	return ftruncate(fd, len);
}

int fallocate(int fd, int mode, off_t at, off_t len)
{
	int number = fault_fd("fallocate", fd);
	return number != 0 ? failed(number) : NEXT(fallocate)(fd, mode, at, len);
}

int fallocate64(int fd, int mode, off64_t at, off64_t len)
{
	return fallocate(fd, mode, at, len);
}

/* It gives the error's number. */
int posix_fallocate(int fd, off_t at, off_t len)
{
	int number = fault_fd("fallocate", fd);
	return number != 0 ? number : NEXT(posix_fallocate)(fd, at, len);
}

int posix_fallocate64(int fd, off64_t at, off64_t len)
{
	return posix_fallocate(fd, at, len);
}

void *mmap(void *where, size_t len, int protection, int flags, int fd, off_t at)
{
	int number = fd < 0 ? 0 : fault_fd("mmap", fd);
	if (number == 0)
		return NEXT(mmap)(where, len, protection, flags, fd, at);
	errno = number;
	return MAP_FAILED;
}

void *mmap64(void *where, size_t len, int protection, int flags, int fd, off64_t at)
{
	return mmap(where, len, protection, flags, fd, at);
}

ssize_t write(int fd, const void *data, size_t len)
{
	int number = fault_fd("write", fd);
	if (number > 0)
		return failed(number);
	return NEXT(write)(fd, data, number == SHORT ? (len + 1) / 2 : len);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
	int number = fault_fd("pwrite", fd);
	if (number > 0)
		return failed(number);
	return NEXT(pwrite)(fd, data, number == SHORT ? (len + 1) / 2 : len, at);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	return pwrite(fd, data, len, at);
}

ssize_t pwritev(int fd, const struct iovec *parts, int n, off_t at)
{
	int number = fault_fd("pwritev", fd);
	if (number > 0)
		return failed(number);
	if (number == SHORT)
		return NEXT(pwrite)(fd, parts[0].iov_base, (parts[0].iov_len + 1) / 2, at);
	return NEXT(pwritev)(fd, parts, n, at);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int n, off64_t at)
{
	return pwritev(fd, parts, n, at);
}

ssize_t writev(int fd, const struct iovec *parts, int n)
{
	int number = fault_fd("writev", fd);
	if (number > 0)
		return failed(number);
	if (number == SHORT)
		return NEXT(write)(fd, parts[0].iov_base, (parts[0].iov_len + 1) / 2);
	return NEXT(writev)(fd, parts, n);
}

ssize_t pread(int fd, void *to, size_t len, off_t at)
{
	int number = fault_fd("pread", fd);
	if (number > 0)
		return failed(number);
	return NEXT(pread)(fd, to, number == SHORT ? (len + 1) / 2 : len, at);
}

ssize_t pread64(int fd, void *to, size_t len, off64_t at)
{
	return pread(fd, to, len, at);
}

ssize_t __pread_chk(int fd, void *to, size_t len, off_t at, size_t room);
ssize_t __pread_chk(int fd, void *to, size_t len, off_t at, size_t room)
{
	if (len > room)
		abort();
	return pread(fd, to, len, at);
}
