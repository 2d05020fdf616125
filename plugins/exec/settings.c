/* settings.c - options to what a program is started with. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exec/settings.h"

#define PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin"
#define PATH_LENGTH 4096
#define GROUPS_MAX 1024
#define MEMORY_LEAST (1 << 20)	/* bytes; with less it is mostly a unit that was forgotten */

/* As getenv(3) names are, so that no name can hold what a shell would take for more. */
static size_t name_length(const char *s)
{
	size_t len = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
	return len > 0 && (*s < '0' || *s > '9') ? len : 0;
}

size_t settings_option(const char *option, const char **value)
{
	size_t len = name_length(option);
	if (len == 0 || option[len] != '=')
		return 0;
	*value = option + len + 1;
	return len;
}

static bool has_name_before(const char *const *list, size_t i, size_t len)
{
	for (size_t k = 0; k < i; k++)
		if (strncmp(list[k], list[i], len) == 0 && (list[k][len] == '=' || list[k][len] == '\0'))
			return true;
	return false;
}

void settings_check(struct pb_self *self, struct pb_error *err)
{
	const char *const *list = pb_list(self, "options");
	const char *value;
	for (size_t i = 0; list[i] != NULL; i++) {
		size_t len = settings_option(list[i], &value);
		if (len == 0)
			pb_error(err, "options", "expected NAME=value, with a name of letters, digits and _, at place %zu",
				 i + 1);
		else if (has_name_before(list, i, len))
			pb_error(err, "options", "%.*s twice", (int)len, list[i]);
	}
	int64_t memory = pb_int(self, "memory");
	if (memory > 0 && memory < MEMORY_LEAST)
		pb_error(err, "memory", "is too small for a program; expected 0, which is no limit, or at least 1MiB");
	list = pb_list(self, "environment");
	for (size_t i = 0; list[i] != NULL; i++) {
		size_t len = name_length(list[i]);
		if (len == 0 || (list[i][len] != '=' && list[i][len] != '\0'))
			pb_error(err, "environment", "expected NAME or NAME=value at place %zu", i + 1);
		else if (has_name_before(list, i, len))
			pb_error(err, "environment", "%.*s twice", (int)len, list[i]);
	}
	if (**pb_list(self, "command") == '\0')
		pb_error(err, "command", "the program's name is empty");
	if (pb_int(self, "restart_pause") > pb_int(self, "restart_max_pause"))
		pb_error(err, "restart_max_pause", "expected no less than restart_pause");
}

static bool add_variable(struct settings *s, const char *name, size_t len, const char *value)
{
	char **list = realloc(s->environment, (s->n_environment + 2) * sizeof *list);
	if (list == NULL)
		return false;
	s->environment = list;
	if (asprintf(&list[s->n_environment], "%.*s=%s", (int)len, name, value) < 0) {
		list[s->n_environment] = NULL;
		return false;
	}
	list[++s->n_environment] = NULL;
	return true;
}

static bool add_allowed(struct settings *s, struct pb_self *self)
{
	const char *const *list = pb_list(self, "environment");
	bool added = true;
	for (size_t i = 0; list[i] != NULL && added; i++) {
		size_t len = name_length(list[i]);
		const char *value = list[i][len] == '=' ? list[i] + len + 1 : getenv(list[i]);
		if (value == NULL && strcmp(list[i], "PATH") == 0)
			value = PATH_DEFAULT;
		if (value != NULL)
			added = add_variable(s, list[i], len, value);
	}
	return added;
}

/* A program that speaks no protocol has nothing else to learn of its options by. */
static bool add_options(struct settings *s, struct pb_self *self)
{
	const char *const *list = pb_list(self, "options");
	bool added = true;
	for (size_t i = 0; list[i] != NULL && added; i++) {
		char name[300];
		const char *value = "";
		size_t len = settings_option(list[i], &value);
		int n = snprintf(name, sizeof name, "PATCHBAY_OPTION_%.*s", (int)len, list[i]);
		for (char *c = name; *c != '\0'; c++)
			*c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
		added = add_variable(s, name, n < (int)sizeof name ? (size_t)n : sizeof name - 1, value);
	}
	return added;
}

