# Every program says with -v what memory it needs, needs no more than that, and refuses at once, leaving
# nothing, where --mem-max is less. (tests/long/memory.sh: how near the estimates are.)
. tests/cli/lib.bash
. tests/fault/runs.bash
fixtures >"$work/log" 2>&1 || { echo "not ok small runs"; cat "$work/log"; exit 1; }
known=" kick kick-bench " # the front end and what only starts others

limited() { # NAME [OPTION…] -- RUN…
    local name=$1 input=/dev/null needed used status
    known+="kick-${name%%:*} "
    shift
    while [ "$1" != -- ]; do
        [ "$1" != -i ] || input=$2
        shift
    done
    shift
    rm -rf "$work"/d/* "$work/db/x.db"
    "$@" -v <"$input" >/dev/null 2>"$work/said"
    needed=$(sed -n 's/.*needs about \([0-9]*\)\..*/\1/p' "$work/said" | sort -n | tail -1)
    used=$(sed -n 's/.*peak memory \([0-9]*\)\..*/\1/p' "$work/said")
    # A sanitizer has memory of its own.
    case $KICK_BUILD in *san) used=0 ;; esac
    check "$name: needs ${needed:-?} MiB, ${used:-?} used" test "${needed:-0}" -ge "${used:-1}"
    rm -rf "$work"/d/* "$work/db/x.db"
    "$@" --mem-max 1K <"$input" >"$work/out" 2>"$work/said"
    status=$?
    if [ $status -eq 1 ] && [ "$(grep -c 'more than --mem-max 0.0 MiB' "$work/said")" -eq "$(wc -l <"$work/said")" ] && [ -z "$(ls -A "$work/d"; ls "$work/db/x.db" 2>/dev/null)" ] && [ ! -s "$work/out" ]; then
        echo "ok $name: refused"
    else
        echo "not ok $name: refused: exit $status, $(ls -A "$work/d")"
        sed 's/^/    /' "$work/said"
    fi
}
runs limited
limited analyze-compare:draws -- kick-analyze-compare -D "$work/db/r.db" --draws 1000000
for program in "$KICK_BUILD"/bin/*; do
    [[ $known == *" ${program##*/} "* ]] || echo "not ok ${program##*/} has no small run in tests/fault/runs.bash"
done
