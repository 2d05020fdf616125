/*
 * mqtt.c - a source that makes an event of each message of an MQTT broker.
 *
 * A message of QoS 1 is acknowledged only after it is on disk. libmosquitto acknowledges
 * before it calls on_message; but after mosquitto_threaded_set() it only queues that, for
 * mosquitto_loop_write(), which is called only while all that was read is stored. If something
 * could not be, the connection is dropped with its queue: the broker, which keeps the session,
 * sends it again. README.md says how to use it, and what is not promised.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <mosquitto.h>
#include <patchbay/plugin.h>

#define BATCH 1000		/* packets read before the next commit */
#define TICK 1000		/* ms between looks at the connection's keepalive */
#define PAUSE_FIRST 1000	/* ms before it is tried again, then twice as long each time */

struct mqtt {
	struct pb_self *self;
	char host[256];
	int port;			/* 0: `host` is a socket's path */
	struct mosquitto *client;	/* a connection, or NULL while there is none */
	int epoll;			/* readable when the client's socket wants something */
	int pause;			/* ms before the next try */
	size_t unsettled;		/* messages that are emitted and not yet on disk */
	bool broken;			/* one was not stored: this connection says no more */
	struct pb_metric *dropped, *connected;
};

/* What its sender names the message by, for `dedupe`. One without it is never a repeat. */
static int set_key(const struct mqtt *m, struct pb_event *ev)
{
	const char *missing;
	size_t len;
	char *key = pb_render(m->self, "key", ev, &len, &missing);
	if (key == NULL)
		return missing != NULL ? 0 : -ENOMEM;
	int failed = len > 0 ? pb_event_set_key(ev, (struct pb_span){ key, len }) : 0;
	free(key);
	return failed;
}

/* Make it an event, unless pb_event_new() could not: -EMSGSIZE or -ENOMEM. */
static int fill(const struct mqtt *m, struct pb_event *ev, const struct mosquitto_message *msg)
{
	int failed = ev == NULL ? -errno : pb_event_set(ev, "type", pb_str(m->self, "type"));
	if (failed == 0)
		failed = pb_event_set(ev, "subject", msg->topic);
	return failed == 0 ? set_key(m, ev) : failed;
}

/* Its acknowledgement is queued already: what must come again breaks the connection. */
static void on_message(struct mosquitto *client, void *state, const struct mosquitto_message *msg)
{
	(void)client;
	struct mqtt *m = state;
	if (m->broken || (msg->retain && !pb_bool(m->self, "retained")))
		return;
	struct pb_span body = { msg->payload, (size_t)msg->payloadlen };
	struct pb_event *ev = pb_event_new(m->self, body);
	int failed = fill(m, ev, msg);
	if (failed == 0) {
		m->unsettled++;		/* first, since pb_emit() may commit by itself */
		failed = pb_emit(m->self, &ev, 1, NULL, NULL);
		m->unsettled -= failed < 0;
	} else {
		pb_event_free(ev);
	}
	if (failed == -ENOMEM || failed == -ECANCELED) {
		m->broken = true;
	} else if (failed < 0) {
		pb_add(m->dropped, 1);
		pb_log(m->self, PB_ERROR, "dropped a message: %s", strerror(-failed));
	}
}

/* PB_UNDELIVERABLE is acknowledged too: it would come to the same another time. */
static void mqtt_settled(void *state, void *token, const struct pb_receipt *receipt)
{
	(void)token;
	struct mqtt *m = state;
	m->unsettled--;
	if (pb_receipt_outcome(receipt) == PB_FAILED) {
		pb_log(m->self, PB_WARN, "not stored: %s", pb_receipt_reason(receipt));
		m->broken = true;
	}
}

static void on_connect(struct mosquitto *client, void *state, int refused, int flags)
{
	struct mqtt *m = state;
	if (refused != 0) {
		pb_log(m->self, PB_ERROR, "%s", mosquitto_connack_string(refused));
		return;
	}
	pb_log(m->self, PB_INFO, "connected, %s session", (flags & 1) != 0 ? "the same" : "a new");
	pb_set(m->connected, 1);
	m->pause = 0;
	/* Again in the same session, since the topics may be others than last time. */
	for (const char *const *topic = pb_list(m->self, "topics"); *topic != NULL; topic++)
		if (mosquitto_subscribe(client, NULL, *topic, 1) != 0)
			m->broken = true;
}

