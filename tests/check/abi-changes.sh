#!/bin/sh
# abi-changes.sh - abi.sh tells apart what it has to: each change to a copy of plugin.h has its verdict.
set -u
for tool in abidw abidiff; do
	command -v $tool >/dev/null || { echo "skipped: no $tool (Debian: abigail-tools)"; exit 77; }
done
status=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
record=$(ls -d "$srcdir"/tests/check/abi/1.0) || exit 1

# change VERDICT SAID SED: the header after SED has this verdict, and what is said of it holds the text.
change() {
	rm -rf "$work/patchbay"
	cp -r "$record/patchbay" "$work" && chmod -R u+w "$work/patchbay" || exit 1
	sed -i "$3" "$work/patchbay/plugin.h"
	if [ "$1" -ne 0 ] && cmp -s "$work/patchbay/plugin.h" "$record/patchbay/plugin.h"; then
		echo "nothing changed by: $3"
		status=1
		return
	fi
	said=$(sh "$srcdir/tests/check/abi.sh" judge "$work" "$record")
	got=$?
	case $got:$said in
	77:*) echo "$said"; exit 77 ;;
	"$1:"*"$2"*) ;;
	*) echo "$3: $got, not $1: $said"; status=1 ;;
	esac
}

change 0 '' ''
change 0 '' 's/^struct pb_metric;.*/& \/* another comment *\//'
# Added: MINOR.
change 3 'added: struct pb_plugin: ' 's/^	void (\*unload)(void \*shared);/&\n	int more;/'
change 3 'added: struct pb_sink: ' '/^struct pb_sink {/,/^};/s/^	void (\*reopen)(void \*state);/&\n	int more;\n	int most;/'
change 3 'added: struct pb_option: ' 's/^	const char \*help;/&\n	const char *unit;/'
change 3 'added: pb_more' 's/^void pb_pass.*/&\nint pb_more(int x);/'
change 3 'PB_LATER' 's/^	PB_GONE	/	PB_GONE, PB_LATER	/'
# Changed: MAJOR.
change 4 'pb_pass is gone' '/^void pb_pass/d'
change 4 'pb_add' 's/^void pb_add(struct pb_metric \*, int64_t by)/void pb_add(struct pb_metric *, int32_t by)/'
change 4 'pb_commit' 's/^int pb_commit/int64_t pb_commit/'
change 4 'pb_log' 's/^void pb_log(struct pb_self \*, enum pb_level/void pb_log(struct pb_self *, int64_t/'
change 4 'struct pb_source: ' 's/^	int (\*run)(void \*state);/	int (*run)(void *state, int);/'
change 4 'max_batch' 's/^	uint32_t max_batch;/	uint64_t max_batch;/'
change 4 'max_batch' 's/^	uint32_t max_batch;/	uint32_t other;\n&/'
change 4 'may_repeat' '/^	bool may_repeat;/d'
change 4 'may_repeat' 's/^	bool may_repeat;/	bool may_multiply;/'
change 4 'lies within' 's/^	bool may_repeat;/&\n	bool may_more;/'
change 4 'pb_span' 's/^	size_t len;/&\n	int more;/'
change 4 'pb_bytes' 's/^	size_t len, room;/&\n	int more;/'
change 4 'PB_RETRY' 's/^	PB_OK,/	PB_BETTER, PB_OK,/'
exit $status
