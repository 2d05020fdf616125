#!/bin/sh
# installed.sh - a plugin and its test are built outside the tree, from what is installed and as the example says.
set -u
top=$(pwd)
unset MAKEFLAGS MFLAGS MAKELEVEL
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
die() { echo "$*"; exit 1; }

make install-pkgincludeHEADERS install-pkgconfigDATA install-testinglibDATA DESTDIR="$work/root" \
	>"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
pc=$(find "$work/root" -name patchbay.pc) && pc=${pc%/*}
prefix=$(sed -n 's/^prefix=//p' "$pc/patchbay.pc")
for file in "$pc"/*.pc; do
	sed "s|^prefix=.*|prefix=$work/root$prefix|" "$file" >"$file.new" && mv "$file.new" "$file"
done
PKG_CONFIG_PATH=$pc${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
export PKG_CONFIG_PATH

# A compiler by the name that the guide uses, with what this build was made with.
mkdir "$work/bin" "$work/test"
sanitize=
[ "$sanitizers" = no ] || sanitize=-fsanitize=$sanitizers
printf '#!/bin/sh\nexec %s -Wall -Wextra -Werror %s "$@"\n' "$CC" "$sanitize" >"$work/bin/cc"
chmod +x "$work/bin/cc"
PATH=$work/bin:$PATH

case $srcdir in /*) ;; *) srcdir=$top/$srcdir ;; esac
cp "$srcdir/etc/examples/plugins/fifo.c" "$work/test" && cd "$work/test" || exit 1
sed "s|/tmp/patchbay-test-fifo|$work/fifo|" "$srcdir/etc/examples/plugins/test-fifo.c" >test-fifo.c
sed -n 's/^ \*\t\(.*\)/\1/p' test-fifo.c >commands	# as its first lines say
grep -q patchbay-testing commands && sh -e commands || die "the example's test"

# The same test on the shared object.
cc -std=c17 -D_GNU_SOURCE -shared -fPIC $(pkg-config --cflags patchbay) -o fifo.so fifo.c || exit 1
sed -e 's|pbt_new(&patchbay_plugin)|pbt_new_file("./fifo.so")|' -e '/^extern const struct pb_plugin/d' \
	test-fifo.c >test-file.c
cc -std=c17 -D_GNU_SOURCE -o test-file test-file.c \
	$(pkg-config --cflags --libs patchbay-testing cmocka) && ./test-file || die "the plugin from its file"

# The headers alone, strictly.
for header in plugin testing; do
	echo "#include <patchbay/$header.h>" | cc -std=c17 -Wpedantic $(pkg-config --cflags patchbay) \
		-x c -c -o /dev/null - || exit 1
done
