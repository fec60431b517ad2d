# make report: a plan becomes variants, results, database, figures and workbook; nothing is done twice.
. tests/cli/report.bash

check "a report is made" report "$work/out"
for f in report.db report.html report.xlsx figure-1-perplexity.svg figure-1-perplexity.pdf \
    figure-1-perplexity.png figure-1-perplexity.csv figure-1-perplexity.md; do
    check "it has $f" test -s "$work/out/$f"
done
check "one result for each line of the plan" test "$(ls "$work/out/results" | wc -l)" -eq 9

files() { find "$work/out" -type f -newer "$work/mark" | grep -v '/stamps/'; }
sleep 0.01
touch "$work/mark"
report "$work/out" >/dev/null 2>&1
check "the second report does nothing" test -z "$(files)"

cp "$work/out/report.db" "$work/first.db"
rm "$work/out/results/large-quantize-rtn-b-4-"*
check "a lost result is made again" report "$work/out"
check "with the same numbers" cmp \
    <(kick render-table -q -f csv -D "$work/first.db" reports/figure-1-perplexity) \
    <(kick render-table -q -f csv -D "$work/out/report.db" reports/figure-1-perplexity)

report "$work/one" -j1 >/dev/null 2>&1
dump "$work/out" >"$work/a"
dump "$work/one" >"$work/b"
check "-j1 and -j2 give the same records" cmp "$work/a" "$work/b"

mkdir -p "$work/figures/mine"
cp reports/figure-1-perplexity/{query.sql,figure.json,caption.md,caption.sql} "$work/figures/mine"
check "a folder of FIGURES is rendered too" report "$work/out" FIGURES="$work/figures"
check "as mine.svg" test -s "$work/out/mine.svg"

refuse_plan() {
    printf '%s\n' "$2" >"$work/bad.plan"
    LC_ALL=C awk -v roles=large -v texts=a -f reports/plan.awk "$work/bad.plan" >/dev/null 2>"$work/log"
    check "plan: $1" test $? -eq 1 -a "$(wc -l <"$work/log")" -eq 1
}
refuse_plan "an unknown role" 'huge | eval-perplexity -d text'
refuse_plan "a brace without its end" 'large | prune-magnitude -s {0.1,0.2 | eval-perplexity -d text'
refuse_plan "a character for the shell" 'large | prune-magnitude $(id) | eval-perplexity -d text'
refuse_plan "a task without -d" 'large | eval-perplexity'
refuse_plan "no task" 'large'
