#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What is known of a binary is kept for the next look: the report stays the same whatever lies in the
# cache; another file is not mistaken for it; a directory that others can write to is not used.
[ "$(id -u)" != 0 ] || [ -n "${OWN_RUN:-}" ] || ! command -v unshare >/dev/null ||
	OWN_RUN=1 exec unshare --mount --propagation private bash "$0" "$@"
. "$(dirname "$0")/lib.sh"
need_root
need_go
need_tool jq unshare setpriv
D=/run/rsscope
mount -t tmpfs -o mode=755 none /run || skip no-mount "cannot mount a /run of our own"

entries() { ls -A $D 2>/dev/null | wc -l; }
# All that does not tell of this very look: times, cost, what a busy cgroup is charged.
gist() { jq -S 'del(.time, .reports[].time) | .reports[] | del(.cost, .cgroup, .findings, .host.boot_id, .kernel.mem_available) | .verdict |= sub("; [^;]*$"; "")' "$1"; }
look() { # NAME PID [ARG…]: the report's gist in $TMP/NAME, messages in $TMP/NAME.err
	"$RSSCOPE" report -v --json --pid "${@:2}" >"$TMP/$1.json" 2>"$TMP/$1.err"
	RC=$?
	[ $RC = 0 ] || [ $RC = 5 ] || fail "$1: exit $RC: $(head -c 300 "$TMP/$1.err")"
	gist "$TMP/$1.json" >"$TMP/$1"
}
# Of a frozen process the kernel may still make huge pages: then its resident set is another one.
set_of() { jq -c '.reports[0] | [.rss.scanned, ([.ledger[].huge] | add)]' "$TMP/$1.json"; }
same() {
	cmp -s "$TMP/$1" "$TMP/$2" || [ "$(set_of "$1" | cut -d , -f 2)" != "$(set_of "$2" | cut -d , -f 2)" ] ||
		fail "$1 $(set_of "$1") and $2 $(set_of "$2") differ: $(diff "$TMP/$1" "$TMP/$2" | head -n 6 | tr '\n' ' ')"
}
known() { grep -q 'is where it was in another process' "$TMP/$1.err" || fail "$1: the runtime was searched for"; }
searched() { grep -q 'Go runtime is searched for' "$TMP/$1.err" || fail "$1: the runtime was not searched for"; }
refused() { # NAME WHY
	grep -q "cache in $D is not used: .*$2" "$TMP/$1.err" || fail "$1: does not say that the cache is refused ($2): $(cat "$TMP/$1.err")"
	searched "$1"
}
app() { # SOURCE: runs a copy of it as $TMP/app; the last one ends
	[ -z "${TPID:-}" ] || stop "$TPID"
	cp "$T/$1" "$TMP/app.new" && mv "$TMP/app.new" "$TMP/app"
	start_program "$TMP/app"
	read -r -t 120 line <&"$TRUTH_FD" || die "$1 says nothing"
	sleep 0.2 # what was written just now is not kept
	freeze "$TPID"
}

# Cold and warm, of each build.
for exe in fixture-pure-stripped fixture-pure fixture-cgo-stripped fixture-pie fixture-pie-stripped; do
	[ -x "$T/$exe" ] || continue
	app $exe
	rm -rf $D
	look without "$TPID" --no-cache
	searched without
	[ ! -e $D ] || fail "$exe: --no-cache made $D"
	look cold "$TPID"
	searched cold
	equal "$exe: entries" "$(entries)" 1
	look warm "$TPID"
	known warm
	same without cold
	same cold warm
	equal "$exe: entries after another look" "$(entries)" 1
done
equal "directory" "$(stat -c '%a %u' $D)" "700 0"
entry=$D/$(ls $D)
equal "entry" "$(stat -c '%a %u' "$entry")" "600 0"
between "entry's size" 100 "$(stat -c %s "$entry")" 4096

# Another process of it has other addresses in a PIE, and another heap anyway.
stop "$TPID"
start_program "$TMP/app"
read -r -t 120 line <&"$TRUTH_FD" || die "it says nothing"
ask "alloc 5"
ask gc
freeze "$TPID"
look other "$TPID"
known other
look without "$TPID" --no-cache
same other without