static bool set_environment(struct settings *s, struct pb_self *self)
{
	static const char *const formats[] = { [WIRE_JSON] = "json", [WIRE_MSGPACK] = "msgpack", [WIRE_LINES] = "plain" };
	return add_allowed(s, self) && add_variable(s, "PATCHBAY_NAME", 13, pb_name(self)) &&
	       add_variable(s, "PATCHBAY_KIND", 13, s->kind) &&
	       add_variable(s, "PATCHBAY_FORMAT", 15, formats[s->format]) &&
	       (s->format != WIRE_LINES || add_options(s, self));
}

static const char *search_path(const struct settings *s)
{
	for (size_t i = 0; i < s->n_environment; i++)
		if (strncmp(s->environment[i], "PATH=", 5) == 0)
			return s->environment[i] + 5;
	return PATH_DEFAULT;
}

/* Where execvp(3) would find it, but never in the working directory. */
static bool find_program(struct settings *s, const char *name)
{
	char path[PATH_LENGTH];
	if (strchr(name, '/') != NULL)
		return (s->path = strdup(name)) != NULL;
	for (const char *at = search_path(s); *at != '\0'; at += strspn(at, ":")) {
		int len = (int)strcspn(at, ":");
		if (*at == '/' && snprintf(path, sizeof path, "%.*s/%s", len, at, name) < (int)sizeof path &&
		    access(path, X_OK) == 0)
			return (s->path = strdup(path)) != NULL;
		at += len;
	}
	errno = ENOENT;
	return false;
}

static bool set_program(struct settings *s, struct pb_self *self, struct pb_error *err)
{
	s->argv = pb_list(self, "command");
	if (!find_program(s, s->argv[0])) {
		pb_error(err, "command", "%s: %s", s->argv[0], strerror(errno));
		return false;
	}
	if (s->path[0] == '/' && access(s->path, X_OK) < 0) {
		pb_error(err, "command", "%s: %s", s->path, strerror(errno));
		return false;
	}
	return true;
}

static bool set_user(struct settings *s, const char *name, struct pb_error *err)
{
	struct passwd record, *found = NULL;
	char strings[4096];
	if (*name == '\0')
		return true;
	if (getpwnam_r(name, &record, strings, sizeof strings, &found) != 0 || found == NULL) {
		pb_error(err, "user", "there is no user %s", name);
		return false;
	}
	if (found->pw_uid == geteuid())
		return true;
	if (geteuid() != 0) {
		pb_error(err, "user", "only root can start a program as another user");
		return false;
	}
	s->n_groups = GROUPS_MAX;
	s->groups = calloc(GROUPS_MAX, sizeof *s->groups);
	if (s->groups == NULL || getgrouplist(name, found->pw_gid, s->groups, &s->n_groups) < 0) {
		pb_error(err, "user", "the groups of %s cannot be read", name);
		return false;
	}
	s->as_user = true;
	s->uid = found->pw_uid;
	s->gid = found->pw_gid;
	return true;
}

static enum wire_format format_of(const char *word)
{
	return *word == 'j' ? WIRE_JSON : *word == 'm' ? WIRE_MSGPACK : WIRE_LINES;
}

bool settings_init(struct settings *s, struct pb_self *self, const char *kind, struct pb_error *err)
{
	*s = (struct settings){
		.format = format_of(pb_str(self, "format")), .kind = kind, .directory = pb_str(self, "directory"),
		.memory = pb_int(self, "memory"), .cpu_time = pb_int(self, "cpu_time"),
		.open_files = pb_int(self, "open_files"), .start_timeout = pb_int(self, "start_timeout"),
		.stop_timeout = pb_int(self, "stop_timeout"), .kill_timeout = pb_int(self, "kill_timeout"),
		.restart_pause = pb_int(self, "restart_pause"),
		.restart_max_pause = pb_int(self, "restart_max_pause"),
		.max_restarts = pb_int(self, "max_restarts"), .timeout = pb_int(self, "timeout"),
	};
	if (!set_environment(s, self))
		pb_error(err, NULL, "out of memory");
	else if (set_program(s, self, err) && set_user(s, pb_str(self, "user"), err))
		return true;
	settings_free(s);
	return false;
}

void settings_free(struct settings *s)
{
	for (size_t i = 0; i < s->n_environment; i++)
		free(s->environment[i]);
	free(s->environment);
	free(s->groups);
	free(s->path);
	*s = (struct settings){ 0 };
}
