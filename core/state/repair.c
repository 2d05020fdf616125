/* repair.c - rounds of looking and mending: findings to steps, the journal's at once, the state's as one batch. */
#include "state/repair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/span.h"
#include "journal/mend.h"
#include "state/lock.h"
#include "state/records.h"
#include "state/verify.h"

#define ROUNDS 8
#define TEXT_MAX 4096

struct round {
	const struct repair *to;
	struct inspect *in;
	struct state_batch batch;
	char *journal, *state;	/* folders */
	bool blocks;		/* some are to be set aside */
	bool names;		/* some come or go: what is nameless shows in the next round */
	uint64_t next_seq;	/* what the journal is to go on with; 0: as it is */
	int64_t done;
	int failed;
};

static void PB_PRINTF(2, 3) say(struct round *r, const char *fmt, ...)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	va_list args;
	va_start(args, fmt);
	buf_vprintf(&text, fmt, args);
	va_end(args);
	r->to->say(r->to->arg, text.data != NULL ? text.data : fmt);
	r->done++;
	buf_free(&text);
}

static void keep_failure(struct round *r, int failed)
{
	if (r->failed == 0)
		r->failed = failed;
}

static void mend_flaw(struct round *r, const struct finding *f)
{
	unsigned long long segment = f->flaw.segment;
	bool dry = r->to->dry_run;
	if (f->flaw.kind == FLAW_BLOCK) {
		say(r, "segment %016llx: set aside %llu bytes at %llu as damaged/%016llx-%016llx.block", segment,
		    (unsigned long long)(f->flaw.to - f->flaw.from), (unsigned long long)f->flaw.from, segment,
		    (unsigned long long)f->flaw.from);
		r->blocks = true;
	} else if (f->flaw.kind == FLAW_HEADER) {
		say(r, "segment %016llx: write its header anew", segment);
		keep_failure(r, dry ? 0 : journal_mend_header(r->journal, segment));
	} else if (f->flaw.kind == FLAW_SEGMENT) {
		say(r, "segment %016llx: set it aside as damaged/%016llx.seg", segment, segment);
		keep_failure(r, dry ? 0 : journal_set_segment_aside(r->journal, segment));
	}
}

static void mend_gap(struct round *r, const struct finding *f)
{
	say(r, "segment %016llx: put an empty one where it is missing", (unsigned long long)f->flaw.segment);
	keep_failure(r, r->to->dry_run ? 0 : journal_fill_gap(r->journal, f->flaw.segment, f->seq));
}

static const char *lane_title(const struct round *r, uint32_t lane, char text[static LANE_TEXT_SIZE])
{
	return inspect_lane_title(r->in, lane, text);
}

/* A row for which there is nothing left to deliver. */
static void drop_row(struct round *r, const struct finding *f, const char *why)
{
	char text[LANE_TEXT_SIZE];
	struct delivery_key key = f->delivery;
	const char *title = lane_title(r, key.lane, text);
	if (f->table == STATE_LANES) {
		say(r, "remove the progress of %s: %s", title, why);
		rows_del_lane(&r->batch, key.lane);
	} else if (f->table == STATE_DEAD) {
		say(r, "remove the dead letter of event %llu, '%s': %s", (unsigned long long)key.seq, title, why);
		rows_del_dead(&r->batch, key);
	} else {
		say(r, "remove the straggler of event %llu, '%s': %s", (unsigned long long)key.seq, title, why);
		rows_del_straggler(&r->batch, key, f->due_ms);
	}
}

static void drop_key(struct round *r, const struct finding *f)
{
	say(r, "remove a damaged row in %s", state_table_name(f->table));
	batch_del(&r->batch, f->table, f->key);
}

static void drop_stray(struct round *r, const struct finding *f)
{
	say(r, "remove a row in %s that is not one of two", state_table_name(f->table));
	batch_del(&r->batch, f->table, f->key);
}

