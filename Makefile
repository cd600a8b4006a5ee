# SPDX-License-Identifier: BSD-2-Clause
# rsscope. `make` builds, `make demo` shows, `make check` tests, `make help` lists the rest.
# Variables: V=1 (show commands), OUTPUT=DIR, PREFIX, DESTDIR, STATIC=1, CC, CLANG, BPFTOOL,
# CFLAGS, SANITIZE=1, ARCH (amd64).

OUTPUT  ?= build
# One name for one folder: dependency files name their targets by it.
override OUTPUT := $(patsubst $(CURDIR)/%,%,$(abspath $(OUTPUT)))
PREFIX  ?= /usr/local
CLANG   ?= clang
BPFTOOL ?= bpftool
CFLAGS  ?= -O2 -g
PKGCONF ?= pkg-config
MANDIR  ?= $(PREFIX)/share/man
DOCDIR  ?= $(PREFIX)/share/doc/rsscope

VERSION := $(shell cat VERSION)
GITREV  := $(shell git rev-parse --short=12 HEAD 2>/dev/null)
HOSTARCH := $(shell uname -m | sed 's/x86_64/amd64/;s/aarch64/arm64/')
ARCH    ?= $(HOSTARCH)
BPF_TARGET_ARCH := $(subst amd64,x86,$(ARCH))

ifeq ($(V),1)
  Q =
  say = @:
else
  Q = @
  say = @printf '  %-8s %s\n'
endif

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# What has to be on the machine, and the one command that brings it (Debian's names).
DEB_BUILD := gcc make pkg-config clang bpftool libbpf-dev libelf-dev libdw-dev zlib1g-dev libjansson-dev libseccomp-dev
LIBS_PC := libbpf libdw libelf zlib jansson libseccomp

goals := $(if $(MAKECMDGOALS),$(MAKECMDGOALS),all)
ifneq ($(filter-out clean help deps demo check check-kernels format install-deps,$(goals)),)
  missing := $(shell for c in $(firstword $(CC)) $(CLANG) $(BPFTOOL) $(PKGCONF); do command -v $$c >/dev/null 2>&1 || ls /usr/sbin/$$c >/dev/null 2>&1 || echo $$c; done; \
    command -v $(PKGCONF) >/dev/null 2>&1 && for p in $(LIBS_PC); do $(PKGCONF) --exists $$p 2>/dev/null || echo $$p; done)
  ifneq ($(missing),)
    $(error missing: $(missing); as root run `make deps`, or: apt-get install --no-install-recommends $(DEB_BUILD))
  endif
  PC_CFLAGS := $(shell $(PKGCONF) --cflags $(LIBS_PC))
  PC_LIBS := $(shell $(PKGCONF) --libs $(if $(STATIC),--static) $(LIBS_PC)) -lm
endif
export PATH := $(PATH):/usr/sbin:/sbin

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter
CPPFLAGS_ALL = -Isrc -Iinclude -I$(OUTPUT)/gen -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(PC_CFLAGS) $(CPPFLAGS)
CFLAGS_ALL = -std=gnu11 $(WARN) -fno-strict-aliasing -fstack-protector-strong $(CFLAGS)
LDFLAGS_ALL = $(LDFLAGS)
ifeq ($(STATIC),1)
  LDFLAGS_ALL += -static
  CPPFLAGS_ALL += -DRSSCOPE_STATIC
else
  CFLAGS_ALL += -fPIE
  LDFLAGS_ALL += -pie -Wl,-z,relro,-z,now
endif
ifeq ($(SANITIZE),1)
  CFLAGS_ALL += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
  LDFLAGS_ALL += -fsanitize=address,undefined
endif

