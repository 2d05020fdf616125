/*
 * prometheus.c - `patchbay status --prometheus`.
 *
 * The daemon's answer has each metric's head before its values, which is the order that the
 * format wants. Whole or not at all: half a page would look like counters that are gone.
 */
#include "cli/prometheus.h"

#include <stdio.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/status.h"

void prometheus_init(struct prometheus *p)
{
	*p = (struct prometheus){ .text = BUF_INIT(BUF_MAX), .name = "" };
}

void prometheus_free(struct prometheus *p)
{
	json_decref(p->head);
	buf_free(&p->text);
}

static void add_escaped(struct buf *to, const char *text, bool quotes)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\' || (quotes && *text == '"'))
			buf_add_char(to, '\\');
		if (*text == '\n')
			buf_add_str(to, "\\n");
		else
			buf_add_char(to, *text);
	}
}

static void add_head(struct prometheus *p, const json_t *head)
{
	json_decref(p->head);
	p->head = json_incref((json_t *)head);
	p->name = answer_text(head, "metric");
	buf_printf(&p->text, "# HELP %s ", p->name);
	add_escaped(&p->text, answer_text(head, "help"), false);
	buf_printf(&p->text, "\n# TYPE %s %s\n", p->name, answer_text(head, "kind"));
}

static void add_number(struct buf *to, const json_t *number)
{
	if (json_is_integer(number))
		buf_printf(to, "%" JSON_INTEGER_FORMAT, json_integer_value(number));
	else
		buf_printf(to, "%.15g", json_number_value(number));
}

/* NAME{LABELS,le="LIMIT"} and a blank; `limit` NULL: none. */
static void add_series(struct prometheus *p, const char *suffix, const json_t *object, const char *limit)
{
	json_t *labels = json_object_get(object, "labels"), *value;
	const char *name, *before = "{";
	buf_printf(&p->text, "%s%s", p->name, suffix);
	json_object_foreach(labels, name, value) {
		buf_printf(&p->text, "%s%s=\"", before, name);
		add_escaped(&p->text, json_string_value(value), true);
		buf_add_char(&p->text, '"');
		before = ",";
	}
	if (limit != NULL)
		buf_printf(&p->text, "%sle=\"%s\"", before, limit);
	buf_add_str(&p->text, limit != NULL || *before == ',' ? "} " : " ");
}

static void add_histogram(struct prometheus *p, const json_t *object)
{
	const json_t *limits = json_object_get(p->head, "limits"), *counts = json_object_get(object, "counts");
	json_int_t below = 0;
	for (size_t i = 0; i < json_array_size(counts); i++) {
		char limit[32] = "+Inf";
		below += json_integer_value(json_array_get(counts, i));
		if (i < json_array_size(limits))
			snprintf(limit, sizeof limit, "%.15g", json_number_value(json_array_get(limits, i)));
		add_series(p, "_bucket", object, limit);
		buf_printf(&p->text, "%" JSON_INTEGER_FORMAT "\n", below);
	}
	add_series(p, "_sum", object, NULL);
	add_number(&p->text, json_object_get(object, "sum"));
	buf_add_char(&p->text, '\n');
	add_series(p, "_count", object, NULL);
	buf_printf(&p->text, "%" JSON_INTEGER_FORMAT "\n", below);
}

void prometheus_add(struct prometheus *p, const json_t *object)
{
	if (json_object_get(object, "metric") != NULL) {
		add_head(p, object);
	} else if (json_object_get(object, "counts") != NULL) {
		add_histogram(p, object);
	} else {
		add_series(p, "", object, NULL);
		add_number(&p->text, json_object_get(object, "value"));
		buf_add_char(&p->text, '\n');
	}
}

static void add_line(void *arg, const json_t *object)
{
	prometheus_add(arg, object);
}

int status_prometheus(struct cli *cli)
{
	if (cli->json)
		return cli_ask(cli, "metrics", NULL, answer_print, NULL);
	struct prometheus p;
	prometheus_init(&p);
	int status = cli_ask(cli, "metrics", NULL, add_line, &p);
	if (status == CLI_OK && p.text.failed != 0) {
		fprintf(stderr, "patchbay status: %s\n", strerror(-p.text.failed));
		status = CLI_FAILED;
	}
	if (status == CLI_OK)
		fwrite(p.text.data, 1, p.text.len, stdout);
	prometheus_free(&p);
	return status;
}