static void mend_delivery(struct round *r, const struct finding *f)
{
	struct delivery_key key;
	char text[LANE_TEXT_SIZE];
	if (!rows_read_delivery_key(f->key, &key)) {
		drop_key(r, f);
		return;
	}
	int64_t now = clock_wall(r->to->clock);
	struct pb_span error = span_str("its row was damaged");
	if (f->table == STATE_STRAGGLERS) {
		say(r, "event %llu, '%s': its straggler's row was damaged; due at once",
		    (unsigned long long)key.seq, lane_title(r, key.lane, text));
		rows_put_straggler(&r->batch, key, &(struct straggler_row){ .due_ms = now, .error = error }, -1);
	} else {
		say(r, "event %llu, '%s': its dead letter's row was damaged; kept without its reason",
		    (unsigned long long)key.seq, lane_title(r, key.lane, text));
		rows_put_dead(&r->batch, key, &(struct dead_row){ .dead_ms = now, .error = error });
	}
}

/* The last that the journal says of the lane; else where it begins. */
static uint64_t progress_in_journal(struct round *r, uint32_t lane)
{
	uint64_t best = r->in->stat.first_seq;
	struct record rec;
	struct watermark w;
	struct journal_cursor *c = journal_cursor(r->in->journal, 0);
	while (journal_next(r->in->journal, c, &rec) > 0)
		for (size_t at = 0; rec.kind == RECORD_WATERMARK && watermarks_next(rec.data, &at, &w); )
			if (w.lane == lane && w.seq > best)
				best = w.seq;
	journal_cursor_close(r->in->journal, c);
	return best;
}

static void mend_lane(struct round *r, const struct finding *f)
{
	char text[LANE_TEXT_SIZE];
	uint32_t lane = f->key.len == 4 ? get_be32(f->key.data) : 0;
	if (lane == 0 || r->in->journal == NULL) {
		drop_key(r, f);
		return;
	}
	uint64_t at = progress_in_journal(r, lane);
	say(r, "'%s': its progress was damaged; goes on with event %llu", lane_title(r, lane, text),
	    (unsigned long long)at);
	rows_put_lane(&r->batch, lane, at);
}

/* Numbers are given one after another to names of all kinds: the only one that no name has is this one's.
 * If none is missing, the next start gives it again. 0: there is no telling. */
static uint32_t missing_number(const struct inspect *in)
{
	uint32_t last = in->n_lanes > 0 ? in->lanes[in->n_lanes - 1].number : 0, missing = 0;
	for (size_t i = 0; i < in->n_names; i++)
		if (in->names[i].number > last)
			last = in->names[i].number;
	bool *taken = xcalloc((size_t)last + 1, sizeof *taken);
	for (size_t i = 0; i < in->n_names; i++)
		taken[in->names[i].number] = true;
	unsigned n = 0;
	for (uint32_t k = 1; k <= last; k++) {
		n += !taken[k];
		missing = taken[k] ? missing : k;
	}
	free(taken);
	return n == 1 ? missing : 0;
}

static void mend_name(struct round *r, const struct finding *f)
{
	uint32_t number = missing_number(r->in);
	char *name = xasprintf("%.*s", (int)f->key.len - 1, (const char *)f->key.data + 1);
	r->names = true;
	if (number == 0) {
		drop_key(r, f);
	} else {
		say(r, "'%s': the number of its name was damaged; it is %u", name, number);
		rows_put_name(&r->batch, &(struct name_row){ *(const char *)f->key.data, number, name });
	}
	free(name);
}

/* From the beginning: what the state has already is only found again. */
static void mend_meta(struct round *r)
{
	struct id_gen gen;
	struct meta_row meta = {
		.applied_seq = r->in->stat.next_seq, .kept_below = r->in->stat.first_seq,
	};
	id_gen_init(&gen);
	id_new(&gen, clock_wall(r->to->clock), meta.node);
	say(r, "the state's own row was missing or damaged; the store is now node %s", meta.node);
	rows_put_meta(&r->batch, &meta);
}

