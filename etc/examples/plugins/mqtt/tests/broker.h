/*
 * broker.h - as much of an MQTT 3.1.1 broker as the unit test needs, on the test's own thread.
 *
 * It says what the test tells it to, and shows what the client sent: so a test can tell that
 * something was not sent, which a real broker would not.
 */
#ifndef BROKER_H
#define BROKER_H

#include <stdbool.h>

enum packet { CONNECT = 1, CONNACK, PUBLISH, PUBACK, SUBSCRIBE = 8, SUBACK, DISCONNECT = 14,
	      HANG_UP = 0 };

struct broker {
	int listener, port;	/* the listener is -1 when it was stopped */
	int client;		/* -1 while there is none */
	bool clean;		/* the client asked for a session that is not kept */
	int mid;		/* of the packet read last, if it has one */
};

void broker_start(struct broker *);
void broker_stop(struct broker *);	/* also one that was stopped */

/* Take a client, read its CONNECT, and answer with this code: 0 is welcome. */
void broker_accept(struct broker *, int code);
/* The same, and answer the SUBSCRIBE that comes then. */
void broker_welcome(struct broker *);
/* Send a message, of QoS 1 when `mid` is not 0. `more` is ORed to the first byte: 1 retained. */
void broker_publish(struct broker *, int mid, int more, const char *topic, const char *body);
/* The next packet that the client sends; HANG_UP at the connection's end, which is closed here too. */
enum packet broker_read(struct broker *);
/* Has nothing come that was not read? */
bool broker_heard_nothing(const struct broker *);

#endif
