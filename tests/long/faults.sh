# In a small run of every program, every call that may fail fails once (tests/tools/faults.c tells what
# must hold after it): memory, threads, reading, writing, syncing, naming, opening, closing, reserving;
# reads and writes that do half, or are interrupted; a death or a pause before every write and naming.
#   KICK_FAULT_TIMES=N tries only the first N allocations from each place in a program (the programs that
#   draw always: 3, of some hundred thousand allocations)
. tests/cli/lib.bash
. tests/fault/runs.bash
fixtures >"$work/log" 2>&1 || { echo "not ok small runs"; cat "$work/log"; exit 1; }

allocations() {
    local times=${KICK_FAULT_TIMES-}
    case $1 in render-page | render-workbook | render-chart*) times=${times:-3} ;; esac
    tried "$@"
}
threaded() { [[ $1 == *:threads ]] && tried "$@"; }

# all NAME CALLBACK KIND,MODE…
all() {
    local name=$1 callback=$2
    sum=()
    shift 2
    for fault; do runs "$callback"; done >"$work/found"
    local said="${sum[failed]:-0} tried: ${sum[refused]:-0} refused, $((sum[unharmed])) unharmed, $((sum[resumed])) resumed, $((sum[aborted])) ended by a library, ${sum[survivors]:-0} survivors"
    echo "# ${sum[failed]:-0} $name"
    echo "# ${sum[survivors]:-0} survivors"
    if [ "${sum[survivors]:-0}" -eq 0 ] && [ "${sum[failed]:-0}" -gt 0 ]; then
        echo "ok $name: $said"
    else
        echo "not ok $name: $said"
        cat "$work/found"
    fi
}
all "allocations failed" allocations memory,fail
all "threads failed" threaded thread,fail
all "writes failed" tried write,fail write,from
all "reads failed" tried read,fail read,from
all "reads and writes by halves and interrupted" tried write,short read,short write,again read,again
all "syncs, names, openings, closings, reservations failed" tried sync,fail rename,fail open,fail close,fail space,fail
all "kills before a write, a sync, a name" tried write,kill sync,kill rename,kill
all "stops at writes and reads, continued" tried write,stop read,stop
