# shellcheck shell=sh
# daemon.sh - a real patchbay with a configuration and a folder of its own, for system tests. To be sourced.
#
# Nothing here sleeps: what must come is waited for, with a limit that is long.

limit=60		# seconds: more than any wait needs, also on a busy machine
daemon=
folder=$(mktemp -d) || exit 1
clean_up() {
	[ -z "$daemon" ] || kill -9 "$daemon"
	rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

die() {
	echo "system test: $*" >&2
	cat "$folder/log" >&2
	exit 1
}

# wait_line PATTERN FILE: print the file's first line with the pattern, once it is there.
wait_line() {
	timeout $limit tail -n +1 -f --pid="$daemon" "$2" | grep -m 1 -e "$1" || die "no line with $1 in $2"
}

# start CONFIGURATION: run patchbay with it, until it is ready.
start() {
	printf '[patchbay]\nstate = %s/state\n%s\n' "$folder" "$1" >"$folder/test.ini"
	: >"$folder/log"	# there before anyone looks
	"$PATCHBAY" run -c "$folder/test.ini" --plugin-dir "$PATCHBAY_PLUGINS" 2>>"$folder/log" &
	daemon=$!
	wait_line 'ready: ' "$folder/log" >/dev/null
}

# post JSON: send it to the source of plugin http, and wait until that says that the event is safe.
post() {
	address=$(sed -n 's/.* listening on //p' "$folder/log")
	curl -fsS --max-time $limit -H 'content-type: application/json' -d "$1" "http://$address/" >/dev/null ||
		die "$1 was not taken"
}

# stop: end it in order; what it had not delivered is there at the next start.
stop() {
	kill "$daemon"
	wait "$daemon" || die "patchbay failed"
	daemon=
}
