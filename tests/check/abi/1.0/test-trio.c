/* test-trio.c - what somebody wrote to test trio.c, when ABI 1.0 was. It needs no cmocka. Its arguments: the plugin, a file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <patchbay/testing.h>

#define MUST(is) ((is) ? (void)0 : fail(__LINE__, #is))

static void fail(int line, const char *what)
{
	fprintf(stderr, "test-trio.c:%d: not so: %s\n", line, what);
	exit(1);
}

int main(int argc, char *argv[])
{
	MUST(argc == 3);
	struct pbt_host *host = pbt_new_file(argv[1]);
	MUST(pbt_open(host, "[source s]\ncount = 13\n") == NULL);
	MUST(strcmp(pbt_errors(host), "test.ini:2: [source s] count: is unlucky\n") == 0);

	struct pbt_instance *source = pbt_open(host, "[source s]\ncount = %d\n", 5);
	MUST(source != NULL);
	pbt_start(source);
	MUST(pbt_wait_stored(source, 5, PBT_LONG) && pbt_n_emitted(source) == 5);
	int64_t timeout;
	MUST(pbt_wait_asleep(source, PBT_LONG, &timeout) && timeout == -1);
	struct pb_span mark;
	MUST(pbt_mark(source, "last", &mark) && mark.len == 1 && memcmp(mark.data, "5", 1) == 0);
	MUST(pbt_metric(source, "made") == 5 && !pbt_logged(host, "nothing was settled"));

	struct pbt_instance *filter = pbt_open(host, "[filter f]\ndrop = even\n");
	MUST(filter != NULL);
	MUST(pbt_apply(filter, pbt_stored(source, 0)) == 0 && pbt_n_passed(filter) == 1);
	struct pb_event *passed = pb_event_copy(pbt_self(filter), pbt_passed(filter, 0),
						pb_event_body(pbt_passed(filter, 0)));
	MUST(strcmp(pb_event_attr(passed, "word"), "odd") == 0);
	MUST(pbt_apply(filter, pbt_stored(source, 1)) == 0 && pbt_n_passed(filter) == 0);

	struct pbt_instance *sink = pbt_open(host, "[sink k]\npath = %s\n", argv[2]);
	MUST(sink != NULL);
	struct pbt_answer answer = pbt_deliver(sink, passed);
	MUST(answer.given && answer.code == PB_OK && answer.response.len == 7 && answer.reason[0] == '\0');
	MUST(pbt_metric(sink, "lines") == 1);
	MUST(pbt_stop(source, PBT_LONG));
	MUST(pbt_free(host) == 0);
	return 0;
}