# ---- the program: src/ without main.c and cli/ is the library that tests link too
LIB_SRC := $(sort $(filter-out src/cli/%,$(wildcard src/*/*.c src/model/*/*.c)))
CLI_SRC := $(sort $(wildcard src/cli/*.c)) src/main.c
LIB_OBJ := $(LIB_SRC:%.c=$(OUTPUT)/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$(OUTPUT)/%.o)
PROG := $(OUTPUT)/rsscope
LIB := $(OUTPUT)/librsscope.a

all: $(PROG)

$(PROG): $(CLI_OBJ) $(LIB)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(CLI_OBJ) $(LIB) $(PC_LIBS)

$(LIB): $(LIB_OBJ)
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $(LIB_OBJ)

$(OUTPUT)/%.o: %.c
	$(say) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# Rebuilds what bakes the version in when it changes.
$(OUTPUT)/gen/version.h: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)printf '#define RSSCOPE_VERSION "%s"\n#define RSSCOPE_GITREV "%s"\n' '$(VERSION)' '$(GITREV)' >$@.new; \
	  cmp -s $@.new $@ && rm $@.new || mv $@.new $@
FORCE:

# JSON Schemas as C strings.
$(OUTPUT)/gen/%.schema.inc: src/out/%.schema.json
	$(Q)mkdir -p $(@D)
	$(Q)sed 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$$/\\n"/' $< >$@
$(OUTPUT)/src/out/json.o: $(OUTPUT)/gen/report.schema.inc
$(OUTPUT)/src/out/json_diff.o: $(OUTPUT)/gen/diff.schema.inc
$(OUTPUT)/src/out/json_profile.o: $(OUTPUT)/gen/profile.schema.inc
$(OUTPUT)/src/out/watch_json.o: $(OUTPUT)/gen/watch.schema.inc

$(CLI_OBJ) $(LIB_OBJ): | $(OUTPUT)/gen/version.h

include bpf/bpf.mk
include tests/tests.mk

-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d)

# ---- installing
install: all
	$(say) INSTALL $(DESTDIR)$(PREFIX)
	$(Q)install -D -m 755 $(PROG) $(DESTDIR)$(PREFIX)/bin/rsscope
	$(Q)install -D -m 644 doc/rsscope.1 $(DESTDIR)$(MANDIR)/man1/rsscope.1
	$(Q)install -d $(DESTDIR)$(DOCDIR)/LICENSES
	$(Q)install -m 644 README.md CHANGELOG.md SECURITY.md LICENSE doc/*.md $(DESTDIR)$(DOCDIR)
	$(Q)install -m 644 LICENSES/* $(DESTDIR)$(DOCDIR)/LICENSES

deps install-deps:
	$(Q)sh tests/deps.sh build

go-layouts:
	$(Q)cd src/goruntime/gen && go run . -fields ../fields.def -out ../layouts.inc $(GO_LAYOUT_ARGS)

format:
	$(Q)clang-format -i $$(git ls-files '*.c' '*.h')

clean:
	$(Q)rm -rf $(OUTPUT)

help:
	@echo 'make           build $(PROG)'
	@echo 'make demo      install what is needed, build, show a bundled Go program (root)'
	@echo 'make check     install what is needed, build, run all tests (root for all of them)'
	@echo 'make check-kernels ARCH=amd64|arm64   the same on four Debian kernels, emulated'
	@echo 'make check-harm   programs of all kinds, watched and left CYCLES=10000 times, are as unwatched (root, downloads)'
	@echo 'make check-execs  our memory while EXECS=1000000 programs start under watch --follow (root)'
	@echo 'make check-verifier   cost of the BPF programs against tests/verifier/baseline; UPDATE=1 records (root)'
	@echo 'make check-go, check-packages   every Go release; stripped programs of others (root, downloads)'
	@echo 'make bench     speed and memory, as ratios; bench-watch: what being watched costs (18 minutes)'
	@echo 'make install   PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)'
	@echo 'make deps      install the packages that building needs (root, Debian)'
	@echo 'make format    clang-format;  make clean;  make go-layouts  (regenerates a table)'
	@echo 'V=1 OUTPUT=$(OUTPUT) STATIC=1 SANITIZE=1 CC=$(CC) CLANG=$(CLANG) BPFTOOL=$(BPFTOOL)'

.PHONY: all install deps install-deps go-layouts format clean help FORCE
