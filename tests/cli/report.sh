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

dump "$work/out" >"$work/a"
rm "$work/out/report.db" # most of which was loaded early
check "a lost database is made again" report "$work/out"
check "of the same records" cmp "$work/a" <(dump "$work/out")

report "$work/one" -j1 >/dev/null 2>&1
dump "$work/one" >"$work/b"
check "-j1 and -j2 give the same records" cmp "$work/a" "$work/b"
# Every file of a report but for times and paths, and the database as text.
digests() {
    (cd "$1" && find . -type f ! -path './stamps/*' ! -name '*.source' ! -name '*.list' ! -name '*.db' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
    command -v sqlite3 >/dev/null && sqlite3 "$1/report.db" .dump
}
digests "$work/out" >"$work/a"
digests "$work/one" >"$work/b"
check "and every file of the report the same bytes" cmp "$work/a" "$work/b"
check "of which there are many" test "$(wc -l <"$work/a")" -gt 200
KICK_CPU=scalar report "$work/scalar" >/dev/null 2>&1
digests "$work/scalar" >"$work/b"
check "and so does KICK_CPU=scalar" cmp "$work/a" "$work/b"

# A figure of one's own: three files outside the sources, in every format, on the page and in the workbook.
mkdir -p "$work/figures/mine"
echo "SELECT method, bits_per_weight, perplexity, low, high FROM perplexity ORDER BY method, bits_per_weight" >"$work/figures/mine/query.sql"
echo 'Size against **perplexity**.' >"$work/figures/mine/caption.md"
cat >"$work/figures/mine/figure.json" <<'END'
{"title": "My own", "panels": [{"x": {"column": "bits_per_weight", "label": "Bits"}}],
 "y": {"column": "perplexity", "low": "low", "high": "high", "label": "Perplexity"}, "series": {"column": "method"}}
END
check "a folder of FIGURES is rendered too" report "$work/out" FIGURES="$work/figures"
for f in svg pdf png csv md tex; do check "as mine.$f" test -s "$work/out/mine.$f"; done
check "and on the page" grep -q '<section id="mine">' "$work/out/report.html"
check "and in the workbook" grep -q 'name="mine"' <(unzip -p "$work/out/report.xlsx" xl/workbook.xml)
check "its csv is what render-table says" cmp "$work/out/mine.csv" <(kick render-table -q -f csv -D "$work/out/report.db" "$work/figures/mine")
sleep 0.01
touch "$work/mark"
echo 'Another caption.' >"$work/figures/mine/caption.md"
report "$work/out" FIGURES="$work/figures" >/dev/null 2>&1
check "another caption renders one figure again, the page and the workbook" cmp <(files | sed 's,.*/,,' | sort) \
    <(printf '%s\n' mine.{csv,md,pdf,png,svg,tex} report.{html,pdf,xlsx})

# Progress, where somebody looks.
mkdir -p "$work/p/results" "$work/p/stamps"
touch "$work"/p/results/{1,2,3,4,5,6,7,8,9,10}
echo "$(($(date +%s) - 600)) 4" >"$work/p/stamps/started"
check "progress: how many, and how long" test "$(bash reports/progress.sh "$work/p" 40 name | tr -d '\r\033')" = "[K[10 of 40 results, 50 min left] name"
check "progress: nothing to go by" test "$(bash reports/progress.sh "$work/none" 40 name | tr -d '\r\033')" = "[K[0 of 40 results] name"
if command -v script >/dev/null; then
    rm "$work/out/results/large-quantize-rtn-b-4-"*
    check "make report says it on a terminal" grep -q 'of 9 results' <(script -qec "env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s report BUILD='$KICK_BUILD' ${SAN:+SAN=$SAN} PLAN=quick OUT='$work/out' MODELS='$work/tiny' DATA='$work/data'" /dev/null </dev/null)
else
    echo "skip progress on a terminal: no script"
fi

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
