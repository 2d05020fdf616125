/* fuzz-codec.c - records of any bytes: refused, or an event that packs and unpacks to itself. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/span.h"
#include "event/codec.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf first = BUF_INIT(16 << 20), second = BUF_INIT(16 << 20);
	struct pb_event *ev = codec_unpack(span_of(data, size)), *again;

	if (ev == NULL) {
		assert(errno == EBADMSG || errno == EPROTONOSUPPORT || errno == ENOMEM);
		return 0;
	}
	assert(event_body(ev).len <= size);
	assert(codec_pack(&first, ev) == 0);
	again = codec_unpack(buf_span(&first));
	assert(again != NULL && codec_pack(&second, again) == 0);
	assert(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
	event_unref(ev);
	event_unref(again);
	buf_free(&first);
	buf_free(&second);
	return 0;
}
