/* sink.c - deliveries and their answers. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/magic.h"
#include "base/memory.h"
#include "event/event.h"
#include "testing/host.h"

#define DELIVERY_MAGIC 0x70627464u
#define REASON_MAX 65536

enum stand {
	NEW,
	OUT,		/* the plugin has it */
	ANSWERED,
	LEFT		/* write() has returned without a word of it */
};

struct pb_delivery {
	unsigned magic;
	struct pb_delivery *next;	/* of the host's */
	struct pbt_host *host;
	struct pbt_instance *in;	/* NULL once that is closed */
	struct pb_event *event;
	unsigned attempt;
	/* The host's lock guards what follows. */
	enum stand stand;
	enum pb_code code;
	int64_t after;
	char *response;
	size_t response_len;
	char *reason;
};

struct outlet {
	struct pbt_instance *in;
	bool stopped;
	bool calling;			/* the test's thread is inside the plugin */
};

void outlet_new(struct pbt_instance *in)
{
	in->self.outlet = xcalloc(1, sizeof *in->self.outlet);
	in->self.outlet->in = in;
}

void outlet_free(struct pbt_instance *in)
{
	pthread_mutex_lock(&in->host->lock);
	for (struct pb_delivery *d = in->host->deliveries; d != NULL; d = d->next)
		if (d->in == in) {
			d->in = NULL;
			d->stand = d->stand == OUT ? LEFT : d->stand;
		}
	pthread_mutex_unlock(&in->host->lock);
	free(in->self.outlet);
}

static void delivery_free(struct pb_delivery *d)
{
	event_unref(d->event);
	free(d->response);
	free(d->reason);
	d->magic = 0;
	free(d);
}

void deliveries_free(struct pbt_host *host)
{
	for (struct pb_delivery *d = host->deliveries, *next; d != NULL; d = next) {
		next = d->next;
		delivery_free(d);
	}
	host->deliveries = NULL;
}

struct pb_delivery *pbt_delivery(struct pbt_instance *in, struct pb_event *ev)
{
	must_be(in, CONFIG_SINK, "pbt_delivery");
	struct pb_delivery *d = xcalloc(1, sizeof *d);
	ledger_take(ev, NULL, "pbt_delivery():");
	*d = (struct pb_delivery){
		.magic = DELIVERY_MAGIC, .host = in->host, .in = in, .event = ev, .attempt = 1,
		.reason = xstrdup(""), .next = in->host->deliveries,
	};
	in->host->deliveries = d;
	return d;
}

void pbt_delivery_free(struct pb_delivery *d)
{
	CHECK_OBJ(d, DELIVERY_MAGIC);
	struct pb_delivery **at = &d->host->deliveries;
	pthread_mutex_lock(&d->host->lock);
	bool out = d->stand == OUT;
	pthread_mutex_unlock(&d->host->lock);
	if (out)
		misuse(&d->in->self, "pbt_delivery_free() of a delivery that is not answered");
	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	delivery_free(d);
}

void pbt_set_attempt(struct pb_delivery *d, unsigned attempt)
{
	CHECK_OBJ(d, DELIVERY_MAGIC);
	d->attempt = attempt;
}

static void set_stand(struct pb_delivery *const d[], size_t n, enum stand from, enum stand to)
{
	struct pbt_host *host = d[0]->host;
	pthread_mutex_lock(&host->lock);
	for (size_t i = 0; i < n; i++) {
		CHECK_OBJ(d[i], DELIVERY_MAGIC);
		if (d[i]->stand == from)
			d[i]->stand = to;
		else if (from == NEW)
			misuse(&d[i]->in->self, "pbt_send() of a delivery that was handed over before");
	}
	pthread_mutex_unlock(&host->lock);
}

static size_t most_at_once(const struct pbt_instance *in)
{
	int64_t wanted = options_int(in->config->options, "max_batch");
	size_t most = in->host->plugin->sink->max_batch;
	return wanted > 0 && (size_t)wanted < most ? (size_t)wanted : most;
}

