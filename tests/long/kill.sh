# kill -9 at 50 random moments of make report: the next one completes with the same results.
. tests/cli/report.bash
unset MAKEFLAGS MFLAGS MAKELEVEL

report "$work/whole" >/dev/null 2>&1
dump "$work/whole" >"$work/a"
RANDOM=7
total=0
for round in 1 2 3 4 5; do
    rm -rf "$work/out"
    kills=0
    while [ "$kills" -lt 10 ]; do
        setsid make -s report ${SAN:+SAN=$SAN} PLAN=quick OUT="$work/out" MODELS="$work/tiny" \
            DATA="$work/data" </dev/null >/dev/null 2>&1 &
        pid=$!
        sleep "0.$((RANDOM % 10))$((RANDOM % 10))"
        if kill -9 -- "-$pid" 2>/dev/null; then
            kills=$((kills + 1))
        else # it was done before
            rm -rf "$work/out"
        fi
        wait "$pid" 2>/dev/null
    done
    total=$((total + kills))
    check "round $round: the report after the kills completes" report "$work/out"
    dump "$work/out" >"$work/b"
    check "round $round: with the same results" cmp "$work/a" "$work/b"
    check "round $round: nothing is left over" test -z "$(find "$work/out" -name '*.tmp')"
done
echo "# $total kills of a report"
