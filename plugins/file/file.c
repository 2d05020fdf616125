/*
 * file: appends each event to a file, as a CloudEvents JSON object a line or as its bare
 * body. Settings and answers; lines.c keeps the file whole.
 *
 * Promises: order; with `sync = batch` an event is on disk before it counts as delivered;
 * half a line is never followed by another, neither after a full disk nor after a crash.
 * A crash between the write and the answer repeats lines, never loses one. The file is
 * this sink's alone; logrotate renames it and sends SIGHUP. `raw` does not look into the
 * body: one that holds line breaks becomes several lines.
 */
#include <config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <patchbay/plugin.h>

#include "file/lines.h"

#define BATCH_MAX 1024			/* events of one write() */
#define BUFFER_MAX (1024 * 1024)	/* past it, what is gathered is written */

struct file {
	struct pb_self *self;
	struct lines lines;
	bool raw;
	struct pb_bytes buffer;
	size_t ends[BATCH_MAX];		/* where each gathered line ends */
	struct pb_metric *bytes;
};

static const struct pb_span nothing = { NULL, 0 };

/* The mode's bits, or -1. */
static long mode_parse(const char *text)
{
	size_t digits = strspn(text, "01234567");
	if (digits < 3 || digits > 4 || text[digits] != '\0')
		return -1;
	long mode = strtol(text, NULL, 8);
	return mode <= 0777 && (mode & 0600) == 0600 ? mode : -1;
}

static void file_check(struct pb_self *self, struct pb_error *err)
{
	if (mode_parse(pb_str(self, "mode")) < 0)
		pb_error(err, "mode", "expected three octal digits that let the owner read and "
			 "write, such as 0640");
}

/* Open the file by its name; what went wrong is in lines.error. */
static int file_begin(struct file *file)
{
	off_t torn;
	int error = lines_open(&file->lines, &torn);
	if (error == 0 && torn > 0)
		pb_log(file->self, PB_WARN, "%s: cut off %lld bytes of a torn last line; if it "
		       "was an event of ours it comes again", file->lines.path, (long long)torn);
	return error;
}

static void *file_open(struct pb_self *self, struct pb_error *err)
{
	struct file *file = calloc(1, sizeof *file);
	if (file == NULL)
		return pb_error(err, NULL, "out of memory");
	file->self = self;
	file->raw = strcmp(pb_str(self, "format"), "raw") == 0;
	lines_init(&file->lines, pb_str(self, "path"), (mode_t)mode_parse(pb_str(self, "mode")),
		   strcmp(pb_str(self, "sync"), "batch") == 0);
	/* JSON writes a byte as six at most, and the attributes have limits of their own. */
	file->lines.longest = 6 * pb_max_event(self) + BUFFER_MAX;
	file->lines.begins = file->raw ? "" : "{";
	file->bytes = pb_counter(self, "bytes", "Bytes appended.");
	if (file_begin(file) == 0)
		return file;
	pb_error(err, "path", "%s: %s", file->lines.path, file->lines.error);
	free(file);
	return NULL;
}

static void file_close(void *state)
{
	struct file *file = state;
	lines_close(&file->lines);
	free(file->buffer.data);
	free(file);
}

static bool buffer_add(struct pb_bytes *buffer, const void *data, size_t len)
{
	if (len > buffer->room - buffer->len) {
		size_t room = 2 * buffer->room + len + 256;
		char *grown = realloc(buffer->data, room);
		if (grown == NULL)
			return false;
		buffer->data = grown;
		buffer->room = room;
	}
	if (len > 0)
		memcpy(buffer->data + buffer->len, data, len);
	buffer->len += len;
	return true;
}

static bool line_add(struct file *file, const struct pb_event *ev)
{
	struct pb_span body = pb_event_body(ev);
	size_t before = file->buffer.len;
	bool added = file->raw ? buffer_add(&file->buffer, body.data, body.len)
			       : pb_cloudevent(ev, &file->buffer) == 0;
	if (added && buffer_add(&file->buffer, "\n", 1))
		return true;
	file->buffer.len = before;
	return false;
}

