#!/bin/sh
# unit.sh - what the program does with its file and its mark: unit.sh ./plugin-name
set -u
program=$1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
mkfifo "$folder/in" "$folder/out"

die() { echo "unit test: $*" >&2; exit 1; }
tell() { printf '%s\n' "$1" >&3; }
# hear EXPECTED: the program's next message is this.
hear() {
	IFS= read -r heard <&4 || die "expected $1, and it ended"
	[ "$heard" = "$1" ] || die "expected $1, got $heard"
}
# begin OPTIONS: start it with these, as JSON.
begin() {
	"$program" <"$folder/in" >"$folder/out" &
	exec 3>"$folder/in" 4<"$folder/out"
	tell '{"hello":{"protocol":1,"kind":"source","name":"test","options":'"$1"',"max_event":1000000}}'
}
# end: let it stop.
end() {
	exec 3>&-
	wait $! || die "it failed"
	exec 4<&-
}
emit() {
	echo '{"emit":{"token":'"$1"',"events":['"$2"'],"mark":{"key":"lines","value":"'"$1"'"}}}'
}
text() { echo '{"datacontenttype":"text/plain","data":"'"$1"'"}'; }

# each line is an event
begin '{"path":"'"$folder/lines"'","skip":"#"}'
hear '{"ready":{"protocol":1}}'
hear '{"restore":{"key":"lines"}}'
tell '{"mark":{"key":"lines","value":null}}'
printf 'one\n# none\n\n"two"\nthr' >"$folder/lines"
hear "$(emit 1 "$(text one)")"
hear "$(emit 2 '')"
hear "$(emit 3 '')"
hear "$(emit 4 "$(text '\"two\"')")"
tell '{"receipt":{"token":1,"outcome":"accepted","ids":["1"]}}'
echo ee >>"$folder/lines"
hear "$(emit 5 "$(text three)")"
tell '{"stop":{}}'
end

# it begins at the mark
begin '{"path":"'"$folder/lines"'"}'
hear '{"ready":{"protocol":1}}'
hear '{"restore":{"key":"lines"}}'
tell '{"mark":{"key":"lines","value":"4"}}'
hear "$(emit 5 "$(text three)")"
end

# what is not stored is begun again
begin '{"path":"'"$folder/lines"'"}'
hear '{"ready":{"protocol":1}}'
hear '{"restore":{"key":"lines"}}'
tell '{"mark":{"key":"lines","value":"4"}}'
hear "$(emit 5 "$(text three)")"
tell '{"receipt":{"token":5,"outcome":"failed","reason":"too large to store"}}'
wait $! && die "it goes on after what was not stored"
exec 3>&- 4<&-

# what is wrong is refused
begin '{"path":"lines"}'
hear '{"error":{"option":"path","reason":"path: expected an absolute path"}}'
end
begin '{"path":"/lines","pth":"/x"}'
hear '{"error":{"option":"pth","reason":"pth: there is no such option"}}'
end
echo "unit test: passed"
