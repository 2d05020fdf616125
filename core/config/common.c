/* common.c - the core's own option tables, in the form that plugins use. */
#include "config/config.h"

#include "base/magic.h"

#define S INT64_C(1000)
#define MINUTE (60 * S)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

const struct pb_option config_core_table[] = {
	{ "state", PB_PATH, PATCHBAY_STATE_DIR, .help =
	  "The folder that holds accepted events and how far each was delivered." },
	{ "include", PB_LIST, "", .help =
	  "Further files to read, by name or glob, relative to the file that names them." },
	{ "plugin_dir", PB_PATH, PATCHBAY_PLUGIN_DIR, .help =
	  "The folder that plugins are loaded from; read at start only." },
	{ "max_size", PB_SIZE, "10GiB", .min = 4 * MIB, .max = INT64_MAX, .help =
	  "The most that the store may take on disk, journal and state together; at the limit senders "
	  "are told to come back, or sources wait." },
	{ "keep", PB_STRING, "", .help =
	  "How long, such as 7d, or how much, such as 2GiB, of what is delivered stays for `patchbay replay`: "
	  "at most two fifths of max_size, and less when space is short; unset, nothing does." },
	{ "max_event", PB_SIZE, "16MiB", .min = KIB, .max = GIB, .help =
	  "The largest body of an event that is accepted." },
	{ "segment_size", PB_SIZE, "64MiB", .min = MIB, .max = GIB, .help =
	  "The size at which the journal begins its next file." },
	{ "memory", PB_SIZE, "64MiB", .min = MIB, .max = 64 * GIB, .help =
	  "The most committed events kept in memory for the router before it reads them from "
	  "disk instead." },
	{ "history", PB_SIZE, "64MiB", .min = 0, .max = GIB, .help =
	  "The most that may be kept of what became of each event, which `patchbay trace` shows: the oldest "
	  "goes first, and none of it is needed to deliver anything. 0, or less than 1MiB: none." },
	{ "shutdown_timeout", PB_DURATION, "10s", .min = 0, .max = HOUR, .help =
	  "How long deliveries under way may take to end at a stop; the rest stays on disk." },
	{ "log_level", PB_CHOICE, "info", .choices = "error warning info debug", .help =
	  "The least important entries that are logged." },
	{ "control", PB_PATH, "", .help =
	  "The path of the control socket; unset, control.sock in the state folder, where only "
	  "root and the daemon's user reach it." },
	{ "control_group", PB_STRING, "", .help =
	  "The group whose members may use the control socket, as root and the daemon's user may; "
	  "needs `control` in a folder that they can enter." },
	{ 0 }
};

const struct pb_option config_route_table[] = {
	{ "from", PB_LIST, "", .help =
	  "The sources whose events it takes; unset, every source. `patchbay` is events about "
	  "patchbay itself, such as patchbay.sink.down, which only a route that names it takes." },
	{ "events", PB_LIST, "*", .help =
	  "Globs of the event types it takes: * is any run of bytes, ? any one." },
	{ "filters", PB_LIST, "", .help =
	  "The filters that each event passes, in this order." },
	{ "to", PB_LIST, NULL, .help =
	  "The sinks that each event is delivered to." },
	{ 0 }
};

#define PLUGIN { "plugin", PB_STRING, NULL, .help = \
	"The plugin that does the work; `patchbay plugins` lists them." }

#define ISOLATE \
	{ "isolate", PB_CHOICE, "no", .choices = "no process", .help = \
	  "Whether the plugin works in a process of its own (process), so that its crash is not the daemon's: it is started " \
	  "again, and no event is lost." }, \
	{ "isolate_memory", PB_SIZE, "1GiB", .min = 0, .max = INT64_MAX, .help = \
	  "With isolate = process the most data, its threads' stacks included, that the process may have: 24MiB or more; 0 is " \
	  "no limit." }, \
	{ "isolate_files", PB_INT, "0", .min = 0, .max = 100000000, .help = \
	  "How many descriptors the process may have open; 0 is as many as the daemon." }, \
	{ "isolate_environment", PB_LIST, "", .help = \
	  "Variables of the daemon's environment that the process gets beside the ones that no secret is in." }, \
	{ "isolate_start", PB_DURATION, "30s", .min = 10, .max = HOUR, .help = \
	  "How long the process may take until the plugin is open." }, \
	{ "isolate_stop", PB_DURATION, "3s", .min = 0, .max = HOUR, .help = \
	  "How long the process may take to end once it was told to; then it is killed." }, \
	{ "isolate_pause", PB_DURATION, "1s", .min = 1, .max = HOUR, .help = \
	  "How long after its end the process is started again; each further time, until it has run for isolate_max_pause, " \
	  "twice as long." }, \
	{ "isolate_max_pause", PB_DURATION, "60s", .min = 1, .max = DAY, .help = \
	  "The longest of these pauses." }

static const struct pb_option source_table[] = {
	PLUGIN,
	{ "workers", PB_INT, "1", .min = 1, .max = 64, .help =
	  "How many instances run side by side; above 1 only for plugins made for it." },
	{ "dedupe", PB_DURATION, "0", .min = 0, .max = 365 * DAY, .help =
	  "So long a repeat is known: an event with an id or idempotency key that the source has taken "
	  "within that time is not stored again, and its sender is told the first one's id; 0 is not at "
	  "all." },
	{ "dedupe_max", PB_INT, "1000000", .min = 1, .max = 100000000, .help =
	  "How many ids and keys are remembered for `dedupe`, about 400 bytes of the state each; above it "
	  "the oldest are forgotten." },
	{ "max_marks", PB_INT, "65536", .min = 1, .max = 100000000, .help =
	  "How many marks, its own positions, the source may set while the daemon runs, each held in memory; one more is "
	  "refused with what belongs to it." },
	ISOLATE,
	{ 0 }
};

