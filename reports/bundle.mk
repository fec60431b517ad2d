# Replication, part of the Makefile.
#   make bundle             what a report is drawn from, as one file: $(OUT)/bundle.tar.zst
#   make report FROM=FILE   draws everything again from such a file, into reports/out/from (or OUT=),
#                           and says whether it came out the same
# A bundle holds the result streams (and what was asked of, and answered by, judges), the plan, REVISIONS
# of the programs, DIGESTS of all that, and OUTPUTS: digests of what was drawn. No weights, no data.
BUNDLE ?= $(OUT)/bundle.tar.zst
STREAMS = $(RESULTS:$(OUT)/%=RESULTS:%) $(REQUESTS:$(OUT)/%=REQUESTS:%) $(VERDICTS:$(OUT)/%=VERDICTS:%)
TOLD = $(addprefix bundle/,plan settings REVISIONS LIST OUTPUTS)
DRAWN = $(OUT)/report.db $(REPORT)
revisions = for p in $(filter kick-%,$(notdir $(PROGRAMS))); do $(abspath $(BUILD))/bin/$$p -V; done

.PHONY: bundle
bundle: report
	@mkdir -p $(OUT)/bundle; cp reports/$(PLAN).plan $(OUT)/bundle/plan; cp $(OUT)/plan.settings $(OUT)/bundle/settings
	@$(revisions) >$(OUT)/bundle/REVISIONS
	@$(file >$(OUT)/streams.list,$(STREAMS)) tr ' ' '\n' <$(OUT)/streams.list | sed '/^$$/d; s/:/ /' >$(OUT)/bundle/LIST
	@cd $(OUT); sha256sum $(DRAWN:$(OUT)/%=%) >bundle/OUTPUTS; cut -d' ' -f2- bundle/LIST | xargs sha256sum $(TOLD) >bundle/DIGESTS
	@cd $(OUT); { cut -d' ' -f2- bundle/LIST; printf '%s\n' $(TOLD) bundle/DIGESTS; } | LC_ALL=C tar --create --owner=0 --group=0 \
	    --numeric-owner --mode=u=rw,go=r --mtime='@$(or $(SOURCE_DATE_EPOCH),0)' --files-from=- | zstd -q -c >bundle.tmp
	@mv $(OUT)/bundle.tmp $(BUNDLE)
	@echo "$(BUNDLE): $(words $(STREAMS)) streams; make report FROM=$(BUNDLE) draws it again"

ifdef FROM
$(OUT)/from.mk: $(FROM)
	@mkdir -p $(OUT); rm -rf $(OUT)/{results,requests,verdicts,bundle,report.db,stamps/early.db}
	@zstd -dcq $< | tar --extract --directory $(OUT) --no-same-owner || { echo "$<: is no bundle; make bundle writes one" >&2; exit 1; }
	@cd $(OUT); sha256sum --quiet --check bundle/DIGESTS || { echo "$<: is damaged: it holds other streams than were put in" >&2; exit 1; }
	@awk '$$1 ~ /^[A-Z]+$$/ && $$2 ~ /^[A-Za-z0-9._\/-]+$$/ {printf "%s += $$(OUT)/%s\n", $$1, $$2}' $(OUT)/bundle/LIST >$@

$(FROM):
	@echo "FROM=$@: there is no such bundle; make bundle writes one" >&2; exit 1

.PHONY: from
report: from
from: $(DRAWN)
	@cd $(OUT); $(revisions) | diff bundle/REVISIONS - | sed -n 's/^</bundled with/p; s/^>/drawn with  /p'
	@cd $(OUT); if sha256sum --quiet --check bundle/OUTPUTS 2>/dev/null; then \
	    echo "All $$(wc -l <bundle/OUTPUTS) files are those of the bundle, byte for byte."; \
	else echo "The files named above are not those of the bundle."; fi
endif
