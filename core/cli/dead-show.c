/* dead-show.c - one dead letter with all there is to it. */
#include "cli/dead.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/span.h"
#include "cli/escape.h"
#include "event/base64.h"

#define NAME_WIDTH 15

static struct pb_span text_of(const json_t *value)
{
	return span_of(json_string_value(value), json_string_length(value));
}

static void print_field(const char *name, struct pb_span value)
{
	if (value.len == 0)
		return;
	printf("  %-*s ", NAME_WIDTH, name);
	escape_print(stdout, value, "");
}

static void print_member(const json_t *letter, const char *name, const char *title)
{
	print_field(title, text_of(json_object_get(letter, name)));
}

static void print_block(const char *title, struct pb_span text)
{
	if (text.len == 0)
		return;
	printf("  %s (%zu bytes)\n", title, text.len);
	escape_print(stdout, text, "    ");
}

static void print_event(const json_t *event)
{
	const char *name;
	json_t *value;
	struct buf body = BUF_INIT(BUF_MAX);
	puts("  event");
	/* jansson keeps the order in which members came. */
	json_object_foreach((json_t *)event, name, value) {
		if (strcmp(name, "data_base64") == 0 || strcmp(name, "specversion") == 0)
			continue;
		printf("    %-*s ", NAME_WIDTH - 2, name);
		escape_print(stdout, text_of(value), "");
	}
	if (base64_decode(&body, text_of(json_object_get(event, "data_base64"))) == 0)
		print_block("body", buf_span(&body));
	buf_free(&body);
}

void dead_show(void *arg, const json_t *letter)
{
	const json_t *event = json_object_get(letter, "event");
	char attempts[24];
	int *shown = arg;
	if ((*shown)++ > 0)
		putchar('\n');
	snprintf(attempts, sizeof attempts, "%lld",
		 (long long)json_integer_value(json_object_get(letter, "attempts")));
	escape_print(stdout, text_of(json_object_get(letter, "id")), "");
	print_member(letter, "route", "route");
	print_member(letter, "sink", "sink");
	if (!json_is_true(json_object_get(letter, "configured")))
		print_field("", span_str("not configured any more: cannot be replayed"));
	print_member(letter, "reason", "reason");
	print_field("attempts", span_str(attempts));
	print_member(letter, "first_failure", "first failure");
	print_member(letter, "died", "died");
	print_member(letter, "last_error", "last error");
	print_block("response", text_of(json_object_get(letter, "response")));
	if (json_is_object(event))
		print_event(event);
	else
		puts("  the event is lost");
}
