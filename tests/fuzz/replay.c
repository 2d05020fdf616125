/* replay.c - main() of a fuzz target in an ordinary build: runs the files of its corpus. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"

#define INPUT_MAX (4 << 20)

static int replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(INPUT_MAX);
	if (file == NULL || data == NULL) {
		perror(path);
		exit(1);
	}
	size_t size = fread(data, 1, INPUT_MAX, file);
	fclose(file);
	/* In memory of the exact size, so that a sanitizer sees a step too far. */
	uint8_t *exact = malloc(size);
	if (exact != NULL && size > 0)
		memcpy(exact, data, size);
	free(data);
	int status = LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	return status;
}

static int replay_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	if (dir == NULL) {
		perror(folder);
		return -1;
	}
	int files = 0;
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		char *path;
		if (entry->d_name[0] == '.' || asprintf(&path, "%s/%s", folder, entry->d_name) < 0)
			continue;
		replay_file(path);
		free(path);
		files++;
	}
	closedir(dir);
	return files;
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
	int files = replay_folder(folder);
	printf("%s: %d files\n", folder, files);
	return files > 0 ? 0 : 1;
}
