# kick: every program and test is found by wildcard; adding one edits nothing here.
#   make deps     install what is missing (Debian packages)
#   make          build everything into build/
#   make test     the fast tests       make test-long   fuzzing, sanitizers, emulation, LibreOffice
#   make report   every figure into reports/out/ (MODELS=..., DATA=..., PLAN=...)
#   make bench    measurements         make install PREFIX= DESTDIR=     make clean
# SAN=1 builds with AddressSanitizer and UndefinedBehaviorSanitizer into build/san.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -ec
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

BUILD := build$(if $(SAN),/san)
PREFIX ?= /usr/local
BINDIR = $(PREFIX)/bin
MANDIR = $(PREFIX)/share/man

VERSION := 0.1.0
CC ?= cc
ifeq ($(origin CC),default)
CC := gcc
endif
CFLAGS ?= -O2 -g
# No fast-math and no contraction: a number must not depend on the compiler's mood.
FLAGS := -std=c11 -D_GNU_SOURCE -DKICK_VERSION='"$(VERSION)"' -ffp-contract=off -fno-math-errno \
	-fno-trapping-math -Wall -Wextra -Wconversion -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-missing-field-initializers \
	-Ilib -pthread
ifdef SAN
FLAGS += -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
endif
PACKAGES := libzstd jansson libpcre2-8 libutf8proc libxxhash zlib sqlite3
DRAW_PACKAGES := cairo cairo-pdf cairo-svg pangocairo xlsxwriter
# Probed when a rule runs, not when this file is read: `make deps report` is one call of make.
pkg_cflags = $$(pkg-config --cflags $(PACKAGES) $(DRAW_PACKAGES) 2>/dev/null | sed 's/-I/-isystem /g')
pkg_libs = -Wl,--as-needed $$(pkg-config --libs $(PACKAGES) $(DRAW_PACKAGES) 2>/dev/null || true) -lxlsxwriter -lm
TEST_PACKAGES := cmocka

LIB_SOURCES := $(wildcard lib/*.c)
LIB_OBJECTS := $(LIB_SOURCES:%.c=$(BUILD)/%.o)
STAGES := ingest compress evaluate analyze render
PROGRAM_SOURCES := $(wildcard $(STAGES:%=%/*.c) lib/programs/*.c)
program_name = $(patsubst kick-kick,kick,kick-$(basename $(notdir $(1))))
PROGRAMS := $(foreach s,$(PROGRAM_SOURCES),$(BUILD)/bin/$(call program_name,$(s)))
PAGES := $(wildcard $(STAGES:%=%/*.1) lib/programs/*.1 lib/*.5)
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit-%,$(wildcard tests/unit/*.c))
TEST_TOOLS := $(patsubst tests/tools/%.c,$(BUILD)/tests/%,$(wildcard tests/tools/*.c))

.PHONY: all deps test test-long report bench install uninstall clean programs unit-tests
all: programs

programs: $(PROGRAMS)
unit-tests: $(UNIT_TESTS) $(TEST_TOOLS)

# ---- compiling -----------------------------------------------------------------------------------
%_avx2.o: FLAGS += -mavx2 -mfma -mf16c
%_avx512.o: FLAGS += -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC $@"
	@$(CC) $(CFLAGS) $(FLAGS) $(pkg_cflags) -MMD -MP -c -o $@ $<

$(BUILD)/libkick.a: $(LIB_OBJECTS)
	@rm -f $@; ar rcs $@ $^

define program_rule
$(BUILD)/bin/$(call program_name,$(1)): $(BUILD)/$(basename $(1)).o $(BUILD)/libkick.a
	@mkdir -p $$(@D)
	@echo "  LD $$@"
	@$$(CC) $$(CFLAGS) $$(FLAGS) -o $$@ $$^ $$(LDFLAGS) $$(pkg_libs)
endef
$(foreach s,$(PROGRAM_SOURCES),$(eval $(call program_rule,$(s))))

$(BUILD)/tests/unit-%: $(BUILD)/tests/unit/%.o $(BUILD)/libkick.a
	@echo "  LD $@"
	@$(CC) $(CFLAGS) $(FLAGS) -o $@ $^ $(LDFLAGS) $(pkg_libs) -lcmocka

# What tests need made: random checkpoints, damaged files.
$(TEST_TOOLS): $(BUILD)/tests/%: $(BUILD)/tests/tools/%.o $(BUILD)/libkick.a
	@echo "  LD $@"
	@$(CC) $(CFLAGS) $(FLAGS) -o $@ $^ $(LDFLAGS) $(pkg_libs)

.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# ---- tests ---------------------------------------------------------------------------------------
test: programs unit-tests
	@tests/run $(BUILD) $(UNIT_TESTS) $(sort $(wildcard tests/cli/*.sh))

test-long: test
	@tests/run $(BUILD) $(sort $(wildcard tests/long/*.sh))
