/* test-parse-address.c - addresses: every form that is written down, and no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/parse.h"

static void forms(void **state)
{
	(void)state;
	static const struct {
		const char *word;
		enum address_kind kind;
		const char *host, *port;
	} rows[] = {
		{ "127.0.0.1:8080", ADDRESS_ANY, "127.0.0.1", "8080" },
		{ "localhost:0", ADDRESS_ANY, "localhost", "0" },
		{ "hooks.example.com:65535", ADDRESS_ANY, "hooks.example.com", "65535" },
		{ "a_b-c.d1:1", ADDRESS_ANY, "a_b-c.d1", "1" },
		{ "AZaz09:1", ADDRESS_ANY, "AZaz09", "1" },
		{ "1a:1", ADDRESS_ANY, "1a", "1" },
		{ "[::1]:514", ADDRESS_ANY, "::1", "514" },
		{ "[2001:db8::192.0.2.1]:80", ADDRESS_ANY, "2001:db8::192.0.2.1", "80" },
		{ "[fe80::1%eth0.1]:80", ADDRESS_ANY, "fe80::1%eth0.1", "80" },
		{ "udp:192.0.2.1:514", ADDRESS_UDP, "192.0.2.1", "514" },
		{ "tcp:[::]:601", ADDRESS_TCP, "::", "601" },
		{ "tls:logs.example.com:6514", ADDRESS_TLS, "logs.example.com", "6514" },
		{ "unix:/dev/log", ADDRESS_UNIX, "/dev/log", "" },
		{ "unix:/a b:c", ADDRESS_UNIX, "/a b:c", "" },
		{ "udp:udp:1", ADDRESS_UDP, "udp", "1" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct address a;
		if (parse_address(rows[i].word, &a) != 0)
			fail_msg("refused: %s", rows[i].word);
		assert_int_equal(a.kind, rows[i].kind);
		assert_string_equal(a.host, rows[i].host);
		assert_string_equal(a.port, rows[i].port);
	}
}

static void other_forms_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *word;
		int result;
	} rows[] = {
		{ "", -EINVAL }, { ":", -EINVAL }, { ":80", -EINVAL }, { "host", -EINVAL },
		{ "host:", -EINVAL }, { "8080", -EINVAL }, { "host:http", -EINVAL },
		{ "host:-1", -EINVAL }, { "host:+1", -EINVAL }, { "host:080", -EINVAL },
		{ "host:-99999999999999999999", -EINVAL },
		{ "host:80 ", -EINVAL }, { " host:80", -EINVAL }, { "ho st:80", -EINVAL },
		{ "host:65536", -ERANGE }, { "host:99999999999999999999", -ERANGE },
		{ "::1:80", -EINVAL }, { "2001:db8::1", -EINVAL }, { "[::1]", -EINVAL },
		{ "[::1]80", -EINVAL }, { "[]:80", -EINVAL }, { "[:80", -EINVAL },
		{ "]:80", -EINVAL },
		{ "[127.0.0.1]:80", -EINVAL }, { "[host]:80", -EINVAL }, { "[::g]:80", -EINVAL },
		{ "[fe80::1%]:80", -EINVAL }, { "[fe80::1%eth 0]:80", -EINVAL },
		{ "[fe80::1%sixteen-bytes-xx]:80", -EINVAL },
		{ "1.2.3:80", -EINVAL }, { "1.2.3.4.5:80", -EINVAL }, { "256.1.1.1:80", -EINVAL },
		{ "127.1:80", -EINVAL }, { "2130706433:80", -EINVAL }, { "01.2.3.4:80", -EINVAL },
		{ ".host:80", -EINVAL }, { "a..b:80", -EINVAL }, { "host.:80", -EINVAL },
		{ "*:80", -EINVAL }, { "h\xc3\xb6st:80", -EINVAL }, { "user@host:80", -EINVAL },
		{ "host/x:80", -EINVAL }, { "http://host:80", -EINVAL },
		{ "tcp:", -EINVAL }, { "tcp:80", -EINVAL }, { "TCP:host:80", -EINVAL },
		{ "tcp:udp:host:80", -EINVAL }, { "udp:unix:/x", -EINVAL },
		{ "unix:", -EINVAL }, { "unix:dev/log", -EINVAL }, { "unix:@x", -EINVAL },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct address a = { .kind = ADDRESS_TLS, .host = "kept" };
		int r = parse_address(rows[i].word, &a);
		if (r != rows[i].result)
			fail_msg("%s: %d", rows[i].word, r);
		assert_string_equal(a.host, "kept");
	}
}

static int parse_long(const char *before, size_t len, const char *after)
{
	static char word[100000];
	struct address a;
	char *p = word + snprintf(word, 64, "%s", before);
	memset(p, 'x', len);
	snprintf(p + len, 64, "%s", after);
	return parse_address(word, &a);
}

static void long_ones_are_bounded(void **state)
{
	(void)state;
	char name[300] = "";
	struct address a;
	for (int i = 0; i < 126; i++)
		strncat(name, "a.", 3);
	strncat(name, "a:1", 4);	/* 253 bytes of name */
	assert_int_equal(parse_address(name, &a), 0);
	assert_int_equal(parse_long("", 63, ":1"), 0);
	assert_int_equal(parse_long("", 64, ":1"), -EINVAL);
	assert_int_equal(parse_long("", 254, ":1"), -ERANGE);
	assert_int_equal(parse_long("", 90000, ":1"), -ERANGE);
	assert_int_equal(parse_long("[", 90000, "]:1"), -ERANGE);
	assert_int_equal(parse_long("[", 200, "]:1"), -EINVAL);
	assert_int_equal(parse_long("unix:/", 106, ""), 0);
	assert_int_equal(parse_long("unix:/", 107, ""), -ERANGE);
	assert_int_equal(parse_long("unix:/", 90000, ""), -ERANGE);
	assert_int_equal(parse_long("host:1", 90000, ""), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(other_forms_are_refused),
		cmocka_unit_test(long_ones_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
