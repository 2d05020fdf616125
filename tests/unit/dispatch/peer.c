/* peer.c - the deeds, one a name. */
#include "unit/dispatch/peer.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/span.h"
#include "event/codec.h"
#include "event/event.h"
#include "journal/block.h"
#include "plugin/link.h"
#include "plugin/process.h"
#include "state/records.h"

#define FRAME_MAX (256u << 20)
#define NILS (5u << 20)		/* more than any list may have */

struct deed {
	const char *name;
	void (*run)(struct link *, const struct message *given);
};

bool peer_wanted(int argc, char *const argv[])
{
	return argc == 3 && strcmp(argv[1], "isolated") == 0;
}

static void say(struct link *l, const struct message *m)
{
	if (link_add(l, m) < 0 || link_flush_wait(l, -1) < 0)
		_exit(4);
}

static void say_raw(struct link *l, const void *bytes, size_t len)
{
	if (send(l->fd, bytes, len, MSG_NOSIGNAL) < 0)
		_exit(4);
}

/* The next message; the daemon's end of the socket is the end. */
static void hear(struct link *l, struct message *m)
{
	while (link_next(l, m) != 1)
		if (link_fill(l) <= 0)
			_exit(0);
}

static void be_ready(struct link *l)
{
	say(l, &(struct message){ .kind = MESSAGE_READY, .protocol = MESSAGE_PROTOCOL });
}

static void answer(struct link *l, int64_t token)
{
	say(l, &(struct message){ .kind = MESSAGE_ANSWER, .token = token, .code = PB_OK });
}

static void rest(void)
{
	for (;;)
		pause();
}

/* What any may do when it has something to do. */

static void garbage(struct link *l, const struct message *given)
{
	(void)given;
	say_raw(l, "\0\0\0\12garbage!!!", 14);
	rest();
}

static void huge(struct link *l, const struct message *given)
{
	(void)given;
	say_raw(l, "\xff\xff\xff\xff", 4);
	rest();
}

static void crash(struct link *l, const struct message *given)
{
	(void)l;
	(void)given;
	_exit(3);
}

/* Its end is not the socket's. */
static void orphan(struct link *l, const struct message *given)
{
	(void)l;
	(void)given;
	if (fork() == 0)
		rest();
	_exit(3);
}

/* It leaves its process group, where another stays. */
static void runaway(struct link *l, const struct message *given)
{
	if (fork() == 0)
		rest();
	if (setpgid(0, getpgid(getppid())) < 0)
		_exit(4);
	garbage(l, given);
}

static void endless(struct link *l, const struct message *given)
{
	struct message m = { .kind = MESSAGE_METRIC, .name = span_str("n"), .help = span_str("n"), .value = 1 };
	(void)given;
	for (int i = 0; i < 200000; i++)
		say(l, &m);
	for (char name[32]; ; m.value++) {
		snprintf(name, sizeof name, "n%lld", (long long)m.value);
		m.name = span_str(name);
		say(l, &m);
	}
}

static void nils(struct link *l, const struct message *given)
{
	struct message m = { .kind = MESSAGE_PASSED, .token = given != NULL ? given->token : 1 };
	for (size_t i = 0; i < NILS; i++)
		message_list_add(&m.events, SPAN_NONE);
	say(l, &m);
	rest();
}

/* A frame that is right but for some bytes. */
static void mutant(struct link *l, const struct message *given)
{
	struct buf b = BUF_INIT(4096);
	message_add(&b, &(struct message){ .kind = MESSAGE_ANSWER, .token = given->token + 1, .code = PB_OK,
					   .response = span_str("response"), .reason = span_str("reason") });
	srand((unsigned)getpid());
	for (int i = 0; i < 3; i++)
		b.data[MESSAGE_HEAD + (size_t)rand() % (b.len - MESSAGE_HEAD)] ^= (char)(1 + rand() % 255);
	say_raw(l, b.data, b.len);
	say_raw(l, "\0\0\0\1x", 5);
	rest();
}

/* A sink's. */

static void foreign(struct link *l, const struct message *given)
{
	answer(l, given->token + 1000);
	rest();
}

static void twice(struct link *l, const struct message *given)
{
	answer(l, given->token);
	answer(l, given->token);
	rest();
}

