/* The webhook sink against a receiver that behaves in every way. */
#include <config.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <patchbay/testing.h>

#include "plugins/peer.h"

#define COUNT(a) (sizeof (a) / sizeof *(a))

extern const struct pb_plugin patchbay_plugin;

struct bench {
	struct pbt_host *host;
	struct peer *peer;
};

static int bench_up(void **state)
{
	struct bench *bench = calloc(1, sizeof *bench);
	bench->peer = peer_new();
	bench->host = pbt_new(&patchbay_plugin);
	*state = bench;
	return 0;
}

static int bench_down(void **state)
{
	struct bench *bench = *state;
	peer_free(bench->peer);		/* its threads and descriptors are none of the plugin's */
	int left = pbt_free(bench->host);
	free(bench);
	return left;
}

/* A sink that POSTs to the peer's `path`, with further lines `more`. */
static struct pbt_instance *sink_of(const struct bench *bench, const char *path, const char *more)
{
	struct pbt_instance *sink = pbt_open(bench->host, "[sink w]\nurl = http://127.0.0.1:%d%s\n%s",
					     peer_port(bench->peer), path, more);
	if (sink == NULL)
		fail_msg("%s", pbt_errors(bench->host));
	return sink;
}

/* The answer to one event. */
static struct pbt_answer deliver(struct pbt_instance *sink, const char *body,
				 const char *const attributes[])
{
	return pbt_deliver(sink, pbt_event(pbt_host(sink), body, strlen(body), attributes));
}

static bool header_came(struct peer *peer, const char *line)
{
	size_t len;
	const char *request = peer_last(peer, &len), *end = strstr(request, "\r\n\r\n");
	char want[1024];
	int n = snprintf(want, sizeof want, "\r\n%s\r\n", line);
	return memmem(request, (size_t)(end + 2 - request), want, (size_t)n) != NULL;
}

static void test_answers(void **state)
{
	static const struct {
		const char *path;
		enum pb_code code;
		int64_t after;
		const char *reason, *response;	/* of the reason: a part */
	} cases[] = {
		{ "/status/200", PB_OK, 0, "HTTP 200", NULL },
		{ "/status/204", PB_OK, 0, "HTTP 204", NULL },
		{ "/status/404", PB_REJECT, 0, "HTTP 404", NULL },
		{ "/status/410", PB_GONE, 0, "HTTP 410", NULL },
		{ "/status/429", PB_RETRY, 0, "HTTP 429", NULL },
		{ "/body/5", PB_OK, 0, "HTTP 200", "bbbbb" },
		{ "/raw/retry-after", PB_RETRY, 7000, "HTTP 503", "busy" },
		{ "/raw/moved", PB_REJECT, 0, "it points to http://h.test/x", NULL },
		{ "/raw/early-hints", PB_OK, 0, "HTTP 202", "ok" },
		{ "/raw/trailer", PB_OK, 0, "HTTP 200", "ok" },
		/* The status came: what happens to the body afterwards changes nothing. */
		{ "/raw/cut-body", PB_OK, 0, "HTTP 200", "half" },
		{ "/raw/bad-chunk", PB_OK, 0, "HTTP 200", NULL },
		{ "/raw/nul", PB_RETRY, 0, "HTTP 500", "a\x01z" },
		/* It did not come. */
		{ "/raw/cut-header", PB_RETRY, 0, "", NULL },
		{ "/raw/only-100", PB_RETRY, 0, "", NULL },
		{ "/raw/garbage", PB_RETRY, 0, "the answer is not HTTP", NULL },
		{ "/reset", PB_RETRY, 0, "the connection was lost", NULL },
		{ "/close", PB_RETRY, 0, "the connection was closed without an answer", NULL },
		{ "/endless-header", PB_RETRY, 0, "the answer's header is too large", NULL },
		{ "/endless-100", PB_RETRY, 0, "the answer's header is too large", NULL },
	};
	const struct bench *bench = *state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pbt_instance *sink = sink_of(bench, cases[i].path, "");
		struct pbt_answer answer = deliver(sink, "{}", NULL);
		if (answer.code != cases[i].code || strstr(answer.reason, cases[i].reason) == NULL)
			fail_msg("%s: %d %s", cases[i].path, (int)answer.code, answer.reason);
		assert_int_equal(answer.after, cases[i].after);
		assert_string_equal(answer.response.data == NULL ? "" : answer.response.data,
				    cases[i].response == NULL ? "" : cases[i].response);
		pbt_close(sink);
	}
}

