/* test-recover.c - torn ends, flipped bytes, foreign files: what is opened, what is missing, what is refused. */
#include "journal/lab.h"

#include <fcntl.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "journal/segment.h"
#include "journal/simulated.h"

#define BLOCKS 4	/* of 1, 2, 1 and 1 events */
#define EVENTS 5

/* A folder's files after a few appends: one segment, or with `small` a sealed one of BLOCKS and an empty newest. */
struct image {
	unsigned char data[4096];
	size_t len;
	size_t block_end[BLOCKS + 1];	/* [0]: the header's */
	uint64_t end_seq[BLOCKS + 1];	/* the number after the block's last */
};

static void read_whole(const char *folder, const char *name, struct image *image)
{
	char path[600];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	image->len = fread(image->data, 1, sizeof image->data, f);
	fclose(f);
}

static struct journal *open_folder(const char *folder, struct pb_error *error)
{
	struct journal_options options = { .segment_size = 1 << 20 };
	error_init(error);
	return journal_open(folder, &options, error);
}

static void make_image(struct image *image)
{
	static const uint32_t events[BLOCKS] = { 1, 2, 1, 1 };
	struct pb_error error;
	struct journal_stat st;
	char *folder = lab_folder();
	struct journal *j = open_folder(folder, &error);
	image->block_end[0] = SEGMENT_HEADER;
	image->end_seq[0] = 1;
	for (int i = 0; i < BLOCKS; i++) {
		assert_int_equal(lab_append(j, events[i], 20, i == 1 ? "mark" : NULL, NULL), 0);
		journal_stat(j, &st);
		image->block_end[i + 1] = st.end.offset;
		image->end_seq[i + 1] = st.next_seq;
	}
	journal_close(j);
	read_whole(folder, "0000000000000001.seg", image);
	assert_int_equal(image->len, image->block_end[BLOCKS]);
	lab_remove(folder);
	free(folder);
	error_free(&error);
}

static struct journal *open_image(struct journal_disk *disk, const struct image *image, size_t len)
{
	struct journal_options options = { .segment_size = 1 << 20 };
	journal_disk_put(disk, "0000000000000001.seg", span_of(image->data, len));
	return journal_simulated(disk, &options);
}

/* The newest segment after it, which seals the first. */
static void put_second(struct journal_disk *disk)
{
	unsigned char bytes[SEGMENT_HEADER];
	struct segment_header header = { .number = 2, .first_seq = EVENTS + 1, .salt = 99 };
	segment_header_encode(&header, bytes);
	journal_disk_put(disk, "0000000000000002.seg", span_of(bytes, sizeof bytes));
}

/* Which events are there, as a string of digits. */
static void read_events(struct journal *j, char text[static EVENTS + 3])
{
	struct journal_cursor *c = journal_cursor(j, 0);
	struct record r;
	size_t n = 0;
	while (journal_next(j, c, &r) == 1) {
		if (r.kind != RECORD_EVENT)
			continue;
		assert_true(lab_is_event(r.data, r.seq) && r.seq < 10 && n < EVENTS + 2);
		text[n++] = (char)('0' + r.seq);
	}
	text[n] = '\0';
	journal_cursor_close(j, c);
}

/* get() must be of one mind with the cursor. */
static void check_get(struct journal *j, const char *there)
{
	struct buf out = BUF_INIT(4096);
	for (uint64_t seq = 1; seq <= EVENTS; seq++) {
		int want = strchr(there, (char)('0' + seq)) != NULL ? 0 : -ENOENT;
		assert_int_equal(journal_get(j, seq, &out), want);
	}
	buf_free(&out);
}

enum tail { TAIL_SHORT, TAIL_ZERO, TAIL_GARBAGE };

static void cut_at(const struct image *whole, size_t at, enum tail tail)
{
	struct image torn = *whole;
	struct journal_disk *disk = journal_disk_new(1);
	struct journal_stat st;
	char text[EVENTS + 3];
	uint64_t seq;
	if (tail != TAIL_SHORT)
		memset(torn.data + at, tail == TAIL_ZERO ? 0 : 0xa5, torn.len - at);
	struct journal *j = open_image(disk, &torn, tail == TAIL_SHORT ? at : torn.len);
	assert_non_null(j);
	journal_stat(j, &st);
	assert_int_equal(st.damaged_blocks, 0);
	assert_int_equal(st.end.offset, whole->block_end[BLOCKS - 1]);
	read_events(j, text);
	assert_string_equal(text, "1234");
	assert_int_equal(lab_append(j, 1, 10, NULL, &seq), 0);
	assert_true(seq == 5 || seq == 6);	/* not 5 if that may have been used */
	assert_true(st.skips == (seq == 6));
	journal_stat(j, &st);
	assert_false(st.skips);
	journal_close(j);
	j = journal_simulated(disk, &(struct journal_options){ .segment_size = 1 << 20 });
	read_events(j, text);
	assert_string_equal(text, seq == 5 ? "12345" : "12346");
	journal_close(j);
	journal_disk_free(disk);
}

