# Stages in a pipe and through files give the same records, with any number of threads.
. tests/cli/lib.bash
"$KICK_BUILD/tests/make-model" "$work/own" --layers 2 --hidden 96 --intermediate 160 --vocab 300 --shards 3 || exit 1

same() { # NAME FILE FILE
    if cmp -s "$2" "$3"; then echo "ok $1"; else
        echo "not ok $1"
        diff "$2" "$3" | head -5 | cut -c1-200 | sed 's/^/    /'
    fi
}

chain() { # NAME MODEL PRUNE-OPTIONS QUANTIZE-OPTIONS
    local name=$1 model=$2 prune=$3 quantize=$4
    kick-ingest-model "$model" | kick-prune-magnitude $prune | kick-quantize-rtn $quantize |
        kick-stream-show --digests >"$work/pipe.txt" || echo "not ok $name: the pipe fails"
    for j in 1 2; do
        kick-ingest-model -j$j "$model" -o "$work/1.kick" &&
            kick-prune-magnitude -j$j $prune "$work/1.kick" -o "$work/2-$j.kick" &&
            kick-quantize-rtn -j$j $quantize "$work/2-$j.kick" -o "$work/3-$j.kick" &&
            kick-stream-show -j$j --digests "$work/3-$j.kick" >"$work/file$j.txt" ||
            echo "not ok $name: a stage fails"
    done
    same "$name: pipe and files" "$work/pipe.txt" "$work/file1.txt"
    same "$name: one thread and two, to the byte" "$work/3-1.kick" "$work/3-2.kick"
    same "$name: pruned, one thread and two" "$work/2-1.kick" "$work/2-2.kick"
    # id and end digest of the piped stream, kept as it comes
    kick-ingest-model "$model" | kick-prune-magnitude $prune | kick-quantize-rtn $quantize |
        cat >"$work/piped.kick"
    kick-stream-check "$work/piped.kick" | sed 's/^[^:]*//' >"$work/a"
    kick-stream-check "$work/3-1.kick" | sed 's/^[^:]*//' >"$work/b"
    same "$name: same id and end digest piped and stored" "$work/a" "$work/b"
    [ -s "$work/a" ] || echo "not ok $name: nothing to compare"
}

chain "2:4 and 4 bits" "$work/own" "-p 2:4" "-b 4 -g 32"
chain "50 % and 3 bits a row" "$work/own" "-s 0.5" "-b 3 -g 0 --sym"
chain "60 % unmasked, 8 bits" "$work/own" "-s 0.6 --encoding none" "-b 8"
if [ -d "$shared/goldens/stories260K" ]; then
    chain "stories260K" "$shared/goldens/stories260K" "-p 4:8" "-b 4"
else
    echo "skip stories260K: no $shared"
fi

# The number of shards does not matter, nor does the directory's name.
"$KICK_BUILD/tests/make-model" "$work/whole" --layers 2 --hidden 96 --intermediate 160 --vocab 300 || exit 1
kick-ingest-model "$work/own" | kick-stream-show --digests >"$work/a"
kick-ingest-model "$work/whole" | kick-stream-show --digests >"$work/b"
same "shards and one file" "$work/a" "$work/b"

# What matters is in the id, what does not is not.
id() { kick-stream-show --header "$1" | sed 's/.*"stream":"model","id":"\([0-9a-f]*\)".*/\1/'; }
kick-ingest-model "$work/own" -o "$work/m.kick"
kick-prune-magnitude "$work/m.kick" -s 0.5 -o "$work/a.kick"
kick-prune-magnitude -j1 -q "$work/m.kick" -o "$work/b.kick"
kick-prune-magnitude "$work/m.kick" -s 0.51 -o "$work/c.kick"
if [ "$(id "$work/a.kick")" = "$(id "$work/b.kick")" ] && [ "$(id "$work/a.kick")" != "$(id "$work/c.kick")" ]; then
    echo "ok the id is that of the work"
else
    echo "not ok the id is that of the work"
fi
kick-prune-magnitude "$work/m.kick" -p 2:4 -o "$work/a.kick"
if kick-stream-show --history "$work/a.kick" | tail -1 | grep -q sparsity; then
    echo "not ok a pattern's id holds no share"
else
    echo "ok a pattern's id holds no share"
fi

# Four stages that end in a result.
for ((i = 0; i < 3; i++)); do
    for ((j = 0; j < 40; j++)); do echo -n "$(((i * 40 + j) * 7919 % 300)) "; done
    echo
done >"$work/ids"
kick-ingest-text -f ids "$work/ids" -o "$work/ids.kick" || exit 1
kick-ingest-model "$work/own" | kick-prune-magnitude -p 2:4 | kick-quantize-rtn -b 4 -g 32 |
    kick-eval-perplexity -d "$work/ids.kick" --per-token >"$work/piped.kick" || echo "not ok result: the pipe fails"
for j in 1 2; do
    kick-ingest-model -j$j "$work/own" -o "$work/1.kick" &&
        kick-prune-magnitude -j$j -p 2:4 "$work/1.kick" -o "$work/2.kick" &&
        kick-quantize-rtn -j$j -b 4 -g 32 "$work/2.kick" -o "$work/3.kick" &&
        kick-eval-perplexity -j$j "$work/3.kick" -d "$work/ids.kick" --per-token -o "$work/r$j.kick" ||
        echo "not ok result: a stage fails"
done
kick-stream-show --digests "$work/piped.kick" >"$work/a"
kick-stream-show --digests "$work/r1.kick" >"$work/b"
same "result: pipe and files" "$work/a" "$work/b"
same "result: one thread and two" "$work/r1.kick" "$work/r2.kick"
grep -q '"summary"' "$work/a" || echo "not ok result: there is no summary"
