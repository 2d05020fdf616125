/* reloads.c - reloads asked for and done. */
#include "control/reloads.h"

void reloads_init(struct reloads *rl, void (*wake)(void))
{
	*rl = (struct reloads){ .wake = wake, .lines = BUF_INIT(BUF_MAX) };
	pthread_mutex_init(&rl->lock, NULL);
}

void reloads_free(struct reloads *rl)
{
	buf_free(&rl->lines);
	pthread_mutex_destroy(&rl->lock);
}

uint64_t reloads_ask(struct reloads *rl)
{
	pthread_mutex_lock(&rl->lock);
	if (rl->asked == rl->begun)
		rl->asked++;
	uint64_t number = rl->asked;
	pthread_mutex_unlock(&rl->lock);
	rl->wake();
	return number;
}

bool reloads_begin(struct reloads *rl)
{
	pthread_mutex_lock(&rl->lock);
	bool any = rl->asked > rl->begun;
	rl->begun = rl->asked;
	pthread_mutex_unlock(&rl->lock);
	return any;
}

void reloads_end(struct reloads *rl, bool right, struct buf *lines)
{
	pthread_mutex_lock(&rl->lock);
	buf_free(&rl->lines);
	rl->lines = *lines;
	rl->right = right;
	rl->done = rl->begun;
	pthread_mutex_unlock(&rl->lock);
}

bool reloads_result(struct reloads *rl, uint64_t number, bool *right, struct buf *lines)
{
	pthread_mutex_lock(&rl->lock);
	bool done = number <= rl->done;
	*right = rl->right;
	if (done)
		buf_add(lines, rl->lines.data, rl->lines.len);
	pthread_mutex_unlock(&rl->lock);
	return done;
}