# No capture: neither used nor left.
cp "$entry" "$TMP/entry"
"$RSSCOPE" capture -v --pid "$TPID" -o "$TMP/cap" 2>"$TMP/capture.err" || fail "capture: $(cat "$TMP/capture.err")"
searched capture
cmp -s "$entry" "$TMP/entry" || fail "a capture changed the entry"
"$RSSCOPE" report -v --json "$TMP/cap" >"$TMP/replay.json" 2>"$TMP/replay.err"
searched replay

# Damaged entries: the same report, and a good entry again.
look without "$TPID" --no-cache
size=$(stat -c %s "$entry")
damage() { # NAME COMMAND…
	"${@:2}"
	look damaged "$TPID"
	searched damaged
	same damaged without
	look again "$TPID"
	known again
	equal "$1: the entry made anew" "$(stat -c '%F %a %s' "$entry")" "regular file 600 $size"
}
flip() { # OFFSET
	# shellcheck disable=SC2059 # the byte is the format
	printf "\\$(printf %o $((0x$(dd if="$entry" bs=1 skip="$1" count=1 2>/dev/null | od -An -tx1 | tr -d ' ') ^ 1)))" |
		dd of="$entry" bs=1 seek="$1" conv=notrunc 2>/dev/null
}
for at in 0 9 30 $((size / 2)) $((size - 1)); do
	damage "byte $at" flip "$at"
done
damage truncated truncate -s $((size - 1)) "$entry"
damage empty truncate -s 0 "$entry"
damage long truncate -s 10000000 "$entry"
damage fifo sh -c "rm '$entry' && mkfifo '$entry'"
damage "open to others" chmod 666 "$entry"
cp "$TMP/entry" "$TMP/elsewhere"
damage link sh -c "rm '$entry' && ln -s '$TMP/elsewhere' '$entry'"
equal "the link's entry" "$(stat -c %F "$entry")" "regular file"
cmp -s "$TMP/elsewhere" "$TMP/entry" || fail "a file behind a link was written"

# Not the same file: its ctime has changed; another program under the name; both build IDs apart.
chmod 700 "$TMP/app"
sleep 0.2
look touched "$TPID"
searched touched
same touched without
equal "entries of two ctimes" "$(entries)" 2
app fixture-pure-stripped
look replaced "$TPID"
searched replaced
look without "$TPID" --no-cache
same replaced without
rm -f "$TMP/app" # deleted: the same inode still, with another ctime
sleep 0.2
look deleted "$TPID"
look deleted2 "$TPID"
known deleted2

# Directories that are not ours.
rm -rf $D && mkdir -m 777 $D
look open "$TPID"
refused open "mode is not 0700"
chmod 700 $D && chown 65534 $D
look foreign "$TPID"
refused foreign "belongs to somebody else"
rm -rf $D && mkdir -m 700 "$TMP/theirs" && ln -s "$TMP/theirs" $D
look linked "$TPID"
refused linked "symbolic link"
equal "files behind the link" "$(ls -A "$TMP/theirs" | wc -l)" 0
rm $D && touch $D
look file "$TPID"
refused file "no directory"
rm $D && chmod 777 /run
look parent "$TPID"
refused parent "directory above"
chmod 755 /run
mount -o remount,ro /run
look readonly "$TPID"
searched readonly
mount -o remount,rw /run
for i in open foreign linked file parent readonly; do
	same deleted $i
done

# The environment does not lead root elsewhere.
mkdir -m 700 "$TMP/xdg"
XDG_RUNTIME_DIR=$TMP/xdg HOME=$TMP/xdg look elsewhere "$TPID"
equal "files in root's XDG_RUNTIME_DIR" "$(ls -A "$TMP/xdg" | wc -l)" 0
equal "entries" "$(entries)" 1

# Bounded: the oldest go, files of others stay.
for ((i = 0; i < 300; i++)); do
	touch -d "@$((1000000 + i))" "$D/$(printf '%032x' $i)"
