/* When mqtt acknowledges a message, and when it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <patchbay/testing.h>

#include "tests/broker.h"

extern const struct pb_plugin patchbay_plugin;

struct bench {
	struct pbt_host *host;
	struct broker broker;
};

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof *b);
	if (b == NULL)
		return -1;
	*state = b;
	broker_start(&b->broker);
	b->host = pbt_new(&patchbay_plugin);
	return 0;
}

/* The test fails when the plugin has left something behind. */
static int tear_down(void **state)
{
	struct bench *b = *state;
	broker_stop(&b->broker);
	int left = pbt_free(b->host);
	free(b);
	return left;
}

/* The source at the bench's broker; the text of `more` is added to its section. */
static struct pbt_instance *source(struct bench *b, const char *more)
{
	struct pbt_instance *in = pbt_open(b->host, "[source s]\ntarget = 127.0.0.1:%d\n"
					   "client_id = c\ntopics = t/#\n%s", b->broker.port, more);
	if (in == NULL)
		fail_msg("%s", pbt_errors(b->host));
	return in;
}

static struct pbt_instance *connected(struct bench *b, const char *more)
{
	struct pbt_instance *in = source(b, more);
	pbt_start(in);
	broker_welcome(&b->broker);
	return in;
}

/* What it does when a connection is lost: nothing for `ms`, then another. */
static void assert_pauses(struct bench *b, struct pbt_instance *in, int64_t ms)
{
	int64_t timeout;
	assert_true(pbt_wait_asleep(in, PBT_LONG, &timeout));
	assert_int_equal(timeout, ms);
	pbt_advance(b->host, ms);
}

static void assert_body(struct pbt_instance *in, size_t i, const char *expected)
{
	struct pb_span body = pb_event_body(pbt_stored(in, i));
	assert_int_equal(body.len, strlen(expected));
	assert_memory_equal(body.data, expected, body.len);
}

static void a_message_is_an_event(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = connected(b, "type = reading");
	assert_false(b->broker.clean);
	broker_publish(&b->broker, 7, 0, "t/hall", "21.5");
	broker_publish(&b->broker, 0, 0, "t/yard", "");
	assert_true(pbt_wait_stored(in, 2, PBT_LONG));
	assert_body(in, 0, "21.5");
	assert_string_equal(pb_event_type(pbt_stored(in, 0)), "reading");
	assert_string_equal(pb_event_subject(pbt_stored(in, 0)), "t/hall");
	assert_string_equal(pb_event_subject(pbt_stored(in, 1)), "t/yard");
	assert_int_equal(broker_read(&b->broker), PUBACK);
	assert_int_equal(b->broker.mid, 7);
	assert_true(pbt_stop(in, PBT_LONG));
	assert_int_equal(broker_read(&b->broker), DISCONNECT);
	assert_int_equal(broker_read(&b->broker), HANG_UP);
}

static void nothing_is_acknowledged_before_it_is_stored(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = connected(b, "");
	assert_true(pbt_wait_asleep(in, PBT_LONG, NULL));
	pbt_store(in, PBT_HOLDS, 0);
	broker_publish(&b->broker, 1, 0, "t", "one");
	assert_true(pbt_wait_held(in, PBT_LONG));
	assert_int_equal(pbt_n_emitted(in), 1);
	assert_true(broker_heard_nothing(&b->broker));
	pbt_store(in, PBT_STORES, 0);
	assert_int_equal(broker_read(&b->broker), PUBACK);
	assert_int_equal(pbt_n_stored(in), 1);
}

/* To stop a source while its store is full is the nearest to a crash. */
static void what_a_stop_cuts_off_is_not_acknowledged(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = connected(b, "");
	assert_true(pbt_wait_asleep(in, PBT_LONG, NULL));
	pbt_store(in, PBT_FULL, 0);
	broker_publish(&b->broker, 1, 0, "t", "one");
	assert_true(pbt_wait_held(in, PBT_LONG));
	assert_true(pbt_stop(in, PBT_LONG));
	pbt_close(in);
	assert_int_equal(broker_read(&b->broker), HANG_UP);
	in = connected(b, "");
	broker_publish(&b->broker, 1, 8, "t", "one");	/* 8: "perhaps again" */
	assert_int_equal(broker_read(&b->broker), PUBACK);
	assert_int_equal(pbt_n_stored(in), 1);
}

static void what_cannot_be_stored_comes_again(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = connected(b, "");
	pbt_store(in, PBT_REFUSES, 1);
	broker_publish(&b->broker, 1, 0, "t", "one");
	assert_int_equal(broker_read(&b->broker), HANG_UP);
	assert_true(pbt_logged(b->host, "not stored: too large to store"));
	assert_pauses(b, in, 1000);
	broker_welcome(&b->broker);
	broker_publish(&b->broker, 1, 8, "t", "one");
	assert_int_equal(broker_read(&b->broker), PUBACK);
	assert_int_equal(pbt_n_stored(in), 1);
}

