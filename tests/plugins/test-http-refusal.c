/* test-http-refusal.c - what is counted and logged of a request that was refused. The core's part
 * and libmicrohttpd's, whose address it is, are stood in for. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "http/server.h"

#define METRICS 32

struct pb_metric {
	const char *name;
	int64_t value;
};

struct pb_self {
	struct pb_metric metrics[METRICS];
	size_t n;
	enum pb_level level;	/* of the last line logged */
	const char *fmt;
	char line[512];
};

/* What libmicrohttpd knows of a connection. */
struct MHD_Connection {
	union MHD_ConnectionInfo info;
};

const union MHD_ConnectionInfo *MHD_get_connection_info(struct MHD_Connection *conn,
							enum MHD_ConnectionInfoType type, ...)
{
	assert_int_equal(type, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	return &conn->info;
}

struct pb_metric *pb_counter(struct pb_self *self, const char *name, const char *help)
{
	assert_true(self->n < METRICS && *help != '\0');
	self->metrics[self->n] = (struct pb_metric){ .name = name };
	return &self->metrics[self->n++];
}

void pb_add(struct pb_metric *metric, int64_t by)
{
	metric->value += by;
}

void pb_log(struct pb_self *self, enum pb_level level, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	self->level = level;
	self->fmt = fmt;
	vsnprintf(self->line, sizeof self->line, fmt, args);
	va_end(args);
}

static int64_t value(const struct pb_self *self, const char *name)
{
	for (size_t i = 0; i < self->n; i++)
		if (strcmp(self->metrics[i].name, name) == 0)
			return self->metrics[i].value;
	fail_msg("no metric %s", name);
	return 0;
}

static const struct {
	unsigned status;
	const char *counter;
	enum pb_level level;
} rows[] = {
	{ 400, "refused_400", PB_INFO }, { 401, "refused_401", PB_WARN },
	{ 404, "refused_404", PB_INFO }, { 405, "refused_405", PB_INFO },
	{ 408, "refused_408", PB_DEBUG }, { 411, "refused_411", PB_INFO },
	{ 413, "refused_413", PB_WARN }, { 415, "refused_415", PB_INFO },
	{ 422, "refused_422", PB_INFO }, { 431, "refused_431", PB_INFO },
	{ 503, "refused_503", PB_WARN }, { 505, "refused_other", PB_WARN },
	{ 414, "refused_other", PB_INFO },
};

static void test_statuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pb_self self = { .n = 0 };
		struct http http = { .self = &self };
		char status[8];
		refusals_register(&http.refused, &self);
		refusal_note(&http, NULL, rows[i].status, "the reason");
		assert_int_equal(value(&self, "refused"), 1);
		assert_int_equal(value(&self, rows[i].counter), 1);
		assert_int_equal(self.level, rows[i].level);
		snprintf(status, sizeof status, "%u", rows[i].status);
		assert_non_null(strstr(self.line, status));
		assert_non_null(strstr(self.line, "the reason"));
		assert_non_null(strstr(self.line, "an unknown peer"));
	}
}

/* The log's limit is per format. */
static void test_a_flood_hides_no_failure(void **state)
{
	(void)state;
	static const unsigned statuses[] = { 400, 401, 408, 503 };
	const char *formats[4];
	struct pb_self self = { .n = 0 };
	struct http http = { .self = &self };
	refusals_register(&http.refused, &self);
	for (size_t i = 0; i < 4; i++) {
		refusal_note(&http, NULL, statuses[i], "r");
		formats[i] = self.fmt;
		for (size_t j = 0; j < i; j++)
			assert_ptr_not_equal(formats[i], formats[j]);
	}
}

static void assert_peer(const struct sockaddr *at, int fd, const char *text)
{
	struct pb_self self = { .n = 0 };
	struct http http = { .self = &self };
	struct MHD_Connection conn = { .info.client_addr = (struct sockaddr *)(uintptr_t)at };
	struct client client = { .conn = &conn, .fd = fd };
	refusals_register(&http.refused, &self);
	refusal_note(&http, &client, 400, "r");
	assert_non_null(strstr(self.line, text));
}

static void test_peers(void **state)
{
	(void)state;
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(5) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(6) };
	struct sockaddr local = { .sa_family = AF_UNIX };
	char who[64];
	int pair[2];
	inet_pton(AF_INET, "192.0.2.1", &four.sin_addr);
	inet_pton(AF_INET6, "2001:db8::1", &six.sin6_addr);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	snprintf(who, sizeof who, " process %ld of user %ld ", (long)getpid(), (long)getuid());
	assert_peer((struct sockaddr *)&four, -1, " 192.0.2.1:5 ");
	assert_peer((struct sockaddr *)&six, -1, " [2001:db8::1]:6 ");
	assert_peer(&local, pair[0], who);
	assert_peer(&local, -1, " an unknown peer ");
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_a_flood_hides_no_failure),
		cmocka_unit_test(test_peers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
