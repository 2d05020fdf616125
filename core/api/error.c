/* error.c - what plugins find wrong. */
#include "base/error.h"

#include <stdarg.h>

#include "api/api.h"

void *pb_error(struct pb_error *err, const char *option, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	error_vadd(err, option, fmt, args);
	va_end(args);
	return NULL;
}
