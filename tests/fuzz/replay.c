/*
 * replay.c - main() of a fuzz target in an ordinary build: runs the files of its corpus, then
 * FUZZ_RUNS inputs made from them (FUZZ_SEED makes others).
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "fuzz/mutate.h"

#define INPUT_MAX (4 << 20)
#define INPUTS_MAX 4096
#define RUNS 20000

/* In memory of the exact size, so that a sanitizer sees a step too far. */
static struct input read_input(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(INPUT_MAX);
	if (file == NULL || data == NULL) {
		perror(path);
		exit(1);
	}
	struct input input = { .size = fread(data, 1, INPUT_MAX, file) };
	fclose(file);
	input.data = malloc(input.size);
	if (input.data != NULL && input.size > 0)
		memcpy(input.data, data, input.size);
	free(data);
	return input;
}

static void replay_file(const char *path)
{
	struct input input = read_input(path);
	LLVMFuzzerTestOneInput(input.data, input.size);
	free(input.data);
}

/* Sorted by name, so that a seed makes the same inputs everywhere. */
static size_t read_folder(const char *folder, struct input inputs[static INPUTS_MAX])
{
	struct dirent **entries;
	int n = scandir(folder, &entries, NULL, alphasort);
	size_t read = 0;
	if (n < 0) {
		perror(folder);
		exit(1);
	}
	for (int i = 0; i < n; i++) {
		char *path;
		if (entries[i]->d_name[0] != '.' && read < INPUTS_MAX &&
		    asprintf(&path, "%s/%s", folder, entries[i]->d_name) > 0) {
			inputs[read++] = read_input(path);
			free(path);
		}
		free(entries[i]);
	}
	free(entries);
	return read;
}

static unsigned long number(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);
	return text == NULL ? otherwise : strtoul(text, NULL, 10);
}

static int replay_folder(const char *folder, const char *name)
{
	static struct input inputs[INPUTS_MAX];
	size_t n = read_folder(folder, inputs);
	unsigned long runs = number("FUZZ_RUNS", RUNS);
	char keep[256];

	for (size_t i = 0; i < n; i++)
		LLVMFuzzerTestOneInput(inputs[i].data, inputs[i].size);
	printf("%s: %zu files, %lu inputs made of them\n", folder, n, runs);
	fflush(stdout);
	snprintf(keep, sizeof keep, "%s.crash", name);
	int status = n == 0 || mutate_run(inputs, n, number("FUZZ_SEED", 1), runs, keep) != 0;
	for (size_t i = 0; i < n; i++)
		free(inputs[i].data);
	return status;
}

/* Files to run, or none: the corpus of the target's name ("fuzz-scan": corpus/scan). */
int main(int argc, char *argv[])
{
	for (int i = 1; i < argc; i++)
		replay_file(argv[i]);
	if (argc > 1)
		return 0;

	const char *srcdir = getenv("srcdir");
	const char *name = strrchr(argv[0], '/');
	name = strstr(name != NULL ? name : argv[0], "fuzz-");
	if (name == NULL)
		return 1;
	char folder[4096];
	snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/%s", srcdir != NULL ? srcdir : ".",
		 name + strlen("fuzz-"));
	return replay_folder(folder, name);
}
