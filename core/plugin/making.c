/* making.c - what an instance makes: ids, events, texts of templates. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "event/event.h"
#include "event/template.h"
#include "plugin/instance.h"

#define RENDER_ROOM (1u << 20)	/* what a template may add to the largest body */

void instance_new_id(struct pb_self *self, char id[static ID_TEXT_SIZE])
{
	int64_t now = clock_wall(self->env->clock);
	pthread_mutex_lock(&self->lock);
	id_new(&self->ids, now, id);
	pthread_mutex_unlock(&self->lock);
}

static bool too_large(const struct pb_self *self, struct pb_span body)
{
	if (body.len > self->env->max_event)
		errno = EMSGSIZE;
	return body.len > self->env->max_event;
}

struct pb_event *instance_event_new(struct pb_self *self, struct pb_span body)
{
	char id[ID_TEXT_SIZE];
	if (too_large(self, body))
		return NULL;
	struct pb_event *ev = event_new(body, clock_wall(self->env->clock));
	if (ev == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	instance_new_id(self, id);
	event_set(ev, "id", id);
	event_set_id_ours(ev, true);
	return ev;
}

struct pb_event *instance_event_copy(struct pb_self *self, const struct pb_event *from,
				     struct pb_span body)
{
	if (too_large(self, body))
		return NULL;
	struct pb_event *ev = event_copy(from, body);
	if (ev == NULL)
		errno = ENOMEM;
	return ev;
}

int instance_event_set(struct pb_event *ev, const char *name, const char *value)
{
	int failed = event_set(ev, name, value);
	if (failed == 0 && strcmp(name, "id") == 0)
		event_set_id_ours(ev, false);
	return failed;
}

char *instance_render(const struct pb_self *self, const char *option, const struct pb_event *ev,
		      size_t *len, const char **missing)
{
	struct buf out = BUF_INIT(self->env->max_event + RENDER_ROOM);
	const struct template *t = options_template(self->options, option);
	*missing = NULL;
	if ((t == NULL ? buf_reserve(&out, 0) : template_render(t, ev, &out, missing)) < 0) {
		buf_free(&out);
		return NULL;
	}
	*len = out.len;
	return buf_take(&out);
}
