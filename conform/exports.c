/* exports.c - the symbols that a shared object exports, from its file. */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conform/raw.h"

/* The whole file, mapped. */
struct image {
	const unsigned char *at;
	size_t size;
};

static bool within(const struct image *m, uint64_t from, uint64_t len)
{
	return from <= m->size && len <= m->size - from;
}

/* The section with that number, or NULL. */
static const ElfW(Shdr) *section(const struct image *m, size_t i)
{
	const ElfW(Ehdr) *head = (const ElfW(Ehdr) *)m->at;
	if (i >= head->e_shnum)
		return NULL;
	return (const ElfW(Shdr) *)(m->at + head->e_shoff) + i;
}

static bool is_object(const struct image *m)
{
	const ElfW(Ehdr) *head = (const ElfW(Ehdr) *)m->at;
	return m->size >= sizeof *head && memcmp(head->e_ident, ELFMAG, SELFMAG) == 0 &&
	       head->e_ident[EI_CLASS] == (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) &&
	       head->e_shentsize == sizeof(ElfW(Shdr)) && head->e_shoff % sizeof(void *) == 0 &&
	       within(m, head->e_shoff, (uint64_t)head->e_shnum * sizeof(ElfW(Shdr)));
}

/* Data that stays writable once all is bound: not what is only relocated. */
static bool is_writable(const struct image *m, const ElfW(Sym) *symbol)
{
	const ElfW(Shdr) *in = section(m, symbol->st_shndx);
	if (in == NULL || (in->sh_flags & SHF_WRITE) == 0)
		return false;
	const ElfW(Shdr) *names = section(m, ((const ElfW(Ehdr) *)m->at)->e_shstrndx);
	if (names == NULL || !within(m, names->sh_offset, names->sh_size) || in->sh_name >= names->sh_size)
		return false;
	const char *name = (const char *)m->at + names->sh_offset + in->sh_name;
	return strncmp(name, ".data.rel.ro", names->sh_size - in->sh_name) != 0;
}

static bool is_exported(const ElfW(Sym) *symbol)
{
	unsigned bind = ELF64_ST_BIND(symbol->st_info), seen = ELF64_ST_VISIBILITY(symbol->st_other);
	return symbol->st_shndx != SHN_UNDEF && (bind == STB_GLOBAL || bind == STB_WEAK) &&
	       (seen == STV_DEFAULT || seen == STV_PROTECTED);
}

static bool each_symbol(const struct image *m, const ElfW(Shdr) *symbols,
			void (*each)(void *arg, const char *name, bool writable), void *arg)
{
	const ElfW(Shdr) *names = section(m, symbols->sh_link);
	if (names == NULL || !within(m, names->sh_offset, names->sh_size) || names->sh_size == 0 ||
	    !within(m, symbols->sh_offset, symbols->sh_size) || symbols->sh_offset % sizeof(void *) != 0)
		return false;
	const char *texts = (const char *)m->at + names->sh_offset;
	if (texts[names->sh_size - 1] != '\0')
		return false;
	const ElfW(Sym) *symbol = (const ElfW(Sym) *)(m->at + symbols->sh_offset);
	for (size_t n = symbols->sh_size / sizeof *symbol; n > 0; n--, symbol++)
		if (symbol->st_name < names->sh_size && is_exported(symbol))
			each(arg, texts + symbol->st_name, is_writable(m, symbol));
	return true;
}

static bool each_in(const struct image *m, void (*each)(void *arg, const char *name, bool writable), void *arg)
{
	if (!is_object(m))
		return false;
	for (size_t i = 0; section(m, i) != NULL; i++)
		if (section(m, i)->sh_type == SHT_DYNSYM)
			return each_symbol(m, section(m, i), each, arg);
	return false;
}

bool raw_each_export(const char *path, void (*each)(void *arg, const char *name, bool writable), void *arg)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	void *at = fstat(fd, &st) == 0 && st.st_size > 0 ?
		mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
	close(fd);
	if (at == MAP_FAILED)
		return false;
	const struct image m = { at, (size_t)st.st_size };
	bool good = each_in(&m, each, arg);
	munmap(at, m.size);
	return good;
}
