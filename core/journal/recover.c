/*
 * recover.c - open what is there after whatever happened.
 *
 * Only the newest segment can have a torn end, so only that is read whole; the others are taken by
 * name and header. First everything is looked at; nothing is changed before all of it is known to be
 * a journal of ours.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/step.h"
#include "journal/window.h"

#define CHUNK 65536

struct listing {
	uint64_t *numbers;
	size_t n;
};

static void list_name(void *arg, const char *name)
{
	struct listing *list = arg;
	uint64_t number;
	if (segment_number(name, &number)) {
		list->numbers = xrealloc(list->numbers, list->n + 1, sizeof *list->numbers);
		list->numbers[list->n++] = number;
	}
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* A segment whose header is damaged is known by its first block, which says all that the header did. */
static int header_from_block(struct files *files, int file, uint64_t number, struct segment_header *header)
{
	unsigned char bytes[BLOCK_HEADER];
	struct block_header b;
	size_t got;
	int r = files_read(files, file, bytes, sizeof bytes, SEGMENT_HEADER, &got);
	if (r != 0)
		return r;
	if (got < sizeof bytes || block_header_decode(bytes, &b) != 0 || b.segment != number ||
	    b.offset != SEGMENT_HEADER)
		return -EBADMSG;
	*header = (struct segment_header){
		.number = number, .first_seq = b.first_seq, .salt = b.salt,
	};
	return 0;
}

int segment_header_read(struct files *files, int file, uint64_t number, struct segment_header *header)
{
	unsigned char bytes[SEGMENT_HEADER] = { 0 };
	size_t got;
	int r = files_read(files, file, bytes, sizeof bytes, 0, &got);
	if (r == 0)
		r = segment_header_decode(bytes, header);
	if (r == 0 && header->number != number)
		r = -EMEDIUMTYPE;
	if (r != -EBADMSG)
		return r;
	r = header_from_block(files, file, number, header);
	return r == 0 ? 1 : r;
}

static void refuse(struct segmented *j, const char *name, int r, struct pb_error *error)
{
	if (r == -EPROTONOSUPPORT)
		error_add(error, NULL, "%s/%s: a journal segment of another format version; "
			  "this program reads version %d", j->folder, name, SEGMENT_VERSION);
	else if (r == -EBADMSG || r == -EMEDIUMTYPE)
		error_add(error, NULL, "%s/%s: not a journal segment, or damaged at its beginning; "
			  "move it away to go on without it", j->folder, name);
	else
		error_add(error, NULL, "%s/%s: %s", j->folder, name, strerror(-r));
}

/* A segment that cannot be taken. Who only reads goes on without it, but not if a newer program wrote it. */
static int leave_out(struct segmented *j, uint64_t number, const char *name, int file, int r, struct pb_error *error)
{
	uint64_t size = 0;
	if (file >= 0)
		files_size(j->files, file, &size);
	if (file >= 0)
		files_close_file(j->files, file);
	if (!j->read_only || (r != -EBADMSG && r != -EMEDIUMTYPE)) {
		refuse(j, name, r, error);
		return r;
	}
	segments_flaw(j, FLAW_SEGMENT, number, 0, size);
	return 0;
}

/* The header is damaged. */
static void say_made_up(struct segmented *j, uint64_t number, const char *name)
{
	if (j->read_only)
		segments_flaw(j, FLAW_HEADER, number, 0, SEGMENT_HEADER);
	else
		log_warn("journal: %s/%s: damaged header; known by its first block", j->folder, name);
}

/* Segments go from the oldest on: one that is missing in between was lost. */
static void tell_missing(const struct segmented *j, uint64_t number, uint64_t first_seq)
{
	char name[SEGMENT_NAME_SIZE];
	uint64_t next = j->newest->header.number + 1;
	segment_name(next, name);
	if (number > next)
		log_error("journal: %s/%s is missing, %llu segments in all: their events, before %llu, are lost", j->folder,
			  name, (unsigned long long)(number - next), (unsigned long long)first_seq);
}

