#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# hygiene.sh [ROOT]: what every file of the project owes; prints offences, exit 1 if there is one.
# hygiene.sh --test: proves that offences are found.
set -u

files() { # PATTERN…: tracked files when this is a checkout, else all but build/
	if [ -e .git ]; then
		git -c safe.directory='*' ls-files -- "$@"
	else
		for p in "$@"; do find . -path ./build -prune -o -type f -path "./$p" -print; done
	fi
}

# The walks of README and CONTRIBUTING: "`FILE`, `function`, `other` and `third`" names functions
# (or "struct x") that FILE must define. A file name without a folder is in that of the file before.
named() { # one "DOCUMENT FILE [struct] NAME" a line
	for d in README.md CONTRIBUTING.md; do
		[ -e "$d" ] && tr '\n' ' ' <"$d" | sed 's/``*/`/g' | DOC=$d awk -F '`' '{
			for (i = 2; i <= NF; i += 2) {
				between = $(i - 1)
				gsub(/[[:space:]]+/, " ", between)
				if ($i ~ /^[A-Za-z0-9_.\/-]+\.[ch]$/) {
					if ($i !~ /\//)
						$i = folder "/" $i
					file = $i
					folder = file
					sub(/\/[^\/]*$/, "", folder)
					open = 1
				} else if (open && between ~ /^(,? (and |then )?)$/ && $i ~ /^(struct )?[a-z_][a-z0-9_]*$/)
					print ENVIRON["DOC"], file, $i
				else
					open = 0
			}
		}'
	done
}

defined() { # FILE NAME or FILE struct NAME
	case $2 in
	struct) grep -qE "^struct $3 \{" "$1" ;;
	*) grep -E "^([a-z].*[^[:alnum:]_])?$2\(" "$1" | grep -qv ';$' ;;
	esac
}

check() {
	cd "$1" || exit 2
	{
		files '*.c' '*.h' '*.sh' '*.go' '*.mk' '*.def' Makefile | while read -r f; do
			[ -s "$f" ] && ! head -n 3 "$f" | grep -q 'SPDX-License-Identifier: ' &&
				echo "$f: no SPDX-License-Identifier in the first lines"
		done
		files 'bpf/*.c' 'bpf/*.h' 'include/*.h' 'vmlinux/*.h' | while read -r f; do
			head -n 3 "$f" | grep -q 'SPDX-License-Identifier: .*GPL-2.0-only OR BSD-2-Clause' ||
				echo "$f: not GPL-2.0-only OR BSD-2-Clause"
		done
		# Paths of somebody's machine. ("dev" is nobody: examples may use it.) The brackets keep
		# these lines from being some.
		files '*' | xargs -r grep -nIE -e '(^|[^[:alnum:]_./-])/([w]ork|[h]ome/[a-z]+|[U]sers)/' \
			-e "^$(pwd)/" /dev/null | sed 's/$/   <- a local path/' |
			grep -v -e '[" ]/[h]ome/dev/'
		# Kernels have public names, without the suffix of one provider. In captures, too (-a).
		files '*' | xargs -r grep -noaE '[0-9]+\.[0-9]+\.[0-9]+-fc-v?[0-9]' /dev/null |
			sed 's/$/   <- the kernel of a local machine/'
		# The root is a short list: what is new there is a decision, or an accident.
		files '*' | sed 's/^\.\///' | cut -d/ -f1 | sort -u | grep -vxF -e .ci -e .clang-format \
			-e .gitignore -e .shellcheckrc -e CHANGELOG.md -e CONTRIBUTING.md -e LICENSE -e LICENSES \
			-e Makefile -e README.md -e SECURITY.md -e VERSION -e bpf -e doc -e include -e src -e tests \
			-e vmlinux | sed 's/$/   <- not a top-level entry that tests\/hygiene.sh lists/'
		# exit() belongs to the commands: what is below returns an error. run_child.c,
		# opener.c, place.c: forked children, one that can't become the program, one that is done.
		files 'src/*.c' | grep -vE '^(\./)?src/(cli/|main\.c|observe/run_child\.c|source/opener\.c|event/place\.c)' |
			xargs -r grep -nE '(^|[^[:alnum:]_])(_exit|exit|abort)\(' /dev/null |
			grep -vE ':[[:space:]]*(/?\*|//)' | sed 's/$/   <- exit() below src\/cli/'
		# An update that fails is counted: put_elem() and add_elem() do.
		files 'bpf/*' | grep -v 'bpf/common\.h$' | xargs -r grep -n 'bpf_map_update_elem(' /dev/null |
			sed 's/$/   <- put_elem() or add_elem() count what fails/'
		named | while read -r doc f name; do
			# shellcheck disable=SC2086 # "struct x" is two words
			[ -e "$f" ] && defined "$f" $name || echo "$doc: $f does not define $name"
		done
	} | sort -u | {
		! grep .
	}
}

