# Random ends: stages of a running pipe are killed, ended, stopped, or lose their reader; disks are full
# after a random number of bytes. KICK_DEATHS (100) rounds each.
. tests/cli/lib.bash
rounds=${KICK_DEATHS:-100}
RANDOM=${KICK_SEED:-11}
"$KICK_BUILD/tests/make-model" "$work/model" --layers 6 --hidden 256 --intermediate 512 --heads 4 --kv-heads 4 --vocab 300 || exit 1
awk 'BEGIN { for (i = 0; i < 40; i++) { for (j = 0; j < 64; j++) printf "%d ", (i * 97 + j * j * 31) % 300; print "" } }' >"$work/ids"
kick-ingest-text -f ids "$work/ids" -o "$work/ids.kick"
mkdir "$work/out"

# ends READ WRITE: a pipe without a name, its two ends open here under these numbers
ends() {
    mkfifo "$work/fifo"
    eval "exec 30<>\"\$work/fifo\" $1<\"\$work/fifo\" $2>\"\$work/fifo\" 30>&-"
    rm "$work/fifo"
}
alone() { # COMMAND…, which sees no ends but those it was given: a death closes its own
    exec 31<&- 32>&- 33<&- 34>&- 35<&- 36>&-
    exec "$@"
}
# pipe: four stages, their process numbers in $stage, what they say in $work/said.N
pipe() {
    rm -f "$work"/said.*
    ends 31 32
    ends 33 34
    ends 35 36
    alone kick-ingest-model -q -j1 "$work/model" >&32 2>"$work/said.0" & stage[0]=$!
    alone kick-prune-magnitude -q -j1 -s 0.5 <&31 >&34 2>"$work/said.1" & stage[1]=$!
    alone kick-quantize-rtn -q -j1 -b 4 <&33 >&36 2>"$work/said.2" & stage[2]=$!
    alone kick-eval-perplexity -q -j1 -d "$work/ids.kick" -o "$work/out/r.kick" <&35 2>"$work/said.3" & stage[3]=$!
    exec 31<&- 32>&- 33<&- 34>&- 35<&- 36>&-
}

start=$(date +%s%N)
pipe
wait "${stage[@]}"
took=$((($(date +%s%N) - start) / 1000)) # microseconds
mv "$work/out/r.kick" "$work/good.kick"

# deaths SIGNAL
deaths() {
    local hit=0 done=0 wrong=0 i k s
    for ((i = 0; i < rounds; i++)); do
        k=$((RANDOM % 4))
        rm -f "$work/out/r.kick"
        pipe
        sleep "$(printf '0.%06d' $((RANDOM * took / 32768 % 1000000)))"
        kill -"$1" "${stage[$k]}" 2>/dev/null && hit=$((hit + 1))
        if [ "$1" = STOP ]; then
            sleep 0.02
            kill -CONT "${stage[$k]}" 2>/dev/null
        fi
        for s in 0 1 2 3; do
            wait "${stage[$s]}" 2>/dev/null
            status[$s]=$?
        done
        if [ "${status[3]}" -eq 0 ]; then # all the input was there, or the stage was done
            done=$((done + 1))
            cmp -s "$work/out/r.kick" "$work/good.kick" || { wrong=$((wrong + 1)); echo "    round $i: another result"; }
            continue
        fi
        for s in 0 1 2 3; do # those that were not hit say one line
            case ${status[$s]} in
            0) ;;
            1) [ "$(wc -l <"$work/said.$s")" -eq 1 ] || { wrong=$((wrong + 1)); echo "    round $i, stage $s: $(cat "$work/said.$s")"; } ;;
            *) [ "$s" -eq "$k" ] || { wrong=$((wrong + 1)); echo "    round $i, stage $s: exit ${status[$s]}"; } ;;
            esac
        done
        if [ "$k" -eq 3 ] && [ "${status[3]}" -gt 128 ] && [ "$(ls -A "$work/out")" = r.kick ] && cmp -s "$work/out/r.kick" "$work/good.kick"; then
            done=$((done + 1)) # ended by the signal between naming its result and its end
        elif [ -n "$(ls -A "$work/out")" ]; then
            wrong=$((wrong + 1))
            echo "    round $i: left $(ls -A "$work/out")"
        fi
        [ "$1" != STOP ] || { wrong=$((wrong + 1)); echo "    round $i: a pause was not survived"; }
    done >"$work/found"
    echo "# $hit stages of a pipe ended by a signal, or stopped"
    echo "# $wrong survivors"
    [ $wrong -eq 0 ] && [ $hit -gt 0 ] && echo "ok SIG$1: $hit of $rounds hit a running stage, $done pipes had their result all the same" ||
        { echo "not ok SIG$1: $wrong wrong of $hit"; cat "$work/found"; }
}
for signal in KILL TERM HUP PIPE STOP; do deaths $signal; done