/* Take one more segment, of which nothing but the header is known yet. */
static int load_segment(struct segmented *j, uint64_t number, struct pb_error *error)
{
	char name[SEGMENT_NAME_SIZE];
	struct segment_header header;
	uint64_t size = 0;
	segment_name(number, name);
	int file = files_open_file(j->files, name);
	int r = file < 0 ? file : segment_header_read(j->files, file, number, &header);
	bool made_up = r == 1;
	if (made_up)
		say_made_up(j, number, name);
	if (r >= 0)
		r = files_size(j->files, file, &size);
	if (r == 0 && j->n > 0 && header.first_seq < j->newest->header.first_seq)
		r = -EBADMSG;
	if (r < 0)
		return leave_out(j, number, name, file, r, error);
	if (j->n > 0 && !j->read_only) {
		tell_missing(j, number, header.first_seq);
		files_close_file(j->files, j->newest->file);
		j->newest->file = -1;
	}
	segments_push(j, segment_new(&header, file, size < SEGMENT_HEADER ? SEGMENT_HEADER : size));
	j->newest->header_made_up = made_up;
	return 0;
}

/* What reading the newest segment through tells. */
struct scan {
	struct window window;
	struct view view;
	uint64_t last;			/* where the last whole block begins; 0: there is none */
	uint64_t good_end;		/* where it ends */
	uint64_t next_seq;		/* after it */
	uint64_t seen_seq;		/* after any block whose header is whole: such a number may have been used */
	struct hole *holes;
	size_t n_holes;
};

static void add_hole(struct scan *scan, uint64_t from, uint64_t to)
{
	scan->holes = xrealloc(scan->holes, scan->n_holes + 1, sizeof *scan->holes);
	scan->holes[scan->n_holes++] = (struct hole){ from, to };
}

/* Is there a whole block at `at`? *size is what its header says, 0 when that is not whole or not in its place. */
static int scan_block(struct segmented *j, struct scan *scan, uint64_t at, struct block_header *b,
		      uint64_t *size)
{
	const unsigned char *bytes;
	*size = 0;
	if (scan->view.end - at < BLOCK_HEADER)
		return -EBADMSG;
	int r = window_need(&scan->window, j, &scan->view, at, BLOCK_HEADER, &bytes);
	if (r == 0)
		r = block_header_decode(bytes, b);
	if (r == 0 && b->salt == scan->view.salt && b->offset == at && b->first_seq >= scan->next_seq &&
	    b->first_seq + b->events > scan->seen_seq)
		scan->seen_seq = b->first_seq + b->events;
	if (r == 0)
		r = b->first_seq < scan->next_seq ? -EBADMSG : view_fits(&scan->view, b, at);
	if (r != 0)
		return r;
	*size = block_size(b);
	r = window_need(&scan->window, j, &scan->view, at, (size_t)*size, &bytes);
	return r == 0 ? block_check(b, bytes + BLOCK_HEADER) : r;
}

static int scan_newest(struct segmented *j, struct scan *scan)
{
	uint64_t at = SEGMENT_HEADER;
	while (at < scan->view.end) {
		struct block_header b;
		uint64_t size, begin = at;
		int r = scan_block(j, scan, at, &b, &size);
		if (r == 0) {
			scan->last = at;
			at += size;
			scan->good_end = at;
			scan->next_seq = b.first_seq + b.events;
			index_add(&j->newest->index, b.first_seq, b.offset);
			continue;
		}
		if (r != -EBADMSG)
			return r;
		at += size;
		r = size > 0 ? 0 : damage_search(j, &scan->view, begin + 1, &at);
		if (r != 0)
			return r;
		add_hole(scan, begin, at);
	}
	return 0;
}

/* Of blocks before it the disk has said that it has them. */
static int write_last_again(struct segmented *j, const struct scan *scan)
{
	unsigned char *chunk = xcalloc(1, CHUNK);
	int r = 0;
	for (uint64_t at = scan->last, left; r == 0 && at < scan->good_end; at += CHUNK) {
		struct iovec part = { .iov_base = chunk };
		left = scan->good_end - at;
		r = files_read(j->files, j->newest->file, chunk, left < CHUNK ? (size_t)left : CHUNK, at,
			       &part.iov_len);
		if (r == 0)
			r = files_write(j->files, j->newest->file, &part, 1, at);
	}
	free(chunk);
	return r;
}

/* After the last whole block is what was being written when the machine or the process died. What is before it may
 * still be in the cache only, when just the process did: it is going to be read and must not go again. */