/* Numbers that were skipped are skipped for good once an empty block says so. */
static void an_empty_block_states_the_numbers(void **state)
{
	(void)state;
	struct journal_disk *disk = journal_disk_new(1);
	struct journal_options options = { .segment_size = 1 << 20, .next_seq = 100 };
	struct journal_stat st;
	uint64_t seq;
	struct journal *j = journal_simulated(disk, &(struct journal_options){ .segment_size = 1 << 20 });
	assert_int_equal(lab_append(j, 1, 10, NULL, NULL), 0);
	journal_close(j);
	j = journal_simulated(disk, &options);
	journal_stat(j, &st);
	assert_true(st.skips && st.next_seq == 100);
	assert_int_equal(journal_append(j, NULL, 0, 0, &seq), 0);
	journal_close(j);
	options.next_seq = 0;
	j = journal_simulated(disk, &options);
	journal_stat(j, &st);
	assert_true(!st.skips && st.next_seq == 100 && st.damaged_blocks == 0);
	char text[EVENTS + 3];
	read_events(j, text);
	assert_string_equal(text, "1");
	journal_close(j);
	journal_disk_free(disk);
}

static void a_torn_end_is_cut_off(void **state)
{
	const struct image *image = *state;
	for (size_t at = image->block_end[BLOCKS - 1]; at < image->len; at++)
		for (enum tail tail = TAIL_SHORT; tail <= TAIL_GARBAGE; tail++)
			cut_at(image, at, tail);
}

/* The block that byte `at` is in, from 0; -1: the segment's header. */
static int block_of(const struct image *image, size_t at)
{
	int i = -1;
	while (at >= image->block_end[i + 1])
		i++;
	return i;
}

static void all_but(const struct image *image, int block, char text[static EVENTS + 3])
{
	size_t n = 0;
	for (int i = 0; i < BLOCKS; i++)
		for (uint64_t seq = image->end_seq[i]; i != block && seq < image->end_seq[i + 1]; seq++)
			text[n++] = (char)('0' + seq);
	text[n] = '\0';
}

static void flip(const struct image *whole, size_t at, unsigned char bits, bool sealed)
{
	struct image hurt = *whole;
	struct journal_disk *disk = journal_disk_new(1);
	struct journal_stat st;
	char text[EVENTS + 3], want[EVENTS + 3];
	int block = block_of(whole, at);
	bool is_end = !sealed && block == BLOCKS - 1;
	hurt.data[at] ^= bits;
	if (sealed)
		put_second(disk);
	struct journal *j = open_image(disk, &hurt, hurt.len);
	assert_non_null(j);
	all_but(whole, block, want);
	check_get(j, want);
	read_events(j, text);
	assert_string_equal(text, want);
	read_events(j, text);
	assert_string_equal(text, want);
	journal_stat(j, &st);
	assert_int_equal(st.damaged_blocks, block >= 0 && !is_end ? 1 : 0);
	if (st.damaged_blocks == 1)
		assert_int_equal(st.damaged_bytes, whole->block_end[block + 1] - whole->block_end[block]);
	journal_close(j);
	j = journal_simulated(disk, &(struct journal_options){ .segment_size = 1 << 20 });
	read_events(j, text);
	assert_string_equal(text, want);
	journal_close(j);
	journal_disk_free(disk);
}

static void a_flipped_byte_costs_its_block_only(void **state)
{
	const struct image *image = *state;
	static const unsigned char patterns[] = { 0x01, 0x80, 0xff };
	for (size_t at = 0; at < image->len; at++) {
		for (size_t i = 0; i < sizeof patterns; i++) {
			flip(image, at, patterns[i], false);
			flip(image, at, patterns[i], true);
		}
	}
}

