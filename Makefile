# kick: every program and test is found by wildcard; adding one edits nothing here.
#   make deps     install what is missing (Debian packages)
#   make          build everything into build/
#   make test     the fast tests       make test-long   fuzzing, sanitizers, emulation, LibreOffice
#   make report   every figure into reports/out/ (MODELS=..., DATA=..., PLAN=...)
#   make bench    measurements         make install PREFIX= DESTDIR=     make uninstall clean
#   make fuzz     TIME=60 (seconds a target)
#   make dist     the sources as build/kick-VERSION.tar.gz
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
UNIT_TESTS += $(if $(filter x86_64,$(shell uname -m)),$(BUILD)/tests/simde-kernel)
TEST_TOOLS := $(patsubst tests/tools/%.c,$(BUILD)/tests/%,$(wildcard tests/tools/*.c))

.PHONY: all deps test test-long report bench install uninstall dist clean programs unit-tests
all: programs

programs: $(PROGRAMS)
unit-tests: $(UNIT_TESTS) $(TEST_TOOLS)

# ---- compiling -----------------------------------------------------------------------------------
%_avx2.o: FLAGS += -mavx2 -mfma -mf16c -mpopcnt -mbmi2
%_avx512.o: FLAGS += -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c -mpopcnt -mbmi2

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC $@"
	@$(CC) $(CFLAGS) $(FLAGS) $(pkg_cflags) -MMD -MP -c -o $@ $<

$(BUILD)/analyze/analyze-load.o: analyze/schema.sql analyze/compare.sql
$(BUILD)/lib/programs/bench.o: analyze/schema.sql analyze/compare.sql
$(BUILD)/analyze/analyze-compare.o: analyze/compare.sql
$(BUILD)/analyze/analyze-claims.o: analyze/claims.sql
$(BUILD)/render/render-page.o: render/page.css render/page.js
$(BUILD)/render/render-table.o: render/methods.sql render/references.sql

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

# The kernels of AVX-512 against SIMDe, for machines without: the unit test of kernels once more.
SIMDE_OBJECTS := $(patsubst %,$(BUILD)/simde/%.o,tests/unit/kernel lib/kernel_avx512 lib/kernel_compact_avx512)
$(SIMDE_OBJECTS): $(BUILD)/simde/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC $@"
	@$(CC) $(CFLAGS) $(filter-out -mavx512%,$(FLAGS)) -DKICK_SIMDE -Itests/unit -Wno-psabi -mavx2 -mfma -mf16c -mpopcnt -MMD -MP -c -o $@ $<

$(BUILD)/tests/simde-kernel: $(SIMDE_OBJECTS) $(BUILD)/libkick.a
	@echo "  LD $@"
	@$(CC) $(CFLAGS) $(FLAGS) -o $@ $^ $(LDFLAGS) $(pkg_libs) -lcmocka

# Fuzz targets, with a main() of their own; for libFuzzer: FUZZ_MAIN= and its flags (tests/long/fuzz.sh).
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz-%,$(filter-out %/replay.c,$(wildcard tests/fuzz/*.c)))
FUZZ_MAIN = $(BUILD)/tests/fuzz/replay.o
.PHONY: fuzz-targets
fuzz-targets: $(FUZZ_TARGETS)
$(FUZZ_TARGETS): $(BUILD)/tests/fuzz-%: $(BUILD)/tests/fuzz/%.o $(FUZZ_MAIN) $(BUILD)/libkick.a
	@echo "  LD $@"
	@$(CC) $(CFLAGS) $(FLAGS) -o $@ $^ $(LDFLAGS) $(pkg_libs)

# A program's standard input as a fuzz target: its main() has another name (tests/long/stdin.bash).
STDIN_TARGETS := $(patsubst %,$(BUILD)/tests/stdin-%,$(filter-out kick kick-bench,$(notdir $(PROGRAMS))))
$(BUILD)/stdin/%.o: %.c
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) $(FLAGS) -Dmain=program_main -Wno-missing-prototypes $(pkg_cflags) -c -o $@ $<
define stdin_rule
$(BUILD)/tests/stdin-$(call program_name,$(1)): $(BUILD)/stdin/$(basename $(1)).o $(BUILD)/tests/fuzz/stdin/stdin.o $(FUZZ_MAIN) $(BUILD)/libkick.a
	@echo "  LD $$@"
	@$$(CC) $$(CFLAGS) $$(FLAGS) -o $$@ $$^ $$(LDFLAGS) $$(pkg_libs)
endef
$(foreach s,$(PROGRAM_SOURCES),$(eval $(call stdin_rule,$(s))))
.PHONY: stdin-targets
stdin-targets: $(STDIN_TARGETS)

# Each target for TIME seconds; ONLY=NAME: one of them.
TIME ?= 60
.PHONY: fuzz
fuzz: programs unit-tests
	@KICK_FUZZ_SECONDS=$(TIME) KICK_FUZZ_ONLY='$(ONLY)' tests/run $(BUILD) tests/long/fuzz.sh

# What tests need made: random checkpoints, damaged files.
$(TEST_TOOLS): $(BUILD)/tests/%: $(BUILD)/tests/tools/%.o $(BUILD)/libkick.a
	@echo "  LD $@"
	@$(CC) $(CFLAGS) $(FLAGS) -o $@ $^ $(LDFLAGS) $(pkg_libs)

# Loaded before a program, it lets one of its calls fail (tests/cli/faults.sh).
unit-tests: $(BUILD)/tests/fault.so
$(BUILD)/tests/fault.so: tests/fault/shim.c tests/fault/shim.h
	@mkdir -p $(@D)
	@echo "  LD $@"
	@$(CC) $(CFLAGS) $(filter-out -fsanitize% -fno-sanitize%,$(FLAGS)) -fPIC -shared -o $@ $<

.SECONDARY: $(patsubst %.c,$(BUILD)/%.o,$(PROGRAM_SOURCES) $(wildcard tests/unit/*.c tests/tools/*.c))
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# ---- the embedded world and its models (data/README.md) ----------------------------------------------
# data/out holds the texts and tasks; made when first needed, then make reads itself again.
$(BUILD)/world: $(patsubst %.c,$(BUILD)/%.o,$(wildcard data/world/*.c))
	@echo "  LD $@"
	@$(CC) $(CFLAGS) $(FLAGS) -o $@ $^ $(LDFLAGS)

data/out/made.mk: $(BUILD)/world
	@$< -o $(@D) && touch $@

ifneq ($(filter report bundle world quirks,$(MAKECMDGOALS)),)
ifeq ($(DATA)$(FROM),)
include data/out/made.mk
endif
endif

# Training needs PyTorch, tokenizers and safetensors; PYTHON says where they are. It can be interrupted.
PYTHON ?= python3
.PHONY: world models quirks
world: data/out/made.mk
# What the released code's quirks do to scores: the tables in the pages of evaluate/.
quirks: programs data/out/made.mk
	@PATH=$(CURDIR)/$(BUILD)/bin:$$PATH evaluate/quirks.sh data/out
models: $(BUILD)/world
	@for r in large small other; do $(PYTHON) data/train/train.py $$r build/train/$$r --world $< || exit 1; done
	@for r in large small other; do mkdir -p data/models/$$r; \
	    cp build/train/$$r/{config,generation_config,tokenizer,tokenizer_config}.json build/train/$$r/model.safetensors data/models/$$r; done

# ---- what a bare Debian 12 lacks -------------------------------------------------------------------
DEBIAN := gcc libc6-dev make pkg-config libzstd-dev libjansson-dev libpcre2-dev libutf8proc-dev \
	libxxhash-dev zlib1g-dev libsqlite3-dev libxlsxwriter-dev libcairo2-dev libpango1.0-dev \
	fonts-dejavu-core libcmocka-dev libsimde-dev mandoc zstd unzip

deps:
	@missing=; for p in $(DEBIAN); do \
	    dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	command -v apt-get >/dev/null || { echo "deps: this is no Debian; install the equivalents of:$$missing"; exit 1; }; \
	sudo=; [ "$$(id -u)" = 0 ] || sudo='sudo -n'; \
	echo "deps: installing$$missing"; \
	{ [ -z "$$sudo" ] || $$sudo true 2>/dev/null; } || { \
	    echo "deps: you may not install packages; ask somebody who may for: apt-get install$$missing"; exit 1; }; \
	$$sudo apt-get update -qq; \
	DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing >/dev/null

# With `make -j2 deps report` nothing is compiled before deps is done.
ifneq ($(filter deps,$(MAKECMDGOALS)),)
$(LIB_OBJECTS) $(PROGRAMS) $(UNIT_TESTS): | deps
$(patsubst %.c,$(BUILD)/%.o,$(PROGRAM_SOURCES) $(wildcard data/world/*.c tests/unit/*.c)): | deps
endif

# ---- tests ---------------------------------------------------------------------------------------
test: programs unit-tests
	@tests/run $(BUILD) $(UNIT_TESTS) $(sort $(wildcard tests/cli/*.sh))

test-long: test
	@tests/run $(BUILD) $(sort $(wildcard tests/long/*.sh))

# Lines that the tests reach, and messages of lib/ that none provokes (gcovr, python3).
.PHONY: coverage
COVERED = build/coverage
coverage: DEBIAN += gcovr
coverage: deps
	@$(MAKE) -s BUILD=$(COVERED) CFLAGS='-O1 -g --coverage -fprofile-update=atomic' LDFLAGS=--coverage programs unit-tests
	@find $(COVERED) -name '*.gcda' -delete
	@KICK_FAULTS=all tests/run $(COVERED) $(UNIT_TESTS:$(BUILD)/%=$(COVERED)/%) $(filter-out tests/cli/house.sh tests/cli/install.sh,$(sort $(wildcard tests/cli/*.sh))) || true
	@gcovr --root . --exclude 'tests/.*' --exclude 'data/.*' --gcov-ignore-parse-errors --json $(COVERED)/lines.json $(COVERED)
	@python3 tests/coverage.py $(COVERED)/lines.json

# A cluster on this machine alone: tests/slurm.sh.
.PHONY: test-slurm
test-slurm: DEBIAN += slurm-wlm munge
test-slurm: deps programs unit-tests
	@tests/run $(BUILD) tests/slurm.sh

# ---- the report ------------------------------------------------------------------------------------
# A plan (reports/*.plan) becomes rules; make does the rest: variants are made once, results kept, and only
# what changed is done again.
PLAN ?= paper
OUT ?= reports/out$(if $(FROM),/from)
RUN ?=
# Roles of the models: those of MODELS, "large=DIR small=DIR other=DIR" or one DIR, which is large;
# without it the embedded ones.
EMBEDDED := $(foreach r,large small other,$(if $(wildcard data/models/$(r)/config.json),$(r)=data/models/$(r)))
MODELS ?= $(EMBEDDED)
DATA ?= data/out
MODEL_PAIRS = $(foreach m,$(MODELS),$(if $(findstring =,$(m)),$(m),large=$(m)))
ROLES = $(foreach p,$(MODEL_PAIRS),$(firstword $(subst =, ,$(p))))
model_directory = $(patsubst $(1)=%,%,$(filter $(1)=%,$(MODEL_PAIRS)))
# A model's name is its directory's; those of data/models are told from their roles.
model_name = $(patsubst $(abspath data/models)/%,demo-%,$(abspath $(model_directory)))
# Texts: the files of DATA/text, or of DATA itself; a text's name is its file's, without the suffixes.
TEXT_DIRECTORY = $(if $(wildcard $(DATA)/text/.),$(DATA)/text,$(DATA))
TEXT_FILES = $(filter-out %.md %/LICENSE %/README %/MANIFEST,$(shell find -L $(TEXT_DIRECTORY) -maxdepth 1 -type f ! -name '.*' 2>/dev/null | LC_ALL=C sort))
text_name = $(basename $(notdir $(patsubst %.zst,%,$(patsubst %.gz,%,$(1)))))
TEXTS = $(foreach f,$(TEXT_FILES),$(call text_name,$(f)))
text_file = $(firstword $(foreach f,$(TEXT_FILES),$(if $(filter $(1),$(call text_name,$(f))),$(f))))
# Texts to calibrate on: the files of DATA/calibration, the first by name where a plan names none.
CALIBRATION_FILES = $(sort $(wildcard $(DATA)/calibration/*.*))
CALIBRATIONS = $(foreach f,$(CALIBRATION_FILES),$(call text_name,$(f)))
# Other data sets: DATA/READER, a folder for some readers, its first file for others.
READERS = $(foreach r,freebaseqa mmlu triviaqa cnndm mtbench tasks,$(if $(wildcard $(DATA)/$(r)/.),$(r)))
reader_operand = $(if $(filter mmlu cnndm,$(1)),$(DATA)/$(1),$(firstword $(sort $(wildcard $(DATA)/$(1)/*.json*)) $(wildcard $(DATA)/$(1)/qa/*dev.json)))
reader_options = $(if $(filter triviaqa,$(1)),$(if $(wildcard $(DATA)/triviaqa/evidence/.),--evidence $(DATA)/triviaqa/evidence))
FIGURE_FOLDERS = $(patsubst %/figure.json,%,$(wildcard reports/*/figure.json $(if $(FIGURES),$(FIGURES)/*/figure.json)))
figure_files = $(foreach s,svg pdf png csv md tex,$(OUT)/$(notdir $(1)).$(s))
# Many small jobs run best with one thread each; a single one takes all cores.
threads = $(if $(findstring jobserver,$(MAKEFLAGS)),1,$(shell nproc))
# One line of progress, on a terminal only.
say = [ ! -t 2 ] || bash reports/progress.sh $(OUT) $(words $(RESULTS)) '$(@F)' >&2;

ifneq ($(filter report bundle from,$(MAKECMDGOALS)),)
ifdef FROM
include $(OUT)/from.mk
else
ifeq ($(strip $(MODELS)),)
$(error No models: say MODELS=DIR, a checkpoint directory, and DATA=DIR with a text in it)
endif
ifeq ($(strip $(TEXTS))$(filter data/out,$(DATA)),)
$(error No text in $(DATA): say DATA=DIR, a folder with texts or with a subfolder text/)
endif
-include $(OUT)/plan.mk
endif
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif
endif

.PHONY: FORCE
FORCE:

# A file that changes only when its text does: stamp FILE TEXT
stamp = mkdir -p $(dir $(1)); echo '$(2)' | cmp -s - $(1) || echo '$(2)' >$(1)

# The world first: no plan is written for data that could not be made.
$(OUT)/plan.settings: FORCE | $(if $(filter data/out,$(DATA)),data/out/made.mk)
	@$(call stamp,$@,$(PLAN) $(ROLES) / $(TEXTS) / $(CALIBRATIONS) / $(READERS))
	@mkdir -p $(OUT)/stamps; echo "$$(date +%s) $$(ls $(OUT)/results 2>/dev/null | wc -l)" >$(OUT)/stamps/started

$(OUT)/plan.mk: reports/$(PLAN).plan reports/plan.awk $(OUT)/plan.settings
	@mkdir -p $(@D); LC_ALL=C awk -v roles='$(ROLES)' -v texts='$(TEXTS)' \
	-v calibration='$(CALIBRATIONS)' -v readers='$(READERS)' -f reports/plan.awk $< >$@.tmp; mv $@.tmp $@

# Static rules, since make would take what a pattern makes for passing.
STAMPS := $(patsubst kick-%,$(OUT)/stamps/%,$(filter kick-%,$(notdir $(PROGRAMS))))
$(STAMPS): $(OUT)/stamps/%: FORCE | programs
	@$(call stamp,$@,$(shell $(BUILD)/bin/kick-$* -V 2>&1))

$(ROLES:%=$(OUT)/models/%.source): $(OUT)/models/%.source: FORCE
	@$(call stamp,$@,$(abspath $(call model_directory,$*)))

.SECONDEXPANSION:
$(ROLES:%=$(OUT)/models/%.kick): $(OUT)/models/%.kick: $(OUT)/models/%.source $(OUT)/stamps/ingest-model $$(wildcard $$(call model_directory,$$*)/*.json $$(call model_directory,$$*)/*.safetensors $$(call model_directory,$$*)/tokenizer.model)
	@$(say) kick ingest-model -q --role $* --name $(notdir $(call model_name,$*)) $(call model_directory,$*) -o $@

$(TEXTS:%=$(OUT)/data/text-%.source): $(OUT)/data/text-%.source: FORCE
	@$(call stamp,$@,$(abspath $(call text_file,$*)))

$(TEXTS:%=$(OUT)/data/text-%.kick): $(OUT)/data/text-%.kick: $(OUT)/data/text-%.source $(OUT)/stamps/ingest-text $$(call text_file,$$*)
	@$(say) kick ingest-text -q --name $* $(call text_file,$*) -o $@

$(CALIBRATIONS:%=$(OUT)/data/calibration-%.source): $(OUT)/data/calibration-%.source: FORCE
	@$(call stamp,$@,$(abspath $(filter $(DATA)/calibration/$*.%,$(CALIBRATION_FILES))))

$(CALIBRATIONS:%=$(OUT)/data/calibration-%.kick): $(OUT)/data/calibration-%.kick: $(OUT)/data/calibration-%.source $(OUT)/stamps/ingest-text $$(filter $(DATA)/calibration/$$*.%,$(CALIBRATION_FILES))
	@$(say) kick ingest-text -q --name calibration-$* $(filter $(DATA)/calibration/$*.%,$(CALIBRATION_FILES)) -o $@

$(READERS:%=$(OUT)/data/%.source): $(OUT)/data/%.source: FORCE
	@$(call stamp,$@,$(abspath $(call reader_operand,$*)))

$(READERS:%=$(OUT)/data/%.kick): $(OUT)/data/%.kick: $(OUT)/data/%.source $$(OUT)/stamps/ingest-$$* $$(wildcard $$(call reader_operand,$$*))
	@$(say) kick ingest-$* -q $(call reader_options,$*) $(call reader_operand,$*) -o $@

# Verdicts of an LLM judge, made elsewhere from requests/ (judge-verdict), are loaded with the rest.
VERDICTS = $(sort $(wildcard $(OUT)/verdicts/*.kick))
# What is there is whole: results stay where another of the same rule fails.
.PRECIOUS: $(RESULTS) $(REQUESTS)
# Most results are loaded while the last are made. make looks at each file once while it starts jobs: early.db comes
# late enough in the list to find its own done. It becomes report.db; what is left of it, empty, says when.
EARLY := $(wordlist 1,$(shell expr $(words $(RESULTS)) '*' 9 / 10),$(RESULTS))
LATE := $(filter-out $(EARLY),$(RESULTS))
load_early = $(file >$(OUT)/early.list,$(EARLY)) xargs cat <$(OUT)/early.list | kick analyze-load -q -D
$(OUT)/stamps/early.db: $(EARLY) $(OUT)/stamps/analyze-load $(OUT)/plan.mk
	@$(say) rm -f $@ $@-journal $@.new*; $(load_early) $@.new; mv $@.new $@

$(OUT)/report.db: $(FIRST) $(EARLY) $(wordlist 1,$(shell expr $(words $(LATE)) / 4),$(LATE)) $(if $(EARLY),$(OUT)/stamps/early.db) $(LATE) $(REQUESTS) $(VERDICTS) $(patsubst %,$(OUT)/stamps/analyze-%,load compare claims) $(OUT)/plan.mk
	@$(say) rm -f $@ $@-journal $@.new*; $(file >$(OUT)/late.list,$(LATE) $(VERDICTS)) \
	if [ -s $(OUT)/stamps/early.db ]; then mv $(OUT)/stamps/early.db $@.new; touch -r $@.new $(OUT)/stamps/early.db; \
	$(if $(EARLY),else $(load_early) $@.new;) fi; \
	xargs cat <$(OUT)/late.list | kick analyze-load -q -D $@.new; \
	$(if $(REQUESTS),kick analyze-load -q -D $@.new $(REQUESTS);) \
	kick analyze-compare -q -D $@.new; kick analyze-claims -q -D $@.new -o $(OUT)/claims.txt; mv $@.new $@

define figure_rule
$(foreach s,svg pdf png,$(OUT)/$(notdir $(1)).$(s)): $(OUT)/report.db $(OUT)/stamps/render-chart $(wildcard $(1)/*)
	@$$(say) kick render-chart -q -D $$< $(1) -o $$@
$(foreach s,csv md tex,$(OUT)/$(notdir $(1)).$(s)): $(OUT)/report.db $(OUT)/stamps/render-table $(wildcard $(1)/*)
	@$$(say) kick render-table -q -f $$(subst .,,$$(suffix $$@)) -D $$< $(1) -o $$@
endef
$(foreach f,$(FIGURE_FOLDERS),$(eval $(call figure_rule,$(f))))

# Figures as one reads them: the headline and the overview first, 2 before 14.
FIRST = figure-headline figure-break-points
READING_ORDER = $(foreach n,$(FIRST),$(filter %/$(n),$(FIGURE_FOLDERS))) \
	$(shell printf '%s\n' $(filter-out $(FIRST:%=reports/%),$(FIGURE_FOLDERS)) | LC_ALL=C sort -V)
FIGURE_FILES = $(foreach f,$(FIGURE_FOLDERS),$(wildcard $(f)/*))
$(OUT)/report.xlsx: $(OUT)/report.db $(OUT)/stamps/render-workbook $(FIGURE_FILES)
	@$(say) kick render-workbook -q -D $< $(READING_ORDER) -o $@

$(OUT)/report.html $(OUT)/report.pdf: $(OUT)/report.db $(OUT)/stamps/render-page $(FIGURE_FILES)
	@$(say) kick render-page -q -D $< --title 'Compressed models, re-evaluated' $(READING_ORDER) -o $@

$(OUT)/methods.tex $(OUT)/references.bib: $(OUT)/report.db $(OUT)/stamps/render-table
	@$(say) kick render-table -q -f $(basename $(@F)) -D $< -o $@

REPORT = $(foreach f,report.html report.pdf report.xlsx methods.tex references.bib,$(OUT)/$(f)) \
	$(foreach f,$(FIGURE_FOLDERS),$(call figure_files,$(f)))
report: export PATH := $(abspath $(BUILD)/bin):$(PATH)
report: $(REPORT)
	@[ ! -t 2 ] || printf '\r\033[K' >&2
	@echo "The report is in $(OUT):"
	@echo "  report.html report.pdf report.xlsx    the whole of it: to look at, to print, to calculate with"
	@echo "  figure-* table-*                      each as svg, pdf, png, csv, md and tex; methods.tex, references.bib"
	@echo "  report.db results/                    every number, and the records that it comes from"
	@echo "The paper's claims on these models (claims.txt; with their intervals in report.html):"
	@awk '{cannot = $$1 == "cannot"; v = cannot ? "cannot tell" : $$1; n[v]++; list[v] = list[v] (n[v] > 1 ? ", " : "") $$(cannot ? 3 : 2)} \
	    END {split("holds,fails,cannot tell", all, ","); for (i = 1; i <= 3; i++) if (all[i] in n) print "  " all[i] " (" n[all[i]] "): " list[all[i]]}' \
	    $(OUT)/claims.txt | fold -s -w 110 | sed 's/^\([^ ]\)/      \1/'

include reports/bundle.mk

# Times and host are in a stream and a database of their own; report and its database hold none.
# BENCH_SHAPE: of the random model that the programs run. PYTHON: where PyTorch and transformers are, if anywhere.
BENCH = $(OUT)/bench
BENCH_SHAPE ?= --layers 12 --hidden 768 --intermediate 2048 --heads 12 --kv-heads 12 --vocab 32000 --positions 4096
BENCH_MODELS = $(patsubst %,$(BENCH)/%.kick,bf16 bitmap-50 bitmap-80 two-of-four int4)
BENCH_FLAGS ?=
bench: export PATH := $(abspath $(BUILD)/bin):$(PATH)
bench: programs $(BUILD)/tests/make-model
	@mkdir -p $(BENCH)
	@ids() { awk -v rows=$$1 -v n=$$2 'BEGIN {srand(rows); for (w = 0; w < rows; w++) for (i = 1; i <= n; i++) printf "%d%s", 3 + rand() * 31990, i < n ? " " : "\n"}' | \
	        kick ingest-text -q -f ids -o $(BENCH)/$$3.kick; }; \
	[ -e $(BENCH)/bf16.kick ] || { $(BUILD)/tests/make-model $(BENCH)/model $(BENCH_SHAPE); \
	    ids 8 512 text; ids 2 2048 longer; ids 64 16 prompts; \
	    kick ingest-model -q $(BENCH)/model -o $(BENCH)/dense.kick; mv $(BENCH)/dense.kick $(BENCH)/bf16.kick; }
	@cd $(BENCH); [ -e int4.kick ] || { kick prune-magnitude -q -s 0.5 bf16.kick -o bitmap-50.kick; \
	    kick prune-magnitude -q -s 0.8 bf16.kick -o bitmap-80.kick; kick prune-magnitude -q -p 2:4 bf16.kick -o two-of-four.kick; \
	    for t in f16 q4_0; do kick export-gguf -q --type $$t bf16.kick -o $$t.gguf; done; kick quantize-rtn -q -b 4 bf16.kick -o int4.kick; }
	@rm -f $(BENCH)/bench.db; kick bench -o $(BENCH)/bench.kick -D $(BENCH)/bench.db -d $(BENCH)/text.kick --longer $(BENCH)/longer.kick \
	    --prompts $(BENCH)/prompts.kick -m $(BENCH)/model --gguf $(BENCH) --python $(PYTHON) $(BENCH_FLAGS) $(BENCH_MODELS) | tee $(BENCH)/bench.txt
	@for f in bars products programs; do for s in svg pdf; do kick render-chart -q -D $(BENCH)/bench.db reports/bench/$$f -o $(BENCH)/$$f.$$s; done; \
	    for s in csv md; do kick render-table -q -f $$s -D $(BENCH)/bench.db reports/bench/$$f -o $(BENCH)/$$f.$$s; done; done
	@kick render-workbook -q -D $(BENCH)/bench.db reports/bench/bars reports/bench/products reports/bench/programs -o $(BENCH)/bench.xlsx
	@echo "The bench is in $(BENCH): bench.txt, bench.xlsx, bench.db, bench.kick, and bars, products and programs as svg, pdf, csv and md."

# ---- installing and the rest -----------------------------------------------------------------------
# Names of pages: kick-prune-wanda.1, kick-stream.5, but kick.1.
page_name = $(patsubst kick-kick.1,kick.1,$(addprefix kick-,$(notdir $(1))))
COMPLETIONS = $(PREFIX)/share/bash-completion/completions

$(BUILD)/kick.bash: lib/programs/completion.bash $(PROGRAMS)
	@bash $< $(BUILD)/bin >$@

install: programs $(BUILD)/kick.bash
	install -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(MANDIR)/man1' '$(DESTDIR)$(MANDIR)/man5' '$(DESTDIR)$(PREFIX)/share/kick' '$(DESTDIR)$(COMPLETIONS)'
	install $(PROGRAMS) '$(DESTDIR)$(BINDIR)'
	$(foreach p,$(PAGES),install -m 644 $(p) '$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(p)))/$(call page_name,$(p))'; )
	cp -r $(FIGURE_FOLDERS) lib/programs/bench.py '$(DESTDIR)$(PREFIX)/share/kick'
	install -m 644 $(BUILD)/kick.bash '$(DESTDIR)$(COMPLETIONS)/kick'
	for p in $(filter-out kick,$(notdir $(PROGRAMS))); do ln -sf kick '$(DESTDIR)$(COMPLETIONS)'/$$p; done

# What install makes, and nothing else.
uninstall:
	cd '$(DESTDIR)$(BINDIR)' && rm -f $(notdir $(PROGRAMS))
	cd '$(DESTDIR)$(COMPLETIONS)' && rm -f $(notdir $(PROGRAMS))
	cd '$(DESTDIR)$(MANDIR)' && rm -f $(foreach p,$(PAGES),man$(subst .,,$(suffix $(p)))/$(call page_name,$(p)))
	rm -rf '$(DESTDIR)$(PREFIX)/share/kick'

# The sources as one file: what git tracks, or everything in a tree without git but what was made.
DIST = kick-$(VERSION)
dist:
	@mkdir -p build; if [ -e .git ]; then git ls-files; else find . -type f ! -path './build/*' ! -path './reports/out/*' ! -path './data/out/*' -printf '%P\n'; fi | \
	LC_ALL=C sort | tar --create --gzip --file build/$(DIST).tar.gz --transform 's,^,$(DIST)/,' --owner=0 --group=0 --numeric-owner --mtime='@$(or $(SOURCE_DATE_EPOCH),0)' --files-from=-
	@echo build/$(DIST).tar.gz

clean:
	rm -rf build