static void mend_damage(struct round *r, const struct finding *f)
{
	if (f->table == STATE_STRAGGLERS || f->table == STATE_DEAD)
		mend_delivery(r, f);
	else if (f->table == STATE_LANES)
		mend_lane(r, f);
	else if (f->table == STATE_NAMES && f->key.len > 1)
		mend_name(r, f);
	else if (f->table == STATE_META && !rows_is_uptime(f->key))
		mend_meta(r);
	else
		drop_key(r, f);
}

static void mend_kept(struct round *r, const struct finding *f)
{
	struct buf event = BUF_INIT(BUF_MAX);
	say(r, "kept event %llu: %u rows need it%s", (unsigned long long)f->seq, f->rows,
	    f->rows == 0 ? "; removed" : "");
	if (f->rows == 0)
		rows_del_kept(&r->batch, f->seq);
	else if (rows_get_kept(r->in->state, f->seq, NULL, &event) == 0)
		rows_put_kept(&r->batch, f->seq, f->rows, buf_span(&event));
	buf_free(&event);
}

static void mend_due(struct round *r, const struct finding *f)
{
	char text[LANE_TEXT_SIZE];
	const char *title = lane_title(r, f->delivery.lane, text);
	unsigned long long seq = f->delivery.seq;
	if (f->wrong == WRONG_DUE) {
		say(r, "event %llu, '%s': no longer due, being no straggler of that time", seq, title);
		rows_del_due(&r->batch, f->delivery, f->due_ms);
	} else {
		say(r, "event %llu, '%s': %s, being a straggler", seq, title,
		    due_is_parked(f->due_ms) ? "parked" : "due");
		rows_put_due(&r->batch, f->delivery, f->due_ms);
	}
}

static void mend_lane_past_end(struct round *r, const struct finding *f)
{
	char text[LANE_TEXT_SIZE];
	say(r, "'%s': goes on with event %llu", lane_title(r, f->delivery.lane, text), (unsigned long long)f->seq);
	rows_put_lane(&r->batch, f->delivery.lane, f->seq);
}

static void mend_oldest(struct round *r, const struct finding *f)
{
	struct meta_row meta = r->in->meta;
	say(r, "the store begins with event %llu from now on", (unsigned long long)f->seq);
	meta.kept_below = f->seq;
	rows_put_meta(&r->batch, &meta);
}

static void mend_state(struct round *r)
{
	char *from = xasprintf("%s/data.mdb", r->state), *to = NULL;
	for (int i = 1; to == NULL || access(to, F_OK) == 0; i++) {
		free(to);
		to = xasprintf("%s/damaged-%d.mdb", r->state, i);
	}
	say(r, "set the state aside as %s; the next start makes a new one", to);
	if (!r->to->dry_run && rename(from, to) != 0)
		keep_failure(r, -errno);
	free(from);
	free(to);
}

static void mend(void *arg, const struct finding *f)
{
	struct round *r = arg;
	switch (f->wrong) {
	case WRONG_FLAW:
		mend_flaw(r, f);
		break;
	case WRONG_GAP:
		mend_gap(r, f);
		break;
	case WRONG_OLDEST:
		mend_oldest(r, f);
		break;
	case WRONG_STATE:
		mend_state(r);
		break;
	case WRONG_META:
		mend_meta(r);
		break;
	case WRONG_TIME:
		say(r, "the journal goes on with event %llu", (unsigned long long)f->seq);
		r->next_seq = f->seq;
		break;
	case WRONG_DAMAGE:
		mend_damage(r, f);
		break;
	case WRONG_LANE:
		mend_lane_past_end(r, f);
		break;
	case WRONG_NAMELESS:
		if (!r->names)
			drop_row(r, f, "it has no name");
		break;
	case WRONG_TWICE:
		drop_row(r, f, "it is a straggler, too");
		break;
	case WRONG_FUTURE:
		drop_row(r, f, "the event was never accepted");
		break;
	case WRONG_GONE:
		if (!r->in->no_journal)		/* it may come back */
			drop_row(r, f, "the event is gone");
		break;
	case WRONG_KEPT:
		mend_kept(r, f);
		break;
	case WRONG_DUE:
	case WRONG_NO_DUE:
		mend_due(r, f);
		break;
	case WRONG_SEEN:
		drop_stray(r, f);
		break;
	case WRONG_NO_JOURNAL:
	case WRONG_NO_STATE:	/* a start makes them */
	case WRONG_EVENT:
	case WRONG_BEHIND:
		break;
	}
}

