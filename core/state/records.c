/*
 * records.c - the payloads of marks and watermarks.
 *
 * A mark is: source (le32), key's length (le32), value's length + 1 or 0 (le32), key, value.
 * A watermark is: lane (le32), sequence number (le64). A time is le64.
 */
#include "state/records.h"

#include "base/bytes.h"
#include "journal/journal.h"

#define HEAD 12
#define WATERMARK 12

void marks_add(struct buf *to, const struct mark *m)
{
	char head[HEAD];
	put_le32(head, m->source);
	put_le32(head + 4, (uint32_t)m->key.len);
	put_le32(head + 8, m->value.data == NULL ? 0 : (uint32_t)m->value.len + 1);
	buf_add(to, head, sizeof head);
	buf_add(to, m->key.data, m->key.len);
	if (m->value.data != NULL)
		buf_add(to, m->value.data, m->value.len);
}

bool marks_next(struct pb_span data, size_t *at, struct mark *m)
{
	const char *p = (const char *)data.data + *at;
	size_t left = data.len - *at;
	if (left < HEAD)
		return false;
	size_t key = get_le32(p + 4), coded = get_le32(p + 8), value = coded > 0 ? coded - 1 : 0;
	if (key > MARK_KEY_MAX || value > MARK_VALUE_MAX || left - HEAD < key + value)
		return false;
	m->source = get_le32(p);
	m->key = (struct pb_span){ p + HEAD, key };
	m->value = (struct pb_span){ coded > 0 ? p + HEAD + key : NULL, value };
	*at += HEAD + key + value;
	return true;
}

void watermarks_add(struct buf *to, const struct watermark *m)
{
	char entry[WATERMARK];
	put_le32(entry, m->lane);
	put_le64(entry + 4, m->seq);
	buf_add(to, entry, sizeof entry);
}

void time_add(struct buf *to, int64_t ms)
{
	char payload[8];
	size_t begun = record_begin(to, RECORD_TIME);
	put_le64(payload, (uint64_t)ms);
	buf_add(to, payload, sizeof payload);
	record_end(to, begun);
}

int64_t time_of(struct pb_span data)
{
	return data.len == 8 ? (int64_t)get_le64(data.data) : 0;
}

bool watermarks_next(struct pb_span data, size_t *at, struct watermark *m)
{
	if (data.len - *at < WATERMARK)
		return false;
	const char *p = (const char *)data.data + *at;
	*m = (struct watermark){ get_le32(p), get_le64(p + 4) };
	*at += WATERMARK;
	return true;
}
