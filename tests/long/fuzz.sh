# Fuzzing: 20 seconds a target with clang's libFuzzer and address sanitizer, where they are.
. tests/cli/lib.bash
. tests/long/seeds.bash
seconds=${KICK_FUZZ_SECONDS:-20}
echo 'int LLVMFuzzerTestOneInput(const char *d, long n) { return d && n < 0; }' >"$work/probe.c"
if ! clang -fsanitize=fuzzer,address "$work/probe.c" -o "$work/probe" 2>/dev/null; then
    echo "skip fuzzing: no clang with libFuzzer (libclang-rt-14-dev)"
    exit 0
fi
make -s -j2 CC="clang -w" BUILD=build/fuzz FUZZ_MAIN= CFLAGS="-O1 -g -fsanitize=fuzzer-no-link,address" \
    LDFLAGS="-fsanitize=fuzzer,address" fuzz-targets >"$work/make.log" 2>&1 || {
    echo "not ok fuzz targets build"
    tail -20 "$work/make.log"
    exit 1
}
seeds "$work/seeds"
for target in build/fuzz/tests/fuzz-*; do
    [ -x "$target" ] && [ -f "$target" ] || continue
    name=${target##*/fuzz-}
    mkdir -p "$work/corpus-$name" "$work/seeds/$name"
    if "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=3000 -artifact_prefix="$work/" \
        "$work/corpus-$name" "$work/seeds/$name" >"$work/log" 2>&1; then
        echo "ok fuzz $name: $(grep -oE 'Done [0-9]+ runs' "$work/log")"
    else
        echo "not ok fuzz $name"
        tail -30 "$work/log" | sed 's/^/    /'
        mkdir -p build/fuzz/found && cp "$work"/{crash,timeout,oom,leak}-* build/fuzz/found/ 2>/dev/null
    fi
done
