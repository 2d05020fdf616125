# lib.sh - what scripts/quickstart and scripts/test share. To be sourced, with $top set.

# Debian 12 packages, in one place.
packages_build="gcc make autoconf automake pkg-config libc6-dev libcurl4-openssl-dev
	libmicrohttpd-dev liblmdb-dev libinih-dev libmsgpack-dev libjansson-dev libssl-dev
	libcmocka-dev libseccomp-dev uthash-dev"
packages_run="curl ca-certificates python3 tzdata"
packages_syslog="rsyslog"
packages_test="abigail-tools clang binutils python3-pytest nginx-light rsyslog logrotate openssl man-db mount
	procps prometheus util-linux mosquitto mosquitto-clients libmosquitto-dev gdb valgrind
	nodejs jq"

# What is built must not be for others to write: see trusted().
umask 022

say() { printf '%s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

# The packages among "$@" that are not installed.
packages_missing() {
	for package; do
		dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^.i' ||
			printf '%s ' "$package"
	done
}

# Install what is missing of "$@"; without root say what to install.
packages_install() {
	command -v dpkg-query >/dev/null || die "This needs Debian 12 or a relative: no dpkg-query here."
	missing=$(packages_missing "$@")
	if [ -z "$missing" ]; then
		say "Packages: all there."
		return
	fi
	[ "$(id -u)" -eq 0 ] || die "Missing packages, and only root can install them:
    apt-get install --no-install-recommends $missing"
	say "Packages: installing $missing"
	apt_log=$(mktemp)
	services_stay_off
	export DEBIAN_FRONTEND=noninteractive
	# shellcheck disable=SC2086 # a list of words
	if apt-get -q update >"$apt_log" 2>&1 &&
	   apt-get -qy install --no-install-recommends $missing >>"$apt_log" 2>&1; then
		services_as_before
		rm -f "$apt_log"
	else
		services_as_before
		cat "$apt_log" >&2
		die "apt-get could not install: $missing"
	fi
}

# A package's own service is not wanted: the tests start their own on free ports.
policy=/usr/sbin/policy-rc.d
services_stay_off() {
	policy_ours=no
	[ ! -e $policy ] || return 0
	printf '#!/bin/sh\nexit 101\n' > $policy
	chmod 755 $policy
	policy_ours=yes
}
services_as_before() {
	[ $policy_ours = no ] || rm -f $policy
}

# Whether a folder and those above it belong to root or us, and nobody else may write them (a
# sticky one may stand above): else patchbay loads no plugin from there.
trusted() {
	dir=$1
	while :; do
		# shellcheck disable=SC2046 # owner and mode
		set -- $(stat -c '%u %a' "$dir")
		[ "$1" -eq 0 ] || [ "$1" -eq "$(id -u)" ] || return 1
		case $2 in
		1???) ;;
		*[2367]? | *[2367]) return 1 ;;
		esac
		[ "$dir" != / ] || return 0
		dir=$(dirname "$dir")
	done
}

# Where to build: in the checkout, or beside it if others could write there.
build_folder() {
	if trusted "$top"; then
		say "$top/$1"
	else
		say "/var/tmp/patchbay-$(id -u)-$(printf %s "$top" | cksum | cut -d' ' -f1)/$1"
	fi
}

# Make ./configure if it is not there or older than what it is made of.
autogen() {
	[ ! -e "$top/config.status" ] ||
		die "$top is configured in place: run make distclean there first."
	for from in configure.ac Makefile.am core/Makefile.inc plugins/Makefile.inc tests/Makefile.inc; do
		if [ ! -e "$top/configure" ] || [ "$top/$from" -nt "$top/configure" ]; then
			"$top/autogen.sh"
			return
		fi
	done
}
