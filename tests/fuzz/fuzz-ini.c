/* fuzz-ini.c - any file at all as a configuration: what is kept stands in it, what is said is JSON. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/ini.h"
#include "event/scan.h"
#include "fuzz/fuzz.h"

static const struct pb_option table[] = {
	{ "url", PB_URL, NULL, .help = "H." },
	{ "s", PB_STRING, "", .help = "H." },
	{ "secret", PB_SECRET, "", .help = "H." },
	{ "c", PB_CHOICE, "a", .choices = "a b", .help = "H." },
	{ "b", PB_BOOL, "no", .help = "H." },
	{ "i", PB_INT, "1", .min = -5, .max = 5, .help = "H." },
	{ "d", PB_DURATION, "1s", .help = "H." },
	{ "z", PB_SIZE, "1KiB", .min = 1, .max = 1 << 20, .help = "H." },
	{ "l", PB_LIST, "", .help = "H." },
	{ "p", PB_PATH, "", .help = "H." },
	{ "ps", PB_PATHS, "", .help = "H." },
	{ "a", PB_ADDRESS, "", .help = "H." },
	{ "as", PB_ADDRESSES, "", .help = "H." },
	{ "t", PB_TEMPLATE, "", .help = "H." },
	{ 0 }
};

/* Without a continuation, a value stands in the file as it is. */
static void check_setting(const struct setting *s, const char *text, unsigned lines)
{
	assert(s->place.line >= 1 && s->place.line <= lines);
	assert(*s->key >= 'a' && *s->key <= 'z');
	for (const char *c = s->value; *c != '\0'; c++)
		assert((unsigned char)*c >= ' ' || *c == '\t');
	size_t len = strlen(s->value);
	assert(len == 0 || (s->value[0] != ' ' && s->value[len - 1] != ' '));
	if (strchr(text, '\\') == NULL)
		assert(strstr(text, s->value) != NULL);
}

static struct options *read_section(struct section *s, struct report *report)
{
	if (strcmp(s->kind, "sink") == 0)
		return options_read(s, table, config_common_table(CONFIG_SINK), report);
	bool core = strcmp(s->kind, "patchbay") == 0;
	return options_read(s, core ? config_core_table : config_route_table, NULL, report);
}

static void check_section(struct section *s, const char *text, unsigned lines,
			  struct report *report)
{
	assert(s->place.line >= 1 && s->place.line <= lines);
	for (size_t i = 0; i < s->n; i++)
		check_setting(&s->settings[i], text, lines);
	if (*s->kind == '\0')
		return;
	struct options *options = read_section(s, report), *again = read_section(s, report);
	assert(options_equal(options, again));
	options_free(again);
	options_free(options);
}

static void check_report(struct report *report)
{
	char *json = NULL;
	size_t len;
	FILE *to = open_memstream(&json, &len);
	report_print(report, to, true);
	fclose(to);
	for (char *line = json, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
		assert(scan_valid((struct pb_span){ line, (size_t)(end - line) }, NULL));
	assert(len == 0 || json[len - 1] == '\n');
	free(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = calloc(size + 1, 1);
	if (text == NULL)
		return 0;
	unsigned lines = 1;
	for (size_t i = 0; i < size; i++) {
		lines += data[i] == '\n';
		text[i] = data[i] == '\0' ? '\n' : (char)data[i];
	}
	struct report report;
	report_init(&report);
	struct sections sections = { 0 };
	ini_read((struct pb_span){ data, size }, "f", &sections, &report);
	for (size_t i = 0; i < sections.n; i++)
		check_section(sections.at[i], text, lines, &report);
	sections_free(&sections);
	check_report(&report);
	report_free(&report);
	free(text);
	return 0;
}
