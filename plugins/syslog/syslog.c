/*
 * syslog: sends each event to a syslog daemon, as one message over a Unix socket or UDP.
 * Settings and answers; text.c makes the messages, transport.c sends them.
 *
 * Promises: order; no event forges another message; what is too long is cut visibly and
 * counted. PB_OK means that the kernel has taken the message: syslog knows no
 * acknowledgement, so what a dying receiver had not read is lost, and UDP may lose more.
 */
#include <config.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <patchbay/plugin.h>

#include "syslog/text.h"
#include "syslog/transport.h"

/* Each word's place is its number (RFC 5424 section 6.2.1). */
#define FACILITIES "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp " \
	"ntp audit alert clock local0 local1 local2 local3 local4 local5 local6 local7"
#define SEVERITIES "emerg alert crit err warning notice info debug"
#define MESSAGE_MAX 65000		/* what a datagram over IPv4 and IPv6 can hold */

struct syslog {
	struct text_style style;
	struct target target;
	struct transport transport;
	const char *to;			/* the target as written */
	struct pb_metric *cut;
	char host[256];
	char *data;			/* TRANSPORT_BATCH messages, each with a newline */
};

static const struct pb_span nothing = { NULL, 0 };

static int word_number(const char *words, const char *word)
{
	size_t len = strlen(word);
	int number = 0;
	for (; strncmp(words, word, len) != 0 || (words[len] != ' ' && words[len] != '\0'); number++)
		words += strcspn(words, " ") + 1;	/* the core let no other word pass */
	return number;
}

static void syslog_check(struct pb_self *self, struct pb_error *err)
{
	struct target target;
	const char *fault = target_parse(pb_str(self, "target"), &target);
	const char *app = pb_str(self, "app_name");
	if (fault != NULL)
		pb_error(err, "target", "%s", fault);
	size_t len = 0;
	while (app[len] > ' ' && app[len] < 127)
		len++;
	if (len == 0 || len > 48 || app[len] != '\0')
		pb_error(err, "app_name", "expected 1 to 48 visible ASCII characters");
}

static void style_set(struct syslog *syslog, struct pb_self *self)
{
	const char *format = pb_str(self, "format");
	bool local = syslog->target.local;
	syslog->style = (struct text_style){
		.rfc5424 = *format == '\0' ? !local : strcmp(format, "rfc5424") == 0,
		.with_host = !local,
		.priority = word_number(FACILITIES, pb_str(self, "facility")) * 8 +
			    word_number(SEVERITIES, pb_str(self, "severity")),
		.app = pb_str(self, "app_name"),
		.host = syslog->host,
		.pid = (long)getpid(),
		.max = (size_t)pb_int(self, "max_message"),
	};
}

static void *syslog_open(struct pb_self *self, struct pb_error *err)
{
	struct syslog *syslog = calloc(1, sizeof *syslog);
	size_t room = ((size_t)pb_int(self, "max_message") + 1) * TRANSPORT_BATCH;
	if (syslog == NULL || (syslog->data = malloc(room)) == NULL) {
		free(syslog);
		return pb_error(err, NULL, "out of memory");
	}
	syslog->to = pb_str(self, "target");
	target_parse(syslog->to, &syslog->target);
	if (gethostname(syslog->host, sizeof syslog->host - 1) < 0)
		syslog->host[0] = '\0';
	style_set(syslog, self);
	syslog->cut = pb_counter(self, "cut", "Messages sent cut, or without some attribute, to fit "
				 "max_message.");
	/* Connected by the first message, so that the daemon may start before syslog does. */
	transport_init(&syslog->transport, &syslog->target, pb_int(self, "timeout"));
	return syslog;
}

static void syslog_close(void *state)
{
	struct syslog *syslog = state;
	transport_close(&syslog->transport);
	free(syslog->data);
	free(syslog);
}