/* `write`: what is not answered on return was left. */
static void hand_over(struct pbt_instance *in, struct pb_delivery *const d[], size_t n, bool write)
{
	const struct pb_sink *sink = in->host->plugin->sink;
	if (in->self.outlet->stopped)
		misuse(&in->self, "pbt_send() after stop()");
	set_stand(d, n, NEW, OUT);
	in->self.outlet->calling = true;
	if (write)
		sink->write(in->self.state, d, n);
	else
		sink->submit(in->self.state, d, n);
	in->self.outlet->calling = false;
	if (write)
		set_stand(d, n, OUT, LEFT);
}

void pbt_send(struct pbt_instance *in, struct pb_delivery *const d[], size_t n)
{
	must_be(in, CONFIG_SINK, "pbt_send");
	if (n == 0 || n > most_at_once(in))
		misuse(&in->self, "pbt_send() of %zu at once; its max_batch is %zu", n,
		       most_at_once(in));
	bool write = in->host->plugin->sink->write != NULL;
	hand_over(in, d, n, write);
	if (write && !pbt_wait(d, n, 0))
		misuse(&in->self, "write() has returned, and still has a delivery");
}

void pbt_probe(struct pbt_instance *in, struct pb_delivery *d)
{
	must_be(in, CONFIG_SINK, "pbt_probe");
	const struct pb_sink *sink = in->host->plugin->sink;
	if (sink->probe == NULL)
		misuse(&in->self, "has no probe()");
	set_stand(&d, 1, NEW, OUT);
	in->self.outlet->calling = true;
	sink->probe(in->self.state, d);
	in->self.outlet->calling = false;
	if (sink->write != NULL)
		set_stand(&d, 1, OUT, LEFT);
}

void pbt_sink_stop(struct pbt_instance *in)
{
	must_be(in, CONFIG_SINK, "pbt_sink_stop");
	if (!in->self.outlet->stopped && in->host->plugin->sink->stop != NULL)
		in->host->plugin->sink->stop(in->self.state);
	in->self.outlet->stopped = true;
}

static bool none_out(void *arg)
{
	const struct outlet *o = arg;
	for (const struct pb_delivery *d = o->in->host->deliveries; d != NULL; d = d->next)
		if (d->in == o->in && d->stand == OUT)
			return false;
	return true;
}

void outlet_finish(struct pbt_instance *in)
{
	pbt_sink_stop(in);
	if (!host_wait(in->host, none_out, in->self.outlet, PBT_LONG))
		misuse(&in->self, "has not answered all deliveries %d ms after stop()", PBT_LONG);
}

struct batch {
	struct pb_delivery *const *d;
	size_t n;
};

static bool all_in(void *arg)
{
	const struct batch *b = arg;
	for (size_t i = 0; i < b->n; i++)
		if (b->d[i]->stand == OUT)
			return false;
	return true;
}

static bool strict(const struct pbt_instance *in)
{
	const char *order = options_str(in->config->options, "order");
	return *order == '\0' ? in->host->plugin->sink->write != NULL : strcmp(order, "strict") == 0;
}

static bool passes(const struct pb_delivery *d)
{
	return d->stand == ANSWERED && (d->code == PB_OK || d->code == PB_REJECT);
}

/* In strict order nothing is done behind the first that is neither ok nor rejected. */
static void check_order(struct pb_delivery *const d[], size_t n)
{
	size_t end = 0;
	while (end < n && passes(d[end]))
		end++;
	for (size_t i = end + 1; i < n; i++)
		if (d[i]->stand == ANSWERED && d[i]->code != PB_UNTRIED)
			misuse(&d[i]->in->self, "in strict order: answered number %zu of a batch with "
			       "code %d, though number %zu is neither ok nor rejected", i + 1,
			       (int)d[i]->code, end + 1);
}

bool pbt_wait(struct pb_delivery *const d[], size_t n, int64_t ms)
{
	if (n == 0)
		return true;
	CHECK_OBJ(d[0], DELIVERY_MAGIC);
	if (!host_wait(d[0]->host, all_in, &(struct batch){ d, n }, ms))
		return false;
	if (d[0]->in != NULL && strict(d[0]->in))
		check_order(d, n);
	return true;
}

