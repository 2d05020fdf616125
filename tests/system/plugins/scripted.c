/*
 * scripted: a sink that logs each delivery and answers as it is told, for tests of the engine.
 *
 * The answer is the first word in the file `script`, if there is any; or else of the
 * event's field `answer`, words for the first, second, … attempt, the last one for all that
 * follow; or else, for `fail` of a hundred attempts, retry; or else ok. A word is ok,
 * retry, reject, down, gone, untried, silent (no answer while the script says so; write()
 * returns without one), or hang (write() does not return while the script says so), and
 * may end in /MS: not sooner than that.
 *
 * Compiled twice: with write() as `scripted`, with submit() as `scripted_submit`, whose
 * answers come `delay` (or the event's field `delay`, ms) later, out of order when `shuffle`
 * is set.
 */
#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <patchbay/plugin.h>

#define LINE_MAX_BYTES 1024
#define LOOK 5	/* ms between two looks at the script */

struct answer {
	char word[16];
	enum pb_code code;
	long long after;
};

/* What submit() was given and is not answered yet. */
struct pending {
	struct pending *next;
	struct pb_delivery *delivery;
	struct answer answer;
	int64_t due;
};

struct scripted {
	struct pb_self *self;
	int log;
	pthread_t thread;
	pthread_mutex_t lock;	/* guards the list and `ending` */
	pthread_cond_t wake;
	struct pending *first;	/* by due time */
	bool ending;
};

static const struct pb_option options[] = {
	{ "log", PB_PATH, NULL, .help = "The file that gets a line for each delivery." },
	{ "script", PB_PATH, "", .help = "The file whose first word answers everything." },
	{ "fail", PB_INT, "0", .max = 100, .help = "Percent of attempts that fail." },
	{ "seed", PB_INT, "1", .help = "Chooses which attempts fail." },
	{ "delay", PB_DURATION, "0s", .help = "How long an answer takes." },
	{ "shuffle", PB_BOOL, "no", .help = "Answers take from nothing up to the delay." },
	{ 0 }
};

static const struct {
	const char *word;
	enum pb_code code;
} codes[] = {
	{ "ok", PB_OK }, { "retry", PB_RETRY }, { "reject", PB_REJECT }, { "down", PB_DOWN },
	{ "gone", PB_GONE }, { "untried", PB_UNTRIED }, { "silent", PB_UNTRIED },
	{ "hang", PB_UNTRIED },
};

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A number below `n` that is the same for the same event and attempt. */
static uint32_t chance(const struct scripted *s, const struct pb_delivery *d, uint32_t n)
{
	uint32_t h = 2166136261u ^ (uint32_t)pb_int(s->self, "seed");
	for (const char *c = pb_event_id(pb_delivery_event(d)); *c != '\0'; c++)
		h = (h ^ (unsigned char)*c) * 16777619u;
	h = (h ^ pb_delivery_attempt(d)) * 16777619u;
	h ^= h >> 15;
	return n == 0 ? 0 : h * 2654435761u % n;
}

static bool parse_answer(const char *text, struct answer *a)
{
	memset(a, 0, sizeof *a);
	if (sscanf(text, "%15[a-z]/%lld", a->word, &a->after) < 1)
		return false;
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (strcmp(codes[i].word, a->word) == 0) {
			a->code = codes[i].code;
			return true;
		}
	return false;
}

static bool script_answer(const struct scripted *s, struct answer *a)
{
	char text[64] = "";
	const char *path = pb_str(s->self, "script");
	int fd = *path != '\0' ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return false;
	ssize_t len = read(fd, text, sizeof text - 1);
	close(fd);
	text[len < 0 ? 0 : len] = '\0';
	return parse_answer(text, a);
}

/* The event's own word for this attempt. */
static bool event_answer(const struct pb_delivery *d, struct answer *a)
{
	struct pb_span field = pb_field(pb_delivery_event(d), "answer");
	char *text = field.data != NULL ? pb_text(field) : NULL, *save = NULL;
	bool found = false;
	if (text == NULL)
		return false;
	unsigned left = pb_delivery_attempt(d);
	for (char *w = strtok_r(text, " ", &save); w != NULL && left > 0; left--) {
		found = parse_answer(w, a);
		w = strtok_r(NULL, " ", &save);
	}
	free(text);
	return found;
}

static void choose(const struct scripted *s, const struct pb_delivery *d, struct answer *a)
{
	if (script_answer(s, a) || event_answer(d, a))
		return;
	bool fails = chance(s, d, 100) < (uint32_t)pb_int(s->self, "fail");
	parse_answer(fails ? "retry" : "ok", a);
}

/* One write() a line: what is there after a kill is whole lines. `t` is when it was answered, or,
 * of submit(), will be. */
static void note(const struct scripted *s, const struct pb_delivery *d, const struct answer *a,
		 size_t n, int64_t due)
{
	char line[LINE_MAX_BYTES];
	const struct pb_event *ev = pb_delivery_event(d);
	int len = snprintf(line, sizeof line,
			   "{\"id\":\"%s\",\"type\":\"%s\",\"attempt\":%u,\"answer\":\"%s\","
			   "\"batch\":%zu,\"got\":%lld,\"t\":%lld}\n", pb_event_id(ev),
			   pb_event_type(ev), pb_delivery_attempt(d), a->word, n,
			   (long long)now_ms(), (long long)due);
	if (len > 0 && (size_t)len < sizeof line && write(s->log, line, (size_t)len) != len)
		pb_log(s->self, PB_ERROR, "cannot log: %s", strerror(errno));
}

