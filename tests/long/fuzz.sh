# Fuzzing with clang's libFuzzer, address and undefined behaviour sanitizers, where they are: a target for
# every parser (tests/fuzz) and one for each program's standard input. KICK_FUZZ_SECONDS (20) a target,
# KICK_FUZZ_ONLY=NAME one of them. What is found stays in build/fuzz/found.
. tests/cli/lib.bash
. tests/long/seeds.bash
. tests/long/stdin.bash
. tests/fault/runs.bash
seconds=${KICK_FUZZ_SECONDS:-20} only=${KICK_FUZZ_ONLY:-}
echo 'int LLVMFuzzerTestOneInput(const char *d, long n) { return d && n < 0; }' >"$work/probe.c"
if ! clang -fsanitize=fuzzer,address "$work/probe.c" -o "$work/probe" 2>/dev/null; then
    echo "skip fuzzing: no clang with libFuzzer (libclang-rt-14-dev)"
    exit 0
fi
make -s -j2 CC="clang -w" BUILD=build/fuzz FUZZ_MAIN= CFLAGS="-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined" \
    LDFLAGS="-fsanitize=fuzzer,address,undefined" fuzz-targets stdin-targets >"$work/make.log" 2>&1 || {
    echo "not ok fuzz targets build"
    tail -20 "$work/make.log"
    exit 1
}
seeds "$work/seeds"
fixtures >/dev/null 2>&1 || echo "not ok inputs of the programs"
export ASAN_OPTIONS=allocator_may_return_null=1

# fuzz NAME TARGET SEEDS [OPTION…]: libFuzzer stops at what it finds; messages are not for us
fuzz() {
    local name=$1 target=$2 seeds=$3
    shift 3
    [ -z "$only" ] || [ "$only" = "$name" ] || return 0
    mkdir -p "$work/corpus-$name" "$seeds"
    if "$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -artifact_prefix="$work/" "$@" \
        "$work/corpus-$name" "$seeds" >"$work/log" 2>&1; then
        echo "ok fuzz $name"
        echo "# $(grep -aoE 'Done [0-9]+ runs' "$work/log" | grep -oE '[0-9]+') inputs fuzzed"
    else
        echo "not ok fuzz $name"
        grep -av '^kick-' "$work/log" | tail -40 | sed 's/^/    /'
        mkdir -p build/fuzz/found && cp "$work"/{crash,timeout,oom,leak}-* build/fuzz/found/ 2>/dev/null
        rm -f "$work"/{crash,timeout,oom,leak}-*
    fi
}
for target in build/fuzz/tests/fuzz-*; do
    if [ -x "$target" ] && [ -f "$target" ]; then
        fuzz "${target##*/fuzz-}" "$target" "$work/seeds/${target##*/fuzz-}"
    fi
done
standard_input() { # NAME SEEDS ARGUMENT…
    local name=$1 seed
    mkdir -p "$work/seeds/stdin-$name"
    for seed in $2; do
        case $seed in
        text:*) cp "$work/f/${seed#text:}" "$work/seeds/stdin-$name" ;;
        *)
            "$KICK_BUILD/tests/frames" "$work/f/$seed" >"$work/seeds/stdin-$name/$seed.frames"
            { printf '\0'; cat "$work/f/$seed"; } >"$work/seeds/stdin-$name/$seed"
            ;;
        esac
    done
    case $2 in text:*) export KICK_FUZZ_TEXT=1 ;; *) unset KICK_FUZZ_TEXT ;; esac
    shift 2
    KICK_FUZZ_ARGUMENTS="$*" fuzz "stdin-$name" "build/fuzz/tests/stdin-kick-${name%%:*}" "$work/seeds/stdin-$name"
}
stdin_targets standard_input