static int settle_tail(struct segmented *j, const struct scan *scan)
{
	struct segment *s = j->newest;
	uint64_t size;
	int r = files_size(j->files, s->file, &size);
	if (r == 0 && size > scan->good_end) {
		char name[SEGMENT_NAME_SIZE];
		segment_name(s->header.number, name);
		log_warn("journal: %s/%s: cut off %llu bytes that were not committed", j->folder, name,
			 (unsigned long long)(size - scan->good_end));
		r = files_truncate(j->files, s->file, scan->good_end);
		step_at("recover: torn end cut, not synced");
	}
	if (r == 0 && j->options.unsure && scan->last != 0)
		r = write_last_again(j, scan);
	if (r == 0)
		r = files_sync(j->files, s->file);
	step_at("recover: newest segment synced");
	return r == 0 ? files_sync_folder(j->files) : r;
}

/* If its only block is cut off, nothing but the header says whose the segment is. */
static int mend_header(struct segmented *j)
{
	unsigned char bytes[SEGMENT_HEADER];
	struct iovec part = { .iov_base = bytes, .iov_len = sizeof bytes };
	if (!j->newest->header_made_up)
		return 0;
	segment_header_encode(&j->newest->header, bytes);
	int r = files_write(j->files, j->newest->file, &part, 1, 0);
	return r == 0 ? files_sync(j->files, j->newest->file) : r;
}

static int settle(struct segmented *j, const struct scan *scan)
{
	for (size_t i = 0; i < scan->n_holes && scan->holes[i].to <= scan->good_end; i++)
		damage_set_aside(j, &scan->view, scan->holes[i]);
	int r = mend_header(j);
	return r == 0 ? settle_tail(j, scan) : r;
}

/* Damaged blocks before it are told of when a cursor gets there. */
static int tell_tail(struct segmented *j, const struct scan *scan)
{
	if (scan->view.end > scan->good_end)
		segments_flaw(j, FLAW_TAIL, scan->view.number, scan->good_end, scan->view.end);
	return 0;
}

static int recover_newest(struct segmented *j)
{
	struct segment *s = j->newest;
	struct scan scan = {
		.view = { .segment = s, .number = s->header.number, .salt = s->header.salt,
			  .first_seq = s->header.first_seq, .end_seq = UINT64_MAX, .end = s->end,
			  .file = s->file },
		.good_end = SEGMENT_HEADER, .next_seq = s->header.first_seq,
	};
	int r = scan_newest(j, &scan);
	if (r == 0)
		r = j->read_only ? tell_tail(j, &scan) : settle(j, &scan);
	j->bytes -= s->end - scan.good_end;
	s->end = scan.good_end;
	j->next_seq = scan.seen_seq > scan.next_seq ? scan.seen_seq : scan.next_seq;
	j->stated_seq = scan.next_seq;
	window_free(&scan.window);
	free(scan.holes);
	return r;
}

static int make_first(struct segmented *j)
{
	struct segment_header header = {
		.number = 1,
		.first_seq = j->options.next_seq > 0 ? j->options.next_seq : 1,
		.salt = segment_salt(),
	};
	int file = segment_create(j->files, &header);
	if (file < 0)
		return file;
	segments_push(j, segment_new(&header, file, SEGMENT_HEADER));
	j->next_seq = j->stated_seq = header.first_seq;
	return 0;
}

/* A segment that was being made has no events and no number yet. */
static void remove_leftover(void *arg, const char *name)
{
	struct segmented *j = arg;
	size_t len = strlen(name);
	if (len > 8 && strcmp(name + len - 8, ".seg.new") == 0) {
		files_remove(j->files, name);
		step_at("recover: leftover removed");
	}
}

int segments_recover(struct segmented *j, struct pb_error *error)
{
	struct listing list = { 0 };
	int r = files_list(j->files, list_name, &list);
	if (list.n > 0)
		qsort(list.numbers, list.n, sizeof *list.numbers, compare_numbers);
	unsigned said = error->count;
	for (size_t i = 0; r == 0 && i < list.n; i++)
		r = load_segment(j, list.numbers[i], error);
	free(list.numbers);
	if (r == 0 && !j->read_only)
		r = files_list(j->files, remove_leftover, j);
	if (r == 0 && j->n == 0)
		r = j->read_only ? -ENOENT : make_first(j);
	else if (r == 0)
		r = recover_newest(j);
	if (r != 0 && error->count == said)
		error_add(error, NULL, "journal: %s: %s", j->folder,
			  r == -ENOENT ? "there is no segment" : strerror(-r));
	if (r == 0 && j->next_seq < j->options.next_seq)
		j->next_seq = j->options.next_seq;
	return r;
}