/* The header is known by the first block, and that is cut off: the segment stays one. */
static void a_header_is_mended(void **state)
{
	struct image image = *(struct image *)*state;
	struct journal_disk *disk = journal_disk_new(1);
	image.data[20] ^= 1;
	image.data[SEGMENT_HEADER + BLOCK_HEADER] ^= 1;
	struct journal *j = open_image(disk, &image, image.block_end[1]);
	for (uint64_t round = 0; round < 2; round++) {
		uint64_t seq;
		char text[EVENTS + 3];
		assert_non_null(j);
		read_events(j, text);
		assert_string_equal(text, round == 0 ? "" : "2");
		assert_int_equal(lab_append(j, 1, 10, NULL, &seq), 0);
		assert_int_equal(seq, round + 2);	/* 1 may have been used */
		journal_close(j);
		j = journal_simulated(disk, &(struct journal_options){ .segment_size = 1 << 20 });
	}
	journal_close(j);
	journal_disk_free(disk);
}

static void a_whole_file_of_noise_is_refused(void **state)
{
	struct image image = *(struct image *)*state;
	memset(image.data, 0x5a, image.len);
	struct journal_disk *disk = journal_disk_new(1);
	assert_null(open_image(disk, &image, image.len));
	journal_disk_free(disk);
}

static void write_whole(const char *folder, const char *name, const void *data, size_t len)
{
	char path[600];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
}

/* Refused, and nothing in the folder is touched. */
static void expect_refused(const struct image *image, size_t len, const char *message)
{
	struct pb_error error;
	struct image after = { .len = 0 };
	char *folder = lab_folder();
	write_whole(folder, "0000000000000007.seg", image->data, len);
	write_whole(folder, "0000000000000008.seg.new", "x", 1);
	assert_null(open_folder(folder, &error));
	assert_non_null(strstr(error_text(&error), message));
	assert_non_null(strstr(error_text(&error), "0000000000000007.seg"));
	read_whole(folder, "0000000000000007.seg", &after);
	assert_true(after.len == len && memcmp(after.data, image->data, len) == 0);
	read_whole(folder, "0000000000000008.seg.new", &after);
	error_free(&error);
	lab_remove(folder);
	free(folder);
}

static void fix_header(struct image *image)
{
	put_le32(image->data + 60, crc32c(0, image->data, 60));
}

static void foreign_files_are_refused(void **state)
{
	struct image image = *(struct image *)*state;
	expect_refused(&image, image.len, "not a journal segment");	/* another's number */
	put_le64(image.data + 16, 7);
	put_le32(image.data + 8, SEGMENT_VERSION + 1);
	fix_header(&image);
	expect_refused(&image, image.len, "another format version");
	put_le32(image.data + 8, SEGMENT_VERSION);
	image.data[0] = 'X';
	fix_header(&image);
	expect_refused(&image, image.len, "not a journal segment");
	expect_refused(&image, 10, "not a journal segment");
	expect_refused(&image, 0, "not a journal segment");
}

static void other_names_are_left_alone(void **state)
{
	(void)state;
	struct pb_error error;
	struct image after;
	struct journal_stat st;
	char *folder = lab_folder();
	static const char *const names[] = {
		"0000000000000000.seg", "000000000000000A.seg", "1.seg", "lost+found.seg", "0000000000000002.seg~",
	};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		write_whole(folder, names[i], "x", 1);
	struct journal *j = open_folder(folder, &error);
	assert_non_null(j);
	journal_stat(j, &st);
	assert_int_equal(st.segments, 1);
	journal_close(j);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		read_whole(folder, names[i], &after);
	lab_remove(folder);
	free(folder);
}

/* What was damaged is kept byte for byte. */
static void damage_is_set_aside(void **state)
{
	struct image image = *(struct image *)*state, aside = { .len = 0 };
	struct pb_error error;
	char name[80], text[EVENTS + 3];
	char *folder = lab_folder();
	image.data[image.block_end[1] + BLOCK_HEADER + 3] ^= 1;
	write_whole(folder, "0000000000000001.seg", image.data, image.len);
	for (int again = 0; again < 2; again++) {
		struct journal *j = open_folder(folder, &error);
		assert_non_null(j);
		read_events(j, text);
		assert_string_equal(text, "145");
		journal_close(j);
	}
	snprintf(name, sizeof name, "damaged/0000000000000001-%016zx.block", image.block_end[1]);
	read_whole(folder, name, &aside);
	assert_int_equal(aside.len, image.block_end[2] - image.block_end[1]);
	assert_memory_equal(aside.data, image.data + image.block_end[1], aside.len);
	lab_remove(folder);
	free(folder);
}