static void test_timeouts(void **state)
{
	static const struct {
		const char *path, *timeout, *reason;
	} cases[] = {
		{ "/silent", "timeout = 150ms", "no answer within 150ms: waiting for the answer" },
		/* Its beginning has to come in time, on a busy machine too. */
		{ "/drip", "timeout = 1s", "no answer within 1s: reading the answer's header" },
		{ "/slow-body", "timeout = 1s", NULL },		/* the status came */
	};
	const struct bench *bench = *state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pbt_instance *sink = sink_of(bench, cases[i].path, cases[i].timeout);
		struct pbt_answer answer = deliver(sink, "{}", NULL);
		assert_string_equal(answer.reason, cases[i].reason == NULL ? "HTTP 200" : cases[i].reason);
		assert_int_equal(answer.code, cases[i].reason == NULL ? PB_OK : PB_RETRY);
		pbt_close(sink);
	}
}

/* A body that the receiver does not take in. */
static void test_deaf(void **state)
{
	const struct bench *bench = *state;
	struct pbt_instance *sink = sink_of(bench, "/deaf", "timeout = 300ms");
	char *body = calloc(1, 1024 * 1024);
	struct pb_delivery *d[8];
	memset(body, 'x', 1024 * 1024);
	for (size_t i = 0; i < COUNT(d); i++)
		d[i] = pbt_delivery(sink, pbt_event(pbt_host(sink), body, 1024 * 1024, NULL));
	pbt_send(sink, d, COUNT(d));
	assert_true(pbt_wait(d, COUNT(d), PBT_LONG));
	for (size_t i = 0; i < COUNT(d); i++) {
		assert_int_equal(pbt_answer(d[i]).code, PB_RETRY);
		assert_non_null(strstr(pbt_answer(d[i]).reason, "no answer within 300ms: "));
		pbt_delivery_free(d[i]);
	}
	free(body);
	pbt_close(sink);
}

static void test_no_receiver(void **state)
{
	const struct bench *bench = *state;
	struct peer *gone = peer_new();
	char refused[64];
	const char *const cases[][2] = {
		{ refused, "cannot connect: Connection refused" },
		{ "url = http://no-such-host.invalid/", "cannot resolve the name" },
	};
	snprintf(refused, sizeof refused, "url = http://127.0.0.1:%d/", peer_port(gone));
	peer_free(gone);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pbt_instance *sink = pbt_open(bench->host, "[sink w]\n%s", cases[i][0]);
		struct pbt_answer answer = deliver(sink, "{}", NULL);
		assert_int_equal(answer.code, PB_RETRY);
		if (strncmp(answer.reason, cases[i][1], strlen(cases[i][1])) != 0)
			fail_msg("%s", answer.reason);
		pbt_close(sink);
	}
}

static void test_request(void **state)
{
	static const char *const own[] = { "id = a b", "datacontenttype = text/plain", NULL };
	const struct bench *bench = *state;
	struct pbt_instance *sink = sink_of(bench, "/status/200", "headers = \"X-A: b, c\", \"X-Empty:\"");
	struct pbt_answer answer = deliver(sink, "{\"a\": \"\xc3\xa4\"}\n", own);
	char stamp[64];
	size_t len;
	bool timed = false;
	assert_int_equal(answer.code, PB_OK);
	assert_true(header_came(bench->peer, "content-type: text/plain"));
	assert_true(header_came(bench->peer, "webhook-id: a%20b"));
	assert_true(header_came(bench->peer, "X-A: b, c"));
	assert_true(header_came(bench->peer, "X-Empty:"));
	assert_true(header_came(bench->peer, "User-Agent: patchbay/" PACKAGE_VERSION));
	assert_true(header_came(bench->peer, "Content-Length: 12"));
	for (time_t now = time(NULL), t = now - 60; t <= now; t++) {
		snprintf(stamp, sizeof stamp, "webhook-timestamp: %lld", (long long)t);
		timed |= header_came(bench->peer, stamp);
	}
	assert_true(timed);
	const char *request = peer_last(bench->peer, &len);
	assert_memory_equal(request + len - 12, "{\"a\": \"\xc3\xa4\"}\n", 12);
	assert_null(strcasestr(request, "\r\nexpect"));
	assert_null(strcasestr(request, "\r\naccept-encoding"));
	pbt_close(sink);
}

