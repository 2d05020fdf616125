/* thread.c - threads with a name, and waits with a deadline. */
#include "base/thread.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#define NAME_SIZE 16	/* the kernel's, with NUL */
#define NS INT64_C(1000000000)
#define WAIT_MAX_MS (INT64_C(1000) * 86400 * 365)

int thread_start(pthread_t *t, const char *name, void *(*run)(void *), void *arg)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGSYS };
	sigset_t all, before;
	sigfillset(&all);
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		sigdelset(&all, faults[i]);	/* blocked they end the process without a word */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(t, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0)
		return -r;
	char cut[NAME_SIZE];
	snprintf(cut, sizeof cut, "%s", name);
	pthread_setname_np(*t, cut);
	return 0;
}

void cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	int r = pthread_condattr_init(&attr);
	assert(r == 0);
	r = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	assert(r == 0);
	r = pthread_cond_init(cond, &attr);
	assert(r == 0);
	(void)r;
	pthread_condattr_destroy(&attr);
}

bool cond_wait_ms(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t ms)
{
	if (ms < 0) {
		pthread_cond_wait(cond, mutex);
		return true;
	}
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	int64_t wait = ms < WAIT_MAX_MS ? ms : WAIT_MAX_MS;
	int64_t ns = (int64_t)until.tv_sec * NS + until.tv_nsec + wait * (NS / 1000);
	until.tv_sec = (time_t)(ns / NS);
	until.tv_nsec = (long)(ns % NS);
	return pthread_cond_timedwait(cond, mutex, &until) != ETIMEDOUT;
}

bool thread_join_until(pthread_t thread, int64_t deadline)
{
	struct timespec at = { deadline / 1000, deadline % 1000 * 1000000 };
#ifdef __SANITIZE_THREAD__	/* gcc 12's does not see that pthread_clockjoin_np() joins */
	struct timespec wall, mono;
	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	at.tv_sec += wall.tv_sec - mono.tv_sec;
	return pthread_timedjoin_np(thread, NULL, &at) == 0;
#else
	return pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &at) == 0;
#endif
}
