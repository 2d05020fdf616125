/* option.c - an instance's values. */
#include "api/api.h"

const char *pb_str(const struct pb_self *self, const char *name)
{
	return options_str(self->options, name);
}

int64_t pb_int(const struct pb_self *self, const char *name)
{
	return options_int(self->options, name);
}

bool pb_bool(const struct pb_self *self, const char *name)
{
	return options_bool(self->options, name);
}

const char *const *pb_list(const struct pb_self *self, const char *name)
{
	return options_list(self->options, name);
}

bool pb_isset(const struct pb_self *self, const char *name)
{
	return options_isset(self->options, name);
}

const char *pb_name(const struct pb_self *self)
{
	return self->name;
}

size_t pb_max_event(const struct pb_self *self)
{
	return self->env->max_event;
}

void *pb_shared(const struct pb_self *self)
{
	return plugin_use_shared(self->use);
}
