/* thread.h - threads with a name, and waits with a deadline. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Start a joinable thread with a name (cut to 15 bytes) and all signals blocked but those of its own faults. 0 or
 * -errno. */
int thread_start(pthread_t *, const char *name, void *(*run)(void *), void *arg);
/* Wait until the thread has ended, but not beyond `deadline` (monotonic ms). False: it runs on. */
bool thread_join_until(pthread_t, int64_t deadline);
/* A condition variable on the monotonic clock. */
void cond_init(pthread_cond_t *);
/* Wait at most `ms` (-1: without end). False when the time is over; true may be for nothing, so ask
 * the condition again. The mutex is held. */
bool cond_wait_ms(pthread_cond_t *, pthread_mutex_t *, int64_t ms);

#endif