static const struct pb_option filter_table[] = {
	PLUGIN,
	{ "workers", PB_INT, "1", .min = 1, .max = 64, .help =
	  "How many instances run side by side, each on a thread of its own." },
	ISOLATE,
	{ 0 }
};

static const struct pb_option sink_table[] = {
	PLUGIN,
	{ "timeout", PB_DURATION, "20s", .min = 1, .max = DAY, .help =
	  "How long one attempt may take." },
	{ "retry", PB_STRING, "5s, 5m, 30m, 2h, 5h, 10h, 14h, 20h, 24h", .help =
	  "The waits between attempts, exponential(FIRST, CAP, COUNT), or none." },
	{ "max_retry_after", PB_DURATION, "24h", .min = 0, .max = 365 * DAY, .help =
	  "The longest wait that a receiver may ask for." },
	{ "expire", PB_DURATION, "5d", .min = S, .max = 3650 * DAY, .help =
	  "How long after its first failure, or if it was never tried after it was accepted or replayed, a delivery "
	  "may wait, whatever for; then it is a dead letter. Time that no daemon runs does not count." },
	{ "order", PB_CHOICE, "", .choices = "strict relaxed", .help =
	  "Whether a failed event holds back those behind it (strict) or lets them pass "
	  "(relaxed); unset, as the plugin's kind of sink needs it." },
	{ "order_by", PB_STRING, "", .help =
	  "Events of a route that have the same value here go out one after another, also when one fails; "
	  "others pass them. An attribute's name, such as subject, or data.FIELD of a JSON body, as it was "
	  "accepted: data.order is 7 of {\"order\":7}. What has no such value is not ordered." },
	{ "max_keys", PB_INT, "65536", .min = 1, .max = 100000000, .help =
	  "For how many values of `order_by` a route's events may wait; at the limit all its events wait." },
	{ "breaker_failures", PB_INT, "20", .min = 0, .max = 1000000, .help =
	  "After so many failures in a row the sink is held and probed; 0 holds it only when the "
	  "plugin says that the receiver is down." },
	{ "breaker_pause", PB_DURATION, "1s", .min = 1, .max = DAY, .help =
	  "How long a held sink waits for the first probe; each further one waits twice as long. Each sink's waits are longer "
	  "by a part of its own, a fifth at most, so that those held together are not probed together." },
	{ "breaker_max_pause", PB_DURATION, "5m", .min = 1, .max = DAY, .help =
	  "The longest wait between two probes." },
	{ "rate", PB_STRING, "", .help =
	  "How many deliveries may go out: a number a second, minute or hour, such as 100/s; unset, "
	  "no limit." },
	{ "burst", PB_INT, "0", .min = 0, .max = 1000000000, .help =
	  "How many may go at once after a lull when `rate` is set; 0 is what it gives in a second." },
	{ "max_in_flight", PB_INT, "64", .min = 1, .max = 100000, .help =
	  "How many deliveries may be under way at once." },
	{ "max_batch", PB_INT, "0", .min = 0, .max = 1000000, .help =
	  "How many events the plugin is given at once; 0 is the most that it can take." },
	{ "disable_after", PB_DURATION, "5d", .min = 0, .max = 3650 * DAY, .help =
	  "A sink that has done nothing but fail for so long is disabled, and keeps its events, until "
	  "`patchbay sink enable`; 0 is never. That an event is rejected is no failure of the sink." },
	{ "max_backlog", PB_SIZE, "0", .min = 0, .max = INT64_MAX, .help =
	  "The most that what waits for the sink may take on disk, its rows and the journal from its "
	  "first waiting event on; 0 is a quarter of the core's max_size, and less while that fills." },
	{ "overflow", PB_CHOICE, "dead", .choices = "dead block", .help =
	  "What gives way at max_backlog: its oldest deliveries become dead letters (dead), or its "
	  "sources are refused until there is room (block)." },
	{ "dead_keep", PB_DURATION, "30d", .min = 0, .max = 3650 * DAY, .help =
	  "How long a dead letter is kept before it is purged; 0 is for ever." },
	{ "dead_max", PB_INT, "100000", .min = 0, .max = 1000000000, .help =
	  "How many dead letters are kept; above it the oldest are purged." },
	{ "dead_max_size", PB_SIZE, "0", .min = 0, .max = INT64_MAX, .help =
	  "The most that its dead letters may take on disk, with their events; above it the oldest are "
	  "purged; 0 is as much as max_backlog." },
	{ "max_response", PB_SIZE, "16KiB", .min = 0, .max = MIB, .help =
	  "How much of a receiver's response is kept." },
	ISOLATE,
	{ 0 }
};

const struct pb_option *config_common_table(enum config_kind kind)
{
	static const struct pb_option *const tables[CONFIG_KINDS] = {
		[CONFIG_SOURCE] = source_table,
		[CONFIG_FILTER] = filter_table,
		[CONFIG_SINK] = sink_table,
	};
	assert(kind >= 0 && kind < CONFIG_KINDS);
	return tables[kind];
}
