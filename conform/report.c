/* report.c - results for a reader, as JSON, and as JUnit XML. */
#include "conform/report.h"

#include <string.h>

#include "base/buf.h"
#include "base/parse.h"
#include "event/json.h"

#define LINE_MAX (256 * 1024)

static const char *const verdict_names[] = { "", "pass", "fail", "skip" };

static void print_json(struct buf *b)
{
	buf_add_char(b, '\n');
	if (b->failed == 0)
		fwrite(b->data, 1, b->len, stdout);
	buf_free(b);
}

static void add_member(struct buf *b, const char *name, const char *value)
{
	buf_printf(b, "%s\"%s\":", b->len <= 1 ? "" : ",", name);
	json_quote(b, (struct pb_span){ value, strlen(value) });
}

static void rule_json(const struct rule *rule)
{
	struct buf b = BUF_INIT(LINE_MAX);
	buf_add_char(&b, '{');
	add_member(&b, "rule", rule->name);
	add_member(&b, "meaning", rule->meaning);
	buf_add_str(&b, ",\"kinds\":[");
	for (unsigned kind = KIND_SOURCE, n = 0; kind <= KIND_SINK; kind *= 2)
		if ((rule->kinds & kind) != 0)
			buf_printf(&b, "%s\"%s\"", n++ == 0 ? "" : ",", kind_name((enum kind)kind));
	buf_add_str(&b, "]}");
	print_json(&b);
}

void report_rules(bool json)
{
	for (const struct rule *rule = rules; rule->name != NULL; rule++) {
		if (json) {
			rule_json(rule);
			continue;
		}
		printf("%-22s %s", rule->name, rule->meaning);
		if (rule->kinds != KIND_ANY) {
			printf(" (");
			for (unsigned kind = KIND_SOURCE, n = 0; kind <= KIND_SINK; kind *= 2)
				if ((rule->kinds & kind) != 0)
					printf("%s%s", n++ == 0 ? "" : ", ", kind_name((enum kind)kind));
			putchar(')');
		}
		putchar('\n');
	}
}

void report_begin(struct report *r, const struct suite *suite, bool colour)
{
	*r = (struct report){ .suite = suite, .colour = colour, .group = "" };
	printf("%s (%s)\n", suite->told->about, kind_name(suite->kind));
}

static void print_group(struct report *r, const char *name)
{
	size_t len = strcspn(name, ".");
	if (len == r->group_len && strncmp(name, r->group, len) == 0)
		return;
	printf("\n%.*s\n", (int)len, name);
	r->group = name;
	r->group_len = len;
}

void report_result(void *report, const struct result *result)
{
	static const char *const colours[] = { "", "\033[32m", "\033[31;1m", "\033[33m" };
	struct report *r = report;
	print_group(r, result->rule->name);
	const char *begin = r->colour ? colours[result->verdict] : "", *end = r->colour ? "\033[0m" : "";
	printf("  %s%s%s  %-22s %s\n", begin, result->verdict == FAIL ? "FAIL" : verdict_names[result->verdict],
	       end, result->rule->name, result->rule->meaning);
	if (result->verdict != PASS)
		printf("        %s\n", result->reason);
	for (const char *line = result->verdict == FAIL ? result->output : ""; *line != '\0'; ) {
		size_t len = strcspn(line, "\n");
		printf("        | %.*s\n", (int)len, line);
		line += len + (line[len] == '\n');
	}
	fflush(stdout);
}

void report_result_json(void *report, const struct result *result)
{
	const struct report *r = report;
	struct buf b = BUF_INIT(LINE_MAX);
	buf_add_char(&b, '{');
	add_member(&b, "plugin", r->suite->wanted->name);
	add_member(&b, "kind", kind_name(r->suite->kind));
	add_member(&b, "rule", result->rule->name);
	add_member(&b, "result", verdict_names[result->verdict]);
	add_member(&b, "meaning", result->rule->meaning);
	if (result->verdict != PASS)
		add_member(&b, "reason", result->reason);
	if (result->verdict == FAIL && *result->output != '\0')
		add_member(&b, "output", result->output);
	buf_printf(&b, ",\"ms\":%lld}", (long long)result->ms);
	print_json(&b);
	fflush(stdout);
}

void report_end(const struct report *r)
{
	const struct suite *s = r->suite;
	printf("\n%zu passed, %zu failed, %zu skipped in %lld.%lld s\n", suite_count(s, PASS),
	       suite_count(s, FAIL), suite_count(s, SKIP), (long long)s->ms / 1000,
	       (long long)s->ms % 1000 / 100);
}

/* Text for XML 1.0: what it cannot hold becomes U+FFFD. */
static void put_xml(FILE *to, const char *text)
{
	for (const char *at = text; *at != '\0'; ) {
		size_t left = strlen(at), len = utf8_length(at, left < 4 ? left : 4);
		const unsigned char byte = (unsigned char)*at;
		bool not_a_character = len == 3 && byte == 0xef && (unsigned char)at[1] == 0xbf &&
				       (unsigned char)at[2] >= 0xbe;
		if (byte == '<' || byte == '>' || byte == '&' || byte == '"')
			fputs(byte == '<' ? "&lt;" : byte == '>' ? "&gt;" : byte == '&' ? "&amp;" : "&quot;", to);
		else if (len == 0 || not_a_character || (byte < ' ' && byte != '\n' && byte != '\t'))
			fputs("\xef\xbf\xbd", to);
		else
			fwrite(at, 1, len, to);
		at += len == 0 ? 1 : len;
	}
}

static void put_attribute(FILE *to, const char *name, const char *value)
{
	fprintf(to, " %s=\"", name);
	put_xml(to, value);
	fputc('"', to);
}

static void put_time(FILE *to, int64_t ms)
{
	fprintf(to, " time=\"%lld.%03lld\"", (long long)ms / 1000, (long long)ms % 1000);
}

static void put_case(const struct suite *s, const struct result *r, FILE *to)
{
	fputs("    <testcase", to);
	fprintf(to, " classname=\"patchbay.%s", kind_name(s->kind));
	fputc('.', to);
	put_xml(to, s->wanted->name);
	fputc('"', to);
	put_attribute(to, "name", r->rule->name);
	put_time(to, r->ms);
	if (r->verdict == PASS) {
		fputs("/>\n", to);
		return;
	}
	fprintf(to, ">\n      <%s", r->verdict == FAIL ? "failure" : "skipped");
	put_attribute(to, "message", r->reason);
	fputc('>', to);
	if (r->verdict == FAIL) {
		put_xml(to, r->rule->meaning);
		fputc('\n', to);
		put_xml(to, r->output);
	}
	fprintf(to, "</%s>\n    </testcase>\n", r->verdict == FAIL ? "failure" : "skipped");
}

void report_junit(const struct suite *s, FILE *to)
{
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite", to);
	put_attribute(to, "name", s->wanted->name);
	fprintf(to, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\"", s->n,
		suite_count(s, FAIL), suite_count(s, SKIP));
	put_time(to, s->ms);
	fputs(">\n", to);
	for (size_t i = 0; i < s->n; i++)
		put_case(s, &s->results[i], to);
	fputs("  </testsuite>\n</testsuites>\n", to);
}
