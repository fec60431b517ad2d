# The tests once more under the address and undefined behaviour sanitizers, and the fuzz targets over
# changed seeds.
. tests/cli/lib.bash
. tests/long/seeds.bash
if ! make -s -j2 SAN=1 programs unit-tests fuzz-targets >"$work/make.log" 2>&1; then
    echo "not ok SAN=1 builds"
    tail -20 "$work/make.log"
    exit 1
fi
seeds "$work/seeds"
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1
for target in build/san/tests/fuzz-*; do
    [ -x "$target" ] && [ -f "$target" ] || continue
    name=${target##*/fuzz-}
    check "changed seeds of $name" "$target" "${KICK_FUZZ_RUNS:-3000}" "$work/seeds/$name"/*
done
tests/run build/san build/san/tests/unit-* >"$work/units" 2>&1
tests/run build/san $(ls tests/cli/*.sh | grep -v house) >"$work/cli" 2>&1
for part in units cli; do
    if tail -1 "$work/$part" | grep -q ' 0 failed'; then
        echo "ok $part under sanitizers: $(tail -1 "$work/$part")"
    else
        echo "not ok $part under sanitizers: $(tail -1 "$work/$part")"
        tail -60 "$work/$part" | sed 's/^/    /'
    fi
done