struct pbt_answer pbt_answer(struct pb_delivery *d)
{
	CHECK_OBJ(d, DELIVERY_MAGIC);
	struct pbt_answer answer = { .reason = "" };
	pthread_mutex_lock(&d->host->lock);
	if (d->stand == ANSWERED)
		answer = (struct pbt_answer){
			.given = true, .code = d->code, .after = d->after, .reason = d->reason,
			.response = { d->response, d->response_len },
		};
	pthread_mutex_unlock(&d->host->lock);
	return answer;
}

struct pbt_answer pbt_deliver(struct pbt_instance *in, struct pb_event *ev)
{
	struct pb_delivery *d = pbt_delivery(in, ev);
	pbt_send(in, &d, 1);
	if (!pbt_wait(&d, 1, PBT_LONG))
		misuse(&in->self, "has not answered a delivery after %d ms", PBT_LONG);
	return pbt_answer(d);
}

/*** What the plugin calls. ***/

static void must_have(const struct pb_delivery *d, const char *call)
{
	if (d == NULL || d->magic != DELIVERY_MAGIC)
		misuse(NULL, "%s() of a delivery that is none", call);
}

/* The test may look at any time, the plugin until it has answered. */
static void may_look(const struct pb_delivery *d, const char *call)
{
	must_have(d, call);
	pthread_mutex_lock(&d->host->lock);
	bool tester = pthread_equal(d->host->tester, pthread_self()) &&
		      (d->in == NULL || !d->in->self.outlet->calling);
	if (!tester && d->stand != OUT)
		misuse(d->in == NULL ? NULL : &d->in->self, "called %s() of a delivery that it has "
		       "answered", call);
	pthread_mutex_unlock(&d->host->lock);
}

const struct pb_event *pb_delivery_event(const struct pb_delivery *d)
{
	may_look(d, "pb_delivery_event");
	return d->event;
}

unsigned pb_delivery_attempt(const struct pb_delivery *d)
{
	may_look(d, "pb_delivery_attempt");
	return d->attempt;
}

static char *PB_PRINTF(2, 0) reason_of(const struct pb_self *self, const char *fmt, va_list args)
{
	struct buf text = BUF_INIT(REASON_MAX);
	buf_vprintf(&text, fmt, args);
	char *reason = text.len == 0 ? xstrdup("") : buf_take(&text);
	buf_free(&text);
	if (reason == NULL)
		misuse(self, "gave a reason of more than %d bytes", REASON_MAX);
	if (strpbrk(reason, "\r\n") != NULL)
		misuse(self, "gave a reason that is more than one line: %.*s",
		       (int)strcspn(reason, "\r\n"), reason);
	return reason;
}

/* Called with the lock held. */
static void take_answer(struct pb_delivery *d, enum pb_code code, int64_t after, struct pb_span response)
{
	const struct pb_self *self = d->in == NULL ? NULL : &d->in->self;
	if (self == NULL)
		misuse(NULL, "pb_answer(): the sink is closed");
	if (d->stand == ANSWERED)
		misuse(self, "answered one delivery twice: code %d, and now %d", (int)d->code,
		       (int)code);
	if (d->stand == LEFT)
		misuse(self, "answered a delivery after write() had returned");
	if (d->stand == NEW)
		misuse(self, "answered a delivery that it was not given");
	if ((int)code < PB_UNTRIED || code > PB_GONE)
		misuse(self, "answered with code %d, which is none", (int)code);
	d->code = code;
	d->after = after;
	if (response.len > 0) {
		d->response = xcalloc(1, response.len + 1);
		memcpy(d->response, response.data, response.len);
		d->response_len = response.len;
	}
	d->stand = ANSWERED;
}

void pb_answer(struct pb_delivery *d, enum pb_code code, int64_t after, struct pb_span response,
	       const char *fmt, ...)
{
	must_have(d, "pb_answer");
	struct pbt_host *host = d->host;
	char *reason = NULL;
	if (fmt != NULL) {
		va_list args;
		va_start(args, fmt);
		reason = reason_of(d->in == NULL ? NULL : &d->in->self, fmt, args);
		va_end(args);
	}
	pthread_mutex_lock(&host->lock);
	take_answer(d, code, after, response);
	if (reason != NULL) {
		free(d->reason);
		d->reason = reason;
	}
	pthread_cond_broadcast(&host->changed);
	pthread_mutex_unlock(&host->lock);
}
