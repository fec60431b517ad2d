# Every figure on one page: tasks, judges and variants of a plan; the page asks no network.
. tests/cli/report.bash

plan() { LC_ALL=C awk -v roles='large small' -v texts='a b' -v calibration=c -v readers='freebaseqa cnndm' -f reports/plan.awk "$1"; }

# ---- plans
cat >"$work/a.plan" <<'PLAN'
large | eval-factoid -n 4 -d freebaseqa
large | prune-magnitude -s 0.5 | eval-factoid -n 4 -d freebaseqa, eval-perplexity -d text, eval-summary -d cnndm > judge-overlap -m dense -d cnndm
small | prune-magnitude -s 0.5 | eval-summary -d cnndm > judge-overlap -m dense -d cnndm
large | prune-magnitude -s 0.5 | eval-factoid -n 5 -d freebaseqa, eval-factoid -n 4 -d freebaseqa
PLAN
plan "$work/a.plan" >"$work/a.mk"
check "a judge reads the result before it and the dense model" grep -q \
    "kick-judge-overlap -m \$(OUT)/models/large.kick -d \$(OUT)/data/cnndm.kick .*results/large-prune-magnitude-s-0.5-eval-summary-d-cnndm.kick -o" "$work/a.mk"
check "a variant with several tasks, on two lines, is made once" test "$(grep -c 'kick-prune-magnitude -s 0.5 .*models/large' "$work/a.mk")" -eq 1
check "results: one a task, text and judge" test "$(sed -n '/^RESULTS/,$p' "$work/a.mk" | grep -c results/)" -eq 9

# ---- variant.sh
v=$work/v
mkdir "$v"
touch "$v/need"
sleep 0.01
run() { bash reports/variant.sh "$v/variant" "echo v >>$v/log; echo v >$v/variant" "$v/a" "$v/need" "echo a >>$v/log; cp $v/variant $v/a" \
    "$v/b" "$v/need $v/a" "echo b >>$v/log; cp $v/variant $v/b"; }
check "variant.sh makes all" run
check "in order, the variant once" cmp "$v/log" <(printf 'v\na\nb\n')
check "and takes the variant away" test ! -e "$v/variant"
rm "$v/log"
check "variant.sh with all there" run
check "makes nothing" test ! -e "$v/log"
rm "$v/b"
run
check "only what is missing is made" cmp "$v/log" <(printf 'v\nb\n')
check "and nothing is then older than what it was made of" test ! "$v/a" -nt "$v/b"
rm "$v/b"
echo old >"$v/variant" # of a run that was killed
run
check "a variant that was left over is made anew" cmp "$v/b" <(echo v)
bash reports/variant.sh "$v/variant" "echo v >$v/variant" "$v/c" "$v/need" false 2>/dev/null
check "a failed task is a failure" test $? -ne 0 -a ! -e "$v/variant"

# ---- a task of a variant fails: what the others gave stays
mkdir "$v/bin"
for p in prune-magnitude eval-factoid eval-perplexity; do
    printf '#!/bin/bash\n%s\n' "$([ $p = eval-perplexity ] && echo exit 1 || echo 'touch "${@: -1}"')" >"$v/bin/kick-$p"
