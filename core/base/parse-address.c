/* parse-address.c - where something listens or is reached. */
#include "base/parse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/un.h>

#define NAME_MAX_LEN 253	/* RFC 1035 section 2.3.4, as text */
#define LABEL_MAX_LEN 63

static const struct {
	const char *text;
	enum address_kind kind;
} prefixes[] = {
	{ "udp:", ADDRESS_UDP }, { "tcp:", ADDRESS_TCP }, { "tls:", ADDRESS_TLS },
	{ "unix:", ADDRESS_UNIX },
};

static enum address_kind take_prefix(const char **word)
{
	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
		size_t len = strlen(prefixes[i].text);
		if (strncmp(*word, prefixes[i].text, len) == 0) {
			*word += len;
			return prefixes[i].kind;
		}
	}
	return ADDRESS_ANY;
}

static int set_path(struct address *a, const char *path)
{
	if (*path != '/')
		return -EINVAL;
	size_t len = strlen(path);
	if (len >= sizeof ((struct sockaddr_un *)NULL)->sun_path)
		return -ERANGE;
	memcpy(a->host, path, len + 1);
	return 0;
}

static int set_port(struct address *a, const char *port)
{
	int64_t number;
	int r = parse_int(port, &number);
	if (r == -EINVAL || *port == '-')
		return -EINVAL;
	if (r != 0 || number > 65535)
		return -ERANGE;
	memcpy(a->port, port, strlen(port) + 1);
	return 0;
}

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

/* A name whose last label is a number would be looked up as an IPv4 address. */
static bool ends_in_number(const char *name)
{
	const char *dot = strrchr(name, '.');
	const char *label = dot == NULL ? name : dot + 1;
	return strspn(label, "0123456789") == strlen(label);
}

static bool name_valid(const char *name)
{
	size_t label = 0;
	for (const char *p = name; *p != '\0'; p++) {
		if (*p == '.' ? label == 0 : !is_name_byte(*p) || label == LABEL_MAX_LEN)
			return false;
		label = *p == '.' ? 0 : label + 1;
	}
	struct in_addr v4;
	return *name != '\0' && label > 0 &&
	       (!ends_in_number(name) || inet_pton(AF_INET, name, &v4) == 1);
}

/* An IPv6 address, perhaps with the zone of a link-local one: fe80::1%eth0. */
static bool v6_valid(const char *host)
{
	char text[INET6_ADDRSTRLEN];
	size_t len = strcspn(host, "%");
	if (len >= sizeof text)
		return false;
	memcpy(text, host, len);
	text[len] = '\0';
	struct in6_addr v6;
	if (inet_pton(AF_INET6, text, &v6) != 1)
		return false;
	if (host[len] == '\0')
		return true;
	const char *zone = host + len + 1;
	size_t i = 0;
	while (is_name_byte(zone[i]) || zone[i] == '.')
		i++;
	return i > 0 && i < 16 && zone[i] == '\0';
}

static int set_host(struct address *a, const char *host, size_t len)
{
	bool v6 = len >= 2 && host[0] == '[' && host[len - 1] == ']';
	if (v6) {
		host++;
		len -= 2;
	}
	if (len > NAME_MAX_LEN)
		return -ERANGE;
	memcpy(a->host, host, len);
	a->host[len] = '\0';
	return (v6 ? v6_valid(a->host) : name_valid(a->host)) ? 0 : -EINVAL;
}

int parse_address(const char *word, struct address *to)
{
	struct address a = { .kind = take_prefix(&word) };
	int r;
	if (a.kind == ADDRESS_UNIX) {
		r = set_path(&a, word);
	} else {
		const char *colon = strrchr(word, ':');
		if (colon == NULL)
			return -EINVAL;
		r = set_host(&a, word, (size_t)(colon - word));
		if (r == 0)
			r = set_port(&a, colon + 1);
	}
	if (r == 0)
		*to = a;
	return r;
}
