#!/bin/sh
# abi-plugins.sh - a plugin and its test, as they were written and built for each recorded ABI, still do what they did.
# (In the daemon: tests/system/test_abi.py.)
set -u
status=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
sanitize=
[ "$sanitizers" = no ] || sanitize=-fsanitize=$sanitizers
inih=$(sed -n 's/^INIH_LIBS = //p' Makefile)
for recorded in "$srcdir"/tests/check/abi/*.*/; do
	cc() { "${CC:-cc}" -std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror $sanitize -I "$recorded" "$@"; }
	# The library is today's, and so is what must be linked with it.
	cc -shared -fPIC -o "$work/trio.so" "$recorded/trio.c" &&
		cc -pthread -o "$work/test-trio" "$recorded/test-trio.c" -rdynamic ./libpatchbay-testing.a $inih &&
		"$work/test-trio" "$work/trio.so" "$work/lines" || { echo "$recorded: no longer works"; status=1; }
done
exit $status
