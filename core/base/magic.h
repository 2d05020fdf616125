/*
 * magic.h - objects know what they are.
 *
 * The first member of a long-lived struct is `unsigned magic`, set at birth,
 * checked where the object crosses a boundary, cleared at death.
 */
#ifndef BASE_MAGIC_H
#define BASE_MAGIC_H

#include <assert.h>
#include <stddef.h>

#define CHECK_OBJ(obj, number) assert((obj) != NULL && (obj)->magic == (number))

/* The object of type `type` whose member `member` is at `ptr`. */
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

#endif
