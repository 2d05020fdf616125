#!/bin/sh
# A sink in plain mode: an event on standard input, and the exit status is the answer (sysexits.h).
# options = folder=/some/spool
[ -d "$PATCHBAY_OPTION_FOLDER" ] || exit 69     # down: all events wait
case $PATCHBAY_ID in
*/* | .*) exit 65 ;;                            # reject: a dead letter
esac
cat > "$PATCHBAY_OPTION_FOLDER/.new" || exit 75 # retry: this event later
mv "$PATCHBAY_OPTION_FOLDER/.new" "$PATCHBAY_OPTION_FOLDER/$PATCHBAY_ID.json"
