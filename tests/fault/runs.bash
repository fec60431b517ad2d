# One small run of every program, or of every kind of its input. fixtures makes the inputs below
# $work/f; runs COMMAND calls COMMAND with a name, options for faults, "--" and the run, which writes
# below $work/d or to stdout.
fixtures() {
    local f=$work/f m
    mkdir -p "$f/mmlu/dev" "$f/mmlu/test" "$f/qa" "$f/evidence/web" "$f/cnn/mid" "$work/d" "$work/db"
    "$KICK_BUILD/tests/make-model" "$f/model" --layers 1 --hidden 16 --intermediate 24 --heads 2 --kv-heads 1 \
        --vocab 340 --positions 512
    "$KICK_BUILD/tests/make-model" "$f/shards" --layers 1 --hidden 8 --intermediate 8 --heads 2 --kv-heads 1 \
        --vocab 16 --shards 3
    cp tests/data/tokenizer/bytes.json "$f/model/tokenizer.json"
    mkdir "$f/torch"
    cp "$f/shards/config.json" "$f/torch"
    awk 'BEGIN { for (i = 0; i < 4; i++) { for (j = 0; j < 12; j++) printf "%d ", (i * 97 + j * j * 31) % 330; print "" } }' >"$f/c.ids"
    printf 'The heron waits. It waits for a frog.\n' >"$f/t.txt"
    gzip -c "$f/t.txt" >"$f/t.txt.gz"
    zstd -q "$f/t.txt" -o "$f/t.txt.zst"
    printf '{"text": "One."}\n{"text": "Two two."}\n' >"$f/t.jsonl"
    printf '%s\n' 'Is "it"?,yes,no,maybe,None,C' '2 + 2?,1,2,3,4,D' >"$f/mmlu/test/anatomy_test.csv"
    printf 'One?,1,2,3,4,A\nTwo?,1,2,3,4,B\n' >"$f/mmlu/dev/anatomy_dev.csv"
    printf '%s' '{"Questions":[{"Question-ID":"q1","RawQuestion":"Who?","Parses":[{"Answers":[{"AnswersName":["Ann","Anna"]}]}]}]}' >"$f/fb.json"
    printf 'A b. C d.\n\n@highlight\n\nOne\n' >"$f/cnn/mid/x.story"
    printf '{"question_id":1,"category":"g","turns":["a","b"]}\n' >"$f/q.jsonl"
    printf 'web text of Ann' >"$f/evidence/web/1.txt"
    printf '%s' '{"Domain":"Web","Data":[{"QuestionId":"t1","Question":"Q1?","Answer":{"Value":"A","Aliases":["A","B"],"NormalizedAliases":["a"]},"SearchResults":[{"Filename":"1.txt"}]}]}' >"$f/qa/web.json"
    printf '{"item":"1","prompt":"Q: x\\nA:","aliases":["yes"]}\n' >"$f/tasks.jsonl"
    kick-ingest-model "$f/model" -o "$f/m.kick"
    kick-ingest-text -f ids "$f/c.ids" -o "$f/c.kick"
    kick-ingest-text "$f/t.txt" -o "$f/t.kick"
    kick-ingest-mmlu "$f/mmlu" -o "$f/mmlu.kick"
    kick-ingest-freebaseqa "$f/fb.json" -o "$f/fb.kick"
    kick-ingest-cnndm "$f/cnn" -o "$f/cnn.kick"
    kick-ingest-mtbench "$f/q.jsonl" -o "$f/mt.kick"
    kick-ingest-triviaqa --evidence "$f/evidence" "$f/qa/web.json" -o "$f/tq.kick"
    kick-prune-magnitude -s 0.5 "$f/m.kick" -o "$f/p.kick"
    printf '%s' '{"results":{"arc":{"acc,none":0.5,"acc_stderr,none":0.1},"boolq":{"acc,none":0.25}},"config":{"model":"hf"},"model_name":"a"}' >"$f/results.json"
    for m in m p; do
        kick-eval-perplexity -d "$f/c.kick" "$f/$m.kick" -o "$f/ppl-$m.kick"
        kick-eval-choice -k 1 -d "$f/mmlu.kick" "$f/$m.kick" -o "$f/choice-$m.kick"
    done
    kick-eval-summary --max-new 4 -d "$f/cnn.kick" "$f/m.kick" -o "$f/summary.kick"
    kick-judge-request -d "$f/cnn.kick" "$f/summary.kick" | sed -n 's/.*"custom_id":"\([^"]*\)".*/\1/p' |
        while read -r m; do
            printf '{"custom_id":"%s","response":{"body":{"model":"j","choices":[{"message":{"content":"8 6\\n8 6\\n8 6\\n8 6"}}]}}}\n' "$m"
        done >"$f/verdicts.jsonl"
    kick-analyze-load -D "$f/r.db" "$f"/ppl-*.kick "$f"/choice-*.kick
    kick-analyze-compare -D "$f/r.db"
    cp "$f/r.db" "$work/db/r.db"
    cp "$f/r.db" "$f/same.db"
}

