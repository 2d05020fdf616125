/* history-entry.c - entries and chunks to bytes and back: a table says what each kind has. */
#include "state/history-entry.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/span.h"

#define FRAME 3			/* kind (1), length (2) */
#define FORMAT 1
#define FILE_MAGIC "PBHISTRY"
#define CHUNK_MAGIC "PBHC"
#define MARK 12			/* a chunk's first bytes: magic and salt */

struct field {
	enum { NONE, NUMBER, HASH, TEXT } type;
	size_t at;
};

#define N(member) { NUMBER, offsetof(struct history_entry, member) }
#define H(member) { HASH, offsetof(struct history_entry, member) }
#define T(member) { TEXT, offsetof(struct history_entry, member) }
#define FIELDS_MAX 12

static const struct field layouts[HISTORY_KINDS][FIELDS_MAX] = {
	[HISTORY_TIME] = { N(at_ms) },
	[HISTORY_TYPE] = { N(type_number), N(origin), T(type), T(sender) },
	[HISTORY_ACCEPTED] = { H(id), N(seq), N(type_number), N(bytes) },
	[HISTORY_FOUND] = { H(id), N(seq), N(type_number), N(bytes) },
	[HISTORY_DELIVERED] = { N(seq), N(lane), N(attempt), N(part), N(parts), N(settled), N(took_us), T(text) },
	[HISTORY_FAILED] = { H(id), N(seq), N(lane), N(attempt), N(part), N(parts), N(code), N(took_us), T(text),
			     T(response) },
	[HISTORY_FILTERED] = { N(seq), N(lane) },
	[HISTORY_FILTER_FAILED] = { H(id), N(seq), N(lane), N(attempt), T(text) },
	[HISTORY_DEAD] = { H(id), N(seq), N(lane), N(reason) },
	[HISTORY_REPLAYED] = { N(seq), N(lane) },
	[HISTORY_PURGED] = { N(seq), N(lane) },
	[HISTORY_CONFIGURED] = { { NONE, 0 } },
	[HISTORY_LOST] = { N(count) },
};

static unsigned char *put_number(unsigned char *to, uint64_t n)
{
	for (; n >= 0x80; n >>= 7)
		*to++ = (unsigned char)(n | 0x80);
	*to++ = (unsigned char)n;
	return to;
}

static unsigned char *put_text(unsigned char *to, struct pb_span text)
{
	size_t len = text.len < HISTORY_TEXT_MAX ? text.len : HISTORY_TEXT_MAX;
	to = put_number(to, len);
	if (len > 0)
		memcpy(to, text.data, len);
	return to + len;
}

static unsigned char *put_field(unsigned char *to, const struct field *f, const struct history_entry *e)
{
	const void *from = (const char *)e + f->at;
	uint64_t n;
	if (f->type == TEXT)
		return put_text(to, *(const struct pb_span *)from);
	memcpy(&n, from, sizeof n);
	if (f->type == NUMBER)
		return put_number(to, n);
	put_le64(to, n);
	return to + sizeof n;
}

size_t entry_pack(const struct history_entry *e, unsigned char to[static ENTRY_MAX])
{
	unsigned char *at = to + FRAME;
	for (const struct field *f = layouts[e->kind]; f->type != NONE; f++)
		at = put_field(at, f, e);
	size_t len = (size_t)(at - to);
	assert(len <= ENTRY_MAX);
	to[0] = (unsigned char)e->kind;
	to[1] = (unsigned char)(len - FRAME);
	to[2] = (unsigned char)((len - FRAME) >> 8);
	return len;
}

/* What is left of an entry's payload. */
struct rest {
	const unsigned char *at, *end;
};

static bool get_number(struct rest *r, uint64_t *n)
{
	*n = 0;
	for (unsigned shift = 0; r->at < r->end && shift < 64; shift += 7) {
		unsigned char c = *r->at++;
		*n |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80)
			return true;
	}
	return false;
}

