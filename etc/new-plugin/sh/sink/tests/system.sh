#!/bin/sh
# system.sh - the program in a real patchbay: what a sender POSTs is written, also when the folder comes later:
# system.sh ./plugin-name
set -u
program=$(realpath "$1")
. "$(dirname "$0")/daemon.sh"

start "
[source hooks]
plugin = http
listen = 127.0.0.1:0
event = posted
[sink out]
plugin = exec
command = $program
options = path=$folder/later/out.jsonl
retry = 10ms
breaker_pause = 10ms
breaker_max_pause = 100ms
[route all]
to = out
"
post '{"n": 1}'
wait_line 'there is no folder' "$folder/log" >/dev/null
mkdir "$folder/later"
: >"$folder/later/out.jsonl"
event=$(wait_line . "$folder/later/out.jsonl") || exit 1
case $event in
*'"type":"posted"'*'"data":{"n":1}'*) ;;
*) die "not as expected: $event" ;;
esac
stop
echo "system test: passed"
