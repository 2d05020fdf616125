/* broker.c - see broker.h. What goes wrong here fails the test that runs. */
#include "tests/broker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cmocka.h>

#define LIMIT 30	/* s */

void broker_start(struct broker *b)
{
	struct sockaddr_in where = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof where;
	struct timeval limit = { .tv_sec = LIMIT };
	b->client = -1;
	b->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(b->listener, (struct sockaddr *)&where, size), 0);
	assert_int_equal(listen(b->listener, 5), 0);
	assert_int_equal(getsockname(b->listener, (struct sockaddr *)&where, &size), 0);
	setsockopt(b->listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	b->port = ntohs(where.sin_port);
}

static void hang_up(struct broker *b)
{
	if (b->client >= 0)
		close(b->client);
	b->client = -1;
}

void broker_stop(struct broker *b)
{
	hang_up(b);
	if (b->listener >= 0)
		close(b->listener);
	b->listener = -1;
}

static void put(const struct broker *b, const void *data, size_t len)
{
	assert_int_equal(send(b->client, data, len, MSG_NOSIGNAL), len);
}

/* False at the end of the connection. */
static bool get(const struct broker *b, uint8_t *data, size_t len)
{
	ssize_t n = recv(b->client, data, len, MSG_WAITALL);
	assert_true(n == (ssize_t)len || n == 0);
	return n != 0 || len == 0;
}

enum packet broker_read(struct broker *b)
{
	uint8_t head[2], rest[127];
	if (!get(b, head, 2)) {
		hang_up(b);
		return HANG_UP;
	}
	assert_true(head[1] < sizeof rest);	/* a longer one has another form */
	assert_true(get(b, rest, head[1]));
	if (head[0] >> 4 == CONNECT)
		b->clean = (rest[7] & 2) != 0;
	else if (head[1] >= 2)
		b->mid = rest[0] << 8 | rest[1];
	return head[0] >> 4;
}

void broker_accept(struct broker *b, int code)
{
	struct timeval limit = { .tv_sec = LIMIT };
	b->client = accept4(b->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(b->client >= 0);
	setsockopt(b->client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	assert_int_equal(broker_read(b), CONNECT);
	put(b, (uint8_t[]){ CONNACK << 4, 2, 0, (uint8_t)code }, 4);
}

void broker_welcome(struct broker *b)
{
	broker_accept(b, 0);
	assert_int_equal(broker_read(b), SUBSCRIBE);
	put(b, (uint8_t[]){ SUBACK << 4, 3, (uint8_t)(b->mid >> 8), (uint8_t)b->mid, 1 }, 5);
}

void broker_publish(struct broker *b, int mid, int more, const char *topic, const char *body)
{
	uint8_t packet[128] = { (uint8_t)(PUBLISH << 4 | more | (mid != 0 ? 2 : 0)) };
	size_t topic_len = strlen(topic), body_len = strlen(body), at = 4;
	assert_true(topic_len + body_len < 120);
	packet[3] = (uint8_t)topic_len;
	memcpy(packet + at, topic, topic_len);
	at += topic_len;
	if (mid != 0) {
		packet[at++] = (uint8_t)(mid >> 8);
		packet[at++] = (uint8_t)mid;
	}
	memcpy(packet + at, body, body_len);
	packet[1] = (uint8_t)(at + body_len - 2);
	put(b, packet, at + body_len);
}

bool broker_heard_nothing(const struct broker *b)
{
	uint8_t byte;
	return recv(b->client, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0;
}
