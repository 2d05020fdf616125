/*
 * storm.c - signals, all the time.
 *
 * A process beside this one sends each thread a signal that has a handler, and stops and continues
 * the whole, so that calls return early with EINTR.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conform/rules.h"

#define EVENTS 20
#define EACH_STOP 8		/* rounds of signals one stop */
#define STORED_MAX 20000	/* ms */

/* The process that sends them, and what lets it begin. */
struct storm {
	pid_t pid;
	int begin;
};

static void nothing(int number)
{
	(void)number;
}

static void strike(pid_t at)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/task", (int)at);
	DIR *dir = opendir(path);
	if (dir == NULL)
		return;
	for (struct dirent *e; (e = readdir(dir)) != NULL; ) {
		long task = strtol(e->d_name, NULL, 10);
		if (task > 0)
			syscall(SYS_tgkill, at, task, SIGUSR2);
	}
	closedir(dir);
}

static void ENDS_CHILD rage(struct check *c, pid_t at, int begin)
{
	char byte;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(begin, &byte, 1) < 0 && errno == EINTR)
		;
	for (unsigned n = 0; !c->told->storm_over; n++) {
		pause_ms(1);
		strike(at);
		if (n % EACH_STOP == 0) {
			kill(at, SIGSTOP);
			kill(at, SIGCONT);
		}
	}
	_exit(0);
}

/* Made before there are threads; it waits. */
static struct storm storm_new(struct check *c)
{
	struct sigaction handle = { .sa_handler = nothing };	/* without SA_RESTART */
	int fds[2];
	pid_t own = getpid();
	sigaction(SIGUSR2, &handle, NULL);
	if (pipe2(fds, O_CLOEXEC) < 0)
		check_skip(c, "no pipe can be made: %s", strerror(errno));
	struct storm storm = { .pid = fork(), .begin = fds[1] };
	if (storm.pid == 0) {
		close(fds[1]);
		rage(c, own, fds[0]);
	}
	close(fds[0]);
	return storm;
}

static void storm_begin(const struct storm *storm)
{
	while (write(storm->begin, "", 1) < 0 && errno == EINTR)
		;
}

/* It ends by itself: killed between stopping and continuing this one, it would leave it stopped. */
static void storm_end(struct check *c, const struct storm *storm)
{
	c->told->storm_over = true;
	close(storm->begin);
	while (waitpid(storm->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void must_not_say(void *arg, size_t i, const struct pbt_answer *answer)
{
	struct check *c = arg;
	(void)i;
	if (strstr(answer->reason, strerror(EINTR)) != NULL)
		check_fail(c, "a delivery is answered with \"%.100s\"", answer->reason);
	if (c->told->delivers == YES && answer->code != PB_OK)
		check_fail(c, "a delivery that is ok otherwise is answered with \"%.100s\"", answer->reason);
}

static void work_in_it(struct check *c, struct pbt_instance *in)
{
	for (unsigned i = 0; i < EVENTS; i++) {
		struct pb_event *ev = event_ordinary(c);
		if (c->kind == KIND_SINK) {
			deliver_batch(c, in, &ev, 1, must_not_say, c);
		} else {
			doing(c, "in apply()");
			pbt_apply(in, ev);
			pb_event_free(ev);
		}
	}
}

static void feed_in_it(struct check *c, struct pbt_instance *in)
{
	if (c->told->events != YES) {
		pause_ms(50);
	} else if (!feed_events(c, in, 3)) {
		check_fail(c, "no events come while signals do");
	} else if (!pbt_wait_stored(in, pbt_n_emitted(in), STORED_MAX)) {
		check_fail(c, "nothing is stored while signals come");
	}
	if (pbt_wait_ended(in, 0, NULL))
		check_fail(c, "run() returned");
	feed_end(c, STORED_MAX);
}

void process_storm(struct check *c)
{
	struct storm storm = storm_new(c);
	box_load(c);
	storm_begin(&storm);
	struct pbt_instance *in = box_try(c, "test", NULL, NULL, NULL);
	if (in == NULL && strstr(pbt_errors(c->host), strerror(EINTR)) == NULL)
		box_open(c, "test");
	if (in == NULL)
		check_fail(c, "%s", pbt_errors(c->host));
	if (c->kind == KIND_SOURCE) {
		box_start(c, in);
		feed_in_it(c, in);
		box_stop(c, in);
	} else {
		work_in_it(c, in);
	}
	if (pbt_logged(c->host, strerror(EINTR)))
		check_fail(c, "it logs \"%s\"", strerror(EINTR));
	box_close(c, in);
	storm_end(c, &storm);
	box_free(c, false);
}
