/* lab.h - what the journal's tests share: a scratch folder, events to append, and what they must read as. */
#ifndef UNIT_JOURNAL_LAB_H
#define UNIT_JOURNAL_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/span.h"
#include "journal/block.h"
#include "journal/journal.h"

static inline int lab_unlink(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void lab_remove(const char *path)
{
	nftw(path, lab_unlink, 8, FTW_DEPTH | FTW_PHYS);
}

/* A new empty folder; the caller frees the name. */
static inline char *lab_folder(void)
{
	const char *tmp = getenv("TMPDIR");
	char name[512];
	snprintf(name, sizeof name, "%s/patchbay-journal-XXXXXX", tmp != NULL ? tmp : "/tmp");
	assert_non_null(mkdtemp(name));
	return strdup(name);
}

/* Add an event for number `seq`, padded with dots to `size` bytes. */
static inline void lab_event(struct buf *records, uint64_t seq, size_t size)
{
	size_t begun = record_begin(records, RECORD_EVENT);
	buf_printf(records, "event-%llu", (unsigned long long)seq);
	while (records->len - begun - RECORD_HEADER < size)
		buf_add_char(records, '.');
	record_end(records, begun);
}

/* Append one block of `n` events, behind a mark when `mark` is not NULL, in two parts that split a record. */
static inline int lab_append(struct journal *j, uint32_t n, size_t size, const char *mark, uint64_t *first_seq)
{
	struct journal_stat st;
	struct buf records = BUF_INIT(64 << 20);
	journal_stat(j, &st);
	if (mark != NULL) {
		size_t begun = record_begin(&records, RECORD_MARK);
		buf_add_str(&records, mark);
		record_end(&records, begun);
	}
	for (uint32_t i = 0; i < n; i++)
		lab_event(&records, st.next_seq + i, size);
	assert_int_equal(records.failed, 0);
	uint64_t seq = 0;
	struct pb_span whole = buf_span(&records);
	size_t half = whole.len / 2;
	struct pb_span parts[] = {
		span_of(whole.data, half), span_of((const char *)whole.data + half, whole.len - half),
	};
	int r = journal_append(j, parts, 2, n, &seq);
	if (first_seq != NULL)
		*first_seq = seq;
	buf_free(&records);
	return r;
}

/* Is it what lab_event() wrote for that number? */
static inline bool lab_is_event(struct pb_span data, uint64_t seq)
{
	char text[40];
	size_t len = (size_t)snprintf(text, sizeof text, "event-%llu", (unsigned long long)seq);
	if (data.len < len || memcmp(data.data, text, len) != 0)
		return false;
	for (size_t i = len; i < data.len; i++)
		if (((const char *)data.data)[i] != '.')
			return false;
	return true;
}

#endif
