/* log.c - what plugins say to the operator. */
#include "base/log.h"

#include <stdarg.h>

#include "api/api.h"

void pb_log(struct pb_self *self, enum pb_level level, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	log_vwrite(level, self->title, fmt, args);
	va_end(args);
}
