/* watermarks.c - what moved since the last block, by lane. */
#include "dispatch/watermarks.h"

#include <stdlib.h>

#include "base/magic.h"
#include "base/memory.h"
#include "journal/journal.h"

void watermarks_init(struct watermarks *w, size_t lanes)
{
	*w = (struct watermarks){ .lanes = lanes };
	pthread_mutex_init(&w->lock, NULL);
	w->moved = xcalloc(lanes, sizeof *w->moved);
	w->dirty = xcalloc(lanes, sizeof *w->dirty);
}

void watermarks_fini(struct watermarks *w)
{
	pthread_mutex_destroy(&w->lock);
	free(w->moved);
	free(w->dirty);
}

void watermarks_move(struct watermarks *w, uint32_t lane, uint64_t seq)
{
	assert(lane < w->lanes);
	pthread_mutex_lock(&w->lock);
	if (w->moved[lane].seq == 0)
		w->dirty[w->n_dirty++] = lane;
	w->moved[lane] = (struct watermark){ lane, seq };
	pthread_mutex_unlock(&w->lock);
}

void watermarks_take(struct watermarks *w, struct buf *to)
{
	pthread_mutex_lock(&w->lock);
	if (w->n_dirty > 0) {
		size_t begun = record_begin(to, RECORD_WATERMARK);
		for (size_t i = 0; i < w->n_dirty; i++) {
			struct watermark *m = &w->moved[w->dirty[i]];
			watermarks_add(to, m);
			m->seq = 0;
		}
		record_end(to, begun);
		w->n_dirty = 0;
	}
	pthread_mutex_unlock(&w->lock);
}
