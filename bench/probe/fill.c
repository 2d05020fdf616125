/*
 * fill.c - put events into a stopped daemon's store, as if they had been accepted and not delivered yet.
 *
 *	bench/probe/fill FOLDER COUNT SIZE SOURCE TYPE [SINK]
 *
 * FOLDER is what `state =` names, of a daemon that has run once, so that its names have numbers. COUNT events
 * of SIZE bytes and TYPE come from SOURCE. With SINK only its lanes are behind by them, else all are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/span.h"
#include "event/codec.h"
#include "event/event.h"
#include "journal/journal.h"
#include "state/rows.h"

#define BLOCK_BYTES (4u << 20)
#define MAX_SIZE (INT64_C(100) << 30)

struct fill {
	struct journal *journal;
	struct state *state;
	const char *source, *type, *sink;
	uint32_t origin;
	struct state_batch batch;
	struct id_gen ids;
	struct pb_span body;
	uint64_t next;			/* what the next event gets */
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "fill: %s\n", what);
	exit(1);
}

static bool take_name(void *arg, const struct name_row *row)
{
	struct fill *f = arg;
	if (row->kind == NAME_SOURCE && strcmp(row->name, f->source) == 0)
		f->origin = row->number;
	return true;
}

/* A lane that is not to be behind is past all. */
static bool move_lane(void *arg, const struct name_row *row)
{
	struct fill *f = arg;
	const char *blank = strchr(row->name, ' ');
	if (row->kind == NAME_LANE && f->sink != NULL && blank != NULL && strcmp(blank + 1, f->sink) != 0)
		rows_put_lane(&f->batch, row->number, f->next);
	return true;
}

static void add_event(struct fill *f, struct buf *block)
{
	char id[ID_TEXT_SIZE];
	int64_t now = clock_wall(&clock_system);
	struct pb_event *ev = event_new(f->body, now);
	if (ev == NULL)
		fail("out of memory");
	id_new(&f->ids, now, id);
	event_set_origin(ev, f->origin);
	if (event_set(ev, "id", id) != 0 || event_set(ev, "type", f->type) != 0 ||
	    event_set(ev, "source", f->source) != 0 || event_set(ev, "datacontenttype", "application/json") != 0)
		fail("this makes no event");
	size_t begun = record_begin(block, RECORD_EVENT);
	codec_pack(block, ev);
	record_end(block, begun);
	event_unref(ev);
}

static void add_events(struct fill *f, uint64_t count)
{
	struct buf block = BUF_INIT(2 * BLOCK_BYTES);
	while (count > 0) {
		uint32_t n = 0;
		uint64_t first;
		for (; count > 0 && block.len < BLOCK_BYTES; n++, count--)
			add_event(f, &block);
		struct pb_span part = buf_span(&block);
		if (block.failed != 0 || journal_append(f->journal, &part, 1, n, &first) != 0)
			fail("cannot append to the journal");
		f->next = first + n;
		buf_reset(&block);
	}
	buf_free(&block);
}

/* The state knows all that the journal has, as after a clean stop. */
static void save(struct fill *f)
{
	struct meta_row meta;
	struct journal_stat stat;
	journal_stat(f->journal, &stat);
	batch_init(&f->batch);
	if (rows_get_meta(f->state, &meta) != 0 || rows_each_name(f->state, move_lane, f) != 0)
		fail("cannot read the state");
	meta.applied_seq = f->next;
	meta.applied = stat.end;
	rows_put_meta(&f->batch, &meta);
	if (state_apply(f->state, &f->batch) != 0)
		fail("cannot write the state");
	batch_free(&f->batch);
}

static void open_store(struct fill *f, const char *folder)
{
	struct journal_options options = { .segment_size = 64u << 20 };
	struct pb_error err;
	error_init(&err);
	char *state = xasprintf("%s/state", folder), *journal = xasprintf("%s/journal", folder);
	f->state = state_open(state, MAX_SIZE, &err);
	f->journal = f->state != NULL ? journal_open(journal, &options, &err) : NULL;
	if (f->journal == NULL)
		fail(error_text(&err));
	free(state);
	free(journal);
}

int main(int argc, char *argv[])
{
	if (argc < 6 || argc > 7) {
		fprintf(stderr, "usage: %s FOLDER COUNT SIZE SOURCE TYPE [SINK]\n", argv[0]);
		return 2;
	}
	struct fill f = { .source = argv[4], .type = argv[5], .sink = argc > 6 ? argv[6] : NULL };
	size_t size = strtoul(argv[3], NULL, 10);
	char *body = xcalloc(size + 16, 1);
	int head = sprintf(body, "{\"a\":\"");
	memset(body + head, 'x', size);
	memcpy(body + (size > 10 ? size : 10) - 2, "\"}", 2);
	f.body = span_of(body, size > 10 ? size : 10);
	log_open(PB_WARN);
	id_gen_init(&f.ids);
	open_store(&f, argv[1]);
	if (rows_each_name(f.state, take_name, &f) != 0 || f.origin == 0)
		fail("the store does not know the source");
	add_events(&f, strtoull(argv[2], NULL, 10));
	save(&f);
	journal_close(f.journal);
	state_close(f.state);
	free(body);
	return 0;
}
