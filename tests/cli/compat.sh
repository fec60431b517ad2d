# What the first version wrote stays readable (tests/data: a stream of tensors in tests/unit/stream.c,
# results and a database here); what a later version writes is refused by name.
. tests/cli/lib.bash
cp tests/data/results-1.kick "$work"
zstd -dqc tests/data/database-2.db.zst >"$work/old.db"
check "results of the first version" kick-analyze-load -D "$work/new.db" "$work/results-1.kick"
refuses "an older database is not drawn from" 1 "has schema version 2, this program reads" kick-render-table -D "$work/old.db" reports/figure-1-perplexity
cp "$work/old.db" "$work/before.db"
check "an older database is brought up to date" kick-analyze-load -D "$work/old.db" "$work/results-1.kick"
check "and has the numbers of a new one" kick-analyze-diff "$work/old.db" "$work/new.db"
for folder in reports/figure-1-perplexity reports/figure-3-choice; do
    check "and is drawn like a new one: ${folder#*/}" cmp <(kick-render-table -f csv -D "$work/old.db" "$folder") \
        <(kick-render-table -f csv -D "$work/new.db" "$folder")
done
if command -v sqlite3 >/dev/null; then
    what() { sqlite3 "$1" "SELECT type, name, replace(sql, 'IF NOT EXISTS ', '') FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY 1, 2; PRAGMA user_version; SELECT * FROM dense_result; SELECT * FROM joined_score; SELECT * FROM paired"; }
    check "with the same tables, views and derived rows" cmp <(what "$work/old.db") <(what "$work/new.db")
    cp "$work/new.db" "$work/four.db" # where dense_result was a view
    sqlite3 "$work/four.db" "DROP TABLE dense_result; CREATE VIEW dense_result AS SELECT 1 AS result_id, 2 AS dense_id; PRAGMA user_version = 4"
    check "version 4 is brought up to date" kick-analyze-load -D "$work/four.db" "$work/results-1.kick"
    check "with the same tables, views and derived rows as a new one" cmp <(what "$work/four.db") <(what "$work/new.db")
    cp "$work/new.db" "$work/newer.db"
    sqlite3 "$work/newer.db" "PRAGMA user_version = 99"
    cp "$work/newer.db" "$work/same.db"
    for p in "render-table" "render-workbook -o $work/x" "render-page" "analyze-compare" "analyze-claims" "analyze-load $work/results-1.kick"; do
        refuses "a newer database: ${p%% *}" 1 "has schema version 99" kick-$p -D "$work/newer.db" </dev/null
    done
    refuses "a newer database: analyze-diff" 1 "newer.db has schema version 99" kick-analyze-diff "$work/new.db" "$work/newer.db"
    check "and is left as it was" cmp "$work/newer.db" "$work/same.db"
    sqlite3 "$work/before.db" "PRAGMA user_version = 1"
    refuses "a database older than that" 1 "start a new file" kick-analyze-load -D "$work/before.db" "$work/results-1.kick"
else
    echo "skip newer databases: no sqlite3"
fi
again() { zstd -dqc "$work/results-1.kick" | sed "1s/$1/" >"$work/text" && zstd -qf "$work/text" -o "$work/$2.kick"; }
again '"kick":1/"kick":2' newer
for p in "stream-check" "stream-show" "analyze-load -D $work/x.db"; do
    refuses "a newer stream: ${p%% *}" 1 "has format version 2; this kick reads version 1 and older" kick-$p "$work/newer.kick"
done
again '{"kick":1/{"kick":1,"must":["zebra"]' must
refuses "a stream that must be understood" 1 'needs "zebra"' kick-stream-check "$work/must.kick"