static void unasked(struct link *l, const struct message *given)
{
	(void)given;
	say(l, &(struct message){ .kind = MESSAGE_EMIT, .token = 1, .records = span_of("", 0) });
	rest();
}

/* It passes on what nobody asked for, and is right else. */
static void descriptors(struct link *l, const struct message *given)
{
	char byte[1], control[CMSG_SPACE(2 * sizeof(int))] = { 0 };
	struct buf b = BUF_INIT(4096);
	message_add(&b, &(struct message){ .kind = MESSAGE_ANSWER, .token = given->token, .code = PB_OK });
	for (size_t i = 0; i < b.len; i++) {
		struct iovec from = { byte, 1 };
		struct msghdr msg = {
			.msg_iov = &from, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control,
		};
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		byte[0] = b.data[i];
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(2 * sizeof(int));
		memcpy(CMSG_DATA(c), (int[]){ l->fd, l->fd }, 2 * sizeof(int));
		if (sendmsg(l->fd, &msg, MSG_NOSIGNAL) != 1)
			_exit(4);
	}
	buf_free(&b);
}

static const struct deed deeds[] = {
	{ "garbage", garbage }, { "huge", huge }, { "crash", crash }, { "orphan", orphan }, { "runaway", runaway },
	{ "endless", endless }, { "nils", nils }, { "mutant", mutant }, { "foreign", foreign }, { "twice", twice },
	{ "unasked", unasked }, { "descriptors", descriptors },
};

static const struct deed *find_deed(const char *name)
{
	for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++)
		if (strcmp(deeds[i].name, name) == 0)
			return &deeds[i];
	_exit(5);
}

/* A sink does its deed at a first attempt, and is good else. */
static void be_sink(struct link *l, const char *name)
{
	const struct deed *deed = find_deed(name);
	be_ready(l);
	for (struct message m; ; message_free(&m)) {
		hear(l, &m);
		if (m.kind == MESSAGE_STOP)
			return;
		if (m.kind == MESSAGE_DELIVER && m.attempt == 1)
			deed->run(l, &m);
		else if (m.kind == MESSAGE_DELIVER)
			answer(l, m.token);
	}
}

/* A filter does it for an event of that type, and refuses all others. */
static void be_filter(struct link *l, const char *name)
{
	const struct deed *deed = find_deed(name);
	be_ready(l);
	for (struct message m; ; message_free(&m)) {
		hear(l, &m);
		if (m.kind == MESSAGE_STOP)
			return;
		struct pb_event *ev = m.kind == MESSAGE_APPLY ? codec_unpack(m.event) : NULL;
		if (ev != NULL && strcmp(event_type(ev), "deed") == 0)
			deed->run(l, &m);
		else if (ev != NULL)
			say(l, &(struct message){ .kind = MESSAGE_FAILED, .token = m.token, .reason = span_str("refused") });
		event_unref(ev);
	}
}

/* A source. */

static void add_event(struct buf *records, const char *type, size_t body)
{
	char *bytes = calloc(body + 1, 1);
	struct pb_event *ev = event_new(span_of(bytes, body), 0);
	event_set(ev, "type", type);
	size_t begun = record_begin(records, RECORD_EVENT);
	codec_pack(records, ev);
	record_end(records, begun);
	event_unref(ev);
	free(bytes);
}

/* One commit, with as many keys. */
static void add_emit(struct link *l, int64_t token, struct pb_span records, size_t n)
{
	struct message m = { .kind = MESSAGE_EMIT, .token = token, .records = records };
	for (size_t i = 0; i < n; i++)
		message_list_add(&m.keys, SPAN_NONE);
	if (link_add(l, &m) < 0)
		_exit(4);
	message_list_free(&m.keys);
}

static void emit(struct link *l, int64_t token, const char *type, size_t n, size_t body)
{
	struct buf records = BUF_INIT(BUF_MAX);
	for (size_t i = 0; i < n; i++)
		add_event(&records, type, body);
	add_emit(l, token, buf_span(&records), n);
	buf_free(&records);
}

