/* names.c - numbers for names. */
#include "dispatch/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static struct known *add(struct names *n, char kind, const char *name, uint32_t number)
{
	size_t len = strlen(name);
	struct known *k = xcalloc(1, sizeof *k + len + 2);
	k->key[0] = kind;
	memcpy(k->key + 1, name, len);
	k->number = number;
	if (number > n->last)
		n->last = number;
	HASH_ADD_KEYPTR(hh, n->all, k->key, len + 1, k);
	return k;
}

static bool each_name(void *arg, const struct name_row *row)
{
	add(arg, (char)row->kind, row->name, row->number);
	return true;
}

int names_read(struct names *n, struct state *state, uint32_t last, struct state_batch *to)
{
	*n = (struct names){ .last = last, .to = to };
	return rows_each_name(state, each_name, n);
}

void names_free(struct names *n)
{
	struct known *k, *next;
	HASH_ITER(hh, n->all, k, next) {
		HASH_DEL(n->all, k);
		free(k);
	}
}

uint32_t names_number(struct names *n, enum name_kind kind, const char *name, bool *is_new)
{
	char *key = xasprintf("%c%s", kind, name);
	struct known *k;
	HASH_FIND_STR(n->all, key, k);
	free(key);
	n->given = n->given || k == NULL;
	if (is_new != NULL)
		*is_new = k == NULL;
	if (k == NULL) {
		k = add(n, (char)kind, name, n->last + 1);
		rows_put_name(n->to, &(struct name_row){ kind, k->number, name });
	}
	k->used = true;
	return k->number;
}