runs() {
    local go=$1 f=$work/f d=$work/d db=$work/db o=$work/d/x
    # $go calls faults with the directory in front, which is $work/d or, with -s, $work/db
    "$go" ingest-model -- kick-ingest-model -j1 "$f/model" -o "$o"
    "$go" ingest-model:threads -- kick-ingest-model -j3 "$f/shards" -o "$o"
    "$go" ingest-model:gguf -- kick-ingest-model -j1 tests/data/gguf/bpe.gguf -o "$o"
    "$go" ingest-text -- kick-ingest-text "$f/t.txt" "$f/t.txt.gz" "$f/t.txt.zst" "$f/t.jsonl" -o "$o"
    "$go" ingest-text:ids -i "$f/c.ids" -- kick-ingest-text -f ids -o "$o"
    "$go" ingest-mmlu -- kick-ingest-mmlu "$f/mmlu" -o "$o"
    "$go" ingest-freebaseqa -- kick-ingest-freebaseqa "$f/fb.json" -o "$o"
    "$go" ingest-cnndm -- kick-ingest-cnndm "$f/cnn" -o "$o"
    "$go" ingest-mtbench -- kick-ingest-mtbench "$f/q.jsonl" -o "$o"
    "$go" ingest-tasks -- kick-ingest-tasks "$f/tasks.jsonl" -o "$o"
    "$go" ingest-triviaqa -- kick-ingest-triviaqa --evidence "$f/evidence" "$f/qa/web.json" -o "$o"
    "$go" prune-magnitude -i "$f/m.kick" -- kick-prune-magnitude -j1 -s 0.5
    "$go" prune-magnitude:threads -- kick-prune-magnitude -j3 -p 2:4 "$f/m.kick" -o "$o"
    "$go" prune-wanda -- kick-prune-wanda -j1 -c "$f/c.kick" -s 0.5 "$f/m.kick" -o "$o"
    "$go" prune-sparsegpt -- kick-prune-sparsegpt -j1 -c "$f/c.kick" -s 0.5 "$f/m.kick" -o "$o"
    "$go" quantize-rtn -- kick-quantize-rtn -j1 "$f/p.kick" -o "$o"
    "$go" quantize-gptq -- kick-quantize-gptq -j1 -c "$f/c.kick" "$f/m.kick" -o "$o"
    "$go" quantize-awq -- kick-quantize-awq -j1 -c "$f/c.kick" "$f/m.kick" -o "$o"
    "$go" quantize-int8 -- kick-quantize-int8 -j1 "$f/m.kick" -o "$o"
    "$go" export-hf -- kick-export-hf -j1 "$f/m.kick" -o "$o"
    "$go" export-gguf -- kick-export-gguf -j1 "$f/m.kick" -o "$o"
    "$go" eval-perplexity -i "$f/m.kick" -- kick-eval-perplexity -j1 -l 8 -d "$f/t.kick" --per-token
    "$go" eval-perplexity:threads -- kick-eval-perplexity -j3 -d "$f/c.kick" "$f/p.kick" -o "$o"
    "$go" eval-divergence -- kick-eval-divergence -j1 -m "$f/m.kick" -d "$f/c.kick" "$f/p.kick" -o "$o"
    "$go" eval-choice -- kick-eval-choice -j1 -k 1 -d "$f/mmlu.kick" "$f/m.kick" -o "$o"
    "$go" eval-factoid -- kick-eval-factoid -j1 -d "$f/fb.kick" "$f/m.kick" -o "$o"
    "$go" eval-retrieval -- kick-eval-retrieval -j1 --max-new 3 -d "$f/tq.kick" "$f/m.kick" -o "$o"
    "$go" eval-summary -- kick-eval-summary -j1 --max-new 3 -d "$f/cnn.kick" "$f/m.kick" -o "$o"
    "$go" eval-chat -- kick-eval-chat -j1 --max-new 3 -d "$f/mt.kick" "$f/m.kick" -o "$o"
    "$go" generate -- kick-generate -j1 --max-new 3 --prompt "A heron" "$f/m.kick"
    "$go" judge-overlap -- kick-judge-overlap -j1 -m "$f/m.kick" -d "$f/cnn.kick" "$f/summary.kick" -o "$o"
    "$go" judge-request -- kick-judge-request -d "$f/cnn.kick" "$f/summary.kick"
    "$go" judge-verdict -- kick-judge-verdict --answers "$f/verdicts.jsonl" "$f/summary.kick" -o "$o"
    "$go" analyze-load -s -- kick-analyze-load -D "$db/x.db" "$f"/ppl-m.kick "$f"/choice-m.kick
    "$go" analyze-load:more -s -- kick-analyze-load -D "$db/r.db" "$f/summary.kick"
    "$go" analyze-load:harness -s -- kick-analyze-load -D "$db/r.db" "$f/results.json"
    "$go" analyze-diff -- kick-analyze-diff "$f/r.db" "$f/same.db"
    "$go" analyze-compare -s -- kick-analyze-compare -D "$db/r.db"
    "$go" analyze-claims -s -- kick-analyze-claims -D "$db/r.db" -o "$db/claims"
    "$go" render-table -- kick-render-table -D "$f/r.db" reports/figure-1-perplexity
    "$go" render-page -l -- kick-render-page -D "$f/r.db" reports/figure-1-perplexity -o "$o.html"
    "$go" render-workbook -l -- kick-render-workbook -D "$f/r.db" reports/figure-1-perplexity -o "$o.xlsx"
    "$go" render-chart -l -- kick-render-chart -D "$f/r.db" reports/figure-1-perplexity -o "$o.svg"
    "$go" render-chart:png -l -- kick-render-chart -D "$f/r.db" reports/figure-1-perplexity -o "$o.png"
    "$go" stream-show -- kick-stream-show -j1 "$f/m.kick"
    "$go" stream-check -- kick-stream-check -j1 "$f/m.kick" "$f/ppl-m.kick"
}

# tried NAME [OPTION…] -- RUN…: what runs calls. $fault is "KIND,MODE", $times and $most choose calls.
# Adds to the sums; a survivor is said at once.
declare -A sum
tried() {
    local name=$1 directory=$work/d last options=()
    shift
    while [ "$1" != -- ]; do
        [ "$1" != -s ] || directory=$work/db
        options+=("$1")
        shift
    done
    shift
    KICK_SHIM=$(realpath "$KICK_BUILD")/tests/fault.so "$KICK_BUILD/tests/faults" -k "$fault" ${times:+-u $times} \
        ${most:+-n $most} "${options[@]}" "$directory" -- "$@" >"$work/said" 2>&1
    last=$(tail -1 "$work/said")
    if [[ $last != failed* ]]; then
        sum[survivors]=$((${sum[survivors]:-0} + 1))
        sed "s/^/    $name: /" "$work/said"
        return
    fi
    set -- $last
    while [ $# -gt 1 ]; do
        sum[$1]=$((${sum[$1]:-0} + $2))
        shift 2
    done
    sed '$d' "$work/said" | sed "s/^ */    $name: /"
}
