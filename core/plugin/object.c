/* object.c - one shared object, mapped. */
#include "plugin/object.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include "base/error.h"
#include "plugin/descriptor.h"
#include "plugin/peek.h"

/* The object's descriptor, if it has a symbol of that name that is data and as long as it says. */
static const void *find_symbol(void *object)
{
	const void *raw = dlsym(object, OBJECT_SYMBOL);
	Dl_info info;
	ElfW(Sym) *symbol = NULL;
	if (raw == NULL || dladdr1(raw, &info, (void **)&symbol, RTLD_DL_SYMENT) == 0 ||
	    symbol == NULL || ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT)
		return NULL;
	uint32_t size;
	if (symbol->st_size < sizeof size)
		return NULL;
	memcpy(&size, raw, sizeof size);
	return symbol->st_size >= size ? raw : NULL;
}

void *object_open(const char *path, const char *name, const void **raw, struct pb_error *err)
{
	unsigned major, minor;
	/* One that is made for a later ABI would rather be said to lack the functions that are new in it. */
	if (peek_abi(path, &major, &minor) && !descriptor_abi_ok(name, major, minor, err))
		return NULL;
	void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (object == NULL) {
		const char *why = dlerror();
		error_add(err, "plugin", "plugin %s cannot be loaded: %s", name,
			  why == NULL ? "no reason given" : why);
		return NULL;
	}
	*raw = find_symbol(object);
	if (*raw != NULL)
		return object;
	error_add(err, "plugin", "%s is not a plugin: it has no descriptor " OBJECT_SYMBOL, path);
	dlclose(object);
	return NULL;
}
