/* rows-seen-check.c - do the rows of keys that were seen belong together, two by two? */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "state/pack.h"
#include "state/rows.h"

#define PAGE 512	/* rows read at once */
#define KEY_MAX 512	/* what a key can have, and more */
#define HASHED_LEN (1 + 4 + SEEN_HASH + 8)	/* of a key by hash, … */
#define ORDERED_LEN (1 + 4 + 8)			/* … and in order */

/* A row as it was read. */
struct half {
	unsigned char key[KEY_MAX];
	size_t len;
	int64_t at_ms;
	unsigned char hash[SEEN_HASH];
	struct seen_stray stray;
};

struct page {
	struct half rows[PAGE];
	size_t n;
};

/* The two kinds differ in their keys' lengths and first bytes. */
static bool understand(struct half *h, struct pb_span value)
{
	const unsigned char *key = h->key;
	struct pb_span hash = SPAN_NONE;
	h->stray.by_hash = h->len == HASHED_LEN && key[0] == 'h';
	if (!h->stray.by_hash && (h->len != ORDERED_LEN || key[0] != 'o'))
		return false;
	h->stray.source = get_be32(key + 1);
	h->stray.seq = h->stray.by_hash ? ~get_be64(key + 5 + SEEN_HASH) : get_be64(key + 5);
	h->at_ms = (int64_t)unpack_u64(&value);
	hash = h->stray.by_hash ? span_of(key + 5, SEEN_HASH) : unpack(&value, SEEN_HASH);
	if (value.data == NULL)
		return false;
	memcpy(h->hash, hash.data, SEEN_HASH);
	return true;
}

static bool take(void *arg, struct pb_span key, struct pb_span value)
{
	struct page *p = arg;
	struct half *h = &p->rows[p->n++];
	*h = (struct half){ .len = key.len < KEY_MAX ? key.len : KEY_MAX - 1 };
	memcpy(h->key, key.data, h->len);
	h->stray.malformed = !understand(h, value) || key.len != h->len;
	return p->n < PAGE;
}

/* Its pair says the same of the key. */
static bool is_paired(struct state *s, const struct half *h, int *failed)
{
	struct pack_key key = { .len = 0 };
	struct buf bytes = BUF_INIT(PACK_MAX);
	key_add(&key, h->stray.by_hash ? span_of("o", 1) : span_of("h", 1));
	key_u32(&key, h->stray.source);
	if (!h->stray.by_hash)
		key_add(&key, span_of(h->hash, SEEN_HASH));
	key_u64(&key, h->stray.by_hash ? h->stray.seq : ~h->stray.seq);
	int r = state_get(s, STATE_SEEN, key_span(&key), &bytes);
	struct pb_span value = buf_span(&bytes);
	bool same = r == 0 && (int64_t)unpack_u64(&value) == h->at_ms && value.data != NULL;
	if (same && h->stray.by_hash)
		same = value.len == SEEN_HASH && memcmp(value.data, h->hash, SEEN_HASH) == 0;
	if (r < 0 && r != -ENOENT && r != -EBADMSG)
		*failed = r;
	buf_free(&bytes);
	return same;
}

int rows_each_stray_seen(struct state *s, uint64_t end, void (*each)(void *arg, const struct seen_stray *), void *arg)
{
	struct page *p = xcalloc(1, sizeof *p);
	unsigned char next[KEY_MAX + 1];
	struct pb_span from = SPAN_NONE;
	int failed = 0;
	do {
		p->n = 0;
		failed = state_scan(s, STATE_SEEN, from, take, p);
		for (size_t i = 0; i < p->n && failed == 0; i++) {
			struct half *h = &p->rows[i];
			h->stray.key = span_of(h->key, h->len);
			bool right = !h->stray.malformed && h->stray.seq < end && is_paired(s, h, &failed);
			if (!right && failed == 0)
				each(arg, &h->stray);
		}
		if (p->n == PAGE) {	/* the least key that is greater */
			memcpy(next, p->rows[PAGE - 1].key, p->rows[PAGE - 1].len);
			next[p->rows[PAGE - 1].len] = 0;
			from = span_of(next, p->rows[PAGE - 1].len + 1);
		}
	} while (failed == 0 && p->n == PAGE);
	free(p);
	return failed;
}
