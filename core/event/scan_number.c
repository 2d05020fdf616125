/* scan_number.c - RFC 8259 section 6. */
#include "event/scan_part.h"

static bool digits(const char **at, const char *end)
{
	const char *s = *at;

	while (s < end && *s >= '0' && *s <= '9')
		s++;
	if (s == *at)
		return false;
	*at = s;
	return true;
}

bool scan_number(const char **at, const char *end)
{
	if (**at == '-')
		++*at;
	if (*at < end && **at == '0')
		++*at;	/* a digit after it is a fault that the caller meets */
	else if (!digits(at, end))
		return false;
	if (*at < end && **at == '.') {
		++*at;
		if (!digits(at, end))
			return false;
	}
	if (*at < end && (**at | 0x20) == 'e') {
		++*at;
		if (*at < end && (**at == '+' || **at == '-'))
			++*at;
		if (!digits(at, end))
			return false;
	}
	return true;
}