static void test_content_type(void **state)
{
	static const struct {
		const char *body, *type, *more, *expected;
	} cases[] = {
		{ "{\"a\":1}", NULL, NULL, "content-type: application/json" },
		{ " 1 ", NULL, NULL, "content-type: application/json" },
		{ "text", NULL, NULL, "content-type: application/octet-stream" },
		{ "", NULL, NULL, "content-type: application/octet-stream" },
		{ "{}", "datacontenttype = text/x", NULL, "content-type: text/x" },
		{ "{}", "datacontenttype = text/x", "headers = \"Content-Type: a/b\"", "Content-Type: a/b" },
		{ "{}", NULL, "headers = \"user-agent: me\"", "user-agent: me" },
	};
	const struct bench *bench = *state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *const attributes[] = { cases[i].type, NULL };
		struct pbt_instance *sink = sink_of(bench, "/status/200", cases[i].more == NULL ? "" : cases[i].more);
		struct pbt_answer answer = deliver(sink, cases[i].body, attributes);
		size_t len, types = 0, agents = 0;
		assert_int_equal(answer.code, PB_OK);
		assert_true(header_came(bench->peer, cases[i].expected));
		for (const char *p = peer_last(bench->peer, &len); *p != '\0'; p++) {
			types += strncasecmp(p, "\ncontent-type:", 14) == 0;
			agents += strncasecmp(p, "\nuser-agent:", 12) == 0;
		}
		assert_int_equal(types, 1);
		assert_int_equal(agents, 1);
		pbt_close(sink);
	}
}

/* No more than max_response is kept, and a body without end does not hold anything up. */
static void test_response_limit(void **state)
{
	static const struct {
		const char *path, *limit;
		size_t kept;
		unsigned connections;	/* of two deliveries one after the other */
	} cases[] = {
		{ "/body/100", "max_response = 10", 10, 1 },
		{ "/body/100", "max_response = 100", 100, 1 },
		{ "/body/100", "max_response = 0", 0, 1 },
		{ "/body/60000", "max_response = 10", 10, 1 },
		{ "/body/3000000", "max_response = 10000", 10000, 2 },
		{ "/endless-body", "max_response = 10000", 10000, 2 },
	};
	const struct bench *bench = *state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pbt_instance *sink = sink_of(bench, cases[i].path, cases[i].limit);
		unsigned before = peer_connections(bench->peer);
		for (int j = 0; j < 2; j++) {
			struct pbt_answer answer = deliver(sink, "{}", NULL);
			assert_int_equal(answer.code, PB_OK);
			assert_int_equal(answer.response.len, cases[i].kept);
		}
		/* The first case may find a connection of an earlier test's. */
		if (i > 0)
			assert_int_equal(pbt_metric(sink, "connections"), cases[i].connections - (i < 5));
		assert_in_range(peer_connections(bench->peer) - before, 0, cases[i].connections);
		pbt_close(sink);
	}
}

static void test_many(void **state)
{
	const struct bench *bench = *state;
	struct pbt_instance *sinks[4];
	struct pb_delivery *d[4][64];
	unsigned before = peer_requests(bench->peer);
	for (size_t s = 0; s < 4; s++)
		sinks[s] = sink_of(bench, s % 2 == 0 ? "/status/204" : "/body/2000",
				   "timeout = 1m");
	for (int round = 0; round < 5; round++) {
		for (size_t s = 0; s < 4; s++) {
			for (size_t i = 0; i < 64; i++)
				d[s][i] = pbt_delivery(sinks[s], pbt_event(bench->host, "{}", 2, NULL));
			pbt_send(sinks[s], d[s], 64);
		}
		for (size_t s = 0; s < 4; s++) {
			assert_true(pbt_wait(d[s], 64, PBT_LONG));
			for (size_t i = 0; i < 64; i++) {
				if (pbt_answer(d[s][i]).code != PB_OK)
					fail_msg("%s", pbt_answer(d[s][i]).reason);
				assert_int_equal(pbt_answer(d[s][i]).response.len, s % 2 == 0 ? 0 : 2000);
				pbt_delivery_free(d[s][i]);
			}
		}
	}
	assert_int_equal(peer_requests(bench->peer) - before, 5 * 4 * 64);
	for (size_t s = 0; s < 4; s++)
		pbt_close(sinks[s]);
}

