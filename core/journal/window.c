/* window.c - grows for a large block, and shrinks again after it. */
#include "journal/window.h"

#include <errno.h>
#include <stdlib.h>

#define WINDOW_SIZE 65536u
#define WINDOW_KEEP (16 * WINDOW_SIZE)	/* a larger one goes when it is not needed */

static int window_fit(struct window *w, size_t len)
{
	if (w->cap >= len && (w->cap <= WINDOW_KEEP || len > WINDOW_KEEP))
		return 0;
	free(w->data);
	*w = (struct window){ .data = malloc(len), .cap = len };
	if (w->data == NULL)
		w->cap = 0;
	return w->data == NULL ? -ENOMEM : 0;
}

int window_need(struct window *w, struct segmented *j, const struct view *view, uint64_t offset, size_t len,
		const unsigned char **at)
{
	assert(offset + len <= view->end);
	if (w->segment != view->number || offset < w->offset || offset + len > w->offset + w->len) {
		uint64_t left = view->end - offset;
		size_t want = len > WINDOW_SIZE ? len : WINDOW_SIZE;
		if (want > left)
			want = (size_t)left;
		w->len = 0;
		int r = window_fit(w, want > WINDOW_SIZE ? want : WINDOW_SIZE);
		if (r == 0)
			r = files_read(j->files, view->file, w->data, want, offset, &w->len);
		if (r != 0 && w->len < len) {	/* what was read ahead does not matter */
			w->len = 0;
			return r;
		}
		w->segment = view->number;
		w->offset = offset;
		if (w->len < len)
			return -EBADMSG;
	}
	*at = w->data + (offset - w->offset);
	return 0;
}

void window_free(struct window *w)
{
	free(w->data);
	*w = (struct window){ 0 };
}
