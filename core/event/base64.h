/* base64.h - RFC 4648 section 4, with padding: bodies that are neither JSON nor text. */
#ifndef EVENT_BASE64_H
#define EVENT_BASE64_H

#include "base/buf.h"

/* Append `bytes` encoded. 0, -EMSGSIZE or -ENOMEM. */
int base64_encode(struct buf *, struct pb_span bytes);
/* Append what `text` stands for. Strict: padded, no white space, no bits left over. 0, -EINVAL,
 * -EMSGSIZE or -ENOMEM; then the buffer's contents are as they were. */
int base64_decode(struct buf *, struct pb_span text);

#endif