static void on_subscribe(struct mosquitto *client, void *state, int mid, int n, const int *granted)
{
	(void)client, (void)mid;
	struct mqtt *m = state;
	if (n > 0 && granted[0] > 2)
		pb_log(m->self, PB_ERROR, "the broker refuses a subscription");
}

static void on_log(struct mosquitto *client, void *state, int level, const char *text)
{
	(void)client;
	struct mqtt *m = state;
	if ((level & (MOSQ_LOG_ERR | MOSQ_LOG_WARNING)) != 0)
		pb_log(m->self, PB_WARN, "%s", text);
}

static const char *or_null(const struct pb_self *self, const char *option)
{
	return pb_isset(self, option) ? pb_str(self, option) : NULL;
}

static int set_up(struct mqtt *m)
{
	struct mosquitto *client = m->client;
	mosquitto_threaded_set(client, true);	/* only queue what is to be sent */
	mosquitto_message_callback_set(client, on_message);
	mosquitto_connect_with_flags_callback_set(client, on_connect);
	mosquitto_subscribe_callback_set(client, on_subscribe);
	mosquitto_log_callback_set(client, on_log);
	int failed = mosquitto_username_pw_set(client, or_null(m->self, "username"),
					       or_null(m->self, "password"));
	if (failed == 0 && pb_isset(m->self, "tls_ca"))
		failed = mosquitto_tls_set(client, pb_str(m->self, "tls_ca"), NULL,
					   or_null(m->self, "tls_cert"),
					   or_null(m->self, "tls_key"), NULL);
	return failed;
}

/* The connection is over, and what it did not acknowledge comes again. The commit is for what
 * it brought: so that the next pb_wait() has nothing to settle and lasts for the pause. */
static void lose(struct mqtt *m, const char *why)
{
	int longest = (int)pb_int(m->self, "reconnect_max");
	m->pause = m->pause == 0 ? PAUSE_FIRST : m->pause > longest / 2 ? longest : m->pause * 2;
	pb_log(m->self, PB_WARN, "trying %s again in %d ms: %s", pb_str(m->self, "target"), m->pause, why);
	pb_set(m->connected, 0);
	mosquitto_destroy(m->client);
	m->client = NULL;
	pb_commit(m->self);
}

/* Until the core has taken what was emitted, only wait for that. */
static int watch(const struct mqtt *m, int how)
{
	uint32_t write = mosquitto_want_write(m->client) ? EPOLLOUT : 0;
	struct epoll_event what = { .events = m->unsettled > 0 ? 0 : EPOLLIN | write };
	return epoll_ctl(m->epoll, how, mosquitto_socket(m->client), &what);
}

/* A new client each time: nothing is left in it of the one before. */
static void begin(struct mqtt *m)
{
	m->broken = false;
	m->client = mosquitto_new(pb_str(m->self, "client_id"), false, m);
	int failed = m->client != NULL ? set_up(m) : MOSQ_ERR_NOMEM;
	if (failed == 0)
		failed = mosquitto_connect_async(m->client, m->host, m->port,
						 (int)(pb_int(m->self, "keepalive") / 1000));
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);	/* libmosquitto's sockets are not */
	if (failed == 0 && watch(m, EPOLL_CTL_ADD) < 0)
		failed = MOSQ_ERR_ERRNO;
	if (failed != 0)
		lose(m, mosquitto_strerror(failed));
}

/* All that was read before is stored: acknowledge it, then read what has come. */
static void turn(struct mqtt *m)
{
	struct pollfd fd = { .fd = mosquitto_socket(m->client), .events = POLLIN };
	int left = BATCH, failed = mosquitto_loop_write(m->client, 1);
	if (failed == 0)
		failed = mosquitto_loop_misc(m->client);
	do
		failed = failed != 0 ? failed : mosquitto_loop_read(m->client, 1);
	while (failed == 0 && !m->broken && --left > 0 && poll(&fd, 1, 0) > 0);
	if (failed != 0)
		lose(m, mosquitto_strerror(failed));
}

static int mqtt_run(void *state)
{
	struct mqtt *m = state;
	while (pb_wait(m->self, m->epoll, m->client != NULL ? TICK : m->pause) >= 0) {
		if (m->client != NULL && m->broken)
			lose(m, "left, for the messages to come again");
		else if (pb_stopping(m->self))
			continue;
		else if (m->client == NULL)
			begin(m);
		else if (m->unsettled == 0)
			turn(m);
		if (m->client != NULL)
			watch(m, EPOLL_CTL_MOD);
	}
	if (m->client != NULL && !m->broken) {	/* the last acknowledgements, then goodbye */
		mosquitto_disconnect(m->client);
		mosquitto_loop_write(m->client, 1);
	}
	return 0;
}

