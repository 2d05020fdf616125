/* emit.c - what a source may call. */
#include "api/api.h"
#include "dispatch/feed.h"
#include "event/event.h"

int pb_emit(struct pb_self *self, struct pb_event *const evs[], size_t n, const struct pb_mark *mark,
	    void *token)
{
	return feed_emit(self->feed, evs, n, mark, token);
}

int pb_commit(struct pb_self *self)
{
	return feed_commit(self->feed);
}

int pb_wait(struct pb_self *self, int fd, int64_t timeout)
{
	return feed_wait(self->feed, fd, timeout);
}

int pb_wake_fd(const struct pb_self *self)
{
	return self->feed->wake_fd;
}

bool pb_stopping(const struct pb_self *self)
{
	return self->feed != NULL && atomic_load(&self->feed->stopping);
}

int pb_restore(struct pb_self *self, const char *key, void *value, size_t size)
{
	return feed_restore(self->feed, key, value, size);
}

enum pb_outcome pb_receipt_outcome(const struct pb_receipt *receipt)
{
	return receipt->outcome;
}

const char *pb_receipt_id(const struct pb_receipt *receipt, size_t i)
{
	if (i >= receipt->unit->n)
		return "";
	const char *first = receipt_first(receipt, i);
	return first != NULL ? first : event_id(receipt->emission->events[receipt->unit->first + i]);
}

bool pb_receipt_duplicate(const struct pb_receipt *receipt, size_t i)
{
	return receipt_first(receipt, i) != NULL;
}

const char *pb_receipt_reason(const struct pb_receipt *receipt)
{
	return receipt->reason;
}
