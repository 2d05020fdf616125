/* store-mend.c - `patchbay store verify`, `repair` and `backup`: what is wrong, what is done about it, and a copy. */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/progress.h"
#include "cli/store.h"
#include "state/backup.h"
#include "state/repair.h"
#include "state/verify.h"

struct view {
	bool json;
	const char *verb;	/* before what is done: "", "would " */
	struct progress progress;
};

static void show_wrong(void *arg, const struct finding *f)
{
	struct view *v = arg;
	progress_clear(&v->progress);
	if (v->json)
		store_print(json_pack("{s:s, s:s, s:s}", "type", "wrong", "what", f->text, "means", f->means));
	else
		printf("%s: %s\n", f->text, f->means);
}

static void show_note(void *arg, const char *text)
{
	struct view *v = arg;
	progress_clear(&v->progress);
	if (v->json)
		store_print(json_pack("{s:s, s:s}", "type", "note", "text", text));
	else
		printf("note: %s\n", text);
}

static void show_progress(void *arg, uint64_t done, uint64_t total)
{
	struct view *v = arg;
	progress_tell(&v->progress, done, total);
}

static void show_end(const struct view *v, const char *folder, int64_t wrong)
{
	if (v->json)
		store_print(json_pack("{s:s, s:I}", "type", "end", "wrong", (json_int_t)wrong));
	else if (wrong == 0)
		printf("%s: all is right\n", folder);
	else
		printf("%s: %lld thing%s wrong\n", folder, (long long)wrong, wrong == 1 ? " is" : "s are");
}

int store_verify(const struct cli *cli, const char *folder)
{
	struct view v = { .json = cli->json };
	struct verify verify = {
		.wrong = show_wrong, .note = show_note, .progress = show_progress, .arg = &v,
	};
	struct pb_error error;
	error_init(&error);
	struct inspect *in = inspect_open(folder, &error);
	if (in == NULL)
		return store_failed(&error, errno);
	progress_init(&v.progress, "verify", false);
	int64_t wrong = verify_run(in, &verify);
	progress_clear(&v.progress);
	inspect_close(in);
	if (wrong >= 0) {
		show_end(&v, folder, wrong);
		return wrong == 0 ? CLI_OK : CLI_FAILED;
	}
	error_add(&error, NULL, "%s: %s", folder, strerror((int)-wrong));
	return store_failed(&error, (int)-wrong);
}

static void show_step(void *arg, const char *text)
{
	struct view *v = arg;
	progress_clear(&v->progress);
	if (v->json)
		store_print(json_pack("{s:s, s:s}", "type", "step", "text", text));
	else
		printf("%s%s\n", v->verb, text);
}

/* What root makes in it must be the daemon's. */
static int become_owner(const char *folder)
{
	struct stat st;
	if (geteuid() != 0)
		return 0;
	if (stat(folder, &st) != 0)
		return -errno;
	if (st.st_uid == 0)
		return 0;
	return setgroups(1, &st.st_gid) == 0 && setegid(st.st_gid) == 0 && seteuid(st.st_uid) == 0 ? 0 : -errno;
}

int store_repair(const struct cli *cli, const char *folder, const struct store_args *args)
{
	struct view v = { .json = cli->json, .verb = args->dry_run ? "would: " : "" };
	struct repair repair = {
		.dry_run = args->dry_run, .clock = &clock_system, .say = show_step,
		.progress = show_progress, .arg = &v,
	};
	struct pb_error error;
	error_init(&error);
	int r = become_owner(folder);
	if (r < 0) {
		error_add(&error, NULL, "%s: %s", folder, strerror(-r));
		return store_failed(&error, -r);
	}
	progress_init(&v.progress, "repair", false);
	int64_t done = repair_run(folder, &repair, &error);
	progress_clear(&v.progress);
	if (done < 0)
		return store_failed(&error, (int)-done);
	if (done == 0 && !cli->json)
		printf("%s: nothing can be repaired\n", folder);
	return args->dry_run ? CLI_OK : store_verify(cli, folder);
}

int store_backup(const struct cli *cli, const char *folder, const struct store_args *args)
{
	struct view v = { .json = cli->json };
	struct backup backup = { .progress = show_progress, .arg = &v };
	struct pb_error error;
	error_init(&error);
	progress_init(&v.progress, "backup", false);
	int r = backup_run(folder, args->to, &backup, &error);
	progress_clear(&v.progress);
	return r < 0 ? store_failed(&error, -r) : store_verify(cli, args->to);
}
