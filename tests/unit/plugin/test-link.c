/* test-link.c - frames over a socket: in pieces, with a descriptor, too long, and to one who does not read. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/span.h"
#include "plugin/link.h"

#define FRAME_MAX (1u << 20)

struct pair {
	struct link a, b;
};

static int set_up(void **state)
{
	struct pair *p = calloc(1, sizeof *p);
	int ends[2];
	if (p == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return -1;
	link_init(&p->a, ends[0], FRAME_MAX);
	link_init(&p->b, ends[1], FRAME_MAX);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct pair *p = *state;
	link_fini(&p->a);
	link_fini(&p->b);
	free(p);
	return 0;
}

static void assert_next(struct link *l, int64_t token)
{
	struct message m;
	assert_int_equal(link_next(l, &m), 1);
	assert_int_equal(m.token, token);
	message_free(&m);
}

static void a_batch_is_one_read(void **state)
{
	struct pair *p = *state;
	for (int64_t i = 1; i <= 100; i++)
		assert_int_equal(link_add(&p->a, &(struct message){ .kind = MESSAGE_APPLY, .token = i }), 0);
	size_t waits = link_waiting(&p->a);
	assert_int_equal(link_flush(&p->a), 0);
	assert_int_equal(p->a.sent, waits);
	assert_int_equal(link_fill(&p->b), waits);
	for (int64_t i = 1; i <= 100; i++)
		assert_next(&p->b, i);
	assert_int_equal(link_next(&p->b, &(struct message){ 0 }), 0);
	assert_int_equal(link_fill(&p->b), -EAGAIN);
}

static void pieces_become_whole(void **state)
{
	struct pair *p = *state;
	assert_int_equal(link_add(&p->a, &(struct message){ .kind = MESSAGE_APPLY, .token = 3 }), 0);
	size_t len = p->a.out.len;
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(link_next(&p->b, &(struct message){ 0 }), 0);
		assert_int_equal(write(p->a.fd, p->a.out.data + i, 1), 1);
		assert_int_equal(link_fill(&p->b), 1);
	}
	assert_next(&p->b, 3);
}

static void one_who_does_not_read_costs_no_more_than_is_added(void **state)
{
	struct pair *p = *state;
	static char body[100000];
	struct message m = { .kind = MESSAGE_APPLY, .event = span_of(body, sizeof body) };
	int failed = 0;
	for (m.token = 1; failed == 0; m.token++) {
		assert_int_equal(link_add(&p->a, &m), 0);
		failed = link_flush(&p->a);
	}
	assert_int_equal(failed, -EAGAIN);
	while (link_add(&p->a, &m) == 0)
		m.token++;
	assert_true(link_waiting(&p->a) <= 2 * (FRAME_MAX + MESSAGE_HEAD));
	int64_t next = 1;
	while (next < m.token) {
		struct message got;
		link_flush(&p->a);
		assert_true(link_fill(&p->b) > 0);
		for (int one; (one = link_next(&p->b, &got)) == 1; next++) {
			assert_int_equal(got.token, next);
			assert_int_equal(got.event.len, sizeof body);
			message_free(&got);
		}
	}
	assert_int_equal(link_waiting(&p->a), 0);
}

static void a_descriptor_comes_along(void **state)
{
	struct pair *p = *state;
	int fds[2];
	char byte = 0;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(link_pass(&p->a, &(struct message){ .kind = MESSAGE_LISTENING }, fds[1], 1000), 0);
	close(fds[1]);
	assert_true(link_fill(&p->b) > 0);
	assert_true(p->b.passed >= 0);
	assert_int_equal(fcntl(p->b.passed, F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(p->b.passed, "x", 1), 1);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	assert_int_equal(byte, 'x');
	close(fds[0]);
}

static int count_open(void)
{
	int n = 0;
	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* One is wanted; the room for it holds two. */
static void of_several_descriptors_one_is_kept(void **state)
{
	struct pair *p = *state;
	char control[CMSG_SPACE(2 * sizeof(int))] = { 0 };
	struct iovec from = { (char[]){ 0 }, 1 };
	struct msghdr msg = {
		.msg_iov = &from, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control,
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int before = count_open(), two[] = { 0, 0 };
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof two);
	memcpy(CMSG_DATA(c), two, sizeof two);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(sendmsg(p->a.fd, &msg, 0), 1);
		assert_int_equal(link_fill(&p->b), 1);
	}
	assert_true(p->b.passed >= 0);
	assert_int_equal(count_open(), before + 1);
}

static void what_is_too_long_or_no_message_is_refused(void **state)
{
	struct pair *p = *state;
	struct message m;
	assert_int_equal(write(p->a.fd, "\x7f\xff\xff\xff", 4), 4);
	assert_int_equal(link_fill(&p->b), 4);
	assert_int_equal(link_next(&p->b, &m), -EMSGSIZE);
	assert_int_equal(write(p->b.fd, "\0\0\0\1x", 5), 5);
	assert_int_equal(link_fill(&p->a), 5);
	assert_int_equal(link_next(&p->a, &m), -EBADMSG);
}

static void an_end_is_seen_behind_what_came(void **state)
{
	struct pair *p = *state;
	assert_int_equal(link_add(&p->a, &(struct message){ .kind = MESSAGE_APPLY, .token = 9 }), 0);
	assert_int_equal(link_flush(&p->a), 0);
	link_fini(&p->a);
	assert_true(link_fill(&p->b) > 0);
	assert_next(&p->b, 9);
	assert_int_equal(link_fill(&p->b), 0);
	assert_int_equal(link_add(&p->b, &(struct message){ .kind = MESSAGE_STOP }), 0);
	assert_int_equal(link_flush(&p->b), -EPIPE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_batch_is_one_read), TEST(pieces_become_whole),
		TEST(one_who_does_not_read_costs_no_more_than_is_added), TEST(a_descriptor_comes_along),
		TEST(of_several_descriptors_one_is_kept),
		TEST(what_is_too_long_or_no_message_is_refused), TEST(an_end_is_seen_behind_what_came),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
