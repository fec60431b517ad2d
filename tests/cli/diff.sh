# kick-analyze-diff: which numbers differ, and the first thing on the way that explains it.
. tests/cli/lib.bash
"$KICK_BUILD/tests/make-model" "$work/a" --layers 1 --hidden 16 --intermediate 16 --heads 2 --kv-heads 1 --vocab 16 || exit 1
"$KICK_BUILD/tests/make-model" "$work/b" --layers 1 --hidden 16 --intermediate 16 --heads 2 --kv-heads 1 --vocab 16 --seed 2
printf '1 2 3 4 5 6\n5 6 7 8 9 1\n' >"$work/ids"
printf '1 2 3 4 5 6\n5 6 7 8 9 2\n' >"$work/others"
for m in a b; do kick-ingest-model --name llama "$work/$m" -o "$work/$m.kick"; done
for t in ids others; do kick-ingest-text -f ids --name text "$work/$t" -o "$work/$t.kick"; done
measure() { kick-quantize-rtn -b "$2" -g 8 $4 "$work/$1.kick" | kick-eval-perplexity -d "$work/$3.kick" -o "$work/r.kick"; }
load() { kick-analyze-load -D "$work/$1.db" "$work/r.kick"; }
measure a 4 ids "" && load A
kick-analyze-load -D "$work/same.db" "$work/r.kick"
measure a 4 ids --sym && load option
measure a 4 others "" && load data
measure b 4 ids "" && load checkpoint
measure a 3 ids "" && load other
cp "$work/A.db" "$work/changed.db"
kick-analyze-load -D "$work/changed.db" "$work/r.kick"
check "the same" kick-analyze-diff "$work/A.db" "$work/same.db"

explains() { # NAME DATABASE LINE
    kick-analyze-diff "$work/A.db" "$work/$2.db" >"$work/said" 2>"$work/err"
    check "$1: exit 1" test $? -eq 1
    check "$1: is explained" grep -qxF "  $3" "$work/said"
}
explains "an option" option "kick-quantize-rtn: the option sym: none in A, true in B"
check "an option: its numbers" grep -qE '^    perplexity +[0-9.]+ +[0-9.]+  [+-][0-9.]+ %$' "$work/said"
explains "a checkpoint" checkpoint "kick-ingest-model: what it read is another checkpoint"
explains "a result of one alone" changed "only in B"
kick-analyze-diff "$work/A.db" "$work/data.db" >"$work/said" 2>/dev/null
check "other data are named" grep -qE '^  kick-eval-perplexity: the input data: "[0-9a-f]+" in A, "[0-9a-f]+" in B$' "$work/said"
if command -v sqlite3 >/dev/null; then
    cp "$work/A.db" "$work/revision.db"
    sqlite3 "$work/revision.db" "UPDATE step SET revision = 70, id = 'x' WHERE program = 'quantize-rtn'; UPDATE metric SET value = 2 WHERE metric = 'perplexity';
        PRAGMA foreign_keys = 0; UPDATE result SET id = 'y'; UPDATE step SET result_id = 'y'; UPDATE metric SET result_id = 'y'"
    kick-analyze-diff "$work/A.db" "$work/revision.db" >"$work/said" 2>/dev/null
    check "a revision" grep -qxE "  kick-quantize-rtn: revision [0-9]+ in A, 70 in B" "$work/said"
    cp "$work/A.db" "$work/answers.db"
    sqlite3 "$work/answers.db" "UPDATE metric SET value = 2 WHERE metric = 'perplexity'"
    kick-analyze-diff "$work/A.db" "$work/answers.db" >"$work/said" 2>/dev/null
    check "the same work with two answers" grep -q 'nothing explains it: the id' "$work/said"
else
    echo "skip diff of revisions: no sqlite3"
fi
refuses "one database" 2 "two databases are compared" kick-analyze-diff "$work/A.db"
refuses "no database" 1 "not a database" kick-analyze-diff "$work/A.db" "$work/r.kick"
