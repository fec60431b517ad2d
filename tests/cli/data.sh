# The embedded world and models: the files are those of data/MANIFEST, and the world is the same
# whenever it is written.
. tests/cli/lib.bash
world=$KICK_BUILD/world
make -s BUILD="$KICK_BUILD" "$world" >/dev/null 2>&1

# listing DIR: digest and name of every file, in the order of names.
listing() (
    cd "$1" && find . -type f ! -name made.mk | LC_ALL=C sort | xargs sha256sum
)

"$world" -o "$work/one" && "$world" -o "$work/two"
check "world: twice the same" diff -r "$work/one" "$work/two"
"$world" -S 2 -o "$work/other"
check "world: another seed is another world" bash -c "! cmp -s $work/one/text/facts.txt $work/other/text/facts.txt"

# A documents stream does not depend on where one starts to read it.
"$world" -d 7 -n 50 >"$work/all"
{ "$world" -d 7 -n 20; "$world" -d 7 -f 20 -n 30; } >"$work/parts"
check "world: documents in parts" cmp "$work/all" "$work/parts"

# The whole world in one line of MANIFEST: the digest of its listing.
set -- $(listing "$work/one" | sha256sum)
check "MANIFEST: the world" grep -qx "world $(listing "$work/one" | wc -l) $1" data/MANIFEST
models() {
    local size sum name
    while read -r size sum name; do
        [ "$size" = world ] && continue
        [ "$(wc -c <"data/$name")" = "$size" ] || { echo "$name: size"; return 1; }
        echo "$sum  data/$name" | sha256sum -c --quiet || return 1
        [ "$size" -le 10485760 ] || { echo "$name: over 10 MB"; return 1; }
    done <data/MANIFEST
}
check "MANIFEST: the models" models
check "MANIFEST: nothing else" bash -c "diff <(cd data && find models -type f | LC_ALL=C sort) <(sed -n 's/^[0-9]* [0-9a-f]* //p' data/MANIFEST)"

# No question about a held fact is in any training document: of each kind that asks, alone, and of all.
for tag in held asked; do
    awk -F'"RawQuestion": "' -v tag="\"$tag-" '$0 ~ tag { split($2, q, "\""); print q[1] }' \
        "$work/one/freebaseqa/FreebaseQA-eval.json" >"$work/$tag"
done
kinds=$("$world" -m none-such=1 2>&1 | sed -n 's/.*kinds are //p')
for mix in qa=1 mc=1 none=1 letter=1 "$(printf '%s=1,' $kinds)"; do
    name=${mix%=1}
    [[ $mix != *,* ]] || name="all kinds"
    "$world" -d 1 -n 20000 -m "$mix" >"$work/questions"
    check "$name: held questions are never trained" bash -c "! grep -qFf $work/held $work/questions"
    check "$name: other questions are" bash -c "[ \$(grep -cFf $work/asked $work/questions) -gt 100 ]"
done
check "held and asked questions are 600 each" test "$(wc -l <"$work/held") $(wc -l <"$work/asked")" = "600 600"
