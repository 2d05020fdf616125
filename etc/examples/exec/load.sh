#!/bin/sh
# A source in plain mode: what it prints is an event, and it is started again after `restart_pause`.
read -r one five fifteen rest < /proc/loadavg
printf '{"one": %s, "five": %s, "fifteen": %s}\n' "$one" "$five" "$fifteen"
