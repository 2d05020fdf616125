/* store-lab.c - a small store on disk, looked at and mended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/span.h"
#include "event/codec.h"
#include "state/records.h"
#include "state/repair.h"
#include "unit/state/store-lab.h"

static int unlink_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

const char *store_part(struct lab *lab, const char *name)
{
	snprintf(lab->part, sizeof lab->part, "%s/%s", lab->folder, name);
	return lab->part;
}

static void add_event(struct buf *to, unsigned n)
{
	char id[16];
	struct pb_event *ev = event_new(span_str("{\"some\":\"body\"}"), 1000);
	snprintf(id, sizeof id, "e%u", n);
	event_set(ev, "id", id);
	event_set(ev, "type", "t");
	event_set(ev, "source", "s");
	size_t begun = record_begin(to, RECORD_EVENT);
	codec_pack(to, ev);
	record_end(to, begun);
	event_unref(ev);
}

/* Blocks of two events, of which each fills a segment: 1 and 2, 3 and 4, 5 and 6. Each says that lane 2 is past what is before. */
static void make_journal(struct lab *lab)
{
	struct journal *j = journal_open(store_part(lab, "journal"), &(struct journal_options){ .segment_size = 100 },
					 &lab->error);
	assert_non_null(j);
	for (unsigned n = 1; n < 7; n += 2) {
		struct buf records = BUF_INIT(10000);
		uint64_t seq;
		add_event(&records, n);
		add_event(&records, n + 1);
		size_t begun = record_begin(&records, RECORD_WATERMARK);
		watermarks_add(&records, &(struct watermark){ 2, n });
		record_end(&records, begun);
		assert_int_equal(journal_append(j, &(struct pb_span){ records.data, records.len }, 1, 2, &seq), 0);
		assert_int_equal(seq, n);
		buf_free(&records);
	}
	journal_close(j);
}

void store_apply(struct lab *lab)
{
	struct state *s = state_open(store_part(lab, "state"), 1 << 20, &lab->error);
	assert_non_null(s);
	assert_int_equal(state_apply(s, &lab->batch), 0);
	state_close(s);
	batch_reset(&lab->batch);
}

const struct straggler_row store_waiting = { .attempts = 1, .first_ms = 5, .due_ms = 500 };
const struct dead_row store_rejected = { .reason = DEAD_REJECTED, .attempts = 1, .dead_ms = 9 };
const struct meta_row store_meta = {
	.applied_seq = 7, .applied = { 4, 64 }, .kept_below = 1, .clean = true, .node = "n",
};

/* Lane 2 is past all: 3 waits, 4 is dead. Nothing is wrong. */
static void make_state(struct lab *lab)
{
	struct state_batch *b = &lab->batch;
	rows_put_meta(b, &store_meta);
	rows_put_name(b, &(struct name_row){ NAME_SOURCE, 1, "in" });
	rows_put_name(b, &(struct name_row){ NAME_LANE, 2, "all out" });
	rows_put_name(b, &(struct name_row){ NAME_SINK, 3, "out" });
	rows_put_lane(b, 2, 7);
	rows_put_straggler(b, (struct delivery_key){ 2, 3 }, &store_waiting, -1);
	rows_put_dead(b, (struct delivery_key){ 2, 4 }, &store_rejected);
	store_apply(lab);
}

int store_setup(void **state)
{
	struct lab *lab = calloc(1, sizeof *lab);
	snprintf(lab->folder, sizeof lab->folder, "/tmp/patchbay-verify-XXXXXX");
	assert_non_null(mkdtemp(lab->folder));
	error_init(&lab->error);
	batch_init(&lab->batch);
	make_journal(lab);
	make_state(lab);
	*state = lab;
	return 0;
}

int store_teardown(void **state)
{
	struct lab *lab = *state;
	batch_free(&lab->batch);
	error_free(&lab->error);
	nftw(lab->folder, unlink_one, 8, FTW_DEPTH | FTW_PHYS);
	free(lab);
	return 0;
}

static void add_text(struct lab *lab, const char *text)
{
	strncat(lab->texts, text, sizeof lab->texts - strlen(lab->texts) - 2);
	strncat(lab->texts, "\n", 2);
}

static void on_wrong(void *arg, const struct finding *f)
{
	struct lab *lab = arg;
	lab->found[f->wrong]++;
	add_text(lab, f->text);
	add_text(lab, f->means);
}

static void on_note(void *arg, const char *text)
{
	struct lab *lab = arg;
	lab->notes++;
	add_text(lab, text);
}

void store_step(void *arg, const char *text)
{
	struct lab *lab = arg;
	lab->steps++;
	add_text(lab, text);
}

int64_t store_look(struct lab *lab)
{
	memset(lab->found, 0, sizeof lab->found);
	lab->notes = 0;
	lab->texts[0] = '\0';
	struct inspect *in = inspect_open(lab->folder, &lab->error);
	if (in == NULL)
		print_error("%s\n", error_text(&lab->error));
	assert_non_null(in);
	int64_t found = verify_run(in, &(struct verify){ .wrong = on_wrong, .note = on_note, .arg = lab });
	inspect_close(in);
	return found;
}

void store_expect(struct lab *lab, enum wrong wrong, unsigned n)
{
	int64_t found = store_look(lab);
	if (found != n || lab->found[wrong] != n)
		print_error("%s", lab->texts);
	assert_int_equal(found, n);
	assert_int_equal(lab->found[wrong], n);
}

int64_t store_mend(struct lab *lab, bool dry_run)
{
	lab->steps = 0;
	lab->texts[0] = '\0';
	struct repair repair = { .dry_run = dry_run, .clock = &clock_system, .say = store_step, .arg = lab };
	int64_t done = repair_run(lab->folder, &repair, &lab->error);
	if (done < 0)
		print_error("%s\n", error_text(&lab->error));
	return done;
}

/* A dry run changes nothing; then it is mended. */
void store_expect_mended(struct lab *lab, int64_t steps)
{
	int64_t before = store_look(lab);
	assert_true(store_mend(lab, true) > 0);
	assert_int_equal(store_look(lab), before);
	int64_t done = store_mend(lab, false);
	if (done != steps)
		print_error("%s", lab->texts);
	assert_int_equal(done, steps);
	if (store_look(lab) != 0)
		print_error("%s", lab->texts);
	assert_int_equal(store_look(lab), 0);
	assert_int_equal(store_mend(lab, false), 0);
}

void store_flip(struct lab *lab, const char *name, long at)
{
	FILE *f = fopen(store_part(lab, name), "r+b");
	assert_non_null(f);
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	int c = fgetc(f);
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	fputc(c ^ 4, f);
	fclose(f);
}

/* In all its places: old pages may still have it. */
void store_flip_text(struct lab *lab, const char *name, const char *text)
{
	static char data[1 << 20];
	FILE *f = fopen(store_part(lab, name), "rb");
	size_t len = fread(data, 1, sizeof data, f);
	fclose(f);
	const char *at = data;
	unsigned n = 0;
	while ((at = memmem(at, len - (size_t)(at - data), text, strlen(text))) != NULL) {
		store_flip(lab, name, at - data + 1);
		at++;
		n++;
	}
	assert_true(n > 0);
}
