/* secret.c - ${env:NAME}, ${file:PATH} and ${cred:NAME}. */
#include "config/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/parse.h"

#define CREDENTIALS "CREDENTIALS_DIRECTORY"

/* One reference: what stands between "${" and "}". */
struct reference {
	struct setting *setting;
	const char *title;
	struct report *report;
	const char *text;	/* "file:/etc/token" */
};

static bool wrong(const struct reference *ref, const char *why)
{
	report_error(ref->report, ref->setting->place, ref->title, ref->setting->key,
		     "${%s}: %s", ref->text, why);
	return false;
}

static bool add_text(const struct reference *ref, const char *text, size_t len, struct buf *out)
{
	if (len == 0)
		return wrong(ref, "is empty");
	if (!utf8_valid(text, len))
		return wrong(ref, "is not UTF-8");
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)text[i] < ' ' && text[i] != '\t' && text[i] != '\n') ||
		    text[i] == 0x7f)
			return wrong(ref, "contains control bytes");
	if (buf_add(out, text, len) != 0)
		return wrong(ref, "makes the value longer than 64 KiB");
	return true;
}

/* The file's bytes, SECRET_MAX + 1 at most. -errno when it cannot be read. */
static ssize_t read_all(int fd, char *data)
{
	size_t len = 0;
	while (len <= SECRET_MAX) {
		ssize_t n = read(fd, data + len, SECRET_MAX + 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

static bool add_contents(const struct reference *ref, int fd, struct buf *out)
{
	char *data = xcalloc(1, SECRET_MAX + 1);
	ssize_t len = read_all(fd, data);
	if (len > 0 && data[len - 1] == '\n')
		len--;
	bool good = len < 0 ? wrong(ref, strerror((int)-len)) :
		    len > SECRET_MAX ? wrong(ref, "is longer than 64 KiB") :
		    add_text(ref, data, (size_t)len, out);
	explicit_bzero(data, SECRET_MAX + 1);
	free(data);
	return good;
}

static bool add_file(const struct reference *ref, const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) != 0) {
		const char *why = strerror(errno);
		if (fd >= 0)
			close(fd);
		return wrong(ref, why);
	}
	bool good = S_ISREG(st.st_mode) ? add_contents(ref, fd, out) :
		    wrong(ref, "is not a regular file");
	close(fd);
	if (good && (st.st_mode & S_IROTH) != 0 && ref->setting->exposed == NULL)
		ref->setting->exposed = xstrdup(path);
	return good;
}

static bool add_path(const struct reference *ref, const char *path, struct buf *out)
{
	if (*path == '\0')
		return wrong(ref, "names no file");
	const char *file = ref->setting->place.file;
	const char *slash = *path == '/' ? NULL : strrchr(file, '/');
	char *whole = xasprintf("%.*s%s", slash == NULL ? 0 : (int)(slash + 1 - file), file, path);
	bool good = add_file(ref, whole, out);
	free(whole);
	return good;
}

static bool add_credential(const struct reference *ref, const char *name, struct buf *out)
{
	const char *folder = getenv(CREDENTIALS);
	if (*name == '\0' || *name == '.' || strchr(name, '/') != NULL)
		return wrong(ref, "is not the name of a credential");
	if (folder == NULL || *folder != '/')
		return wrong(ref, "$" CREDENTIALS " is not set: the service has no credentials");
	char *path = xasprintf("%s/%s", folder, name);
	bool good = add_file(ref, path, out);
	free(path);
	return good;
}

static bool add_variable(const struct reference *ref, const char *name, struct buf *out)
{
	const char *value = getenv(name);
	if (value == NULL)
		return wrong(ref, "is not set in the environment");
	return add_text(ref, value, strlen(value), out);
}

static const struct {
	const char *prefix;
	bool (*add)(const struct reference *, const char *rest, struct buf *out);
} forms[] = {
	{ "env:", add_variable },
	{ "file:", add_path },
	{ "cred:", add_credential },
};

static bool add_reference(const struct reference *ref, struct buf *out)
{
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		size_t len = strlen(forms[i].prefix);
		if (strncmp(ref->text, forms[i].prefix, len) == 0)
			return forms[i].add(ref, ref->text + len, out);
	}
	return wrong(ref, "expected ${env:NAME}, ${file:PATH} or ${cred:NAME}; "
		     "$${ stands for a plain ${");
}

/* The reference that begins at *at; moves *at past it. */
static bool take_reference(struct reference *ref, const char **at, struct buf *out)
{
	const char *end = strchr(*at, '}');
	if (end == NULL) {
		ref->text = *at + 2;
		return wrong(ref, "has no } at its end; $${ stands for a plain ${");
	}
	char *text = strndup(*at + 2, (size_t)(end - *at - 2));
	ref->text = text == NULL ? "" : text;
	*at = end + 1;
	ref->setting->secret = true;
	bool good = add_reference(ref, out);
	free(text);
	return good;
}

static bool fill(struct reference *ref, const char *at, struct buf *out)
{
	while (*at != '\0') {
		size_t plain = strcspn(at, "$");
		buf_add(out, at, plain);
		at += plain;
		if (strncmp(at, "$${", 3) == 0) {
			buf_add_str(out, "${");
			at += 3;
		} else if (strncmp(at, "${", 2) == 0) {
			if (!take_reference(ref, &at, out))
				return false;
		} else if (*at == '$') {
			buf_add_char(out, '$');
			at++;
		}
	}
	return true;
}

void secret_fill(struct setting *setting, const char *title, struct report *report)
{
	if (strstr(setting->value, "${") == NULL)
		return;
	struct reference ref = { .setting = setting, .title = title, .report = report };
	struct buf out = BUF_INIT(SECRET_MAX);
	setting->failed = !fill(&ref, setting->value, &out);
	if (!setting->failed && out.failed == 0) {
		free(setting->value);
		setting->value = xstrdup(out.data);
	} else if (!setting->failed) {
		setting->failed = true;
		report_error(report, setting->place, title, setting->key, "is longer than 64 KiB");
	}
	if (out.data != NULL)
		explicit_bzero(out.data, out.cap);
	buf_free(&out);
}