static void give(struct pb_delivery *d, const struct answer *a)
{
	pb_answer(d, a->code, a->after, (struct pb_span){ a->word, strlen(a->word) },
		  "told to say %s", a->word);
}

#ifdef SCRIPTED_SUBMIT
static void enqueue(struct scripted *s, struct pending *p)
{
	struct pending **at = &s->first;
	while (*at != NULL && (*at)->due <= p->due)
		at = &(*at)->next;
	p->next = *at;
	*at = p;
	pthread_cond_signal(&s->wake);
}

static int64_t delay_of(const struct scripted *s, const struct pb_delivery *d)
{
	uint32_t delay = (uint32_t)pb_int(s->self, "delay");
	struct pb_span own = pb_field(pb_delivery_event(d), "delay");
	char text[16] = "";
	if (own.data != NULL && own.len < sizeof text) {
		memcpy(text, own.data, own.len);
		return strtoll(text, NULL, 10);
	}
	return pb_bool(s->self, "shuffle") ? chance(s, d, delay + 1) : delay;
}

static void scripted_submit(void *state, struct pb_delivery *const d[], size_t n)
{
	struct scripted *s = state;
	for (size_t i = 0; i < n; i++) {
		struct pending *p = calloc(1, sizeof *p);
		if (p == NULL)
			abort();
		p->delivery = d[i];
		choose(s, d[i], &p->answer);
		p->due = now_ms() + delay_of(s, d[i]);
		note(s, d[i], &p->answer, n, p->due);
		pthread_mutex_lock(&s->lock);
		enqueue(s, p);
		pthread_mutex_unlock(&s->lock);
	}
}

/* Is nothing said of it yet? */
static bool held(const struct scripted *s, const struct answer *a)
{
	struct answer script;
	if (strcmp(a->word, "silent") != 0 && strcmp(a->word, "hang") != 0)
		return false;
	return !script_answer(s, &script) || strcmp(script.word, a->word) == 0;
}

static struct pending *take_due(struct scripted *s)
{
	for (struct pending **at = &s->first; *at != NULL && (*at)->due <= now_ms(); at = &(*at)->next) {
		struct pending *p = *at;
		if (held(s, &p->answer))
			continue;
		*at = p->next;
		return p;
	}
	return NULL;
}

static void sleep_until_due(struct scripted *s)
{
	if (s->first == NULL) {
		pthread_cond_wait(&s->wake, &s->lock);
		return;
	}
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&s->wake, &s->lock, &until);
}

static void *answer_loop(void *arg)
{
	struct scripted *s = arg;
	pthread_mutex_lock(&s->lock);
	while (!s->ending) {
		struct pending *p = take_due(s);
		if (p == NULL) {
			sleep_until_due(s);
			continue;
		}
		pthread_mutex_unlock(&s->lock);
		give(p->delivery, &p->answer);
		free(p);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static int begin(struct scripted *s)
{
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->wake, NULL);
	return pthread_create(&s->thread, NULL, answer_loop, s);
}

static void end(struct scripted *s)
{
	pthread_mutex_lock(&s->lock);
	s->ending = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->wake);
}
#else
/* Stay inside write() for as long as the script says. */
static void hang(const struct scripted *s)
{
	struct answer script;
	while (script_answer(s, &script) && strcmp(script.word, "hang") == 0)
		poll(NULL, 0, LOOK);
}

static void scripted_write(void *state, struct pb_delivery *const d[], size_t n)
{
	struct scripted *s = state;
	for (size_t i = 0; i < n; i++) {
		struct answer a;
		choose(s, d[i], &a);
		poll(NULL, 0, (int)pb_int(s->self, "delay"));
		note(s, d[i], &a, n, now_ms());
		if (strcmp(a.word, "hang") == 0)
			hang(s);
		if (strcmp(a.word, "silent") == 0 || strcmp(a.word, "hang") == 0)
			return;
		give(d[i], &a);
		if (a.code != PB_OK)
			return;
	}
}

static int begin(struct scripted *s)
{
	(void)s;
	return 0;
}

static void end(struct scripted *s)
{
	(void)s;
}
#endif

static void *scripted_open(struct pb_self *self, struct pb_error *err)
{
	struct scripted *s = calloc(1, sizeof *s);
	if (s == NULL)
		return pb_error(err, NULL, "out of memory");
	s->self = self;
	s->log = open(pb_str(self, "log"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (s->log >= 0 && begin(s) == 0)
		return s;
	pb_error(err, "log", "%s", strerror(errno));
	if (s->log >= 0)
		close(s->log);
	free(s);
	return NULL;
}

static void scripted_close(void *state)
{
	struct scripted *s = state;
	end(s);
	close(s->log);
	free(s);
}

#ifdef SCRIPTED_SUBMIT
PB_PLUGIN(.name = "scripted_submit", .version = PACKAGE_VERSION,
	  .summary = "Logs deliveries and answers later, as a test tells it",
	  .sink = PB_SINK(.options = options, .open = scripted_open, .close = scripted_close,
			  .submit = scripted_submit, .max_batch = 16));
#else
PB_PLUGIN(.name = "scripted", .version = PACKAGE_VERSION,
	  .summary = "Logs deliveries and answers as a test tells it",
	  .sink = PB_SINK(.options = options, .open = scripted_open, .close = scripted_close,
			  .write = scripted_write, .max_batch = 64));
#endif
