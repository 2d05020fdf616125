/*
 * append.c - how fast does the journal make blocks durable, beside a bare pwrite and fdatasync?
 *
 *	bench/store/append [FOLDER [SECONDS [ROUNDS]]]
 *
 * Events of 1 KiB; 1, 32 and 256 a block. The two take turns; prints events a second and the median
 * of one append, each the median of the rounds. What is made in FOLDER is removed.
 */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/span.h"
#include "journal/journal.h"

#define EVENT_SIZE 1024
#define SEGMENT_SIZE (64 << 20)
#define BATCH_MAX 256
#define SAMPLES_MAX 1000000
#define ROUNDS_MAX 99

struct result {
	double rate, p50_us;
};

struct bench {
	char folder[4096];
	double seconds;
	uint32_t batch;
	struct pb_span parts[BATCH_MAX];
	double *samples;
};

static double now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static double median(double *values, size_t n)
{
	qsort(values, n, sizeof *values, compare);
	return values[n / 2];
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* Call `append` for as long as is wanted. */
static struct result measure(struct bench *b, int (*append)(void *arg, struct bench *), void *arg)
{
	size_t n = 0;
	double begin = now(), before = begin;
	while (before - begin < b->seconds && n < SAMPLES_MAX) {
		if (append(arg, b) != 0)
			fail("append");
		double after = now();
		b->samples[n++] = after - before;
		before = after;
	}
	return (struct result){ (double)n * b->batch / (before - begin), median(b->samples, n) * 1e6 };
}

/* All is trimmed as it goes, so that the disk holds two segments at most. */
static int append_journal(void *arg, struct bench *b)
{
	struct journal *j = arg;
	struct journal_stat st;
	uint64_t seq;
	int r = journal_append(j, b->parts, b->batch, b->batch, &seq);
	journal_stat(j, &st);
	if (r == 0 && st.segments > 2)
		r = journal_trim(j, UINT64_MAX, st.end) > 0 ? 0 : -1;
	return r;
}

static struct result run_journal(struct bench *b)
{
	struct journal_options options = { .segment_size = SEGMENT_SIZE };
	struct pb_error error;
	char folder[sizeof b->folder + 16];
	error_init(&error);
	snprintf(folder, sizeof folder, "%s/journal", b->folder);
	struct journal *j = journal_open(folder, &options, &error);
	if (j == NULL)
		fail(error_text(&error));
	struct result result = measure(b, append_journal, j);
	journal_close(j);
	return result;
}

struct bare {
	int fd;
	off_t at;
};

static int append_bare(void *arg, struct bench *b)
{
	static const char block[BATCH_MAX * EVENT_SIZE];
	struct bare *bare = arg;
	size_t len = (size_t)b->batch * EVENT_SIZE;
	if (pwrite(bare->fd, block, len, bare->at) != (ssize_t)len || fdatasync(bare->fd) != 0)
		return -1;
	bare->at += (off_t)len;
	if (bare->at < SEGMENT_SIZE)
		return 0;
	bare->at = 0;
	return ftruncate(bare->fd, 0);
}

static struct result run_bare(struct bench *b)
{
	char path[sizeof b->folder + 16];
	snprintf(path, sizeof path, "%s/bare", b->folder);
	struct bare bare = { .fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) };
	if (bare.fd < 0)
		fail(path);
	struct result result = measure(b, append_bare, &bare);
	close(bare.fd);
	return result;
}

static int unlink_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static struct result one_run(const char *folder, struct bench *b, struct result (*run)(struct bench *))
{
	snprintf(b->folder, sizeof b->folder, "%s/patchbay-bench-XXXXXX", folder);
	if (mkdtemp(b->folder) == NULL)
		fail(b->folder);
	struct result result = run(b);
	nftw(b->folder, unlink_one, 8, FTW_DEPTH | FTW_PHYS);
	return result;
}

static void compare_both(const char *folder, struct bench *b, size_t rounds)
{
	struct result (*const runs[2])(struct bench *) = { run_journal, run_bare };
	double rates[2][ROUNDS_MAX], p50s[2][ROUNDS_MAX];
	for (size_t i = 0; i < rounds; i++) {
		for (size_t k = 0; k < 2; k++) {
			struct result result = one_run(folder, b, runs[k]);
			rates[k][i] = result.rate;
			p50s[k][i] = result.p50_us;
		}
	}
	printf("%5u %12.0f %8.0f %14.0f %8.0f\n", b->batch, median(rates[0], rounds), median(p50s[0], rounds),
	       median(rates[1], rounds), median(p50s[1], rounds));
}

int main(int argc, char *argv[])
{
	const char *folder = argc > 1 ? argv[1] : ".";
	struct bench b = { .seconds = argc > 2 ? strtod(argv[2], NULL) : 1 };
	size_t rounds = argc > 3 ? strtoul(argv[3], NULL, 10) : 5;
	struct buf event = BUF_INIT(2 * EVENT_SIZE);
	char body[EVENT_SIZE] = { 0 };
	log_open(PB_ERROR);
	size_t begun = record_begin(&event, RECORD_EVENT);
	buf_add(&event, body, sizeof body);
	record_end(&event, begun);
	for (size_t i = 0; i < BATCH_MAX; i++)
		b.parts[i] = buf_span(&event);
	b.samples = calloc(SAMPLES_MAX, sizeof *b.samples);
	if (b.samples == NULL || rounds < 1 || rounds > ROUNDS_MAX)
		return 2;
	printf("batch    journal/s   p50 us   bare append/s   p50 us\n");
	static const uint32_t batches[] = { 1, 32, BATCH_MAX };
	for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
		b.batch = batches[i];
		compare_both(folder, &b, rounds);
	}
	free(b.samples);
	buf_free(&event);
	return 0;
}