/* The core has checked the form of it and its lengths. */
static void split(struct mqtt *m, const char *target)
{
	bool local = strncmp(target, "unix:", 5) == 0, v6 = *target == '[';
	const char *host = target + (local ? 5 : v6), *colon = strrchr(target, ':');
	int len = (int)(local ? strlen(host) : (size_t)(colon - host) - v6);
	snprintf(m->host, sizeof m->host, "%.*s", len, host);
	m->port = local ? 0 : (int)strtol(colon + 1, NULL, 10);
}

static void mqtt_check(struct pb_self *self, struct pb_error *err)
{
	for (const char *const *topic = pb_list(self, "topics"); *topic != NULL; topic++)
		if (mosquitto_sub_topic_check(*topic) != 0)
			pb_error(err, "topics", "\"%s\" is not a topic filter", *topic);
	if (pb_isset(self, "password") && !pb_isset(self, "username"))
		pb_error(err, "password", "needs `username`");
	bool cert = pb_isset(self, "tls_cert"), key = pb_isset(self, "tls_key");
	if (cert != key || (cert && !pb_isset(self, "tls_ca")))
		pb_error(err, cert ? "tls_cert" : "tls_key",
			 "`tls_cert` and `tls_key` go together, and with `tls_ca`");
}

static void mqtt_close(void *state)
{
	struct mqtt *m = state;
	mosquitto_destroy(m->client);
	mosquitto_lib_cleanup();
	close(m->epoll);
	free(m);
}

static void *mqtt_open(struct pb_self *self, struct pb_error *err)
{
	static const char *const files[] = { "tls_ca", "tls_cert", "tls_key" };
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (pb_isset(self, files[i]) && access(pb_str(self, files[i]), R_OK) < 0)
			return pb_error(err, files[i], "%s", strerror(errno));
	struct mqtt *m = calloc(1, sizeof *m);
	if (m == NULL || (m->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0) {
		pb_error(err, NULL, "%s", strerror(errno));
		free(m);
		return NULL;
	}
	mosquitto_lib_init();		/* counted: once for each instance */
	m->self = self;
	split(m, pb_str(self, "target"));
	m->dropped = pb_counter(self, "dropped", "Messages that can never be stored.");
	m->connected = pb_gauge(self, "connected", "Whether the broker has accepted it.");
	return m;
}

static const struct pb_option options[] = {
	{ .name = "target", .type = PB_ADDRESS, .help = "The broker." },
	{ .name = "client_id", .type = PB_STRING, .help = "The session's name at the broker." },
	{ .name = "topics", .type = PB_LIST, .help = "Topic filters, with + and # as in MQTT." },
	{ .name = "type", .type = PB_STRING, .value = "mqtt", .help = "The events' type." },
	{ .name = "key", .type = PB_TEMPLATE, .value = "",
	  .help = "What a sender names a message by, for `dedupe`, such as {{data.id}}." },
	{ .name = "retained", .type = PB_BOOL, .value = "no",
	  .help = "Take what the broker retains for new subscribers too, at each connection." },
	{ .name = "username", .type = PB_SECRET, .value = "", .help = "The user to log in as." },
	{ .name = "password", .type = PB_SECRET, .value = "", .help = "The user's password." },
	{ .name = "tls_ca", .type = PB_PATH, .value = "", .help = "Use TLS and trust these (PEM)." },
	{ .name = "tls_cert", .type = PB_PATH, .value = "", .help = "A certificate to show (PEM)." },
	{ .name = "tls_key", .type = PB_PATH, .value = "", .help = "Its key (PEM)." },
	{ .name = "keepalive", .type = PB_DURATION, .value = "60s", .min = 5000, .max = 65535000,
	  .help = "How long the broker may be silent; in whole seconds." },
	{ .name = "reconnect_max", .type = PB_DURATION, .value = "1m", .min = 1000, .max = 86400000,
	  .help = "The longest pause before a lost connection is tried again." },
	{ 0 }
};

PB_PLUGIN(.name = "mqtt", .version = "1", .summary = "Messages from an MQTT broker",
	  .source = PB_SOURCE(.options = options, .check = mqtt_check, .open = mqtt_open,
			      .close = mqtt_close, .run = mqtt_run, .settled = mqtt_settled));