static void short_memory_costs_no_message(void **state)
{
	static const enum pbt_call calls[] = { PBT_EVENT_NEW, PBT_EVENT_SET, PBT_RENDER };
	struct bench *b = *state;
	struct pbt_instance *in = connected(b, "key = {{data.id}}");
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		pbt_fail_at(calls[i], 1);
		broker_publish(&b->broker, 1, 0, "t", "{\"id\": 1}");
		assert_int_equal(broker_read(&b->broker), HANG_UP);
		assert_pauses(b, in, 1000);
		broker_welcome(&b->broker);
	}
	assert_int_equal(pbt_n_emitted(in), 0);
	broker_publish(&b->broker, 1, 0, "t", "{\"id\": 1}");
	assert_int_equal(broker_read(&b->broker), PUBACK);
	assert_int_equal(pbt_n_stored(in), 1);
}

/* It would be too large another time as well. */
static void a_message_that_is_too_large_is_dropped(void **state)
{
	struct bench *b = *state;
	pbt_set_max_event(b->host, 3);
	struct pbt_instance *in = connected(b, "");
	broker_publish(&b->broker, 1, 0, "t", "four");
	assert_int_equal(broker_read(&b->broker), PUBACK);
	assert_int_equal(pbt_n_emitted(in), 0);
	assert_int_equal(pbt_metric(in, "dropped"), 1);
	assert_true(pbt_logged(b->host, "dropped a message: Message too long"));
}

static void a_key_makes_repeats_known(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = connected(b, "key = {{data.id}}\ndedupe = 1h");
	broker_publish(&b->broker, 1, 0, "t", "{\"id\": 1}");
	assert_int_equal(broker_read(&b->broker), PUBACK);
	broker_publish(&b->broker, 2, 0, "t", "{\"id\": 1}");
	assert_int_equal(broker_read(&b->broker), PUBACK);
	broker_publish(&b->broker, 3, 0, "t", "no key");
	assert_int_equal(broker_read(&b->broker), PUBACK);
	assert_true(pbt_wait_stored(in, 2, PBT_LONG));
	assert_body(in, 1, "no key");
}

static void what_was_retained_is_taken_on_request(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = connected(b, "");
	broker_publish(&b->broker, 1, 1, "t", "old");
	assert_int_equal(broker_read(&b->broker), PUBACK);
	assert_int_equal(pbt_n_emitted(in), 0);
	pbt_close(in);
	assert_int_equal(broker_read(&b->broker), DISCONNECT);
	assert_int_equal(broker_read(&b->broker), HANG_UP);
	in = connected(b, "retained = yes");
	broker_publish(&b->broker, 1, 1, "t", "old");
	assert_true(pbt_wait_stored(in, 1, PBT_LONG));
}

static void pauses_grow_until_it_is_welcome(void **state)
{
	struct bench *b = *state;
	struct pbt_instance *in = source(b, "reconnect_max = 5s");
	static const int64_t pauses[] = { 1000, 2000, 4000, 5000, 5000 };
	pbt_start(in);
	for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
		broker_accept(&b->broker, 5);
		assert_int_equal(broker_read(&b->broker), HANG_UP);
		assert_int_equal(pbt_metric(in, "connected"), 0);
		assert_pauses(b, in, pauses[i]);
	}
	assert_true(pbt_logged(b->host, "Connection Refused: not authorised."));
	broker_welcome(&b->broker);
	assert_int_equal(pbt_metric(in, "connected"), 1);
	broker_stop(&b->broker);		/* from now on nobody listens */
	for (size_t i = 0; i < 3; i++)
		assert_pauses(b, in, pauses[i]);
	assert_true(pbt_stop(in, PBT_LONG));
}

static void what_is_wrong_is_refused_at_its_line(void **state)
{
	static const struct {
		const char *more, *error;
	} cases[] = {
		{ "password = x", "test.ini:5: [source s] password: needs `username`\n" },
		{ "tls_cert = /x", "test.ini:5: [source s] tls_cert: `tls_cert` and `tls_key` go "
		  "together, and with `tls_ca`\n" },
		{ "tls_ca = /not/there", "test.ini:5: [source s] tls_ca: No such file or directory\n" },
		{ "keepalive = 1s", "test.ini:5: [source s] keepalive: " },
	};
	struct bench *b = *state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_null(pbt_open(b->host, "[source s]\ntarget = h:1\nclient_id = c\ntopics = t\n%s",
				     cases[i].more));
		if (strncmp(pbt_errors(b->host), cases[i].error, strlen(cases[i].error)) != 0)
			fail_msg("%s: %s", cases[i].more, pbt_errors(b->host));
	}
	assert_null(pbt_open(b->host, "[source s]\ntarget = h:1\nclient_id = c\ntopics = a, b#"));
	assert_string_equal(pbt_errors(b->host),
			    "test.ini:4: [source s] topics: \"b#\" is not a topic filter\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_is_an_event),
		TEST(nothing_is_acknowledged_before_it_is_stored),
		TEST(what_a_stop_cuts_off_is_not_acknowledged),
		TEST(what_cannot_be_stored_comes_again),
		TEST(short_memory_costs_no_message),
		TEST(a_message_that_is_too_large_is_dropped),
		TEST(a_key_makes_repeats_known),
		TEST(what_was_retained_is_taken_on_request),
		TEST(pauses_grow_until_it_is_welcome),
		TEST(what_is_wrong_is_refused_at_its_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
