#!/bin/sh
# symbols.sh - the program exports what plugin.h declares, a plugin its descriptor, the library for
# tests what plugin.h and testing.h declare, and no more.
set -u
status=0
complain() { echo "$*"; status=1; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

awk -f "$srcdir/tests/check/symbols.awk" "$srcdir/include/patchbay/plugin.h" |
	cmp - "$srcdir/core/patchbay.sym" ||
	complain "core/patchbay.sym is not what tests/check/symbols.awk makes of plugin.h"

tr -d '\t;' < "$srcdir/core/patchbay.sym" | grep '^pb_' | LC_ALL=C sort > "$work/declared"
# A sanitizer exports what it intercepts and more; then only names like ours are looked at.
ours=.
[ "$sanitizers" = no ] || ours='^pbt\?_\|^patchbay'
exported() {
	nm -D --defined-only "$1" | awk '{ print $3 }' | grep "$ours" | LC_ALL=C sort
}

exported patchbay > "$work/exported"
diff "$work/declared" "$work/exported" || complain "the program exports other symbols (>)"

nm -g --defined-only libpatchbay-testing.a | awk 'NF == 3 { print $3 }' | grep "$ours" |
	LC_ALL=C sort > "$work/testing"
for header in plugin testing; do
	awk -f "$srcdir/tests/check/symbols.awk" "$srcdir/include/patchbay/$header.h"
done | tr -d '\t;' | grep '^pb' | LC_ALL=C sort | diff - "$work/testing" ||
	complain "libpatchbay-testing.a has other global symbols (>)"

for plugin in plugins/*.so; do
	[ -e "$plugin" ] || continue
	found=$(exported "$plugin" | tr '\n' ' ')
	[ "$found" = "patchbay_plugin " ] || complain "$plugin exports $found"
	nm -D --undefined-only "$plugin" | awk '$2 ~ /^pb_/ { print $2 }' |
		LC_ALL=C sort | LC_ALL=C comm -23 - "$work/declared" > "$work/lost"
	[ ! -s "$work/lost" ] || complain "$plugin wants $(cat "$work/lost")"
done
exit $status
