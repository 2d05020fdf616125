/* listen.c - a listening socket. */
#include "api/api.h"

int pb_listen(struct pb_self *self, const char *option, size_t i, struct pb_error *err)
{
	return (self->env->listen != NULL ? self->env->listen : instance_listen)(self, option, i, err);
}
