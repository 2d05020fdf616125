/*
 * feed.c - events for a source: by a command that causes some, or by the time that goes by.
 *
 * The command's processes are a group of their own, noted where the suite finds them.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "conform/conform.h"

#define COMMAND_MAX (1024 * 1024)
#define COME_MAX 20000		/* ms for one event of a feed */
#define IDLE_RUNS 3		/* of the command without an event: none come */
#define WITHOUT_MAX 3000	/* ms for one without */
#define BESIDE 300		/* ms after which another runs beside one that has not ended */
#define BESIDE_MAX 8
#define TICKS_MAX 200
#define ANSWERED_MAX 2000

/* What stands for {NAME} at `at`: an option that was given, or the port. NULL: it is no such word. */
static const char *word_value(struct check *c, struct pbt_instance *in, const char *at, size_t len,
			      char port[static 16])
{
	if (len == 4 && strncmp(at, "port", len) == 0) {
		snprintf(port, 16, "%d", pbt_port(in, 0));
		return port;
	}
	for (size_t i = 0; i < c->wanted->options.n; i++) {
		const struct given *g = &c->wanted->options.at[i];
		if (strlen(g->name) == len && strncmp(g->name, at, len) == 0)
			return g->value;
	}
	return NULL;
}

static char *command(struct check *c, struct pbt_instance *in)
{
	struct buf text = BUF_INIT(COMMAND_MAX);
	char port[16];
	const char *from = c->wanted->feed;
	buf_add_str(&text, "");
	while (*from != '\0') {
		size_t len = *from == '{' ? strcspn(from + 1, "{}") : 0;
		const char *value = len > 0 && from[len + 1] == '}' ?
			word_value(c, in, from + 1, len, port) : NULL;
		if (value == NULL) {
			buf_add_char(&text, *from++);
			continue;
		}
		buf_add_str(&text, value);
		from += len + 2;
	}
	char *whole = buf_take(&text);
	if (whole == NULL)
		check_fail(c, "the feed command is too long");
	return whole;
}

/* In the new process, of which only what may follow a fork is called. */
static void ENDS_CHILD become(const char *text, int log)
{
	sigset_t none;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null, STDIN_FILENO);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	execl("/bin/sh", "sh", "-c", text, (char *)NULL);
	_exit(127);
}

static pid_t *free_place(struct check *c)
{
	for (size_t i = 0; i < FEEDERS_MAX; i++)
		if (c->told->feeders[i] == 0)
			return &c->told->feeders[i];
	return NULL;
}

pid_t feed_begin(struct check *c, struct pbt_instance *in)
{
	pid_t *place = free_place(c);
	if (place == NULL)
		check_fail(c, "%d feed commands run, and none ends", FEEDERS_MAX);
	char *text = command(c, in);
	pid_t pid = fork();
	if (pid == 0)
		become(text, c->feed_log);
	if (pid < 0)
		check_fail(c, "cannot fork: %s", strerror(errno));
	setpgid(pid, pid);
	*place = pid;
	free(text);
	return pid;
}

static void note_end(struct check *c, pid_t pid, int status)
{
	for (size_t i = 0; i < FEEDERS_MAX; i++)
		if (c->told->feeders[i] == pid) {
			kill(-pid, SIGKILL);	/* what it left running */
			c->told->feeders[i] = 0;
			c->feed_status = status;
		}
}

static bool has_ended(struct check *c, pid_t pid)
{
	int status;
	pid_t ended = waitpid(pid, &status, WNOHANG);
	if (ended == pid)
		note_end(c, pid, status);
	return ended != 0;
}

bool feed_wait(struct check *c, pid_t pid, int64_t ms)
{
	int64_t end = now_ms() + ms;
	while (!has_ended(c, pid)) {
		if (now_ms() >= end)
			return false;
		pause_ms(1);
	}
	return true;
}

void feed_end(struct check *c, int64_t ms)
{
	int64_t end = now_ms() + ms;
	for (size_t i = 0; i < FEEDERS_MAX; i++) {
		pid_t pid = c->told->feeders[i];
		int64_t left = end - now_ms();
		if (pid == 0 || feed_wait(c, pid, left > 0 ? left : 0))
			continue;
		kill(-pid, SIGKILL);
		feed_wait(c, pid, COME_MAX);
	}
}

