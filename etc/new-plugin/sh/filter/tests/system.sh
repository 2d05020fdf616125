#!/bin/sh
# system.sh - the program in a real patchbay: what a sender POSTs arrives with the attribute, or not at all:
# system.sh ./plugin-name
set -u
program=$(realpath "$1")
. "$(dirname "$0")/daemon.sh"

start "
[source hooks]
plugin = http
listen = 127.0.0.1:0
event = posted
[filter names]
plugin = exec
command = $program
options = field=report.name, missing=drop
[sink out]
plugin = file
path = $folder/events.jsonl
[route all]
filters = names
to = out
"
post '{"report": {}}'
post '{"report": {"name": "May"}}'
event=$(wait_line . "$folder/events.jsonl") || exit 1
case $event in
*'"subject":"May"'*) ;;
*) die "not as expected: $event" ;;
esac
stop
[ "$(wc -l <"$folder/events.jsonl")" -eq 1 ] || die "one only: $(cat "$folder/events.jsonl")"
echo "system test: passed"