/* Messages of d[0..n) into `data`, the i-th up to ends[i]; cut[i]: not all of it fitted. */
static void batch_format(struct syslog *syslog, struct pb_delivery *const d[], size_t n,
			 size_t ends[], bool cut[])
{
	size_t at = 0;
	for (size_t i = 0; i < n; i++) {
		at += text_format(&syslog->style, pb_delivery_event(d[i]), syslog->data + at,
				  &cut[i]);
		syslog->data[at++] = '\n';
		ends[i] = at;
	}
}

/* A message that comes again after a failure is written again: it counts when it has gone. */
static void count_cut(struct syslog *syslog, const bool cut[], size_t sent)
{
	int64_t cuts = 0;
	for (size_t i = 0; i < sent; i++)
		cuts += cut[i];
	pb_add(syslog->cut, cuts);
}

/* Send and answer d[0..n), at most TRANSPORT_BATCH. How many were answered for good; fewer
 * than n: the receiver is down, and the rest is untried. */
static size_t batch_send(struct syslog *syslog, struct pb_delivery *const d[], size_t n)
{
	size_t ends[TRANSPORT_BATCH];
	bool cut[TRANSPORT_BATCH];
	int error;
	batch_format(syslog, d, n, ends, cut);
	size_t sent = transport_send(&syslog->transport, syslog->data, ends, n, &error);
	count_cut(syslog, cut, sent);
	for (size_t i = 0; i < sent; i++)
		pb_answer(d[i], PB_OK, 0, nothing, "handed to the kernel");
	if (sent < n && error == -EMSGSIZE) {
		pb_answer(d[sent], PB_REJECT, 0, nothing, "%s: larger than the socket takes: "
			  "lower max_message", syslog->to);
		sent++;
		return sent == n ? n : sent + batch_send(syslog, d + sent, n - sent);
	}
	if (sent < n)
		pb_answer(d[sent], PB_DOWN, 0, nothing, "%s: %s", syslog->to,
			  syslog->transport.error);
	return sent;
}

static void syslog_write(void *state, struct pb_delivery *const d[], size_t n)
{
	for (size_t done = 0, some; done < n; done += some) {
		some = n - done < TRANSPORT_BATCH ? n - done : TRANSPORT_BATCH;
		if (batch_send(state, d + done, some) < some)
			return;
	}
}

static void syslog_reopen(void *state)
{
	struct syslog *syslog = state;
	transport_close(&syslog->transport);
}

static const struct pb_option options[] = {
	{ .name = "target", .type = PB_ADDRESS, .value = "unix:/dev/log",
	  .help = "Where messages go: unix:/PATH (a datagram or stream socket) or udp:HOST:PORT. "
		  "Finding the host's address has the resolver's limits (resolv.conf(5)), which "
		  "may be longer than `timeout`. SIGHUP closes the socket, and the next message "
		  "opens it again." },
	{ .name = "format", .type = PB_CHOICE, .value = "", .choices = "rfc5424 rfc3164",
	  .help = "How messages are written; unset: rfc3164 to a Unix socket, which is what "
		  "journald and rsyslog expect there, and rfc5424 over UDP. Only rfc5424 carries "
		  "the attributes, as structured data." },
	{ .name = "facility", .type = PB_CHOICE, .value = "user", .choices = FACILITIES,
	  .help = "The messages' facility." },
	{ .name = "severity", .type = PB_CHOICE, .value = "info", .choices = SEVERITIES,
	  .help = "The messages' severity." },
	{ .name = "app_name", .type = PB_STRING, .value = "patchbay",
	  .help = "The program's name that messages carry, up to 48 visible ASCII characters." },
	{ .name = "max_message", .type = PB_SIZE, .value = "8KiB", .min = TEXT_MIN, .max = MESSAGE_MAX,
	  .help = "Bytes of a message; a longer body is cut at a character and ends in "
		  "\"" TEXT_CUT "\"." },
	{ 0 }
};

PB_PLUGIN(.name = "syslog", .version = PACKAGE_VERSION,
	  .summary = "Sends each event to a syslog daemon",
	  .sink = PB_SINK(.options = options, .check = syslog_check, .open = syslog_open,
			  .close = syslog_close, .write = syslog_write, .reopen = syslog_reopen,
			  .max_batch = 1024));
