/* A socket stays with epoll between two transfers, and a number that is used again is not taken for what had it before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "webhook/watch.h"

struct bench {
	struct watches watches;
	int epoll, ours, peer;
};

static void pair_up(struct bench *b)
{
	int ends[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	b->ours = ends[0];
	b->peer = ends[1];
}

static void bench_up(struct bench *b)
{
	*b = (struct bench){ .epoll = epoll_create1(EPOLL_CLOEXEC) };
	assert_true(b->epoll >= 0);
	pair_up(b);
}

static void bench_down(struct bench *b)
{
	close(b->ours);
	close(b->peer);
	close(b->epoll);
	watches_free(&b->watches);
}

/* How many events are there; the data of the first. */
static int ready(const struct bench *b, uint64_t *data)
{
	struct epoll_event events[4];
	int n = epoll_wait(b->epoll, events, 4, 0);
	*data = n > 0 ? events[0].data.u64 : 0;
	return n;
}

static void speak(const struct bench *b)
{
	assert_int_equal(write(b->peer, "x", 1), 1);
}

static void listen_up(const struct bench *b)
{
	char byte;
	assert_int_equal(read(b->ours, &byte, 1), 1);
}

static void what_is_kept_is_told_of_again(void **state)
{
	struct bench b;
	uint64_t data;
	(void)state;
	bench_up(&b);
	watch_made(&b.watches, b.ours);
	for (int i = 0; i < 3; i++) {
		watch_set(&b.watches, b.epoll, b.ours, EPOLLIN, 7);
		assert_int_equal(ready(&b, &data), 0);
		speak(&b);
		assert_int_equal(ready(&b, &data), 1);
		assert_int_equal(data, 7);
		assert_true(watch_ready(&b.watches, b.epoll, b.ours));
		listen_up(&b);
		watch_set(&b.watches, b.epoll, b.ours, 0, 7);
	}
	watch_set(&b.watches, b.epoll, b.ours, EPOLLOUT, 8);
	assert_int_equal(ready(&b, &data), 1);
	assert_int_equal(data, 8);
	bench_down(&b);
}

static void what_nobody_wants_is_told_once(void **state)
{
	struct bench b;
	uint64_t data;
	(void)state;
	bench_up(&b);
	watch_made(&b.watches, b.ours);
	watch_set(&b.watches, b.epoll, b.ours, EPOLLIN, 7);
	watch_set(&b.watches, b.epoll, b.ours, 0, 7);
	speak(&b);
	assert_int_equal(ready(&b, &data), 1);
	assert_false(watch_ready(&b.watches, b.epoll, b.ours));
	assert_int_equal(ready(&b, &data), 0);
	watch_set(&b.watches, b.epoll, b.ours, EPOLLIN, 9);
	assert_int_equal(ready(&b, &data), 1);
	assert_int_equal(data, 9);
	bench_down(&b);
}

static void a_number_used_again_is_new(void **state)
{
	struct bench b;
	uint64_t data;
	(void)state;
	bench_up(&b);
	for (int i = 0; i < 3; i++) {
		if (i < 2)
			watch_made(&b.watches, b.ours);	/* the third is one that nobody tells of */
		watch_set(&b.watches, b.epoll, b.ours, EPOLLIN, 7);
		watch_set(&b.watches, b.epoll, b.ours, EPOLLIN | EPOLLOUT, 7);
		assert_int_equal(ready(&b, &data), 1);
		watch_set(&b.watches, b.epoll, b.ours, 0, 7);
		int was = b.ours;
		if (i < 2)
			watch_closed(&b.watches, b.ours);
		close(b.peer);
		close(b.ours);
		pair_up(&b);
		assert_true(b.ours == was || b.peer == was);
	}
	bench_down(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_kept_is_told_of_again),
		cmocka_unit_test(what_nobody_wants_is_told_once),
		cmocka_unit_test(a_number_used_again_is_new),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
