/* message.c - frames: written by msgpack-c, read in place without a tree. */
#include "plugin/message.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <msgpack/pack.h>

#include "base/memory.h"
#include "base/span.h"

enum member_type { INTEGER, FLAG, TEXT, BYTES, LIST, PAIRS, CODE, OUTCOME };

static const char *const codes[] = { "untried", "ok", "retry", "reject", "down", "gone", NULL };
static const char *const outcomes[] = { "", "accepted", "undeliverable", "failed", NULL };

#define MEMBERS(X)									\
	X(protocol, INTEGER) X(token, INTEGER) X(attempt, INTEGER) X(after, INTEGER)	\
	X(worker, INTEGER) X(pid, INTEGER) X(max_event, INTEGER) X(memory, INTEGER)	\
	X(files, INTEGER) X(level, INTEGER) X(index, INTEGER) X(value, INTEGER)		\
	X(more, FLAG) X(retry, FLAG) X(gauge, FLAG)					\
	X(section, TEXT) X(name, TEXT) X(plugin, TEXT) X(folder, TEXT) X(option, TEXT)	\
	X(reason, TEXT) X(help, TEXT)							\
	X(key, BYTES) X(mark, BYTES) X(records, BYTES) X(event, BYTES) X(response, BYTES) \
	X(options, PAIRS) X(keys, LIST) X(senders, LIST) X(duplicates, LIST) X(events, LIST)		\
	X(code, CODE) X(outcome, OUTCOME)

#define PLACE(name, type) AT_##name,
enum { MEMBERS(PLACE) N_MEMBERS };
static_assert(N_MEMBERS <= 64, "a kind's members are bits");

#define ENTRY(name, type) [AT_##name] = { #name, type, offsetof(struct message, name) },
static const struct member {
	const char *name;
	enum member_type type;
	size_t offset;
} members[] = { MEMBERS(ENTRY) };

#define BIT(name) (UINT64_C(1) << AT_##name)
static const struct {
	const char *name;
	uint64_t members;
} kinds[MESSAGE_KINDS] = {
	[MESSAGE_HELLO] = { "hello", BIT(protocol) | BIT(section) | BIT(name) | BIT(plugin) | BIT(folder) | BIT(options) |
			    BIT(worker) | BIT(pid) | BIT(max_event) | BIT(memory) | BIT(files) | BIT(level) },
	[MESSAGE_RECEIPT] = { "receipt", BIT(token) | BIT(outcome) | BIT(retry) | BIT(reason) | BIT(duplicates) },
	[MESSAGE_MARK] = { "mark", BIT(mark) },
	[MESSAGE_LISTENING] = { "listening", BIT(reason) },
	[MESSAGE_DELIVER] = { "deliver", BIT(token) | BIT(attempt) | BIT(more) | BIT(event) },
	[MESSAGE_APPLY] = { "apply", BIT(token) | BIT(event) },
	[MESSAGE_REOPEN] = { "reopen", BIT(level) },
	[MESSAGE_STOP] = { "stop", 0 },
	[MESSAGE_READY] = { "ready", BIT(protocol) },
	[MESSAGE_ERROR] = { "error", BIT(option) | BIT(reason) },
	[MESSAGE_EMIT] = { "emit", BIT(token) | BIT(records) | BIT(keys) | BIT(senders) },
	[MESSAGE_RESTORE] = { "restore", BIT(key) },
	[MESSAGE_LISTEN] = { "listen", BIT(option) | BIT(index) },
	[MESSAGE_ANSWER] = { "answer", BIT(token) | BIT(code) | BIT(after) | BIT(response) | BIT(reason) },
	[MESSAGE_PASSED] = { "passed", BIT(token) | BIT(events) },
	[MESSAGE_FAILED] = { "failed", BIT(token) | BIT(retry) | BIT(reason) },
	[MESSAGE_METRIC] = { "metric", BIT(name) | BIT(help) | BIT(gauge) | BIT(value) },
};

/* The first of a kind's members, which is taken out of the bits. There is one. */
static const struct member *take_member(uint64_t *bits)
{
	const struct member *first = &members[__builtin_ctzll(*bits)];
	*bits &= *bits - 1;
	return first;
}