done
chmod +x "$v/bin"/*
{
    printf 'SHELL := /bin/bash\nOUT := %s/out\n.DELETE_ON_ERROR:\n' "$v"
    cat "$work/a.mk"
    grep '^\.PRECIOUS: \$(RESULTS)' Makefile
    printf '$(OUT)/models/%% $(OUT)/data/%% $(OUT)/stamps/%%:\n\t@mkdir -p $(@D); touch $@\n'
} >"$v/a.mk"
failed=$v/out/results/large-prune-magnitude-s-0.5-eval-perplexity-d-text-a.kick
env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL PATH="$v/bin:$PATH" make -f "$v/a.mk" "$failed" >/dev/null 2>&1
check "a task that fails is a failure of make" test $? -ne 0 -a ! -e "$failed"
check "what was made before it stays" test -e "$v/out/results/large-prune-magnitude-s-0.5-eval-factoid-n-4-d-freebaseqa.kick"

# ---- a Slurm job is asked for what a variant's programs say, though the variant is not there yet
cat >"$v/bin/srun" <<'STUB'
#!/bin/bash
grep -o -- '--mem=[0-9]*' <<<"$*" | tr -dc 0-9
for a; do [[ $a != *.kick-slurm.* ]] || echo 0 >"$a"; done
STUB
chmod +x "$v/bin/srun"
mkdir -p "$v/models"
kick-ingest-model -q "$work/tiny" -o "$v/models/m.kick"
kick-ingest-text -q -f ids - -o "$v/ids.kick" <<<"5 6 7 8"
rm "$v/bin"/kick-*
memory=$(PATH="$v/bin:$PATH" bash reports/slurm.sh bash reports/variant.sh "$v/variants/x.kick" \
    "kick-prune-magnitude -s 0.5 $v/models/m.kick -o $v/variants/x.kick" r n \
    "kick-eval-perplexity -d $v/ids.kick $v/variants/x.kick -o r")
check "$memory MiB, less than for a program without an estimate" test "$memory" -lt 256

# ---- the page
report "$work/out" >/dev/null 2>&1
page=$work/out/report.html
check "the page is made" test -s "$page"
for figure in reports/*/figure.json; do
    name=$(basename "$(dirname "$figure")")
    check "it has $name" grep -q "<section id=\"$name\">" "$page"
    check "$name renders" kick render-chart -q -D "$work/out/report.db" "reports/$name" -f svg -o "$work/one.svg"
done
check "the first figure is drawn" grep -q '<svg .*role="img"' "$page"
check "a figure without results says what is missing" grep -q '<p class="missing">Missing: ' "$page"
check "markers tell their values" grep -q '<title>Magnitude; Sparsity (%) 20; Perplexity [0-9.]* (95 %' "$page"
requests=$(grep -oE '(src|href|action|poster)="[^"#][^"]{0,40}|url\([^)]*\)|@import|https?://[^" ]*' "$page" |
    grep -vE '^href="data:|^http://www.w3.org/2000/svg$')
check "nothing in it asks the network" test -z "$requests"
kick render-page -q -D "$work/out/report.db" reports/figure-1-perplexity -o "$work/a.html"
kick render-page -q -D "$work/out/report.db" reports/figure-1-perplexity -o "$work/b.html"
check "twice the same bytes" cmp "$work/a.html" "$work/b.html"
data=$(grep -o 'base64,[^"]*' "$work/a.html" | head -1)
check "the csv in it is render-table's" cmp <(base64 -d <<<"${data#base64,}") \
    <(kick render-table -q -f csv -D "$work/out/report.db" reports/figure-1-perplexity)

# ---- on paper
# A measure that ended inside a character made Pango complain.
mkdir "$work/endless"
echo '{"title": "T", "kind": "samples", "samples": {"head": ["part"]}}' >"$work/endless/figure.json"
echo "SELECT 'a' AS part, 'x' || replace(hex(zeroblob(600)), '0', 'ж') AS text" >"$work/endless/query.sql"
kick render-page -q -D "$work/out/report.db" "$work/endless" -o "$work/endless.pdf" 2>"$work/complaints"
check "a word of 2,400 bytes is printed without a complaint" test -s "$work/endless.pdf" -a ! -s "$work/complaints"
mkdir "$work/tall"
echo '{"title": "T", "kind": "table"}' >"$work/tall/figure.json"
echo "SELECT 'a' AS part, replace(hex(zeroblob(20000)), '0', 'x ') AS text" >"$work/tall/query.sql"
kick render-page -q -D "$work/out/report.db" "$work/tall" -o "$work/tall.pdf"
check "a row of more lines than a page has goes on over several" test "$(sed -n 's/.*\/Count \([0-9]*\)$/\1/p' "$work/tall.pdf")" -ge 5
