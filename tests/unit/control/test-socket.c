/* test-socket.c - a stale socket gives way, anything else stays; long paths; only our own file goes. */
#include "unit/control/lab.h"

#include <fcntl.h>
#include <sys/un.h>

static int listen_at(struct socket_file *file, const char *path, char *why, size_t size)
{
	struct pb_error err;
	error_init(&err);
	int r = socket_listen(file, path, SOCKET_NO_GROUP, &err);
	snprintf(why, size, "%s", error_text(&err));
	assert_true((r == 0) == (err.count == 0));
	error_free(&err);
	return r;
}

static void expect_listen(struct socket_file *file, const char *path)
{
	char why[1024];
	if (listen_at(file, path, why, sizeof why) != 0)
		fail_msg("%s", why);
}

static void expect_refusal(const char *path, const char *reason)
{
	struct socket_file file;
	char why[1024];
	assert_int_equal(listen_at(&file, path, why, sizeof why), -1);
	assert_int_equal(file.fd, -1);
	if (strstr(why, path) == NULL || strstr(why, reason) == NULL)
		fail_msg("\"%s\" lacks \"%s\"", why, reason);
}

static bool exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

/* What a daemon that was killed leaves. */
static void leave_stale(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	snprintf(addr.sun_path, sizeof addr.sun_path, "%.100s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
	assert_int_equal(listen(fd, 1), 0);
	close(fd);
}

static void it_comes_and_goes(void **state)
{
	(void)state;
	struct lab lab;
	struct socket_file file;
	struct stat st;
	lab_begin(&lab);
	mode_t before = umask(0);	/* neither wider nor narrower by it */
	expect_listen(&file, lab.path);
	umask(before);
	assert_int_equal(stat(lab.path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0660);
	close(lab_connect(&lab));
	socket_close(&file, lab.path);
	assert_false(exists(lab.path));
	lab_end(&lab);
}

static void a_stale_one_gives_way(void **state)
{
	(void)state;
	struct lab lab;
	struct socket_file file;
	lab_begin(&lab);
	leave_stale(lab.path);
	assert_int_equal(socket_connect(lab.path), -ECONNREFUSED);
	expect_listen(&file, lab.path);
	close(lab_connect(&lab));
	socket_close(&file, lab.path);
	lab_end(&lab);
}

static void a_live_one_stays(void **state)
{
	(void)state;
	struct lab lab;
	struct socket_file file;
	lab_begin(&lab);
	expect_listen(&file, lab.path);
	/* with and without room for one more to wait there */
	int waiting[1000], n = 0;
	do
		expect_refusal(lab.path, "another daemon answers there");
	while (n < 1000 && (waiting[n] = socket_connect(lab.path)) >= 0 && ++n > 0);
	assert_true(n < 1000 && waiting[n] == -EAGAIN);
	expect_refusal(lab.path, "another daemon answers there");
	while (n > 0)
		close(waiting[--n]);
	assert_true(exists(lab.path));
	socket_close(&file, lab.path);
	lab_end(&lab);
}

static void what_is_no_socket_stays(void **state)
{
	(void)state;
	struct lab lab;
	lab_begin(&lab);
	close(open(lab.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	expect_refusal(lab.path, "a file that is no socket is there");
	assert_true(exists(lab.path));
	unlink(lab.path);
	assert_int_equal(symlink("/dev/null", lab.path), 0);
	expect_refusal(lab.path, "a file that is no socket is there");
	assert_true(exists(lab.path));
	unlink(lab.path);
	assert_int_equal(mkdir(lab.path, 0700), 0);
	expect_refusal(lab.path, "a file that is no socket is there");
	assert_int_equal(rmdir(lab.path), 0);
	lab_end(&lab);
}

static void a_path_may_be_long(void **state)
{
	(void)state;
	struct lab lab;
	struct socket_file file;
	char deep[300];
	lab_begin(&lab);
	snprintf(deep, sizeof deep, "%s/%0150d", lab.folder, 0);
	assert_int_equal(mkdir(deep, 0700), 0);
	snprintf(lab.path, sizeof lab.path, "%s/control.sock", deep);
	expect_listen(&file, lab.path);
	expect_refusal(lab.path, "another daemon answers there");
	close(lab_connect(&lab));
	socket_close(&file, lab.path);
	assert_false(exists(lab.path));

	snprintf(lab.path, sizeof lab.path, "%s/%0100d", deep, 0);
	expect_refusal(lab.path, strerror(ENAMETOOLONG));
	snprintf(lab.path, sizeof lab.path, "%s/%0100d/control.sock", deep, 0);
	expect_refusal(lab.path, strerror(ENOENT));
	assert_int_equal(socket_connect(lab.path), -ENOENT);
	assert_int_equal(rmdir(deep), 0);
	lab_end(&lab);
}

static void only_our_own_goes(void **state)
{
	(void)state;
	struct lab lab;
	struct socket_file first, second;
	lab_begin(&lab);
	expect_listen(&first, lab.path);
	assert_int_equal(unlink(lab.path), 0);
	expect_listen(&second, lab.path);
	socket_close(&first, lab.path);
	assert_true(exists(lab.path));
	close(lab_connect(&lab));
	socket_close(&second, lab.path);
	assert_false(exists(lab.path));
	lab_end(&lab);
}

static void a_group_that_cannot_be_given_is_an_error(void **state)
{
	(void)state;
	struct lab lab;
	struct socket_file file;
	struct stat st;
	struct pb_error err;
	lab_begin(&lab);
	error_init(&err);
	bool root = geteuid() == 0;
	assert_int_equal(socket_listen(&file, lab.path, 54321, &err), root ? 0 : -1);
	if (root) {
		assert_int_equal(stat(lab.path, &st), 0);
		assert_int_equal(st.st_gid, 54321);
		assert_int_equal(st.st_mode & 07777, 0660);
		socket_close(&file, lab.path);
	}
	assert_false(exists(lab.path));
	error_free(&err);
	lab_end(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_comes_and_goes),
		cmocka_unit_test(a_stale_one_gives_way),
		cmocka_unit_test(a_live_one_stays),
		cmocka_unit_test(what_is_no_socket_stays),
		cmocka_unit_test(a_path_may_be_long),
		cmocka_unit_test(only_our_own_goes),
		cmocka_unit_test(a_group_that_cannot_be_given_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
