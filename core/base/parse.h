/*
 * parse.h - words of a configuration to values and back.
 *
 * Each takes a whole NUL-terminated word; nothing may be left over. 0 or -EINVAL
 * (not of that form), -ERANGE (does not fit).
 */
#ifndef BASE_PARSE_H
#define BASE_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 42 or -42: no blank, no +, no leading zero (0640 would not be what it seems) */
int parse_int(const char *word, int64_t *value);
/* yes | no */
int parse_bool(const char *word, bool *value);
/* 250ms 30s 5m 2h 7d, to ms; a bare 0 is allowed, any other number needs its unit */
int parse_duration(const char *word, int64_t *ms);
/* 512 64KiB 16MiB 10GiB 1TiB, to bytes (kB, MB, GB: powers of 1000) */
int parse_size(const char *word, int64_t *bytes);
#define PARSE_TEXT_SIZE 32
/* The shortest exact form: "1h", "90s", "64KiB"; what is not negative parses back to itself. */
void format_duration(int64_t ms, char text[static PARSE_TEXT_SIZE]);
void format_size(int64_t bytes, char text[static PARSE_TEXT_SIZE]);

/* Where something listens or is reached: [udp:|tcp:|tls:]HOST:PORT, [V6]:PORT, unix:/PATH. */
enum address_kind { ADDRESS_ANY, ADDRESS_UDP, ADDRESS_TCP, ADDRESS_TLS, ADDRESS_UNIX };
struct address {
	enum address_kind kind;	/* ADDRESS_ANY: no prefix was written */
	char host[256];		/* without brackets; the path with ADDRESS_UNIX */
	char port[6];		/* decimal; "" with ADDRESS_UNIX */
};
/* 0, -EINVAL, or -ERANGE for a port, name or path that is too large. `unix:` only with a path below
 * sun_path's size; a port may be 0. */
int parse_address(const char *word, struct address *);

/* A list: words or "quoted strings" (\" and \\ inside) between commas. `next` begins at the
 * text and moves on; `item` (size bytes) gets the next one. Blanks around items are skipped; one
 * with a blank, comma or quote inside is quoted; an empty one is written "". 1, 0 at the end,
 * -EINVAL with *next at the fault (a comma too many is one), -ERANGE. */
int parse_list_next(const char **next, char *item, size_t size);

/* Does `text` match the glob `pattern`? `*` any run, `?` one byte, the rest is itself. Linear in
 * memory, never exponential. */
bool glob_match(const char *pattern, const char *text);
/* True for valid UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool utf8_valid(const void *data, size_t len);
/* Bytes (1 to 4) of the valid UTF-8 character that begins at `at`; 0: none within `left`. */
size_t utf8_length(const void *at, size_t left);

#endif
