/*
 * watermarks.h - lanes' progress on its way into the next block.
 *
 * The router leaves here what moved; whoever leads a commit takes it along as one
 * record. So under load a crash repeats no more than what was answered since the last block.
 */
#ifndef DISPATCH_WATERMARKS_H
#define DISPATCH_WATERMARKS_H

#include <pthread.h>

#include "state/records.h"

struct watermarks {
	pthread_mutex_t lock;	/* guards all but `taken` */
	struct watermark *moved;	/* by lane number; seq 0: not moved */
	uint32_t *dirty;		/* which of them moved */
	size_t n_dirty, lanes;
	/* its own, of who leads a commit */
	struct watermark *taken;	/* by the last watermarks_take() */
	size_t n_taken, taken_room;
};

/* For lane numbers below `lanes`. */
void watermarks_init(struct watermarks *, size_t lanes);
void watermarks_fini(struct watermarks *);
/* For more lanes. [any] */
void watermarks_grow(struct watermarks *, size_t lanes);
/* The lane's progress; a later one replaces it. */
void watermarks_move(struct watermarks *, uint32_t lane, uint64_t seq);
/* Append what moved as one RECORD_WATERMARK, if anything did, and forget it. 0; -ENOMEM, -EMSGSIZE: nothing was taken
 * and the buffer is as it was. [any] */
int watermarks_take(struct watermarks *, struct buf *);
/* What was taken last was not stored: it goes with a later block, but for lanes that have moved since. [who took it] */
void watermarks_put_back(struct watermarks *);

#endif
