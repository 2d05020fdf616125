#!/bin/sh
# unit.sh - what the program writes, and what it answers: unit.sh ./plugin-name
set -u
program=$1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
die() { echo "unit test: $*" >&2; exit 1; }

# run OPTIONS EVENT…: what it says of these events, with these options, as JSON.
run() {
	options=$1
	shift
	{
		echo '{"hello":{"protocol":1,"kind":"sink","name":"test","options":'"$options"'}}'
		for event; do
			printf '%s\n' '{"deliver":{"token":7,"attempt":1,"event":'"$event"'}}'
		done
		echo '{"stop":{}}'
	} | "$program" || die "it failed"
}
# expect WHAT EXPECTED GOT
expect() { [ "$2" = "$3" ] || die "$1: expected $2, got $3"; }
answer() { echo '{"answer":{"token":7,"code":"'"$1"'","reason":"'"$2"'"}}'; }
ready='{"ready":{"protocol":1}}'

said=$(run '{"path":"'"$folder/out"'"}' '{"id":"1","data":{"a":"ä\n"}}' '{"id":"2"}')
expect "each event is a line" "$ready
$(answer ok 'on disk')
$(answer ok 'on disk')" "$said"
expect "the lines" '{"id":"1","data":{"a":"ä\n"}}
{"id":"2"}' "$(cat "$folder/out")"

printf '{"half' >"$folder/out"
said=$(run '{"path":"'"$folder/out"'","format":"data"}' '{"data":{"a":1}}' '{"data_base64":"/w=="}')
expect "the body alone" "$ready
$(answer ok 'on disk')
$(answer reject 'the event has no text')" "$said"
expect "half a line stays by itself" '{"half
{"a":1}' "$(cat "$folder/out")"

said=$(run '{"path":"'"$folder/none/out"'"}' '{"id":"1"}')
expect "no folder" "$ready
$(answer down "there is no folder $folder/none")" "$said"
mkdir "$folder/taken"
case $(run '{"path":"'"$folder/taken"'"}' '{"id":"1"}') in
*'"code":"retry","reason":"'*'irectory'*) ;;
*) die "what cannot be written is not to be tried again" ;;
esac

# refused OPTIONS OPTION REASON
refused() {
	said=$(echo '{"hello":{"protocol":1,"kind":"sink","name":"test","options":'"$1"'}}' | "$program") ||
		die "it failed"
	expect "of $1" '{"error":{"option":"'"$2"'","reason":"'"$2: $3"'"}}' "$said"
}
refused '{"path":"out"}' path 'expected an absolute path'
refused '{"path":"/out","format":"xml"}' format 'expected json or data'
refused '{"path":"/out","form":"json"}' form 'there is no such option'
echo "unit test: passed"