/* Gather lines from d[0..n), as many as the buffer should hold. Their number; 0: no memory. */
static size_t lines_gather(struct file *file, struct pb_delivery *const d[], size_t n)
{
	size_t i = 0;
	file->buffer.len = 0;
	while (i < n && file->buffer.len < BUFFER_MAX && line_add(file, pb_delivery_event(d[i])))
		file->ends[i++] = file->buffer.len;
	return i;
}

/* Write and sync d[0..n). How many are on disk; fewer than n: lines.error says why. */
static size_t batch_append(struct file *file, struct pb_delivery *const d[], size_t n)
{
	size_t done = 0, some = 1, gathered = 1;
	off_t from = lines_size(&file->lines), to = from;
	if (from < 0)
		return 0;
	for (; done < n && some == gathered; done += some) {
		gathered = lines_gather(file, d + done, n - done);
		if (gathered == 0) {
			snprintf(file->lines.error, sizeof file->lines.error, "out of memory");
			break;
		}
		some = lines_append(&file->lines, file->buffer.data, file->ends, gathered);
		to += some > 0 ? (off_t)file->ends[some - 1] : 0;
	}
	if (done > 0 && lines_sync(&file->lines, from) < 0)
		return 0;
	pb_add(file->bytes, to - from);
	return done;
}

static void file_write(void *state, struct pb_delivery *const d[], size_t n)
{
	struct file *file = state;
	size_t done = 0;
	if (lines_gone(&file->lines))
		lines_close(&file->lines);
	if (file->lines.fd >= 0 || file_begin(file) == 0)
		done = batch_append(file, d, n);
	if (file->buffer.room > 4 * BUFFER_MAX) {	/* one huge event: not kept for it */
		free(file->buffer.data);
		file->buffer = (struct pb_bytes){ 0 };
	}
	for (size_t i = 0; i < done; i++)
		pb_answer(d[i], PB_OK, 0, nothing, "appended");
	if (done < n)	/* the rest is untried, to keep the order */
		pb_answer(d[done], PB_DOWN, 0, nothing, "%s: %s", file->lines.path,
			  file->lines.error);
}

/* The next write opens again too, should this fail. */
static void file_reopen(void *state)
{
	struct file *file = state;
	if (file->lines.fd >= 0 && lines_size(&file->lines) < 0)
		pb_log(file->self, PB_ERROR, "%s: %s", file->lines.path, file->lines.error);
	lines_close(&file->lines);
	if (file_begin(file) < 0)
		pb_log(file->self, PB_ERROR, "%s: %s", file->lines.path, file->lines.error);
}

static const struct pb_option options[] = {
	{ .name = "path", .type = PB_PATH,
	  .help = "The file, made if it is not there; appended to, and this sink's alone." },
	{ .name = "format", .type = PB_CHOICE, .value = "json", .choices = "json raw",
	  .help = "json: a CloudEvents 1.0 object a line; raw: the body and a line break, "
		  "whatever the body holds." },
	{ .name = "mode", .type = PB_STRING, .value = "0640",
	  .help = "The mode of a file that is made, in octal digits: at start, and when SIGHUP has "
		  "`path` opened again by name and it was renamed (logrotate)." },
	{ .name = "sync", .type = PB_CHOICE, .value = "batch", .choices = "never batch",
	  .help = "batch: delivered means on disk, with one fdatasync a batch; never: delivered "
		  "means handed to the kernel." },
	{ 0 }
};

PB_PLUGIN(.name = "file", .version = PACKAGE_VERSION,
	  .summary = "Appends each event to a file",
	  .sink = PB_SINK(.options = options, .check = file_check, .open = file_open,
			  .close = file_close, .write = file_write, .reopen = file_reopen,
			  .max_batch = BATCH_MAX));
