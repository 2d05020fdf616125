/* trace-show.c - one event's story, for people. */
#include "cli/trace.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/span.h"
#include "cli/ask.h"
#include "cli/escape.h"
#include "cli/table.h"

static bool is(const json_t *object, const char *name, const char *value)
{
	return strcmp(answer_text(object, name), value) == 0;
}

/* Text from outside, after what stands on the line already. */
static void print_text(const char *before, const json_t *object, const char *name)
{
	const json_t *text = json_object_get(object, name);
	fputs(before, stdout);
	escape_print(stdout, span_of(json_string_value(text), json_string_length(text)), "");
	if (json_string_length(text) == 0)
		putchar('\n');
}

/* " (3m 10s ago)", " (in 2h 1m)" */
static void print_distance(const char *date, int64_t now_ms)
{
	int64_t ms;
	char span[HUMAN_SIZE];
	if (time_parse(date, &ms) != 0)
		return;
	span_format(ms > now_ms ? ms - now_ms + 999 : now_ms - ms, span);
	printf(ms > now_ms ? " (in %s)" : " (%s ago)", span);
}

static void took_format(uint64_t us, char text[static HUMAN_SIZE])
{
	if (us < 1000)
		snprintf(text, HUMAN_SIZE, "%u µs", (unsigned)us);
	else if (us < 10000000)
		snprintf(text, HUMAN_SIZE, "%u ms", (unsigned)(us / 1000));
	else
		span_format((int64_t)(us / 1000), text);
}

static void print_attempt(const json_t *step)
{
	char took[HUMAN_SIZE];
	took_format(answer_count(step, "took_us"), took);
	printf("attempt %llu", (unsigned long long)answer_count(step, "attempt"));
	if (answer_count(step, "parts") > 0)
		printf(" (event %llu of %llu)", (unsigned long long)answer_count(step, "part"),
		       (unsigned long long)answer_count(step, "parts"));
	printf(": %s, took %s", answer_text(step, "answer"), took);
	print_text(*answer_text(step, "text") != '\0' ? ": " : "", step, "text");
}

static void print_step(const json_t *step)
{
	printf("    %s  ", answer_text(step, "at"));
	if (is(step, "what", "attempt"))
		print_attempt(step);
	else if (is(step, "what", "filter failed"))
		print_text("a filter failed: ", step, "text");
	else if (is(step, "what", "filtered"))
		puts("the route's filters dropped it");
	else if (is(step, "what", "dead"))
		printf("dead: %s\n", answer_text(step, "reason"));
	else
		printf("%s\n", answer_text(step, "what"));
	if (*answer_text(step, "response") != '\0') {
		const json_t *response = json_object_get(step, "response");
		escape_print(stdout, span_of(json_string_value(response), json_string_length(response)),
			     "                                | ");
	}
}

/* "attempt 4 of 10", the one to come. */
static void print_next_attempt(const json_t *now)
{
	printf("attempt %llu", (unsigned long long)answer_count(now, "attempts") + 1);
	if (answer_count(now, "attempts_max") > 0)
		printf(" of %llu", (unsigned long long)answer_count(now, "attempts_max"));
}

static void print_waiting(const json_t *now, int64_t now_ms)
{
	const char *due = answer_text(now, "due");
	int64_t ms = 0;
	fputs("waits for ", stdout);
	print_next_attempt(now);
	if (time_parse(due, &ms) == 0 && ms <= now_ms) {
		fputs(", which is due", stdout);
	} else {
		printf(", due at %s", due);
		print_distance(due, now_ms);
	}
}

static void print_dead(const json_t *now, int64_t now_ms)
{
	const char *died = answer_text(now, "died");
	printf("dead (%s) since %s", answer_text(now, "reason"), died);
	print_distance(died, now_ms);
}