static const char *const *words_of(enum member_type type)
{
	return type == CODE ? codes : outcomes;
}

const char *message_name(enum message_kind kind)
{
	return kinds[kind].name;
}

void message_list_add(struct message_list *list, struct pb_span span)
{
	if (list->n == list->room) {
		list->room = list->room * 2 + 8;
		list->at = xrealloc(list->at, list->room, sizeof *list->at);
	}
	list->at[list->n++] = span;
}

void message_list_free(struct message_list *list)
{
	free(list->at);
	*list = (struct message_list){ 0 };
}

void message_free(struct message *m)
{
	message_list_free(&m->options);
	message_list_free(&m->keys);
	message_list_free(&m->senders);
	message_list_free(&m->duplicates);
	message_list_free(&m->events);
}

/* Writing. */

static int append(void *data, const char *bytes, size_t len)
{
	return buf_add(data, bytes, len);
}

static void pack_text(msgpack_packer *pk, struct pb_span s)
{
	msgpack_pack_str_with_body(pk, s.len == 0 ? "" : s.data, s.len);
}

static void pack_bytes(msgpack_packer *pk, struct pb_span s)
{
	if (s.data == NULL)
		msgpack_pack_nil(pk);
	else
		msgpack_pack_bin_with_body(pk, s.data, s.len);
}

static void pack_list(msgpack_packer *pk, const struct message_list *list)
{
	msgpack_pack_array(pk, list->n);
	for (size_t i = 0; i < list->n; i++)
		pack_bytes(pk, list->at[i]);
}

static void pack_pairs(msgpack_packer *pk, const struct message_list *list)
{
	msgpack_pack_map(pk, list->n / 2);
	for (size_t i = 0; i + 1 < list->n; i += 2) {
		pack_text(pk, list->at[i]);
		pack_text(pk, list->at[i + 1]);
	}
}

static void pack_member(msgpack_packer *pk, const struct member *m, const struct message *from)
{
	const void *at = (const char *)from + m->offset;
	switch (m->type) {
	case INTEGER: msgpack_pack_int64(pk, *(const int64_t *)at); break;
	case FLAG: if (*(const bool *)at) msgpack_pack_true(pk); else msgpack_pack_false(pk); break;
	case TEXT: pack_text(pk, *(const struct pb_span *)at); break;
	case BYTES: pack_bytes(pk, *(const struct pb_span *)at); break;
	case LIST: pack_list(pk, at); break;
	case PAIRS: pack_pairs(pk, at); break;
	case CODE:
	case OUTCOME: pack_text(pk, span_str(words_of(m->type)[*(const int64_t *)at])); break;
	}
}

static void pack_message(msgpack_packer *pk, const struct message *m)
{
	uint64_t bits = kinds[m->kind].members;
	msgpack_pack_map(pk, 1);
	pack_text(pk, span_str(kinds[m->kind].name));
	msgpack_pack_map(pk, (size_t)__builtin_popcountll(bits));
	while (bits != 0) {
		const struct member *member = take_member(&bits);
		pack_text(pk, span_str(member->name));
		pack_member(pk, member, m);
	}
}

int message_add(struct buf *to, const struct message *m)
{
	size_t before = to->len;
	msgpack_packer pk;
	buf_add(to, "\0\0\0\0", MESSAGE_HEAD);
	msgpack_packer_init(&pk, to, append);
	pack_message(&pk, m);
	size_t len = to->len - before - MESSAGE_HEAD;
	int failed = to->failed != 0 ? to->failed : len > UINT32_MAX ? -EMSGSIZE : 0;
	if (failed != 0) {
		to->len = before;
		to->failed = 0;
		return failed;
	}
	for (unsigned i = 0; i < MESSAGE_HEAD; i++)
		to->data[before + i] = (char)(len >> 8 * (MESSAGE_HEAD - 1 - i));
	return 0;
}

/* Reading. */

struct reader {
	const unsigned char *at;
	size_t left;
};

