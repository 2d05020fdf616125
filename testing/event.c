/* event.c - events that the test makes. */
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/memory.h"
#include "event/event.h"
#include "testing/host.h"

/* "NAME = VALUE" of the test's. */
static void set_one(struct pb_event *ev, const char *attribute)
{
	const char *equals = strchr(attribute, '=');
	if (equals == NULL)
		misuse(NULL, "pbt_event(): expected \"NAME = VALUE\": %s", attribute);
	char *name = xstrdup(attribute);
	name[strcspn(name, " =")] = '\0';
	equals++;
	if (event_set(ev, name, equals + strspn(equals, " ")) != 0)
		misuse(NULL, "pbt_event(): no attribute can be so: %s", attribute);
	free(name);
}

struct pb_event *pbt_event(struct pbt_host *host, const void *body, size_t len,
			   const char *const attributes[])
{
	char id[ID_TEXT_SIZE];
	struct id_gen ids;
	int64_t now = host == NULL ? HOST_CLOCK_BEGIN : pbt_now(host);
	struct pb_event *ev = event_new((struct pb_span){ body, len }, now);
	if (ev == NULL)
		misuse(NULL, "out of memory");
	id_gen_init(&ids);
	id_new(&ids, now, id);
	event_set(ev, "id", id);
	event_set(ev, "type", "test");
	event_set(ev, "source", "test");
	for (; attributes != NULL && *attributes != NULL; attributes++)
		set_one(ev, *attributes);
	ledger_add(ev, host, NULL, OWNER_TEST);
	return ev;
}
