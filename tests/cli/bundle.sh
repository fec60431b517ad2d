# make bundle, and make report FROM= that bundle: the same files, byte for byte, without a model.
. tests/cli/report.bash
bundle() { # ARGUMENT…
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s BUILD="$KICK_BUILD" ${SAN:+SAN=$SAN} "$@" </dev/null
}
check "make bundle" bundle bundle PLAN=quick OUT="$work/out" MODELS="$work/tiny" DATA="$work/data"
file=$work/out/bundle.tar.zst
check "it holds a stream for each result" test "$(zstd -dcq "$file" | tar t | grep -c '^results/')" -eq "$(ls "$work/out/results" | wc -l)"
check "and neither models nor texts" test -z "$(zstd -dcq "$file" | tar t | grep -E '^(models|data|variants)/')"
mv "$work/tiny" "$work/gone"
mv "$work/data" "$work/away"
again() { bundle report FROM="$file" OUT="$work/again" MODELS= DATA="$work/none" >"$work/said" 2>&1; }
check "make report FROM" again
check "it says that all is the same" grep -q 'files are those of the bundle, byte for byte' "$work/said"
for f in report.db report.html report.xlsx figure-1-perplexity.pdf figure-1-perplexity.png; do
    check "$f: the same bytes" cmp "$work/out/$f" "$work/again/$f"
done
touch "$work/mark"
again
check "the second time nothing is done" test -z "$(find "$work/again" -type f -newer "$work/mark" ! -path '*/stamps/*')"
echo nonsense >>"$work/again/report.html"
again
check "what is not the same is named" grep -q 'report.html: FAILED' "$work/said"
mkdir "$work/open"
zstd -dcq "$file" | tar x -C "$work/open"
f=$(ls "$work/open/results"/*.kick | head -1)
"$KICK_BUILD/tests/damage" "$f" "$f.new" flip 3000
mv "$f.new" "$f"
tar c -C "$work/open" . | zstd -qc >"$work/bad.tar.zst"
bundle report FROM="$work/bad.tar.zst" OUT="$work/bad" >"$work/said" 2>&1
check "a damaged bundle is refused" test $? -ne 0
check "by name" grep -q 'bad.tar.zst: is damaged' "$work/said"
bundle report FROM="$work/nothing.tar.zst" OUT="$work/bad" >"$work/said" 2>&1
check "a missing bundle is named" grep -q 'there is no such bundle' "$work/said"
check "and nothing is drawn from it" test "$(grep -c kick- "$work/said")" = 0
echo nonsense | zstd -qc >"$work/none.tar.zst"
bundle report FROM="$work/none.tar.zst" OUT="$work/bad" >"$work/said" 2>&1
check "a file that is no bundle is named" grep -q 'none.tar.zst: is no bundle' "$work/said"
check "and nothing is drawn from that" test "$(grep -c kick- "$work/said")" = 0
