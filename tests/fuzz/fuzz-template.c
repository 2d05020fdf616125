/* fuzz-template.c - a template up to the first newline, a body after it. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"
#include "event/template.h"
#include "fuzz/fuzz.h"

#define LIMIT 4096

static void render(const struct template *t, struct pb_span body)
{
	struct pb_event *ev = event_new(body, 1767323045678);
	struct buf out = BUF_INIT(LIMIT);
	const char *missing;
	int rc;

	assert(ev != NULL && event_set(ev, "type", "t\"\xc3\xa9") == 0);
	assert(buf_add_str(&out, "before") == 0);
	rc = template_render(t, ev, &out, &missing);
	assert(out.len <= LIMIT && memcmp(out.data, "before", 6) == 0);
	assert(rc == 0 || rc == -ENOENT || rc == -EINVAL || rc == -EMSGSIZE);
	assert((missing != NULL) == (rc == -ENOENT || rc == -EINVAL));
	assert(rc == 0 || out.len == 6);
	buf_free(&out);
	event_unref(ev);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *newline = size == 0 ? NULL : memchr(data, '\n', size);
	size_t len = newline == NULL ? size : (size_t)(newline - data);
	char *text = calloc(1, len + 1);
	struct template *t;
	struct pb_error err;

	error_init(&err);
	assert(text != NULL);
	if (len > 0)
		memcpy(text, data, len);
	t = template_compile(text, &err);
	assert((t == NULL) == (err.count > 0));
	if (t != NULL)
		render(t, newline == NULL ? SPAN_NONE : span_of(newline + 1, size - len - 1));
	template_free(t);
	error_free(&err);
	free(text);
	return 0;
}