/* Let the time pass that it waits for; false when it waits for nothing. */
static bool tick(struct check *c, struct pbt_instance *in)
{
	int64_t timeout;
	if (!pbt_wait_asleep(in, 10, &timeout))
		return true;
	if (timeout > 0)
		pbt_advance(c->host, timeout);
	return timeout >= 0;
}

static bool come_by_time(struct check *c, struct pbt_instance *in, size_t goal)
{
	int64_t end = now_ms() + WITHOUT_MAX;
	for (unsigned n = 0; n < TICKS_MAX && now_ms() < end; n++) {
		if (pbt_wait_emitted(in, goal, 5))
			return true;
		if (pbt_wait_ended(in, 0, NULL) || !tick(c, in))
			break;
	}
	return pbt_wait_emitted(in, goal, 100);
}

static bool come_by_command(struct check *c, struct pbt_instance *in, size_t goal)
{
	int64_t end = now_ms() + COME_MAX;
	int64_t begun = 0;
	size_t seen = pbt_n_emitted(in);
	unsigned idle = 0, begins = 0;
	pid_t pid = 0;
	while (!pbt_wait_emitted(in, goal, 2)) {
		if (pid != 0 && has_ended(c, pid)) {
			pid = 0;
			idle = pbt_wait_emitted(in, seen + 1, 500) ? 0 : idle + 1;
			seen = pbt_n_emitted(in);
		}
		if (idle >= IDLE_RUNS || now_ms() >= end || pbt_wait_ended(in, 0, NULL))
			return pbt_wait_emitted(in, goal, 0);
		if (pid == 0 || (now_ms() - begun > BESIDE && begins < BESIDE_MAX)) {
			pid = feed_begin(c, in);
			begun = now_ms();
			begins++;
		}
	}
	return true;
}

bool feed_events(struct check *c, struct pbt_instance *in, size_t n)
{
	size_t so_far = pbt_n_emitted(in);
	return c->wanted->feed == NULL ? come_by_time(c, in, so_far + 1) : come_by_command(c, in, so_far + n);
}

/* What the command printed last, for the reason. */
static const char *last_words(struct check *c, char text[static DOING_MAX])
{
	off_t size = lseek(c->feed_log, 0, SEEK_END);
	off_t from = size > DOING_MAX - 1 ? size - (DOING_MAX - 1) : 0;
	ssize_t len = size > 0 ? pread(c->feed_log, text, DOING_MAX - 1, from) : 0;
	while (len > 0 && text[len - 1] == '\n')
		len--;
	text[len < 0 ? 0 : len] = '\0';
	char *line = strrchr(text, '\n');
	return line == NULL ? text : line + 1;
}

static void note_none(struct check *c)
{
	struct told *told = c->told;
	told->events = NO;
	char words[DOING_MAX];
	const char *last = last_words(c, words);
	if (c->wanted->feed == NULL)
		snprintf(told->why_not, sizeof told->why_not, "needs events, and none come by "
			 "themselves: --feed COMMAND that causes some");
	else
		snprintf(told->why_not, sizeof told->why_not, "no event came of the feed command%s%.120s",
			 *last == '\0' ? "" : ", which says: ", last);
}

bool feed_works(struct check *c, struct pbt_instance *in)
{
	if (c->told->events == NO)
		return false;
	if (!feed_events(c, in, 1)) {
		/* Of two that read the same, one may have had them. */
		if (c->told->events == UNKNOWN)
			note_none(c);
		return false;
	}
	c->told->events = YES;
	/* So that none is under way when the rule begins. That one is not committed source.commits tells. */
	feed_end(c, ANSWERED_MAX);
	if (!pbt_wait_stored(in, pbt_n_emitted(in), ANSWERED_MAX))
		doing(c, "in run(), with events that are not committed");
	return true;
}

void feed_need(struct check *c, struct pbt_instance *in)
{
	if (feed_works(c, in))
		return;
	if (c->told->events == YES)
		check_fail(c, "no event came, though some came before");
	check_skip(c, "%s", c->told->why_not);
}

void feed_need_command(struct check *c)
{
	if (c->wanted->feed == NULL)
		check_skip(c, "needs senders: --feed COMMAND that causes an event");
}