offend() { # FILE TEXT: a tree with that file must be refused
	rm -rf "$dir/t"
	mkdir -p "$dir/t/$(dirname "$1")"
	printf '%s\n' "$2" >"$dir/t/$1"
	if (check "$dir/t") >/dev/null; then
		echo "FAIL $1 is accepted: $2"
		failed=$((failed + 1))
	else
		passed=$((passed + 1))
	fi
}

walk() { # TEXT: a document with it must be refused; src/base/a.c defines a_begin and struct a
	rm -rf "$dir/t"
	mkdir -p "$dir/t/src/base"
	printf '%s\n' "$spdx" 'struct a {' '};' 'int a_declared(void);' 'static int a_begin(int x)' '{' \
		'	return a_call(x);' '}' >"$dir/t/src/base/a.c"
	printf '%s\n' "$spdx" >"$dir/t/src/base/b.c"
	printf '1. first %s: what it does with `nothing`.\n' "$1" >"$dir/t/CONTRIBUTING.md"
	if (check "$dir/t") >/dev/null; then
		echo "FAIL a walk is accepted: $1"
		failed=$((failed + 1))
	else
		passed=$((passed + 1))
	fi
}
self_test() {
	dir=$(mktemp -d) || exit 2
	trap 'rm -rf "$dir"' EXIT
	passed=0 failed=0
	spdx='/* SPDX-License-Identifier: BSD-2-Clause */'
	offend src/base/a.c 'int x;'
	offend bpf/a.bpf.c "$spdx"
	offend src/base/a.h "$(printf '%s\n/* see /%s/notes */' "$spdx" work)"
	offend doc/a.md "$(printf 'see /%s/somebody/notes' home)"
	offend doc/a.md "$(printf 'see /%s/somebody/notes' Users)"
	offend tests/a.json "$(printf '{"kernel":"6.1.2-%s"}' fc-v3)"
	offend tests/captures/a.rsc "$(printf '\377\1\n6.1.2-%s\n' fc-v3)"
	offend src/base/a.c "$spdx
	exit(1);"
	offend bpf/a.h "$spdx
	bpf_map_update_elem(&a, &b, &c, BPF_ANY);"
	offend hygiene/check ''
	offend notes.txt 'a stray file'
	offend README.md 'it begins in `src/base/a.c`, `a_begin`.'
	walk '`src/base/a.c`, `a_end`'
	walk '`src/base/a.c`, `a_begin` and `a_end`'
	walk '`src/base/a.c`, `a_begin`, then `a_call`'
	walk '`src/base/a.c`, `struct b`'
	walk "$(printf '`src/base/a.c`,\n`a_declared`')"
	walk '`src/base/a.c` and `b.c`, `a_begin`'
	rm -rf "$dir/t"
	mkdir -p "$dir/good/src/base"
	printf '%s\n' "$spdx" 'int x; /* /proc/PID/root/ may exit */' 'struct a {' '};' 'int a_do(int v,' \
		'	 int w)' >"$dir/good/src/base/a.c"
	printf '%s\n' 'First `src/base/a.c`, `a_do`, then `struct a`: `unknown`, (`base`, `model`).' \
		>"$dir/good/CONTRIBUTING.md"
	if (check "$dir/good"); then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
	echo "$passed passed, $failed failed, 0 skipped"
	[ $failed = 0 ]
}

case ${1:-.} in
--test) self_test ;;
*) check "${1:-.}" ;;
esac
