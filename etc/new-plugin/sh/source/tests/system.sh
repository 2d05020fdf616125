#!/bin/sh
# system.sh - the program in a real patchbay: what is appended to a file arrives, each line once, also over a
# restart: system.sh ./plugin-name
set -u
program=$(realpath "$1")
. "$(dirname "$0")/daemon.sh"

config="
[source lines]
plugin = exec
command = $program
options = path=$folder/lines.txt
type = line
[sink out]
plugin = file
path = $folder/events.jsonl
[route all]
to = out
"

echo one >"$folder/lines.txt"
start "$config"
event=$(wait_line '"one"' "$folder/events.jsonl") || exit 1
case $event in
*'"type":"line"'*) ;;
*) die "not as expected: $event" ;;
esac
stop

echo two >>"$folder/lines.txt"
start "$config"
wait_line '"two"' "$folder/events.jsonl" >/dev/null
stop
[ "$(wc -l <"$folder/events.jsonl")" -eq 2 ] || die "each once: $(cat "$folder/events.jsonl")"
echo "system test: passed"