enum shape { SHAPE_NIL, SHAPE_FLAG, SHAPE_INTEGER, SHAPE_TEXT, SHAPE_BYTES, SHAPE_ARRAY, SHAPE_MAP, SHAPE_OTHER };

/* What stands next, and its number: the integer, a text's or a list's length, bytes to pass over. */
struct item {
	enum shape shape;
	int64_t number;
};

static bool take(struct reader *r, size_t width, uint64_t *n)
{
	*n = 0;
	if (r->left < width)
		return false;
	for (size_t i = 0; i < width; i++)
		*n = *n << 8 | r->at[i];
	r->at += width;
	r->left -= width;
	return true;
}

/* The bytes 0xc0 to 0xdf: what they begin, how wide its number is, and what is fixed. */
static const struct {
	enum shape shape;
	unsigned char width, fixed;
} wide[32] = {
	{ SHAPE_NIL, 0, 0 }, { SHAPE_OTHER, 0, 0 }, { SHAPE_FLAG, 0, 0 }, { SHAPE_FLAG, 0, 1 },
	{ SHAPE_BYTES, 1, 0 }, { SHAPE_BYTES, 2, 0 }, { SHAPE_BYTES, 4, 0 },
	{ SHAPE_OTHER, 1, 1 }, { SHAPE_OTHER, 2, 1 }, { SHAPE_OTHER, 4, 1 },	/* ext */
	{ SHAPE_OTHER, 0, 4 }, { SHAPE_OTHER, 0, 8 },				/* float */
	{ SHAPE_INTEGER, 1, 0 }, { SHAPE_INTEGER, 2, 0 }, { SHAPE_INTEGER, 4, 0 }, { SHAPE_INTEGER, 8, 0 },
	{ SHAPE_INTEGER, 1, 1 }, { SHAPE_INTEGER, 2, 1 }, { SHAPE_INTEGER, 4, 1 }, { SHAPE_INTEGER, 8, 1 },
	{ SHAPE_OTHER, 0, 2 }, { SHAPE_OTHER, 0, 3 }, { SHAPE_OTHER, 0, 5 }, { SHAPE_OTHER, 0, 9 },
	{ SHAPE_OTHER, 0, 17 },							/* fixext */
	{ SHAPE_TEXT, 1, 0 }, { SHAPE_TEXT, 2, 0 }, { SHAPE_TEXT, 4, 0 },
	{ SHAPE_ARRAY, 2, 0 }, { SHAPE_ARRAY, 4, 0 }, { SHAPE_MAP, 2, 0 }, { SHAPE_MAP, 4, 0 },
};

static bool take_wide(struct reader *r, unsigned char byte, struct item *item)
{
	size_t width = wide[byte - 0xc0].width;
	uint64_t n, sign = UINT64_C(1) << (width == 0 ? 0 : 8 * width - 1);
	unsigned char fixed = wide[byte - 0xc0].fixed;
	item->shape = wide[byte - 0xc0].shape;
	if (!take(r, width, &n))
		return false;
	if (item->shape != SHAPE_INTEGER)
		n += fixed;
	else if (fixed == 1)
		n = (n ^ sign) - sign;		/* of a signed one */
	else if (n > INT64_MAX)
		return false;
	item->number = (int64_t)n;
	return true;
}

static bool next_item(struct reader *r, struct item *item)
{
	uint64_t n;
	if (!take(r, 1, &n))
		return false;
	unsigned char byte = (unsigned char)n;
	if (byte < 0x80 || byte >= 0xe0)
		*item = (struct item){ SHAPE_INTEGER, (int8_t)byte };
	else if (byte < 0x90)
		*item = (struct item){ SHAPE_MAP, byte & 0x0f };
	else if (byte < 0xa0)
		*item = (struct item){ SHAPE_ARRAY, byte & 0x0f };
	else if (byte < 0xc0)
		*item = (struct item){ SHAPE_TEXT, byte & 0x1f };
	else
		return take_wide(r, byte, item);
	return true;
}

static bool take_bytes(struct reader *r, size_t len, struct pb_span *s)
{
	if (r->left < len)
		return false;
	*s = span_of(r->at, len);
	r->at += len;
	r->left -= len;
	return true;
}