done
touch "$D/not-ours" "$D/.new-1-1"
touch -d '1 hour ago' "$D/.new-2-1"
app fixture-cgo-stripped
look many "$TPID"
between "entries at most" 200 "$(find "$D" -regextype posix-extended -regex '.*/[0-9a-f]{32}' | wc -l)" 256
[ -e "$D/not-ours" ] || fail "a file of others is gone"
[ -e "$D/$(printf '%032x' 299)" ] && [ ! -e "$D/$(printf '%032x' 0)" ] || fail "not the oldest are gone"
[ -e "$D/.new-1-1" ] && [ ! -e "$D/.new-2-1" ] || fail "what a writer left is there, or what one writes is gone"
look many2 "$TPID"
known many2

# Many at once.
rm -rf $D
look without "$TPID" --no-cache
pids=
for i in 1 2 3 4 5 6 7 8; do
	"$RSSCOPE" report --json --pid "$TPID" >"$TMP/at$i.json" 2>"$TMP/at$i.err" &
	pids+=" $!"
done
for i in $pids; do
	wait "$i" || fail "one of many at once exits $?"
done
for i in 1 2 3 4 5 6 7 8; do
	gist "$TMP/at$i.json" >"$TMP/at$i"
	same "at$i" without
	[ ! -s "$TMP/at$i.err" ] || fail "one of many at once says $(head -c 200 "$TMP/at$i.err")"
done
equal "entries of many at once" "$(entries)" 1

# Containers' file systems: one file below two of them; the second has put another in its place.
rm -rf $D
mkdir -p /run/ov/lower /run/ov/up1 /run/ov/work1 /run/ov/m1 /run/ov/up2 /run/ov/work2 /run/ov/m2
cp "$T/fixture-pure-stripped" /run/ov/lower/app
overlay() { mount -t overlay -o "lowerdir=/run/ov/lower,upperdir=/run/ov/up$1,workdir=/run/ov/work$1" none "/run/ov/m$1" 2>/dev/null; }
if overlay 1 && overlay 2; then
	cp "$T/fixture-cgo-stripped" /run/ov/m2/new && mv /run/ov/m2/new /run/ov/m2/app
	for i in 1 2; do
		stop "$TPID"
		start_program "/run/ov/m$i/app"
		read -r -t 120 line <&"$TRUTH_FD" || die "it says nothing"
		sleep 0.2
		freeze "$TPID"
		look without "$TPID" --no-cache
		look first "$TPID"
		searched first
		look second "$TPID"
		known second
		same first without
		same second without
	done
	equal "entries of two overlays" "$(entries)" 2
fi

# Another user: a directory of the user's own, or none.
rm -rf $D
chmod 755 "$TMP"
as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
if as_nobody test -x "$RSSCOPE" && as_nobody test -x "$T/fixture-pure-stripped"; then
	start_program setpriv --reuid 65534 --regid 65534 --clear-groups "$T/fixture-pure-stripped"
	read -r -t 120 line <&"$TRUTH_FD" || die "it says nothing"
	mkdir -m 700 "$TMP/user" && chown 65534:65534 "$TMP/user"
	for i in cold warm; do
		as_nobody env XDG_RUNTIME_DIR="$TMP/user" "$RSSCOPE" report -v "$TPID" >"$TMP/user-$i" 2>"$TMP/user-$i.err"
	done
	searched user-cold
	known user-warm
	equal "the user's entries" "$(ls -A "$TMP/user/rsscope" | wc -l)" 1
	equal "the user's directory" "$(stat -c '%a %u' "$TMP/user/rsscope")" "700 65534"
	as_nobody env XDG_RUNTIME_DIR="$TMP/xdg" "$RSSCOPE" report -v "$TPID" >"$TMP/user-other" 2>"$TMP/user-other.err"
	searched user-other
	equal "files in somebody else's directory" "$(ls -A "$TMP/xdg" | wc -l)" 0
	[ ! -e $D ] || fail "a user made $D"
fi
finish
