# The tables of the released code's quirks in the pages of evaluate/ are what `make quirks` prints.
. "$(dirname "$0")/../cli/lib.bash"
world=$KICK_BUILD/world
[ -x "$world" ] || { echo "skip quirks: make world first"; exit 0; }
"$world" -o "$work/data" >/dev/null
check "quirks.sh runs" evaluate/quirks.sh "$work/data"
mv "$work/check.log" "$work/quirks"
rows=0
while IFS= read -r line; do
    [ -n "$line" ] || continue
    rows=$((rows + 1))
    check "a page has: $line" grep -qxF -- "$line" evaluate/*.1
done <"$work/quirks"
check "all rows" test "$rows" -ge 60
