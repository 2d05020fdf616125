/* rules.c - what a lane takes, and what it took before. */
#include "dispatch/rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "base/parse.h"
#include "base/span.h"
#include "dispatch/router.h"
#include "event/event.h"

static struct rule *make(uint64_t until, size_t from_len, size_t globs_len)
{
	struct rule *rule = xcalloc(1, sizeof *rule + from_len + globs_len);
	rule->until = until;
	rule->from_len = from_len;
	rule->globs_len = globs_len;
	return rule;
}

struct rule *rule_new(const struct config_route *config, const uint32_t from[])
{
	size_t globs_len = 0;
	for (const char *const *glob = config->events; *glob != NULL; glob++)
		globs_len += strlen(*glob) + 1;
	struct rule *rule = make(ROUTE_PRESENT, 4 * config->n_from, globs_len);
	char *at = rule->bytes;
	for (size_t i = 0; i < config->n_from; i++, at += 4)
		put_le32(at, from[i]);
	for (const char *const *glob = config->events; *glob != NULL; glob++)
		at = stpcpy(at, *glob) + 1;
	return rule;
}

struct rule *rule_load(const struct route_row *row)
{
	struct rule *rule = make(row->until, row->from.len, row->globs.len);
	if (row->from.len > 0)
		memcpy(rule->bytes, row->from.data, row->from.len);
	if (row->globs.len > 0)
		memcpy(rule->bytes + row->from.len, row->globs.data, row->globs.len);
	return rule;
}

struct rule *rule_none(uint64_t until)
{
	return make(until, 0, 0);
}

static struct rule *copy(const struct rule *from, uint64_t until)
{
	struct rule *rule = make(until, from->from_len, from->globs_len);
	memcpy(rule->bytes, from->bytes, from->from_len + from->globs_len);
	return rule;
}

void rules_free(struct rule *first)
{
	for (struct rule *next; first != NULL; first = next) {
		next = first->next;
		free(first);
	}
}

bool rule_same(const struct rule *a, const struct rule *b)
{
	return a->from_len == b->from_len && a->globs_len == b->globs_len &&
	       memcmp(a->bytes, b->bytes, a->from_len + a->globs_len) == 0;
}

bool rule_source(const struct rule *rule, size_t i, uint32_t *source)
{
	if (4 * i >= rule->from_len)
		return false;
	*source = get_le32(rule->bytes + 4 * i);
	return true;
}

enum rule_verdict rule_verdict(const struct rule *rule, uint32_t origin, const char *type)
{
	const char *glob = rule->bytes + rule->from_len, *end = glob + rule->globs_len;
	size_t i = 0;
	while (i < rule->from_len && get_le32(rule->bytes + i) != origin)
		i += 4;
	if (i == rule->from_len)
		return RULE_NOT_FROM;
	while (glob < end && !glob_match(glob, type))
		glob += strlen(glob) + 1;
	return glob < end ? RULE_TAKES : RULE_NOT_EVENTS;
}

bool rule_takes(const struct rule *rule, uint32_t origin, const char *type)
{
	return rule_verdict(rule, origin, type) == RULE_TAKES;
}

const struct rule *lane_rule(const struct lane *lane, uint64_t seq)
{
	const struct rule *rule = lane->old;
	while (rule != NULL && rule->until <= seq)
		rule = rule->next;
	if (rule == NULL)
		rule = lane->route != NULL ? lane->route->rule : NULL;
	return rule;
}

bool lane_wants(const struct lane *lane, const struct pb_event *ev)
{
	const struct rule *rule = lane_rule(lane, event_seq(ev));
	return rule != NULL && rule_takes(rule, event_origin(ev), event_type(ev));
}

bool lane_took_else(const struct lane *lane, uint64_t seq)
{
	return seq < lane->old_until;
}

static void put_row(struct lane *lane, const struct rule *rule, uint64_t until)
{
	rows_put_route(&lane->router->open.batch, lane->number, &(struct route_row){
		.until = until, .from = span_of(rule->bytes, rule->from_len),
		.globs = span_of(rule->bytes + rule->from_len, rule->globs_len),
	});
}

/* Up to `barrier`, where nothing is known yet since the last one. */
static void add_old(struct lane *lane, struct rule *rule)
{
	struct rule **last = &lane->old;
	while (*last != NULL)
		last = &(*last)->next;
	*last = rule;
	lane->router->n_old += lane->old_until == 0;
	lane->old_until = rule->until;
	put_row(lane, rule, rule->until);
}

void rules_change(struct lane *lane, const struct rule *was, const struct rule *is, uint64_t barrier)
{
	if (was != NULL && is != NULL && rule_same(was, is))
		return;
	if (lane->old_until < barrier && (was != NULL || lane->old_until > 0 || is == NULL))
		add_old(lane, was != NULL ? copy(was, barrier) : rule_none(barrier));
	if (is != NULL)
		put_row(lane, is, ROUTE_PRESENT);
	else
		rows_del_route(&lane->router->open.batch, lane->number, ROUTE_PRESENT);
	lane->router->save_pending = true;
}

/* The last one of a lane that leaves says that it takes nothing more, as long as there is anything of it. */
static bool is_passed(const struct lane *lane, uint64_t watermark)
{
	return lane->old != NULL && lane->old->until <= watermark && !(lane->leaving.is && lane->old->next == NULL);
}

void rules_passed(struct lane *lane, uint64_t watermark)
{
	while (is_passed(lane, watermark)) {
		struct rule *rule = lane->old;
		rows_del_route(&lane->router->open.batch, lane->number, rule->until);
		lane->old = rule->next;
		free(rule);
	}
	if (lane->old == NULL && lane->old_until > 0) {
		lane->old_until = 0;
		lane->router->n_old--;
	}
}
