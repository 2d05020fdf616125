/* watermarks.c - what moved since the last block, by lane. */
#include "dispatch/watermarks.h"

#include <stdlib.h>
#include <string.h>

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

void watermarks_grow(struct watermarks *w, size_t lanes)
{
	pthread_mutex_lock(&w->lock);
	if (lanes > w->lanes) {
		w->moved = xrealloc(w->moved, lanes, sizeof *w->moved);
		memset(w->moved + w->lanes, 0, (lanes - w->lanes) * sizeof *w->moved);
		w->dirty = xrealloc(w->dirty, lanes, sizeof *w->dirty);
		w->lanes = lanes;
	}
	pthread_mutex_unlock(&w->lock);
}

void watermarks_fini(struct watermarks *w)
{
	pthread_mutex_destroy(&w->lock);
	free(w->moved);
	free(w->dirty);
	free(w->taken);
}

static void move(struct watermarks *w, struct watermark to)
{
	if (w->moved[to.lane].seq == 0)
		w->dirty[w->n_dirty++] = to.lane;
	w->moved[to.lane] = to;
}

void watermarks_move(struct watermarks *w, uint32_t lane, uint64_t seq)
{
	assert(lane < w->lanes);
	pthread_mutex_lock(&w->lock);
	move(w, (struct watermark){ lane, seq });
	pthread_mutex_unlock(&w->lock);
}

static void take(struct watermarks *w)
{
	if (w->taken_room < w->n_dirty) {
		w->taken_room = w->lanes;
		w->taken = xrealloc(w->taken, w->taken_room, sizeof *w->taken);
	}
	for (size_t i = 0; i < w->n_dirty; i++) {
		w->taken[i] = w->moved[w->dirty[i]];
		w->moved[w->dirty[i]].seq = 0;
	}
	w->n_taken = w->n_dirty;
	w->n_dirty = 0;
}

int watermarks_take(struct watermarks *w, struct buf *to)
{
	size_t before = to->len;
	pthread_mutex_lock(&w->lock);
	take(w);
	pthread_mutex_unlock(&w->lock);
	if (w->n_taken == 0)
		return 0;
	size_t begun = record_begin(to, RECORD_WATERMARK);
	for (size_t i = 0; i < w->n_taken; i++)
		watermarks_add(to, &w->taken[i]);
	record_end(to, begun);
	int failed = to->failed;
	if (failed == 0)
		return 0;
	to->len = before;
	to->failed = 0;
	watermarks_put_back(w);
	return failed;
}

void watermarks_put_back(struct watermarks *w)
{
	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->n_taken; i++)
		if (w->moved[w->taken[i].lane].seq == 0)
			move(w, w->taken[i]);
	w->n_taken = 0;
	pthread_mutex_unlock(&w->lock);
}