/* Has it a receipt that it did not wait for? */
static void look_for_receipt(struct link *l)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };
	struct message m;
	if (poll(&p, 1, 30) > 0 && link_fill(l) > 0 && link_next(l, &m) == 1 && m.kind == MESSAGE_RECEIPT)
		emit(l, 2, "foreign", 1, 0);
}

/* What it emits is taken, and then it is ended before that is settled. */
static void early(struct link *l)
{
	look_for_receipt(l);
	emit(l, 1, "early", 1, 0);
	if (link_add(l, &(struct message){ .kind = MESSAGE_ANSWER, .token = 1 }) < 0 || link_flush_wait(l, -1) < 0)
		_exit(4);
	rest();
}

/* Each event is known, and its receipt more than the socket holds. */
static void repeats(struct link *l)
{
	struct message m;
	emit(l, 1, "repeat", PEER_REPEATS, 0);
	link_flush_wait(l, -1);
	poll(NULL, 0, 50);	/* the receipt finds no room */
	do
		hear(l, &m);
	while (m.kind != MESSAGE_RECEIPT);
	emit(l, 2, "done", 1, 0);
	link_flush_wait(l, -1);
	for (;;) {
		hear(l, &m);
		if (m.kind == MESSAGE_STOP)
			_exit(0);
		message_free(&m);
	}
}

static void cut(struct link *l)
{
	struct buf records = BUF_INIT(BUF_MAX);
	add_event(&records, "cut", 10);
	add_emit(l, 1, span_of(records.data, records.len - 1), 1);
}

static void keyless(struct link *l)
{
	struct buf records = BUF_INIT(BUF_MAX);
	add_event(&records, "keyless", 10);
	add_event(&records, "keyless", 10);
	add_emit(l, 1, buf_span(&records), 1);
}

static void large(struct link *l)
{
	emit(l, 1, "large", 1, 2 << 20);
}

static void marked(struct link *l)
{
	struct buf records = BUF_INIT(BUF_MAX);
	char key[MARK_KEY_MAX + 1];
	memset(key, 'k', sizeof key);
	size_t begun = record_begin(&records, RECORD_MARK);
	marks_add(&records, &(struct mark){ .key = span_of(key, sizeof key), .value = span_str("v") });
	record_end(&records, begun);
	add_emit(l, 1, buf_span(&records), 0);
}

static void be_source(struct link *l, const char *name)
{
	static const struct { const char *name; void (*run)(struct link *); } emits[] = {
		{ "early", early }, { "repeats", repeats }, { "cut", cut }, { "keyless", keyless }, { "large", large },
		{ "marked", marked },
	};
	be_ready(l);
	for (size_t i = 0; i < sizeof emits / sizeof *emits; i++)
		if (strcmp(emits[i].name, name) == 0) {
			emits[i].run(l);
			link_flush_wait(l, -1);
			rest();
		}
	find_deed(name)->run(l, &(struct message){ .token = 1 });
}

/* What never becomes ready. */
static void be_unready(struct link *l, const char *name)
{
	struct message error = { .kind = MESSAGE_ERROR, .option = span_str("path"), .reason = span_str("no such folder") };
	if (strcmp(name, "mute") == 0)
		rest();
	if (strcmp(name, "premature") == 0)
		answer(l, 1);
	if (strcmp(name, "other") == 0)
		say(l, &(struct message){ .kind = MESSAGE_READY, .protocol = MESSAGE_PROTOCOL + 1 });
	if (strcmp(name, "refusing") == 0)
		say(l, &error);
	while (strcmp(name, "complaining") == 0)
		say(l, &error);
	if (strcmp(name, "chatty") == 0)
		endless(l, NULL);
}

int peer_run(const char *title)
{
	const char *name = strchr(title, ' ') + 1;
	struct link l;
	struct message hello;
	link_init(&l, PROCESS_FD, FRAME_MAX);
	hear(&l, &hello);
	message_free(&hello);
	be_unready(&l, name);
	if (strcmp(name, "refusing") == 0 || strcmp(name, "premature") == 0 || strcmp(name, "other") == 0)
		return 1;
	if (strncmp(title, "sink", 4) == 0)
		be_sink(&l, name);
	else if (strncmp(title, "filter", 6) == 0)
		be_filter(&l, name);
	else
		be_source(&l, name);
	link_fini(&l);
	return 0;
}
