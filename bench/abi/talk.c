/*
 * talk.c - a program for the exec plugin that does nothing but speak its protocol, as fast as it can.
 *
 *	talk source json|msgpack COUNT BATCH	COUNT events in messages of BATCH, eight of them without a receipt at most
 *	talk sink json|msgpack			each delivery is answered ok
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNSETTLED 8
#define MESSAGE_MAX (4u << 20)
#define BODY "{\"n\":1234567,\"pad\":\"..........................................\"}"	/* 64 bytes */

static char in[MESSAGE_MAX], out[MESSAGE_MAX];
static size_t have, begin;	/* in `in`: what was read, and what of it is done with */
static bool msgpack;

/* More of the standard input. The host has gone: so do we. */
static void fill(void)
{
	memmove(in, in + begin, have - begin);
	have -= begin;
	begin = 0;
	ssize_t n = have < sizeof in ? read(STDIN_FILENO, in + have, sizeof in - have) : 0;
	if (n <= 0)
		exit(0);
	have += (size_t)n;
}

/* The next message in `in`, and how long it is; false: it is not whole yet. */
static bool whole(const char **message, size_t *len)
{
	const char *at = in + begin;
	if (!msgpack) {
		const char *end = memchr(at, '\n', have - begin);
		*message = at;
		*len = end != NULL ? (size_t)(end - at) : 0;
		begin += end != NULL ? *len + 1 : 0;
		return end != NULL;
	}
	const unsigned char *head = (const unsigned char *)at;
	if (have - begin < 4)
		return false;
	*len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
	*message = at + 4;
	if (have - begin - 4 < *len)
		return false;
	begin += 4 + *len;
	return true;
}

static const char *next(size_t *len)
{
	const char *message;
	while (!whole(&message, len))
		fill();
	return message;
}

/* Is it of this kind? Kinds are shorter than 32 bytes. */
static bool is(const char *message, size_t len, const char *kind)
{
	size_t n = strlen(kind);
	return len > n + 2 && memcmp(message + 2, kind, n) == 0;
}

static void put(const char *data, size_t len)
{
	for (ssize_t n; len > 0; data += n, len -= (size_t)n) {
		n = write(STDOUT_FILENO, data, len);
		if (n <= 0)
			exit(0);
	}
}

static char *text(char *to, const char *s)
{
	*to++ = (char)(0xa0 + strlen(s));
	return stpcpy(to, s);
}

/* As 32 bits, whatever it is. */
static char *number(char *to, uint32_t n)
{
	*to++ = (char)0xce;
	for (int shift = 24; shift >= 0; shift -= 8)
		*to++ = (char)(n >> shift);
	return to;
}

static char *frame(char *end)
{
	uint32_t len = (uint32_t)(end - out - 4);
	for (int i = 0; i < 4; i++)
		out[i] = (char)(len >> (24 - 8 * i));
	return end;
}

static void ready(void)
{
	size_t len;
	next(&len);
	if (!msgpack) {
		static const char line[] = "{\"ready\":{\"protocol\":1,\"max_in_flight\":1000}}\n";
		put(line, strlen(line));
		return;
	}
	char *at = out + 4;
	*at++ = (char)0x81;
	at = text(at, "ready");
	*at++ = (char)0x82;
	at = number(text(at, "protocol"), 1);
	at = number(text(at, "max_in_flight"), 1000);
	put(out, (size_t)(frame(at) - out));
}

/* One emit of `n` events. */
static size_t make(unsigned n)
{
	char *at = out;
	if (!msgpack) {
		at = stpcpy(at, "{\"emit\":{\"token\":1,\"events\":[");
		for (unsigned i = 0; i < n; i++)
			at = stpcpy(at, &",{\"type\":\"number\",\"data\":" BODY "}"[i == 0]);
		return (size_t)(stpcpy(at, "]}}\n") - out);
	}
	at += 4;
	*at++ = (char)0x81;
	at = text(at, "emit");
	*at++ = (char)0x82;
	at = number(text(at, "token"), 1);
	at = text(at, "events");
	*at++ = (char)0xdd;
	for (int shift = 24; shift >= 0; shift -= 8)
		*at++ = (char)(n >> shift);
	for (unsigned i = 0; i < n; i++) {
		*at++ = (char)0x82;
		at = text(text(at, "type"), "number");
		at = text(at, "data");
		*at++ = (char)0xc4;
		*at++ = sizeof BODY - 1;
		at = stpcpy(at, BODY);
	}
	return (size_t)(frame(at) - out);
}

static void be_source(unsigned long count, unsigned batch)
{
	unsigned long sent = 0, open = 0;
	size_t len, whole_len = make(batch);
	for (;;) {
		for (; sent < count && open < UNSETTLED; sent += batch, open++) {
			if (count - sent < batch) {
				batch = (unsigned)(count - sent);
				whole_len = make(batch);
			}
			put(out, whole_len);
		}
		const char *message = next(&len);
		if (is(message, len, "stop"))
			return;
		open -= is(message, len, "receipt");
	}
}

/* The token of a delivery stands first in it. */
static uint64_t token_of(const char *message)
{
	if (!msgpack)
		return strtoull(message + strlen("{\"deliver\":{\"token\":"), NULL, 10);
	const unsigned char *at = (const unsigned char *)message + 1 + 8 + 1 + 6;
	if (*at < 0x80)
		return *at;
	uint64_t n = 0;
	for (unsigned i = 0; i < 1u << (*at - 0xcc); i++)
		n = n << 8 | at[1 + i];
	return n;
}

static char *answer(char *to, uint64_t token)
{
	if (!msgpack)
		return to + sprintf(to, "{\"answer\":{\"token\":%llu,\"code\":\"ok\"}}\n", (unsigned long long)token);
	char *at = to + 4;
	*at++ = (char)0x81;
	at = text(at, "answer");
	*at++ = (char)0x82;
	at = number(text(at, "token"), (uint32_t)token);
	at = text(text(at, "code"), "ok");
	uint32_t len = (uint32_t)(at - to - 4);
	for (int i = 0; i < 4; i++)
		to[i] = (char)(len >> (24 - 8 * i));
	return at;
}

static void be_sink(void)
{
	for (;;) {
		const char *message;
		char *at = out;
		size_t len;
		for (; at < out + sizeof out - 100 && whole(&message, &len); ) {
			if (is(message, len, "stop"))
				return;
			if (is(message, len, "deliver"))
				at = answer(at, token_of(message));
		}
		put(out, (size_t)(at - out));
		fill();
	}
}

int main(int argc, char *argv[])
{
	if (argc < 3 || (argc < 5 && strcmp(argv[1], "source") == 0))
		return 2;
	msgpack = strcmp(argv[2], "msgpack") == 0;
	ready();
	if (strcmp(argv[1], "source") == 0)
		be_source(strtoul(argv[3], NULL, 10), (unsigned)strtoul(argv[4], NULL, 10));
	else
		be_sink();
	return 0;
}
