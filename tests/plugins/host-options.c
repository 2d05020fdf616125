/* host-options.c - a plugin without a daemon: options. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/parse.h"
#include "plugins/host-self.h"

#define LIST_MAX 64

/* What the core lets every sink have; the values that a test needs, and its defaults. */
static const struct pb_option common[] = {
	{ .name = "timeout", .type = PB_DURATION, .value = "10s" },
	{ .name = "max_in_flight", .type = PB_INT, .value = "64", .min = 1, .max = 100000 },
	{ .name = "max_response", .type = PB_SIZE, .value = "4KiB" },
	{ .name = "max_batch", .type = PB_INT, .value = "256", .min = 1, .max = 100000 },
	{ 0 }
};

void setting_split(const char *text, char **name, char **value)
{
	const char *equals = strchr(text, '=');
	if (equals == NULL)
		host_bug("a setting is \"name = value\": %s", text);
	*name = xstrdup(text);
	(*name)[strcspn(text, " =")] = '\0';
	equals++;
	*value = xstrdup(equals + strspn(equals, " "));
}

static int list_parse(struct setting *setting)
{
	const char *next = setting->text;
	char item[8192];
	size_t n = 0;
	int more;
	setting->list = xcalloc(LIST_MAX + 1, sizeof *setting->list);
	while ((more = parse_list_next(&next, item, sizeof item)) == 1 && n < LIST_MAX)
		setting->list[n++] = xstrdup(item);
	return more < 0 ? more : 0;
}

static bool is_choice(const char *choices, const char *word)
{
	size_t len = strlen(word);
	for (const char *p = choices; (p = strstr(p, word)) != NULL; p++)
		if ((p == choices || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
			return true;
	return false;
}

static int value_parse(struct setting *setting)
{
	struct address address;
	bool yes = false;
	int error = 0;
	switch (setting->option->type) {
	case PB_BOOL:
		error = parse_bool(setting->text, &yes);
		setting->number = yes;
		return error;
	case PB_INT: return parse_int(setting->text, &setting->number);
	case PB_DURATION: return parse_duration(setting->text, &setting->number);
	case PB_SIZE: return parse_size(setting->text, &setting->number);
	case PB_CHOICE: return is_choice(setting->option->choices, setting->text) ? 0 : -EINVAL;
	case PB_PATH: return setting->text[0] == '/' ? 0 : -EINVAL;
	case PB_ADDRESS: return parse_address(setting->text, &address);
	default: return 0;
	}
}

static bool is_list(const struct setting *setting)
{
	return setting->option->type == PB_LIST || setting->option->type == PB_PATHS;
}

static void setting_parse(struct setting *setting, struct pb_error *err)
{
	const struct pb_option *option = setting->option;
	int error = is_list(setting) ? list_parse(setting) : 0;
	if (setting->text[0] != '\0' && !is_list(setting))
		error = value_parse(setting);
	if (error == 0 && (option->min != 0 || option->max != 0) &&
	    (setting->number < option->min || setting->number > option->max))
		error = -ERANGE;
	if (error != 0)
		error_add(err, option->name, "bad value: %s", setting->text);
}

static void table_add(struct pb_self *self, const struct pb_option *table)
{
	for (; table != NULL && table->name != NULL; table++) {
		self->settings = xrealloc(self->settings, self->n + 1, sizeof *self->settings);
		self->settings[self->n++] = (struct setting){ .option = table };
	}
}

static struct setting *setting_find(const struct pb_self *self, const char *name)
{
	for (size_t i = 0; i < self->n; i++)
		if (strcmp(self->settings[i].option->name, name) == 0)
			return &self->settings[i];
	return NULL;
}

static void setting_set(struct pb_self *self, const char *text, struct pb_error *err)
{
	char *name, *value;
	setting_split(text, &name, &value);
	struct setting *setting = setting_find(self, name);
	if (setting != NULL) {
		free(setting->text);
		setting->text = xstrdup(value);
		setting->set = true;
	} else {
		error_add(err, name, "no such option");
	}
	free(name);
	free(value);
}

void settings_read(struct pb_self *self, const struct pb_option *table,
		   const char *const settings[], struct pb_error *err)
{
	table_add(self, table);
	table_add(self, common);
	for (; *settings != NULL; settings++)
		setting_set(self, *settings, err);
	for (size_t i = 0; i < self->n; i++) {
		struct setting *setting = &self->settings[i];
		const char *preset = setting->option->value;
		if (!setting->set && preset == NULL)
			error_add(err, setting->option->name, "missing");
		if (setting->text == NULL)
			setting->text = xstrdup(preset == NULL ? "" : preset);
		setting_parse(setting, err);
	}
}

void settings_free(struct pb_self *self)
{
	for (size_t i = 0; i < self->n; i++) {
		struct setting *setting = &self->settings[i];
		for (size_t j = 0; setting->list != NULL && setting->list[j] != NULL; j++)
			free(setting->list[j]);
		free(setting->list);
		free(setting->text);
	}
	free(self->settings);
}

static const struct setting *setting_get(const struct pb_self *self, const char *name)
{
	const struct setting *setting = setting_find(self, name);
	if (setting == NULL)
		host_bug("the plugin asks for an option that no table has: %s", name);
	return setting;
}

static int64_t number_get(const struct pb_self *self, const char *name, bool yes_no)
{
	const struct setting *setting = setting_get(self, name);
	enum pb_type type = setting->option->type;
	bool fits = yes_no ? type == PB_BOOL
			   : type == PB_INT || type == PB_DURATION || type == PB_SIZE;
	if (!fits)
		host_bug("the plugin asks for option %s by another type", name);
	return setting->number;
}

const char *pb_str(const struct pb_self *self, const char *name)
{
	const struct setting *setting = setting_get(self, name);
	if (setting->list != NULL || (setting->option->type >= PB_BOOL &&
				      setting->option->type <= PB_SIZE))
		host_bug("the plugin asks for option %s by another type", name);
	return setting->text;
}

int64_t pb_int(const struct pb_self *self, const char *name)
{
	return number_get(self, name, false);
}

bool pb_bool(const struct pb_self *self, const char *name)
{
	return number_get(self, name, true) != 0;
}

const char *const *pb_list(const struct pb_self *self, const char *name)
{
	const struct setting *setting = setting_get(self, name);
	if (setting->list == NULL)
		host_bug("the plugin asks for option %s by another type", name);
	return (const char *const *)setting->list;
}

bool pb_isset(const struct pb_self *self, const char *name)
{
	return setting_get(self, name)->set;
}