static bool get_field(struct rest *r, const struct field *f, struct history_entry *e)
{
	void *to = (char *)e + f->at;
	uint64_t n;
	if (f->type == HASH) {
		if ((size_t)(r->end - r->at) < sizeof n)
			return false;
		n = get_le64(r->at);
		r->at += sizeof n;
	} else if (!get_number(r, &n)) {
		return false;
	}
	if (f->type != TEXT) {
		memcpy(to, &n, sizeof n);
		return true;
	}
	if (n > (size_t)(r->end - r->at))
		return false;
	*(struct pb_span *)to = span_of(r->at, (size_t)n);
	r->at += n;
	return true;
}

bool entry_unpack(const unsigned char *from, size_t len, size_t *at, struct history_entry *e)
{
	while (len - *at >= FRAME) {
		const unsigned char *head = from + *at;
		size_t size = head[1] | (size_t)head[2] << 8;
		struct rest r = { head + FRAME, head + FRAME + size };
		if (size > len - *at - FRAME)
			return false;
		*at += FRAME + size;
		if (head[0] == 0 || head[0] >= HISTORY_KINDS)
			continue;
		*e = (struct history_entry){ .kind = (enum history_kind)head[0] };
		for (const struct field *f = layouts[e->kind]; f->type != NONE && r.at < r.end; f++)
			if (!get_field(&r, f, e))
				return false;
		return true;
	}
	return false;
}

void file_head_pack(uint64_t salt, unsigned char to[static FILE_HEAD])
{
	memset(to, 0, FILE_HEAD);
	memcpy(to, FILE_MAGIC, 8);
	put_le32(to + 8, FORMAT);
	put_le64(to + 16, salt);
	put_le32(to + FILE_HEAD - 4, crc32c(0, to, FILE_HEAD - 4));
}

bool file_head_unpack(const unsigned char from[static FILE_HEAD], uint64_t *salt)
{
	*salt = get_le64(from + 16);
	return memcmp(from, FILE_MAGIC, 8) == 0 && get_le32(from + 8) == FORMAT &&
	       get_le32(from + FILE_HEAD - 4) == crc32c(0, from, FILE_HEAD - 4);
}

static void put_mark(unsigned char to[static MARK], uint64_t salt)
{
	memcpy(to, CHUNK_MAGIC, 4);
	put_le64(to + 4, salt);
}

void chunk_head_pack(unsigned char *chunk, size_t len, uint64_t salt, uint32_t entries)
{
	put_mark(chunk, salt);
	put_le32(chunk + 12, (uint32_t)(len - CHUNK_HEAD));
	put_le32(chunk + 16, entries);
	put_le32(chunk + 20, crc32c(0, chunk + CHUNK_HEAD, len - CHUNK_HEAD));
	put_le32(chunk + 24, crc32c(0, chunk, 24));
}

size_t chunk_length(const unsigned char *from, size_t len, uint64_t salt)
{
	unsigned char mark[MARK];
	put_mark(mark, salt);
	if (len < CHUNK_HEAD || memcmp(from, mark, MARK) != 0 || get_le32(from + 24) != crc32c(0, from, 24))
		return 0;
	size_t size = get_le32(from + 12);
	if (size > len - CHUNK_HEAD || get_le32(from + 20) != crc32c(0, from + CHUNK_HEAD, size))
		return 0;
	return CHUNK_HEAD + size;
}

size_t chunk_size(const unsigned char *chunk)
{
	return CHUNK_HEAD + get_le32(chunk + 12);
}

uint32_t chunk_entries(const unsigned char *chunk)
{
	return get_le32(chunk + 16);
}

size_t chunk_search(const unsigned char *from, size_t len, size_t at, uint64_t salt)
{
	unsigned char mark[MARK];
	put_mark(mark, salt);
	const unsigned char *found = at < len ? memmem(from + at, len - at, mark, MARK) : NULL;
	return found != NULL ? (size_t)(found - from) : len;
}
