/*
 * codec.h - an event as versioned msgpack, as it stands in the journal.
 *
 * A map would name every key in every record; an array of fixed positions with the
 * version first is smaller and faster: [version, origin, id, type, source, subject,
 * datacontenttype, time, {further attributes}, body]. A reader takes an array longer
 * than it knows and ignores the rest; another version is refused by number.
 */
#ifndef EVENT_CODEC_H
#define EVENT_CODEC_H

#include "base/buf.h"
#include "event/event.h"

#define CODEC_VERSION 1

/* Append the event. 0, -EMSGSIZE or -ENOMEM. */
int codec_pack(struct buf *, const struct pb_event *);
/* How many bytes codec_pack() would append. */
size_t codec_size(const struct pb_event *);
/* The event in `data`, which must hold exactly one. The sequence number is not part of it.
 * NULL with errno EBADMSG (not an event, or damaged), EPROTONOSUPPORT (another version) or ENOMEM.
 * Never trusts a length before the bytes are there. */
struct pb_event *codec_unpack(struct pb_span data);

#endif
