#!/bin/sh
# sources.sh - taste as a program: layering, lengths, contracts, words, and that each file is built.
set -u
cd "$srcdir" || exit 1
check=tests/check
status=0
sources() { find "$@" -name '*.[ch]' | LC_ALL=C sort; }

echo "layers:"
awk -f $check/includes.awk $(sources core plugins testing conform etc) || status=1
echo "lengths:"
awk -f $check/lengths.awk $(sources core plugins testing conform tests etc) || status=1
echo "prototypes:"
awk -f $check/prototypes.awk $(sources include core plugins testing conform | grep '\.h$') || status=1
echo "words:"
awk -f $check/words.awk $(sources include core plugins testing conform tests etc) || status=1
echo "built:"
for file in $(sources core plugins testing conform); do
	grep -qF "$file" core/Makefile.inc plugins/Makefile.inc testing/Makefile.inc conform/Makefile.inc ||
		{ echo "$file: in no Makefile.inc"; status=1; }
done
for file in $(find tests -path tests/check/abi -prune -o '(' -name '*.[ch]' -o -name '*.py' ')' -print | LC_ALL=C sort); do
	grep -qF "${file%.c}" tests/Makefile.inc ||
		{ echo "$file: not in tests/Makefile.inc"; status=1; }
done
exit $status
