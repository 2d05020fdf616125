/*
 * fuzz-scan.c - the scanner against jansson: both say yes or both say no, and what is found
 * is the same.
 *
 * Known differences, jansson being the stricter: numbers that do not fit a double or 64 bits,
 * and NUL in a key; the scanner: nesting over SCAN_DEPTH_MAX, and a bare NUL, which jansson
 * takes for the end.
 */
#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"
#include "event/scan.h"
#include "fuzz/fuzz.h"

#define PATH_SIZE 256

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

static size_t nesting(json_t *tree)
{
	size_t deepest = 0, i;
	const char *key;
	json_t *inner;

	json_array_foreach(tree, i, inner)
		deepest = larger(deepest, nesting(inner));
	json_object_foreach(tree, key, inner)
		deepest = larger(deepest, nesting(inner));
	return deepest + (json_is_object(tree) || json_is_array(tree));
}

static void check_same(struct pb_span json, json_t *tree);

static void check_text(struct pb_span json, json_t *tree)
{
	size_t size = json_string_length(tree) + 1;
	char *text = malloc(size);
	long len = scan_text(json, text, size);

	assert(text != NULL);
	if (memchr(json_string_value(tree), '\0', size - 1) != NULL) {
		assert(len == -EINVAL);
	} else {
		assert(len == (long)size - 1 && memcmp(text, json_string_value(tree), size) == 0);
		assert(scan_text(json, text, size - 1) == -ERANGE);
	}
	free(text);
}

/* The key as text; the caller frees. */
static char *key_text(struct pb_span key)
{
	char *text = malloc(key.len);

	assert(text != NULL && scan_text(key, text, key.len) >= 0);
	return text;
}

static bool comes_again(struct pb_span rest, const char *name)
{
	struct pb_span key, value;
	bool again = false;

	while (!again && scan_each(&rest, &key, &value)) {
		char *text = key_text(key);

		again = strcmp(text, name) == 0;
		free(text);
	}
	return again;
}

static void check_object(struct pb_span json, json_t *tree)
{
	struct pb_span key, value;
	size_t n = 0;

	while (scan_each(&json, &key, &value)) {
		char *name = key_text(key);

		if (!comes_again(json, name)) {
			check_same(value, json_object_get(tree, name));
			n++;
		}
		free(name);
	}
	assert(n == json_object_size(tree));
}

static void check_array(struct pb_span json, json_t *tree)
{
	struct pb_span key, value;
	size_t n = 0;

	while (scan_each(&json, &key, &value)) {
		assert(key.data == NULL);
		check_same(value, json_array_get(tree, n++));
	}
	assert(n == json_array_size(tree));
}

/* `json`, a part of the input, is what the tree says. */
static void check_same(struct pb_span json, json_t *tree)
{
	json_t *own;

	assert(tree != NULL && scan_valid(json, NULL));
	if (json_is_object(tree)) {
		check_object(json, tree);
	} else if (json_is_array(tree)) {
		check_array(json, tree);
	} else if (json_is_string(tree)) {
		check_text(json, tree);
	} else {
		own = json_loadb(json.data, json.len, JSON_DECODE_ANY, NULL);
		assert(own != NULL && json_equal(own, tree));
		json_decref(own);
	}
}

/* The member of `tree` that `pick` chooses, its name appended to `path`; NULL: none, or its
 * name cannot stand in a path. */
static json_t *step(json_t *tree, size_t pick, char *path)
{
	size_t len = strlen(path), i = 0;
	const char *key;
	json_t *inner;

	if (json_array_size(tree) > 0) {
		i = pick % json_array_size(tree);
		snprintf(path + len, PATH_SIZE - len, "%s%zu", len > 0 ? "." : "", i);
		return json_array_get(tree, i);
	}
	if (json_object_size(tree) == 0)
		return NULL;
	pick %= json_object_size(tree);
	json_object_foreach(tree, key, inner) {
		if (i++ < pick)
			continue;
		if (*key == '\0' || strchr(key, '.') != NULL || len + strlen(key) + 2 > PATH_SIZE)
			return NULL;
		snprintf(path + len, PATH_SIZE - len, "%s%s", len > 0 ? "." : "", key);
		return inner;
	}
	return NULL;
}

/* Paths of several depths in one pass find what the tree has there. */
static void check_paths(struct pb_span json, json_t *tree, size_t pick)
{
	char text[4][PATH_SIZE] = { "", "", "", "" };
	const char *paths[4];
	struct pb_span found[4];
	json_t *wanted[4];

	for (size_t i = 0; i < 4; i++) {
		json_t *next = tree;

		wanted[i] = tree;
		for (size_t depth = 0; depth < i && next != NULL; depth++) {
			next = step(next, pick / (i + depth), text[i]);
			if (next != NULL)
				wanted[i] = next;
		}
		paths[i] = text[i];
	}
	assert(scan_find_all(json, paths, 4, found));
	for (size_t i = 0; i < 4; i++) {
		struct pb_span alone = scan_find(json, paths[i]);

		assert(alone.data == found[i].data && alone.len == found[i].len);
		check_same(found[i], wanted[i]);
	}
}

static void check_invalid(struct pb_span data, size_t at, json_t *tree)
{
	struct pb_span json = data;
	const char *path = "a";
	struct pb_span found[2];

	assert(at <= json.len);
	assert(scan_find(json, "").data == NULL);
	assert(!scan_find_all(json, &path, 1, found) && found[0].data == NULL);
	while (scan_each(&json, &found[0], &found[1]))
		;
	assert(tree == NULL || nesting(tree) > SCAN_DEPTH_MAX ||
	       memchr(data.data, '\0', data.len) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pb_span json = span_of(data, size);
	json_error_t error;
	json_t *tree = json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	size_t at = 0, pick = size;

	for (size_t i = 0; i < size; i++)
		pick = pick * 31 + data[i];
	if (!scan_valid(json, &at))
		check_invalid(json, at, tree);
	else if (tree == NULL)
		assert(json_error_code(&error) == json_error_numeric_overflow ||
		       json_error_code(&error) == json_error_null_byte_in_key);
	else {
		check_same(json, tree);
		check_paths(json, tree, pick % 1000003);
	}
	json_decref(tree);
	return 0;
}
