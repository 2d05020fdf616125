/* test-thread.c - a thread has its name and no signals; a wait has its deadline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include "base/clock.h"
#include "base/thread.h"

struct meeting {
	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t changed;
	bool arrived, leave;
	sigset_t blocked;
};

static void meeting_init(struct meeting *m)
{
	*m = (struct meeting){ .lock = PTHREAD_MUTEX_INITIALIZER };
	cond_init(&m->changed);
}

static void meeting_end(struct meeting *m)
{
	pthread_cond_destroy(&m->changed);
	pthread_mutex_destroy(&m->lock);
}

static void *arrive_and_stay(void *arg)
{
	struct meeting *m = arg;
	pthread_mutex_lock(&m->lock);
	pthread_sigmask(SIG_SETMASK, NULL, &m->blocked);
	m->arrived = true;
	pthread_cond_broadcast(&m->changed);
	while (!m->leave)
		cond_wait_ms(&m->changed, &m->lock, -1);
	pthread_mutex_unlock(&m->lock);
	return m;
}

static void thread_has_name_and_no_signals(void **state)
{
	(void)state;
	struct meeting m;
	pthread_t thread;
	char name[32];
	void *result;
	sigset_t before, after;
	meeting_init(&m);
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	assert_int_equal(thread_start(&thread, "a-name-that-is-too-long", arrive_and_stay, &m), 0);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	assert_int_equal(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));

	pthread_mutex_lock(&m.lock);
	while (!m.arrived)
		assert_true(cond_wait_ms(&m.changed, &m.lock, 60000));
	assert_int_equal(pthread_getname_np(thread, name, sizeof name), 0);
	m.leave = true;
	pthread_cond_broadcast(&m.changed);
	pthread_mutex_unlock(&m.lock);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_ptr_equal(result, &m);
	assert_string_equal(name, "a-name-that-is-");
	assert_int_equal(sigismember(&m.blocked, SIGTERM), 1);
	assert_int_equal(sigismember(&m.blocked, SIGHUP), 1);
	meeting_end(&m);
}

static void wait_ends_in_time(void **state)
{
	(void)state;
	static const int64_t waits[] = { 0, 1, 25 };
	struct meeting m;
	meeting_init(&m);
	pthread_mutex_lock(&m.lock);
	for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
		int64_t begin = clock_mono(&clock_system);
		while (cond_wait_ms(&m.changed, &m.lock, waits[i]))
			;	/* woken for nothing */
		assert_true(clock_mono(&clock_system) - begin >= waits[i]);
	}
	pthread_mutex_unlock(&m.lock);
	meeting_end(&m);
}

static void *signal_change(void *arg)
{
	struct meeting *m = arg;
	pthread_mutex_lock(&m->lock);
	m->arrived = true;
	pthread_cond_signal(&m->changed);
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

static void endless_waits_are_woken(void **state)
{
	(void)state;
	static const int64_t waits[] = { INT64_MAX, -1, INT64_MAX - 1 };
	for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
		struct meeting m;
		pthread_t thread;
		meeting_init(&m);
		pthread_mutex_lock(&m.lock);
		assert_int_equal(thread_start(&thread, "signal", signal_change, &m), 0);
		while (!m.arrived)
			assert_true(cond_wait_ms(&m.changed, &m.lock, waits[i]));
		pthread_mutex_unlock(&m.lock);
		pthread_join(thread, NULL);
		meeting_end(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thread_has_name_and_no_signals),
		cmocka_unit_test(wait_ends_in_time),
		cmocka_unit_test(endless_waits_are_woken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
