#!/bin/sh
# abi.sh - plugins built from recorded headers need not be rebuilt, or the numbers in plugin.h say so.
#
# tests/check/abi/MAJOR.MINOR/ has what plugins of that ABI were built from: the headers, the names that the program exported,
# and the ABI as abidw reads it from an object that uses all that the headers declare.
#
#	abi.sh			the check: what is here against each record of the same MAJOR
#	abi.sh record		record what is here under its numbers; nothing that a record has is changed by it
#	abi.sh judge DIR REC	what has become of record REC in the headers in DIR: prints it; 0, 3: added, 4: changed
set -u
case $srcdir in /*) ;; *) srcdir=$(cd "$srcdir" && pwd) ;; esac
records=$srcdir/tests/check/abi
for tool in abidw abidiff; do
	command -v $tool >/dev/null || { echo "skipped: no $tool (Debian: abigail-tools)"; exit 77; }
done
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
die() { printf '%s\n' "$@"; exit 1; }

# number HEADERS MAJOR|MINOR
number() { sed -n "s/^#define PB_ABI_$2 //p" "$1/patchbay/plugin.h"; }

# read_abi HEADERS plugin|testing: the ABI of a header into $work/HEADER.abi. The flags are always the same, so that only what
# the header says makes a difference.
read_abi() {
	types=pb_plugin
	[ "$2" = plugin ] || types=
	awk -f "$srcdir/tests/check/symbols.awk" "$1/patchbay/$2.h" |
		awk -v types="$types" -f "$records/probe.awk" >"$work/probe.inc" &&
		printf '#include <patchbay/%s.h>\n#include "probe.inc"\n' "$2" >"$work/probe.c" &&
		"${CC:-cc}" -std=c17 -O0 -gdwarf-4 -fPIC -shared -nostdlib -I "$1" -o "$work/probe.so" "$work/probe.c" &&
		abidw --no-corpus-path --no-comp-dir-path --no-show-locs "$work/probe.so" >"$work/$2.abi" ||
		die "no ABI can be read from $1/patchbay/$2.h"
}

# judge HEADERS RECORD plugin|testing
judge() {
	read_abi "$1" "$3"
	[ "$(architecture "$2/$3.abi")" = "$(architecture "$work/$3.abi")" ] || {
		echo "skipped: recorded for $(architecture "$2/$3.abi")"
		exit 77
	}
	abidiff --harmless --leaf-changes-only "$2/$3.abi" "$work/$3.abi" >"$work/report"
	[ $(($? & 3)) -eq 0 ] || die "abidiff failed" "$(cat "$work/report")"
	awk -v sized="pb_plugin pb_source pb_filter pb_sink pb_option" -f "$records/judge.awk" "$work/report"
}
architecture() { sed -n "s/^<abi-corpus.* architecture='\([^']*\)'.*/\1/p" "$1"; }

exports() { awk -f "$srcdir/tests/check/symbols.awk" "$1/patchbay/plugin.h" | tr -d '\t;' | grep '^pb_' | LC_ALL=C sort; }

include=$srcdir/include
major=$(number "$include" MAJOR) minor=$(number "$include" MINOR)
here=$records/$major.$minor

# What is here against the record of an ABI with this MAJOR.
check_against() {
	name=${1##*/}
	said=$(judge "$include" "$1" plugin)
	verdict=$?
	case $verdict in
	0) ;;
	77) echo "$said"; exit 77 ;;
	3) [ "$name" != "$major.$minor" ] || die "$said" "include/patchbay/plugin.h has more than ABI $name:" \
		"a plugin that uses it needs a later patchbay. PB_ABI_MINOR becomes $((minor + 1)); then: make abi-record" ;;
	4) die "$said" "$(cat "$work/report")" "include/patchbay/plugin.h breaks what was built for ABI $name:" \
		"plugins must be rebuilt. PB_ABI_MAJOR becomes $((major + 1)), PB_ABI_MINOR 0; then: make abi-record" \
		"(or undo it: members are only appended, functions stay as they are)" ;;
	*) die "$said" ;;
	esac
	said=$(judge "$include" "$1" testing)
	[ $? -ne 4 ] || die "$said" "$(cat "$work/report")" \
		"include/patchbay/testing.h breaks the tests that others wrote for ABI $name: keep what is there"
	[ ! -e patchbay ] || nm -D --defined-only patchbay | awk '{ print $3 }' | LC_ALL=C sort |
		LC_ALL=C comm -23 "$1/symbols" - >"$work/gone"
	[ ! -s "$work/gone" ] || die "the program no longer exports $(tr '\n' ' ' <"$work/gone")which ABI $name has"
}

moved() {
	die "$1" "ABI $major.$minor is recorded, and this is another: first move the numbers in include/patchbay/plugin.h." \
		"(A record that is in no release can be made anew instead: rm -r $here/*.abi $here/symbols $here/patchbay)"
}

record() {
	if [ -e "$here/symbols" ]; then
		said=$(judge "$include" "$here" plugin) || moved "$said"
		said=$(judge "$include" "$here" testing) || [ $? -eq 3 ] || moved "$said"
	fi
	mkdir -p "$here/patchbay" || exit 1
	for header in plugin testing; do
		read_abi "$include" $header
		cp "$work/$header.abi" "$here/$header.abi" && cp "$include/patchbay/$header.h" "$here/patchbay/" || exit 1
	done
	exports "$include" >"$here/symbols"
	echo "recorded: $here"
}

case ${1-check} in
check)
	[ -e "$here/symbols" ] || die "there is no record of ABI $major.$minor: make abi-record"
	for recorded in "$records/$major".*; do
		check_against "$recorded"
	done ;;
record) record ;;
judge) judge "$2" "$3" plugin ;;
*) die "abi.sh: what is $1?" ;;
esac