/* Text, bytes or nil. */
static bool read_span(struct reader *r, struct pb_span *s)
{
	struct item item;
	*s = SPAN_NONE;
	if (!next_item(r, &item))
		return false;
	if (item.shape == SHAPE_NIL)
		return true;
	return (item.shape == SHAPE_TEXT || item.shape == SHAPE_BYTES) && take_bytes(r, (size_t)item.number, s);
}

/* Pass over one value with all that is in it. */
static bool skip(struct reader *r)
{
	struct pb_span bytes;
	struct item item;
	for (uint64_t open = 1; open > 0; open--) {
		if (open > r->left || !next_item(r, &item))
			return false;
		if (item.shape == SHAPE_ARRAY || item.shape == SHAPE_MAP)
			open += (uint64_t)item.number * (item.shape == SHAPE_MAP ? 2 : 1);
		else if (item.shape >= SHAPE_TEXT && !take_bytes(r, (size_t)item.number, &bytes))
			return false;
	}
	return true;
}

static bool read_list(struct reader *r, enum shape shape, struct message_list *list)
{
	struct item item;
	if (!next_item(r, &item) || item.shape != shape)
		return false;
	message_list_free(list);
	uint64_t n = (uint64_t)item.number * (shape == SHAPE_MAP ? 2 : 1);
	if (n > MESSAGE_LIST_MAX)
		return false;
	for (struct pb_span s; n > 0; n--) {
		if (!read_span(r, &s))
			return false;
		message_list_add(list, s);
	}
	return true;
}

static bool read_word(struct reader *r, const char *const words[], int64_t *value)
{
	struct pb_span s;
	if (!read_span(r, &s))
		return false;
	for (*value = 0; words[*value] != NULL; ++*value)
		if (span_is(s, words[*value]))
			return true;
	*value = 0;
	return false;
}

static bool read_member(struct reader *r, const struct member *m, struct message *to)
{
	void *at = (char *)to + m->offset;
	struct item item;
	switch (m->type) {
	case TEXT:
	case BYTES: return read_span(r, at);
	case LIST: return read_list(r, SHAPE_ARRAY, at);
	case PAIRS: return read_list(r, SHAPE_MAP, at);
	case CODE:
	case OUTCOME: return read_word(r, words_of(m->type), at);
	case INTEGER:
	case FLAG: break;
	}
	if (!next_item(r, &item) || item.shape != (m->type == FLAG ? SHAPE_FLAG : SHAPE_INTEGER))
		return false;
	if (m->type == FLAG)
		*(bool *)at = item.number != 0;
	else
		*(int64_t *)at = item.number;
	return true;
}

/* The kind's member of that name, or NULL. */
static const struct member *find_member(enum message_kind kind, struct pb_span name)
{
	for (uint64_t bits = kinds[kind].members; bits != 0; ) {
		const struct member *m = take_member(&bits);
		if (span_is(name, m->name))
			return m;
	}
	return NULL;
}

static bool read_members(struct reader *r, struct message *m)
{
	struct item item;
	if (!next_item(r, &item) || item.shape != SHAPE_MAP)
		return false;
	for (int64_t n = item.number; n > 0; n--) {
		struct pb_span name;
		if (!read_span(r, &name))
			return false;
		const struct member *member = find_member(m->kind, name);
		if (member != NULL ? !read_member(r, member, m) : !skip(r))
			return false;
	}
	return true;
}

int message_read(struct pb_span bytes, struct message *m)
{
	struct reader r = { bytes.data, bytes.len };
	struct pb_span kind;
	struct item item;
	*m = (struct message){ .kind = MESSAGE_KINDS };
	if (!next_item(&r, &item) || item.shape != SHAPE_MAP || item.number != 1 || !read_span(&r, &kind))
		return -EBADMSG;
	for (enum message_kind k = 0; k < MESSAGE_KINDS; k++)
		if (span_is(kind, kinds[k].name))
			m->kind = k;
	return m->kind != MESSAGE_KINDS && read_members(&r, m) && r.left == 0 ? 0 : -EBADMSG;
}