/* The header of a block is lost, and its one event's body is itself a whole block for the place where it lies. */
static void expect_posing(const struct image *whole, uint64_t salt, const char *want)
{
	struct image image = *whole;
	struct buf forged = BUF_INIT(4096);
	char text[EVENTS + 3];
	size_t at = image.len + BLOCK_HEADER + RECORD_HEADER;
	lab_event(&forged, EVENTS + 1, 20);
	struct block_header inner = {
		.salt = salt, .segment = 1, .offset = at, .first_seq = EVENTS + 1,
		.length = (uint32_t)forged.len, .events = 1, .crc = crc32c(0, forged.data, forged.len),
	};
	memset(image.data + image.len, 0, BLOCK_HEADER + RECORD_HEADER);
	block_header_encode(&inner, image.data + at);
	memcpy(image.data + at + BLOCK_HEADER, forged.data, forged.len);
	struct journal_disk *disk = journal_disk_new(1);
	struct journal *j = open_image(disk, &image, at + BLOCK_HEADER + forged.len);
	read_events(j, text);
	assert_string_equal(text, want);
	journal_close(j);
	journal_disk_free(disk);
	buf_free(&forged);
}

/* Only the salt is a guess, and it is all that counts. */
static void a_body_cannot_pose_as_a_block(void **state)
{
	const struct image *image = *state;
	uint64_t salt = get_le64(image->data + 32);
	expect_posing(image, salt, "123456");
	expect_posing(image, salt + 1, "12345");
}

/* An older block in a later place, whole as it may be, is not taken. */
static void numbers_never_go_back(void **state)
{
	const struct image *whole = *state;
	for (uint64_t first = 1; first <= EVENTS + 1; first++) {
		struct image image = *whole;
		struct block_header block;
		char text[EVENTS + 3];
		size_t at = image.block_end[BLOCKS - 1];
		assert_int_equal(block_header_decode(image.data + at, &block), 0);
		block.first_seq = first;
		block_header_encode(&block, image.data + at);
		struct journal_disk *disk = journal_disk_new(1);
		struct journal *j = open_image(disk, &image, image.len);
		struct journal_stat st;
		journal_stat(j, &st);
		assert_int_equal(st.next_seq, first < EVENTS ? EVENTS : first + 1);
		assert_int_equal(st.end.offset, first < EVENTS ? at : image.len);
		if (first <= EVENTS) {
			read_events(j, text);
			assert_string_equal(text, first < EVENTS ? "1234" : "12345");
		}
		journal_close(j);
		journal_disk_free(disk);
	}
}

static void a_missing_segment_is_passed_over(void **state)
{
	struct image image = *(struct image *)*state;
	unsigned char bytes[SEGMENT_HEADER];
	struct journal_options options = { .segment_size = 1 << 20 };
	struct journal_disk *disk = journal_disk_new(1);
	segment_header_encode(&(struct segment_header){ .number = 5, .first_seq = 8, .salt = 1 }, bytes);
	journal_disk_put(disk, "0000000000000001.seg", span_of(image.data, image.len));
	journal_disk_put(disk, "0000000000000005.seg", span_of(bytes, sizeof bytes));
	struct journal *j = journal_simulated(disk, &options);
	char text[EVENTS + 3];
	assert_int_equal(lab_append(j, 1, 10, NULL, NULL), 0);
	read_events(j, text);
	assert_string_equal(text, "123458");
	journal_close(j);
	journal_disk_free(disk);
}

static int setup(void **state)
{
	struct image *image = calloc(1, sizeof *image);
	make_image(image);
	*state = image;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

int main(void)
{
	log_open(PB_ERROR);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_torn_end_is_cut_off),
		cmocka_unit_test(a_flipped_byte_costs_its_block_only),
		cmocka_unit_test(a_header_is_mended),
		cmocka_unit_test(a_whole_file_of_noise_is_refused),
		cmocka_unit_test(foreign_files_are_refused),
		cmocka_unit_test(other_names_are_left_alone),
		cmocka_unit_test(damage_is_set_aside),
		cmocka_unit_test(a_body_cannot_pose_as_a_block),
		cmocka_unit_test(an_empty_block_states_the_numbers),
		cmocka_unit_test(numbers_never_go_back),
		cmocka_unit_test(a_missing_segment_is_passed_over),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
