# Sizes: 10^7 task items in bounded memory, 10^5 tensors, a line of a gigabyte.
. tests/cli/lib.bash
limit() { (ulimit -Sv "$1"; shift; "$@"); } # KiB of address space
items=${KICK_ITEMS:-10000000}
awk -v n="$items" 'BEGIN { for (i = 0; i < n; i++) printf "{\"item\":\"%d\",\"prompt\":\"Q%d?\",\"aliases\":[\"%d\"]}\n", i, i, i % 9 }' >"$work/tasks.jsonl"
check "$items task items in 400 MB" limit 400000 kick-ingest-tasks -q "$work/tasks.jsonl" -o "$work/tasks.kick"
check "are whole, checked in 400 MB" limit 400000 kick-stream-check -q -j1 "$work/tasks.kick"
check "are shown in 400 MB" bash -c 'ulimit -Sv 400000; [ "$(kick-stream-show -j1 "$1" | grep -c "^{\"item\"")" -eq "$2" ]' _ "$work/tasks.kick" "$items"
rm -f "$work"/tasks.*

tensors=${KICK_TENSORS:-100000}
"$KICK_BUILD/tests/make-model" "$work/model" --layers $((tensors / 9)) --hidden 8 --intermediate 8 --heads 2 --kv-heads 1 --vocab 16 || exit 1
check "$tensors tensors" kick-ingest-model -q "$work/model" -o "$work/m.kick"
check "are whole" kick-stream-check -q "$work/m.kick"
check "are pruned" kick-prune-magnitude -q -s 0.5 "$work/m.kick" -o "$work/p.kick"
printf '1 2 3 4\n' >"$work/ids"
kick-ingest-text -q -f ids "$work/ids" -o "$work/ids.kick"
check "are evaluated in 400 MB" limit 400000 kick-eval-perplexity -q -j1 -d "$work/ids.kick" "$work/p.kick" -o "$work/r.kick"
rm -rf "$work"/model "$work"/*.kick

head -c "${KICK_LINE:-1000000000}" /dev/zero | tr '\0' 'a' >"$work/long"
check "a line of a gigabyte" kick-ingest-text -q -f lines "$work/long" -o "$work/x.kick"
check "is whole" kick-stream-check -q "$work/x.kick"
printf 'a%.0s' {1..100} >>"$work/long"
head -c 80000000 "$work/long" >>"$work/long"
refuses "a longer one is refused by name" 1 "$work/long" kick-ingest-text -q -f lines "$work/long" -o "$work/x.kick"