static void print_now(const json_t *now, int64_t now_ms)
{
	static const struct { const char *state, *text; } plain[] = {
		{ "delivered", "delivered" }, { "filtered", "dropped by the route's filters" },
		{ "purged", "given up: a dead letter that was purged" },
		{ "settled", "settled; how, the history does not say" },
		{ "filtering", "with the route's filters" }, { "saving", "answered; that is being saved" },
		{ "held", "waits for an earlier event of its key (order_by)" },
		{ "parked", "waits for its turn in the lane's order" },
	};
	unsigned long long ahead = answer_count(now, "ahead");
	fputs("    now: ", stdout);
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (is(now, "state", plain[i].state))
			fputs(plain[i].text, stdout);
	if (answer_count(now, "behind") > 0)
		printf(", behind number %llu", (unsigned long long)answer_count(now, "behind"));
	if (is(now, "state", "backlog"))
		printf("in the lane's backlog, behind %llu other events", ahead);
	if (is(now, "state", "ready"))
		printf("waits for its turn, behind %llu", ahead);
	if (is(now, "state", "in flight")) {
		fputs("with the sink, ", stdout);
		print_next_attempt(now);
	}
	if (is(now, "state", "waiting"))
		print_waiting(now, now_ms);
	if (is(now, "state", "dead"))
		print_dead(now, now_ms);
	if (*answer_text(now, "sink") != '\0')
		printf("; the sink is %s", answer_text(now, "sink"));
	print_text(*answer_text(now, "last_error") != '\0' ? "; last error: " : "", now, "last_error");
}

static void print_lane(const json_t *lane, int64_t now_ms)
{
	size_t i;
	json_t *step;
	if (*answer_text(lane, "route") != '\0')
		printf("  %s -> %s", answer_text(lane, "route"), answer_text(lane, "sink"));
	else
		printf("  lane %llu", (unsigned long long)answer_count(lane, "lane"));
	puts(json_is_true(json_object_get(lane, "wanted")) ? "" : "  (as the configuration was)");
	json_array_foreach(json_object_get(lane, "history"), i, step)
		print_step(step);
	print_now(json_object_get(lane, "now"), now_ms);
}

static void print_accepted(const json_t *event, int64_t now_ms)
{
	const char *accepted = answer_text(event, "accepted"), *source = answer_text(event, "source");
	char bytes[HUMAN_SIZE];
	printf("  accepted  ");
	if (*accepted != '\0') {
		printf("%s%s", json_is_true(json_object_get(event, "accepted_before")) ? "before " : "", accepted);
		print_distance(accepted, now_ms);
	} else {
		fputs("at a time that is not known", stdout);
	}
	printf(" from source %s", *source != '\0' ? source : "(not known)");
	bytes_format(answer_count(event, "bytes"), bytes);
	printf("%s%s\n", json_object_get(event, "bytes") != NULL ? ", " : "",
	       json_object_get(event, "bytes") != NULL ? bytes : "");
	if (*answer_text(event, "sender") != '\0')
		print_text("  sender    ", event, "sender");
	if (*answer_text(event, "subject") != '\0')
		print_text("  subject   ", event, "subject");
	printf("  stored    %s, number %llu\n", is(event, "stored", "journal") ? "in the journal" :
	       is(event, "stored", "kept") ? "kept in the state" : "no more",
	       (unsigned long long)answer_count(event, "seq"));
}

/* How many routes want it. */
static size_t print_routes(const json_t *event)
{
	size_t i, wanting = 0;
	json_t *route;
	json_array_foreach(json_object_get(event, "routes"), i, route) {
		bool matches = json_is_true(json_object_get(route, "matches"));
		wanting += matches;
		printf("  route     %s: %s", answer_text(route, "name"), matches ? "matches\n" : "no, ");
		if (!matches)
			print_text("", route, "why_not");
	}
	return wanting;
}

void trace_show(const json_t *event, int64_t now_ms)
{
	size_t i;
	json_t *lane;
	const char *configured = answer_text(event, "configured");
	print_text("", event, "id");
	print_text("  type      ", event, "event_type");
	print_accepted(event, now_ms);
	size_t wanting = print_routes(event);
	if (json_array_size(json_object_get(event, "routes")) == 0)
		puts("  routes    which of them wanted it is not known: neither it nor its type is there any more");
	else if (wanting == 0)
		puts("  no route wants it: it is delivered nowhere");
	if (*configured != '\0')
		printf("  routes are as configured now, which was read at %s, after the event came\n", configured);
	json_array_foreach(json_object_get(event, "lanes"), i, lane)
		print_lane(lane, now_ms);
}
