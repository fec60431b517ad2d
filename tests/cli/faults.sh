# A sample of tests/long/faults.sh: of each program's small run, a few calls of each kind fail once.
. tests/cli/lib.bash
. tests/fault/runs.bash
if [ ! -e "$KICK_BUILD/tests/fault.so" ] || [ "${KICK_BUILD%san}" != "$KICK_BUILD" ]; then
    echo "skip faults: the sanitizers have a malloc of their own"
    exit 0
fi
fixtures >"$work/log" 2>&1 || { echo "not ok small runs"; cat "$work/log"; exit 1; }

# Every program has a small run; the front end and the benchmark make nothing that could be lost.
known=" kick kick-bench "
know() { known+="kick-${1%%:*} "; }
runs know
for program in "$KICK_BUILD"/bin/*; do
    [[ $known == *" ${program##*/} "* ]] || echo "not ok ${program##*/} has no small run in tests/fault/runs.bash"
done

# KICK_FAULTS=all: one call from each place, not only a few (make coverage).
few() { [[ $1 != *:* ]] && tried "$@"; }
[ "${KICK_FAULTS:-}" != all ] || times=1
for fault in memory,fail:3 write,fail:1 read,short:1 rename,kill:1; do
    most=${times:+500} most=${most:-${fault#*:}} fault=${fault%:*} sum=()
    runs few >"$work/found"
    if [ "${sum[survivors]:-0}" -eq 0 ] && [ "${sum[failed]:-0}" -gt 25 ]; then
        echo "ok $fault: ${sum[failed]} calls, ${sum[refused]} refused, $((sum[unharmed])) unharmed, $((sum[resumed])) resumed"
    else
        echo "not ok $fault: ${sum[survivors]:-0} of ${sum[failed]:-0} survived"
        cat "$work/found"
    fi
done

# A change of a database that was cut short is taken back by the next run, which may only want to read.
changes() { [[ $1 != analyze-c* ]] || tried "$@"; }
times='' most='' fault=sync,kill sum=()
runs changes >"$work/found"
check "changes cut short: ${sum[failed]:-0}" test "${sum[failed]:-0}" -gt 5
check "none of them stays: $(head -1 "$work/found")" test "${sum[survivors]:-0}" -eq 0

# What is said when a call of the system fails.
exec 9<>"$work/page"
said() { # NAME KIND WORDS NOT COMMAND…: the first calls that fail end in the words, none before in the others
    local name=$1 kind=$2 words=$3 not=$4 n
    shift 4
    : >"$work/said"
    for n in {1..30}; do
        : >"$work/page"
        truncate -s 2M "$work/page"
        rm -rf "$work/d/new"
        KICK_FAULT=$kind,fail,$n KICK_FAULT_FD=9 LD_PRELOAD=$(realpath "$KICK_BUILD")/tests/fault.so "$@" 2>>"$work/said" >/dev/null
        grep -q -- "$words\$" "$work/said" && break # further on lie the calls of what ends the program
    done
    check "$name: $words" bash -c 'grep -q -- "$1\$" "$3" && ! grep -F -- "$2" "$3"' _ "$words" "$not" "$work/said"
}
said "safetensors read" read "model.embed_tokens.weight: cannot read it: Input/output error" "too small" \
    kick-ingest-model -j1 "$work/f/model" -o "$work/d/new"
said "GGUF read" read "spm.gguf: cannot read it: Input/output error" "damaged" \
    kick-ingest-model -j1 tests/data/gguf/spm.gguf -o "$work/d/new"
said "safetensors written" write "model.safetensors: cannot write: No space left on device" "finished" \
    kick-export-hf -j1 "$work/f/m.kick" -o "$work/d/new"

# File systems without files that have no name (NFS): a temporary name does, and goes.
mkdir "$work/nameless"
: >"$work/page"
truncate -s 2M "$work/page"
check "stdin is kept where files have names" bash -c 'KICK_FAULT=open,unnamed,1 KICK_FAULT_FD=9 \
    LD_PRELOAD=$(realpath "$KICK_BUILD")/tests/fault.so TMPDIR=$1 kick-ingest-text -o "$1/x.kick" <"$2"' _ "$work/nameless" "$work/f/t.txt.gz"
check "and nothing else is left there" test "$(ls -A "$work/nameless")" = x.kick
