/*
 * test-crash.c - the machine or the process dies at any point, again and again; what was acknowledged is there.
 *
 * A model remembers each number that was handed out or read. After each death: all of them above what was
 * trimmed are read back as they were, nothing is read that was not appended, no number comes twice.
 */
#include "journal/lab.h"

#include "base/log.h"
#include "journal/simulated.h"

#define SEEDS 400
#define ROUNDS 8

struct model {
	struct journal_disk *disk;
	struct journal *j;
	struct journal_options options;
	uint64_t random;
	bool known[4096];	/* by number: acknowledged, or read once */
	uint64_t trimmed;	/* numbers below it may be gone */
	uint64_t doubt_first, doubt_end;	/* of an append that failed: all of them are there or none */
};

static uint64_t draw(struct model *m, uint64_t bound)
{
	uint64_t z = (m->random += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	return (z ^ z >> 27) % bound;
}

/* Opening may die as well. */
static void open_again(struct model *m)
{
	if (draw(m, 4) == 0)
		journal_disk_die(m->disk, (unsigned)draw(m, 8) + 1);
	m->j = journal_simulated(m->disk, &m->options);
	while (m->j == NULL)
		m->j = journal_simulated(m->disk, &m->options);
	journal_disk_die(m->disk, 0);
}

static uint64_t read_all(struct model *m, bool seen[])
{
	struct journal_cursor *c = journal_cursor(m->j, 0);
	struct record r;
	uint64_t last = 0;
	while (journal_next(m->j, c, &r) == 1) {
		if (r.kind != RECORD_EVENT)
			continue;
		assert_true(r.seq > last && r.seq < 4096);
		assert_true(lab_is_event(r.data, r.seq));
		seen[r.seq] = true;
		last = r.seq;
	}
	journal_cursor_close(m->j, c);
	return last;
}

static void check(struct model *m)
{
	bool seen[4096] = { false };
	struct journal_stat st;
	uint64_t last = read_all(m, seen);
	journal_stat(m->j, &st);
	assert_true(st.next_seq > last);
	assert_int_equal(st.damaged_blocks, 0);
	unsigned doubtful = 0;
	for (uint64_t seq = m->trimmed; seq < 4096; seq++) {
		bool doubt = seq >= m->doubt_first && seq < m->doubt_end;
		assert_false(m->known[seq] && !seen[seq]);
		assert_false(seen[seq] && !m->known[seq] && !doubt);
		assert_true(!m->known[seq] || seq < st.next_seq);
		doubtful += seen[seq] && doubt;
		m->known[seq] = seen[seq];
	}
	assert_true(doubtful == 0 || doubtful == m->doubt_end - m->doubt_first);
	m->doubt_first = m->doubt_end = 0;
}

static int append_some(struct model *m)
{
	struct journal_stat st;
	uint64_t first;
	uint32_t n = (uint32_t)draw(m, 5);
	journal_stat(m->j, &st);
	int r = lab_append(m->j, n, draw(m, 1500), n == 0 || draw(m, 3) == 0 ? "mark" : NULL, &first);
	if (r == 0)
		assert_int_equal(first, st.next_seq);
	for (uint64_t seq = first = st.next_seq; r == 0 && seq < first + n; seq++)
		m->known[seq] = true;
	if (r != 0 && r != -ENOSPC) {
		m->doubt_first = first;
		m->doubt_end = first + n;
	}
	return r;
}

static void trim_some(struct model *m)
{
	struct journal_stat st;
	journal_stat(m->j, &st);
	uint64_t below = st.first_seq + draw(m, st.next_seq - st.first_seq + 1);
	if (below > m->trimmed)
		m->trimmed = below;
	journal_trim(m->j, below, st.end);
}

/* Until something fails for good, or long enough. */
static void work(struct model *m)
{
	for (int i = 0; i < 60; i++) {
		if (draw(m, 10) == 0)
			trim_some(m);
		if (draw(m, 10) == 0)
			journal_disk_room(m->disk, draw(m, 2) == 0 ? UINT64_MAX : draw(m, 20000));
		if (draw(m, 20) == 0)
			journal_disk_fail(m->disk, ENOSPC, draw(m, 2) == 0);
		int r = append_some(m);
		if (r != 0 && r != -ENOSPC)
			break;
	}
}

static void run(uint64_t seed)
{
	struct model m = {
		.disk = journal_disk_new(seed), .random = seed,
		.options = { .max_size = 40000, .segment_size = 3000, .unsure = true },
	};
	for (int round = 0; round < ROUNDS; round++) {
		open_again(&m);
		check(&m);
		if (draw(&m, 3) == 0)
			journal_disk_fail(m.disk, EIO, draw(&m, 2) == 0);
		else
			journal_disk_die(m.disk, (unsigned)draw(&m, 60) + 1);
		work(&m);
		bool killed_only = draw(&m, 3) == 0;
		if (!killed_only)
			journal_disk_crash(m.disk);
		journal_close(m.j);
		journal_disk_room(m.disk, UINT64_MAX);
		journal_disk_fail(m.disk, 0, false);
		journal_disk_die(m.disk, 0);
	}
	journal_disk_free(m.disk);
}

static void nothing_acknowledged_is_lost(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		run(seed);
}

int main(void)
{
	log_open(PB_ERROR);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_acknowledged_is_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