static void no_note(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

static void progress(void *arg, uint64_t done, uint64_t total)
{
	struct round *r = arg;
	if (r->to->progress != NULL)
		r->to->progress(r->to->arg, done, total);
}

/* Reading it as a daemon does copies what is damaged; an empty block with the next number keeps any from
 * being given twice. */
static int open_and_read(struct round *r, struct pb_error *error)
{
	struct record rec;
	uint64_t seq;
	struct journal *j = journal_open(r->journal, &(struct journal_options){ .next_seq = r->next_seq }, error);
	if (j == NULL)
		return -EIO;
	struct journal_cursor *c = journal_cursor(j, 0);
	int failed;
	while ((failed = journal_next(j, c, &rec)) > 0)
		;
	journal_cursor_close(j, c);
	if (failed == 0 && r->next_seq > 0)
		failed = journal_append(j, NULL, 0, 0, &seq);
	journal_close(j);
	return failed;
}

/* As large a map as the file needs; state_open() adds to it. */
static uint64_t state_size(const struct round *r)
{
	struct stat st = { .st_size = 0 };
	char *path = xasprintf("%s/data.mdb", r->state);
	stat(path, &st);
	free(path);
	return (uint64_t)st.st_size;
}

static int apply(struct round *r, struct pb_error *error)
{
	int failed = r->failed;
	if (failed == 0 && (r->blocks || r->next_seq > 0))
		failed = open_and_read(r, error);
	if (failed != 0 || r->batch.n == 0)
		return failed;
	struct state *s = state_open(r->state, state_size(r), error);
	failed = s == NULL ? -EIO : state_apply(s, &r->batch);
	state_close(s);
	return failed;
}

/* One look, and what follows from it. How many things were done, or -errno. */
static int64_t repair_round(const char *folder, const struct repair *to, struct pb_error *error)
{
	struct round r = { .to = to, .in = inspect_open_locked(folder, error) };
	if (r.in == NULL)
		return -errno;
	struct verify verify = { .wrong = mend, .note = no_note, .progress = progress, .arg = &r };
	r.journal = xasprintf("%s/journal", folder);
	r.state = xasprintf("%s/state", folder);
	batch_init(&r.batch);
	int64_t failed = verify_run(r.in, &verify);
	inspect_close(r.in);
	if (failed >= 0)
		failed = to->dry_run ? 0 : apply(&r, error);
	batch_free(&r.batch);
	free(r.journal);
	free(r.state);
	return failed < 0 ? failed : r.done;
}

/* Locking makes what is missing, and here nothing must be made. */
static bool is_store(const char *folder)
{
	char *journal = xasprintf("%s/journal", folder), *state = xasprintf("%s/state", folder);
	bool is = access(journal, F_OK) == 0 || access(state, F_OK) == 0;
	free(journal);
	free(state);
	return is;
}

int64_t repair_run(const char *folder, const struct repair *to, struct pb_error *error)
{
	if (!is_store(folder)) {
		error_add(error, NULL, "%s: there is no store", folder);
		return -ENOENT;
	}
	int lock = store_lock(folder, error);
	if (lock < 0)
		return lock;
	unsigned said = error->count;
	int64_t done = 0, more = 1;
	for (int i = 0; more > 0 && i < (to->dry_run ? 1 : ROUNDS); i++) {
		more = repair_round(folder, to, error);
		done += more;
	}
	close(lock);
	if (more < 0 && error->count == said)
		error_add(error, NULL, "%s: %s", folder, strerror((int)-more));
	return more < 0 ? more : done;
}
