/* peek.c - a shared object's dynamic symbols, and the bytes of one of them. */
#include "plugin/peek.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <patchbay/plugin.h>

#include "plugin/object.h"

#define NUMBERS (offsetof(struct pb_plugin, abi_minor) + sizeof(uint16_t))

struct file {
	const char *data;
	size_t len;
};

/* `n` things of `size` bytes at an offset, or NULL: the file is shorter, or they would not be aligned. */
static const void *at(const struct file *f, uint64_t offset, uint64_t n, size_t size, size_t align)
{
	if (offset > f->len || n > (f->len - offset) / size || offset % align != 0)
		return NULL;
	return f->data + offset;
}

static const ElfW(Shdr) *section(const struct file *f, size_t i)
{
	const ElfW(Ehdr) *head = at(f, 0, 1, sizeof *head, 1);
	if (head == NULL || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 || i >= head->e_shnum ||
	    head->e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32))
		return NULL;
	const ElfW(Shdr) *first = at(f, head->e_shoff, head->e_shnum, sizeof *first, _Alignof(ElfW(Shdr)));
	return first != NULL ? first + i : NULL;
}

static bool named(const struct file *f, const ElfW(Shdr) *names, ElfW(Word) name)
{
	const size_t len = sizeof OBJECT_SYMBOL;
	if (name > names->sh_size || names->sh_size - name < len)
		return false;
	const char *text = at(f, names->sh_offset + name, len, 1, 1);
	return text != NULL && memcmp(text, OBJECT_SYMBOL, len) == 0;
}

/* The symbol of that name among the table's, or NULL. */
static const ElfW(Sym) *find(const struct file *f, const ElfW(Shdr) *table)
{
	const ElfW(Shdr) *names = section(f, table->sh_link);
	size_t n = table->sh_size / sizeof(ElfW(Sym));
	const ElfW(Sym) *symbol = at(f, table->sh_offset, n, sizeof *symbol, _Alignof(ElfW(Sym)));
	if (names == NULL || symbol == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (named(f, names, symbol[i].st_name))
			return &symbol[i];
	return NULL;
}

/* The descriptor's first bytes: numbers, which need no relocation. */
static const char *descriptor(const struct file *f)
{
	const ElfW(Shdr) *table;
	size_t i = 0;
	while ((table = section(f, i)) != NULL && table->sh_type != SHT_DYNSYM)
		i++;
	const ElfW(Sym) *symbol = table != NULL ? find(f, table) : NULL;
	if (symbol == NULL || ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT || symbol->st_size < NUMBERS)
		return NULL;
	const ElfW(Shdr) *in = section(f, symbol->st_shndx);
	if (in == NULL || in->sh_type != SHT_PROGBITS || symbol->st_value < in->sh_addr ||
	    symbol->st_value - in->sh_addr > in->sh_size)
		return NULL;
	return at(f, in->sh_offset + (symbol->st_value - in->sh_addr), NUMBERS, 1, 1);
}

bool peek_abi(const char *path, unsigned *major, unsigned *minor)
{
	struct stat st;
	struct pb_plugin plugin;
	const char *found = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	bool whole = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
	void *data = whole ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
	close(fd);
	if (data == MAP_FAILED)
		return false;
	found = descriptor(&(struct file){ data, (size_t)st.st_size });
	if (found != NULL) {
		memcpy(&plugin, found, NUMBERS);
		*major = plugin.abi_major;
		*minor = plugin.abi_minor;
	}
	munmap(data, (size_t)st.st_size);
	return found != NULL;
}
