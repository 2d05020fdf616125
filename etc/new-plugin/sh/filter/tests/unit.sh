#!/bin/sh
# unit.sh - what the program makes of an event: unit.sh ./plugin-name
set -u
program=$1
die() { echo "unit test: $*" >&2; exit 1; }

# expect OPTIONS EVENT MESSAGE: with these options, as JSON, that is said of that event.
expect() {
	said=$(printf '%s\n' '{"hello":{"protocol":1,"kind":"filter","name":"test","options":'"$1"'}}' \
		'{"apply":{"token":7,"event":'"$2"'}}' '{"reopen":{}}' '{"stop":{}}' | "$program") || die "it failed"
	expected='{"ready":{"protocol":1}}
'$3
	[ "$said" = "$expected" ] || die "of $2 expected $3, got $said"
}
passed() { echo '{"passed":{"token":7,"events":['"$1"']}}'; }
failed() { echo '{"failed":{"token":7,"reason":"'"$1"'"}}'; }

# a field becomes an attribute
expect '{"field":"a.b"}' '{"data":{"a":{"b":"ä \""}}}' "$(passed '{"subject":"ä \""}')"
expect '{"field":"a.b"}' '{"data":{"a":{"b":[1,true]}}}' "$(passed '{"subject":"[1,true]"}')"
expect '{"field":"a.1.b","attribute":"x.y"}' '{"data":{"a":[0,{"b":1}]}}' "$(passed '{"x.y":"1"}')"

# without the field it is as the option says
for event in '{"data":{"a":{"c":1}}}' '{"data":{"a":[1]}}' '{"data":"text"}' '{"data_base64":"/w=="}' '{}'; do
	expect '{"field":"a.b"}' "$event" "$(passed '{}')"
done
expect '{"field":"a.b","missing":"drop"}' '{}' "$(passed '')"
expect '{"field":"a.b","missing":"reject"}' '{}' "$(failed 'there is no field a.b')"

# what no attribute can hold is rejected
expect '{"field":"a"}' '{"data":{"a":"line\nbreak"}}' "$(failed 'the field a is no text for an attribute')"

# refused OPTIONS OPTION REASON
refused() {
	said=$(echo '{"hello":{"protocol":1,"kind":"filter","name":"test","options":'"$1"'}}' | "$program") ||
		die "it failed"
	expected='{"error":{"option":"'$2'","reason":"'$2': '$3'"}}'
	[ "$said" = "$expected" ] || die "of $1 expected $expected, got $said"
}
refused '{}' field 'expected a field of the body, as report.name'
refused '{"field":"a","attribute":"id"}' attribute 'expected a-z, 0-9, _, . and -, and not id'
refused '{"field":"a","missing":"x"}' missing 'expected pass, drop or reject'
refused '{"field":"a","feld":"x"}' feld 'there is no such option'
echo "unit test: passed"
