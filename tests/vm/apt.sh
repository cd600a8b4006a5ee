# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Debian's packages of other releases and architectures, without touching the machine's own sources,
# lists or default release: a private state of apt in the build folder. The mirror is the one that
# the system's own sources name; DEBIAN_MIRROR=URL where that is no Debian. Sourced.

# The first Debian main archive among the machine's sources.
apt_mirror() {
	if [ -n "${DEBIAN_MIRROR:-}" ]; then
		echo "$DEBIAN_MIRROR"
		return
	fi
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
		awk '$3 == "main" && $1 !~ /security/ && $1 ~ /debian\/?$/ { print $1; exit }'
}

# apt_state DIR ARCH SUITE...: makes the state; its options in APT_O. Lists are fetched once, and
# again when they are older than a day and REFRESH=1.
apt_state() {
	local dir=$1 arch=$2 mirror suite keys=/usr/share/keyrings/debian-archive-keyring.gpg
	shift 2
	mirror=$(apt_mirror)
	[ -n "$mirror" ] || {
		echo "no Debian archive among this machine's apt sources: DEBIAN_MIRROR=URL names one" >&2
		return 1
	}
	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	dir=$(realpath "$dir")
	touch "$dir/none"
	for suite; do
		echo "deb [arch=$arch signed-by=$keys] $mirror $suite main"
	done >"$dir/sources.list"
	# As -o, not in APT_CONFIG: that is read before apt.conf.d, whose settings would win. The caches
	# are set because Debian's container images switch them off, which costs seconds a call.
	APT_O=(-q
		-o "APT::Architecture=$arch" -o "APT::Architectures::=$arch" -o APT::Default-Release=
		-o "Dir::Etc::sourcelist=$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null
		-o "Dir::Etc::preferences=$dir/none" -o Dir::Etc::preferencesparts=/dev/null
		-o "Dir::State::lists=$dir/lists" -o "Dir::Cache::archives=$dir/archives"
		-o "Dir::Cache::pkgcache=$dir/pkgcache.bin" -o "Dir::Cache::srcpkgcache=$dir/srcpkgcache.bin"
		-o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
		-o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false
		-o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Sandbox::User=root
		-o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300)
	if [ ! -e "$dir/fetched" ] || { [ "${REFRESH:-}" = 1 ] && [ -n "$(find "$dir/fetched" -mtime +0)" ]; } ||
		! cmp -s "$dir/sources.list" "$dir/fetched"; then
		apt-get "${APT_O[@]}" update >"$dir/update.log" 2>&1 || {
			tail -n 5 "$dir/update.log" >&2
			return 1
		}
		cp "$dir/sources.list" "$dir/fetched"
	fi
}

# apt_get DIR PACKAGE[=VERSION]...: downloads into DIR.
apt_get() {
	local dir=$1
	shift
	mkdir -p "$dir"
	(cd "$dir" && apt-get "${APT_O[@]}" download "$@") >"$dir/download.log" 2>&1 || {
		tail -n 5 "$dir/download.log" >&2
		return 1
	}
}

# apt_unpack DIR PACKAGE...: downloads and unpacks over DIR, nothing installed.
apt_unpack() {
	local dir=$1 debs deb
	shift
	debs=$(mktemp -d) || return 1
	apt_get "$debs" "$@" || {
		rm -rf "$debs"
		return 1
	}
	mkdir -p "$dir"
	for deb in "$debs"/*.deb; do
		dpkg -x "$deb" "$dir" || return 1
	done
	rm -rf "$debs"
}
