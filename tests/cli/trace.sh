# From a number of a figure to the records that it was made of; runs that differ in their seed are one row.
. tests/cli/lib.bash
mkdir -p "$work/mmlu/dev" "$work/mmlu/test"
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
    printf 'Where is the mill %d?,Oxria,Alfield,Ordova,Ilria,%s\n' $i "$(printf ABCD | cut -c$((i % 4 + 1)))"
done >"$work/mmlu/test/anatomy_test.csv"
kick-ingest-mmlu -q "$work/mmlu" -o "$work/d.kick"
for i in 1 2 3 4 5 6 7 8; do
    for j in 1 2 3 4 5 6 7 8 9 10 11 12; do printf 'The mason %d%d lost the bells of Oxria in the rain. ' $i $j; done
    echo
done | kick-ingest-text -q -f lines - -o "$work/c.kick"
kick-ingest-model -q --role large data/models/small -o "$work/m.kick"
kick-eval-choice -q -k 0 -d "$work/d.kick" "$work/m.kick" -o "$work/dense.kick"
for seed in 0 1 2; do
    kick-prune-wanda -q -S $seed -c "$work/c.kick" --draw counter -n 2 -l 48 -s 0.7 "$work/m.kick" |
        kick-eval-choice -q -k 0 -d "$work/d.kick" -o "$work/r$seed.kick"
done
cat "$work"/dense.kick "$work"/r?.kick >"$work/all.kick"
kick-analyze-load -q -D "$work/a.db" "$work/all.kick"
kick-render-table -q -f csv -D "$work/a.db" reports/figure-3-choice | tr -d '\r' >"$work/f.csv"
row=$(grep ',unstructured,' "$work/f.csv")
check "runs of three seeds are one row" test "$(wc -l <<<"$row")" -eq 1
id=${row##*,}
score() { kick-stream-show "$1" | sed -nE 's/^\{"summary".*"strict":([0-9.e-]+).*/\1/p'; }
column() { awk -F, -v name="$1" -v row="$2" 'NR == FNR { for (i = 1; i <= NF; i++) if ($i == name) c = i; nextfile } END { n = split(row, v, ","); print v[c] }' "$work/f.csv"; }
scores="$(score "$work/r0.kick") $(score "$work/r1.kick") $(score "$work/r2.kick")"
sane=$(sed 's/^"[^"]*"/facet/' <<<"$row")
check "its number is their mean" awk -v s="$scores" -v p="$(column percent "$sane")" \
    'BEGIN { split(s, v, " "); d = 100 * (v[1] + v[2] + v[3]) / 3 - p; exit !(s != "" && d < 1e-9 && d > -1e-9) }'
kick-stream-show --trace "$id" "$work/all.kick" >"$work/traced"
check "its id leads to the records of the first" cmp "$work/traced" <(kick-stream-show "$work/r0.kick")
check "and to its steps" grep -q '"program":"prune-wanda"' <(kick-stream-show --trace "$id" --history "$work/all.kick")
refuses "an id that no stream has" 1 "none of these streams has the id 00" kick-stream-show --trace 00 "$work/all.kick"
if command -v sqlite3 >/dev/null; then
    check "and the view traced to all three" test "$(sqlite3 "$work/a.db" "SELECT count(*), count(DISTINCT seed) FROM traced WHERE result_id = '$id'")" = "3|3"
else
    echo "skip traced: no sqlite3"
fi
