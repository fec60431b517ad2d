# Odd names, places, languages and sizes: what works gives the same bytes, what does not says so in a line.
. tests/cli/lib.bash
"$KICK_BUILD/tests/make-model" "$work/model" --layers 1 --hidden 16 --intermediate 16 --heads 2 --kv-heads 1 --vocab 64 || exit 1
kick-ingest-model --name m "$work/model" -o "$work/m.kick" || exit 1
kick-prune-magnitude -q -s 0.5 "$work/m.kick" -o "$work/pruned.kick"
printf '1 2 3 4\n5 6 7 8\n' >"$work/ids"
kick-ingest-text -f ids --name t "$work/ids" -o "$work/t.kick"
kick-eval-perplexity -d "$work/t.kick" "$work/m.kick" -o "$work/r.kick"
kick-analyze-load -D "$work/r.db" "$work/r.kick"

# ---- names: the same bytes whatever a file is called
odd=$work/odd
mkdir "$odd"
for name in $'new\nline' $'tab\tand \\ back' '-dash' 'with space' 'quote"and'\''s' $'latin1-\351' "ümläut-字" '*' '%s%n' "$(printf 'x%.0s' {1..240})"; do
    shown=$(printf %q "$name")
    cp "$work/m.kick" "$odd/$name"
    (cd "$odd" && kick-prune-magnitude -q -s 0.5 -o "./$name.out" -- "./$name") >"$work/said" 2>&1
    check "a model named ${shown:0:40}" cmp "$odd/$name.out" "$work/pruned.kick"
    cp "$work/ids" "$odd/$name.ids"
    check "ids from ${shown:0:40}" kick-ingest-text -q "$odd/$name.ids" -o "$odd/text"
    check "whole: ${shown:0:40}" kick-stream-check -q "$odd/text"
    rm -f "$odd/$name"*
done
cp -r "$work/model" "$odd/"$'a\nb \351'
check "a checkpoint in an odd folder" kick-ingest-model --name m "$odd/"$'a\nb \351' -o "$odd/m.kick"
check "gives the same bytes" cmp "$odd/m.kick" "$work/m.kick"
refuses "an error names an odd file on one line" 1 'new?line' kick-stream-check "$odd/"$'new\nline'
(cd "$odd" && kick-prune-magnitude ..//odd/./../m.kick -o ../odd/.//p.kick)
check "relative and odd paths" kick-stream-check -q "$odd/p.kick"
cp "$work/m.kick" "$odd/same.kick"
check "output over input" kick-prune-magnitude -q -s 0.5 "$odd/same.kick" -o "$odd/same.kick"
check "is whole" cmp "$odd/same.kick" "$work/pruned.kick"
ln -s "$work/nowhere.kick" "$odd/link.kick"
check "output through a link" kick-prune-magnitude -q "$work/m.kick" -o "$odd/link.kick"

# ---- places
for p in prune-magnitude quantize-rtn "eval-perplexity -d $work/t.kick"; do
    refuses "${p%% *}: a missing folder" 1 "cannot create it" kick-$p "$work/m.kick" -o "$work/none/x"
    refuses "${p%% *}: a folder that nobody may write to" 1 "/proc/x" kick-$p "$work/m.kick" -o /proc/x
    refuses "${p%% *}: a file as a folder" 1 "ot a directory" kick-$p "$work/m.kick" -o "$work/m.kick/x"
done
refuses "analyze-load: a folder that nobody may write to" 1 "unable to open" kick-analyze-load -D /proc/x.db "$work/r.kick"
refuses "analyze-load: a missing folder" 1 "unable to open" kick-analyze-load -D "$work/none/x.db" "$work/r.kick"
for p in "analyze-diff $work $work/r.db" "analyze-diff $work/r.db $work" "analyze-compare -D $work" "render-table -D $work"; do
    refuses "${p%% *}: a directory as a database" 1 "$work: is a directory" kick-$p
done
refuses "analyze-load: a directory as a database" 1 "$work: is a directory" kick-analyze-load -D "$work" "$work/r.kick"
refuses "render-table: a missing database says why" 1 "No such file" kick-render-table -D "$work/none.db"
refuses "render-table: a missing database" 1 "unable to open" kick-render-table -D "$work/none.db"
refuses "render-page: a folder without figures" 1 "$work/odd" kick-render-page -D "$work/r.db" "$work/odd" -o "$work/x.html"

# ---- standard input closed
for p in prune-magnitude stream-show stream-check ingest-text ingest-tasks "judge-request -d $work/t.kick" "analyze-load -D $work/x.db"; do
    refuses "${p%% *}: stdin closed" 1 "standard input" bash -c "kick-$p <&- >/dev/null"
done
check "stdin, stdout and stderr closed do no harm" bash -c "kick-prune-magnitude '$work/m.kick' -o '$work/closed.kick' <&- >&- 2>&- && kick-stream-check -q '$work/closed.kick'"

# ---- languages
for lang in C C.UTF-8 de_DE.UTF-8 tr_TR.UTF-8 xx_YY.nonsense; do
    LC_ALL=$lang LANG=$lang LANGUAGE=$lang kick-render-page -q -D "$work/r.db" reports/figure-1-perplexity -o "$work/lang.html" 2>/dev/null
    LC_ALL=$lang kick-prune-magnitude -q -s 0.25 "$work/m.kick" -o "$work/lang.kick"
    [ -e "$work/first.html" ] || cp "$work/lang.html" "$work/first.html"
    [ -e "$work/first.kick" ] || cp "$work/lang.kick" "$work/first.kick"
    check "LC_ALL=$lang: the same page" cmp "$work/first.html" "$work/lang.html"
    check "LC_ALL=$lang: the same stream" cmp "$work/first.kick" "$work/lang.kick"
done

# ---- sizes
head -c 20000000 /dev/zero | tr '\0' 'a' >"$work/long"
check "a line of 20 MB" kick-ingest-text -q -f lines "$work/long" -o "$work/x.kick"
awk 'BEGIN { for (i = 0; i < 400000; i++) printf "%d ", i % 64; print "" }' >"$work/row.ids"
check "a row of 400,000 ids" kick-ingest-text -q "$work/row.ids" -o "$work/row.kick"
refuses "is longer than the model's positions" 1 "400000" kick-eval-perplexity -d "$work/row.kick" "$work/m.kick" -o "$work/x.kick"
{ printf '{"text":"'; head -c 3000000 "$work/long"; printf '"}\n'; } >"$work/long.jsonl"
check "a record of 3 MB" kick-ingest-text -q "$work/long.jsonl" -o "$work/x.kick"
check "is shown whole" test "$(kick-stream-show "$work/x.kick" | wc -L)" -gt 3000000
printf '%*s' 3000 '' | tr ' ' '[' >"$work/deep.jsonl"
refuses "3000 lists in each other" 1 "line 1" kick-ingest-text "$work/deep.jsonl" -o "$work/x.kick"
