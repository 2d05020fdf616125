/* peer.c - who sends: an address, or a process. */
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "http/peer.h"

/* Who it is at the other end of a Unix socket. */
static void user_text(const struct client *client, char *text, size_t size)
{
	struct ucred who;
	socklen_t len = sizeof who;
	if (getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0)
		snprintf(text, size, "process %ld of user %lu", (long)who.pid, (unsigned long)who.uid);
}

void peer_text(const struct client *client, char *text, size_t size)
{
	const struct sockaddr *at = client == NULL ? NULL :
		MHD_get_connection_info(client->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
	bool six = at != NULL && at->sa_family == AF_INET6;
	char host[64], port[8];
	snprintf(text, size, "an unknown peer");
	if (at == NULL)
		return;
	if (at->sa_family != AF_INET && !six)
		user_text(client, text, size);
	else if (getnameinfo(at, six ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in), host, sizeof host,
			     port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		snprintf(text, size, six ? "[%s]:%s" : "%s:%s", host, port);
}

const char *peer_sender(struct client *client)
{
	if (*client->sender != '\0')
		return client->sender;
	peer_text(client, client->sender, sizeof client->sender);
	char *port = strrchr(client->sender, ':');
	if (port != NULL)
		*port = '\0';
	return client->sender;
}