# A reader that goes away after some bytes.
wrong=0
for ((i = 0; i < rounds; i++)); do
    kick-ingest-model -q -j1 "$work/model" 2>"$work/said" | head -c $((RANDOM * 40)) >/dev/null
    status=${PIPESTATUS[0]}
    { [ $status -eq 1 ] && [ "$(wc -l <"$work/said")" -eq 1 ] && grep -q 'has gone' "$work/said"; } || [ $status -eq 0 ] ||
        { wrong=$((wrong + 1)); echo "    $status: $(cat "$work/said")"; }
done
echo "# $rounds readers that went away"
echo "# $wrong survivors"
[ $wrong -eq 0 ] && echo "ok $rounds readers that went away" || echo "not ok readers that went away: $wrong wrong"

# Files that may not grow, and a file system that is full.
limited() { # NAME FOLDER, with $limit set up by the caller: the run fails with one line, or is whole
    kick-prune-magnitude -q -j1 "$work/dense.kick" -o "$2/x.kick" 2>"$work/said"
    local status=$?
    if [ $status -eq 0 ]; then
        cmp -s "$2/x.kick" "$work/pruned.kick" && whole=$((whole + 1)) && rm "$2/x.kick" && return
    elif [ $status -eq 1 ] && [ "$(wc -l <"$work/said")" -eq 1 ] && [ -z "$(ls -A "$2")" ]; then
        refused=$((refused + 1))
        return
    fi
    wrong=$((wrong + 1))
    echo "    $1: exit $status, $(cat "$work/said"), $(ls -A "$2")"
}
kick-ingest-model -q "$work/model" -o "$work/dense.kick"
kick-prune-magnitude -q "$work/dense.kick" -o "$work/pruned.kick"
size=$(($(stat -c %s "$work/pruned.kick") / 1024))
mkdir "$work/small"
wrong=0 whole=0 refused=0
for ((i = 0; i < rounds; i++)); do
    limit=$((1 + RANDOM % (size + size / 8)))
    ulimit -Sf "$limit" 2>/dev/null
    limited "at most $limit KiB" "$work/small"
    ulimit -Sf unlimited
done
echo "# $refused full disks and files that may not grow"
echo "# $wrong survivors"
[ $wrong -eq 0 ] && [ $refused -gt 0 ] && echo "ok files of a limited size: $refused refused, $whole whole" || echo "not ok files of a limited size: $wrong wrong"
if mount -t tmpfs -o size=$((size / 8 + 64))k tmpfs "$work/small" 2>/dev/null; then
    wrong=0 whole=0 refused=0
    for ((i = 0; i < rounds; i++)); do
        limit=$((16 + RANDOM % (size + size / 8)))
        mount -o remount,size=${limit}k "$work/small"
        limited "a disk of $limit KiB" "$work/small"
    done
    umount "$work/small"
    echo "# $refused full disks and files that may not grow"
    echo "# $wrong survivors"
    [ $wrong -eq 0 ] && [ $refused -gt 0 ] && echo "ok small disks: $refused refused, $whole whole" || echo "not ok small disks: $wrong wrong"
else
    echo "skip small disks: mount is not allowed"
fi

# SIGTERM where a file system has no files without a name: the temporary one goes, too.
rm -rf "$work/out" && mkdir "$work/out"
mkfifo "$work/slow"
exec 8<>"$work/slow" 9<>"$work/page" # a writer that stops in the middle
truncate -s 2M "$work/page"
KICK_FAULT=open,unnamed,1 KICK_FAULT_FD=9 LD_PRELOAD=$(realpath "$KICK_BUILD")/tests/fault.so \
    kick-quantize-rtn -o "$work/out/x.kick" <"$work/slow" 2>"$work/said" &
pid=$!
head -c 200000 "$work/dense.kick" >&8
for ((i = 0; i < 100; i++)); do
    [ -n "$(ls -A "$work/out")" ] && break
    sleep 0.05
done
there=$(ls -A "$work/out")
kill -TERM $pid
wait $pid 2>/dev/null
status=$?
if [[ $there == .x.kick.*.tmp ]] && [ $status -eq 143 ] && [ -z "$(ls -A "$work/out")" ]; then
    echo "ok SIGTERM takes a temporary name along"
else
    echo "not ok SIGTERM takes a temporary name along: '$there', exit $status, then '$(ls -A "$work/out")'"
fi
