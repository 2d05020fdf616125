#!/bin/sh
# options.sh - the manual says all: each option of a table, each command, each plugin.
set -u
status=0
complain() { echo "$*"; status=1; }
plain() { sed 's/\\f.//g; s/\\&//g; s/\\//g' "$1"; }

# documented PAGE FILES…: each option that a table in the files names has its paragraph there.
documented() {
	page=$1
	shift
	names=$(sed -nE 's/.*\{ *(\.name = )?"([a-z_0-9]+)", *(\.type = )?PB_.*/\2/p' "$@")
	for option in $names; do
		plain "$page" | grep -A1 "^\.BR \"$option\" " | grep -q '^[A-Za-z]' ||
			complain "$page: nothing is said of $option"
	done
}

documented doc/man/patchbay.ini.5 "$srcdir/core/config/common.c"
[ -n "$names" ] || complain "core/config/common.c: no option found"
for plugin in plugins/*.so; do
	name=$(basename "$plugin" .so)
	page=doc/man/patchbay-$name.7
	[ -s "$page" ] || { complain "$page: no such page"; continue; }
	documented "$page" "$srcdir/plugins/$name/"*.c
done

commands=$(./patchbay --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
[ -n "$commands" ] || complain "patchbay --help: no command found"
for command in $commands; do
	plain doc/man/patchbay.1 | grep -qE "^(\.B )?$command( |$)" ||
		complain "doc/man/patchbay.1: nothing is said of the command $command"
done
exit $status