/* More sinks than share a curl handle, and more transfers than wait for the next; half of the sinks leave in between. */
static void test_very_many(void **state)
{
	enum { SINKS = 150, EACH = 2 };
	const struct bench *bench = *state;
	struct pbt_instance *sinks[SINKS];
	struct pb_delivery *d[SINKS][EACH];
	for (size_t s = 0; s < SINKS; s++)
		sinks[s] = sink_of(bench, "/status/204", "timeout = 1m");
	for (size_t step = 1; step <= 2; step++) {
		for (size_t s = 0; s < SINKS; s += step) {
			for (size_t i = 0; i < EACH; i++)
				d[s][i] = pbt_delivery(sinks[s], pbt_event(bench->host, "{}", 2, NULL));
			pbt_send(sinks[s], d[s], EACH);
		}
		for (size_t s = 0; s < SINKS; s += step) {
			assert_true(pbt_wait(d[s], EACH, PBT_LONG));
			for (size_t i = 0; i < EACH; i++) {
				if (pbt_answer(d[s][i]).code != PB_OK)
					fail_msg("%s", pbt_answer(d[s][i]).reason);
				pbt_delivery_free(d[s][i]);
			}
		}
		for (size_t s = 2 - step; s < SINKS; s += 2)
			pbt_close(sinks[s]);
	}
}

/* That the daemon has no descriptor left says nothing of the receiver: no attempt is used up. */
static void test_no_descriptor(void **state)
{
	const struct bench *bench = *state;
	struct pbt_instance *sink = sink_of(bench, "/status/204", "");
	struct rlimit before, none;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	int lowest = dup(STDOUT_FILENO);	/* not 0: the peer still polls */
	close(lowest);
	none = (struct rlimit){ (rlim_t)lowest, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	struct pbt_answer answer = deliver(sink, "{}", NULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	if (answer.code != PB_UNTRIED)
		fail_msg("%d %s", (int)answer.code, answer.reason);
	assert_string_equal(answer.reason, "cannot open a socket: Too many open files");
	answer = deliver(sink, "{}", NULL);
	if (answer.code != PB_OK)
		fail_msg("%s", answer.reason);
	pbt_close(sink);
}

/* One sink is closed with requests open; those of the others go on. */
static void test_close_breaks_off(void **state)
{
	const struct bench *bench = *state;
	struct pbt_instance *stuck = sink_of(bench, "/silent", ""), *well = sink_of(bench, "/status/200", "");
	struct pb_delivery *d[10];
	unsigned before = peer_requests(bench->peer);
	for (size_t i = 0; i < 10; i++)
		d[i] = pbt_delivery(stuck, pbt_event(bench->host, "{}", 2, NULL));
	pbt_send(stuck, d, 10);
	while (peer_requests(bench->peer) < before + 10)
		sched_yield();
	pbt_break_off(stuck);
	assert_true(pbt_wait(d, 10, 0));
	for (size_t i = 0; i < 10; i++) {
		assert_int_equal(pbt_answer(d[i]).code, PB_RETRY);
		assert_string_equal(pbt_answer(d[i]).reason, "shutting down");
	}
	struct pbt_answer ok = deliver(well, "{}", NULL);
	assert_int_equal(ok.code, PB_OK);
	pbt_close(well);
}

static void test_check(void **state)
{
	static const char *const cases[][2] = {
		{ "url = ftp://h.test/", "2: [sink w] url: expected a URL that begins with https:// or http://" },
		{ "url = file:///etc/passwd", "2: [sink w] url: this is not a URL" },
		{ "url = h.test/x", "2: [sink w] url: this is not a URL" },
		{ "url = https://", "2: [sink w] url: this is not a URL" },
		{ "url = http://u:p@h.test/", "2: [sink w] url: holds a user name or password" },
		{ "url = http://u@h.test/", "2: [sink w] url: holds a user name or password" },
		{ "url = http://h.test/\nheaders = \"a: b\", \"c\"",
		  "3: [sink w] headers: header 2 is not of the form" },
		{ "url = http://h.test/\nheaders = \"webhook-id: b\"",
		  "3: [sink w] headers: header 1 is patchbay's own" },
		{ "url = http://h.test/\nheadrs = x",
		  "3: [sink w] headrs: there is no such option; did you mean headers?" },
		{ "", "1: [sink w] url: is missing" },
	};
	const struct bench *bench = *state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char error[256];
		snprintf(error, sizeof error, "test.ini:%s", cases[i][1]);
		assert_null(pbt_open(bench->host, "[sink w]\n%s", cases[i][0]));
		if (strncmp(pbt_errors(bench->host), error, strlen(error)) != 0)
			fail_msg("%s: %s", error, pbt_errors(bench->host));
		assert_null(strstr(pbt_errors(bench->host), "u:p"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_timeouts, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_deaf, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_no_receiver, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_request, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_content_type, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_response_limit, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_many, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_very_many, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_no_descriptor, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_close_breaks_off, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_check, bench_up, bench_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
