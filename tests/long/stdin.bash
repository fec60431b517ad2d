# What reads standard input, with arguments for the fuzz target and a seed: stdin_targets CALLBACK calls it
# with NAME, SEED ("" where the input is text of its own: then the seed is a file as it is) and arguments.
# Inputs are those of tests/fault/runs.bash, below $work/f.
stdin_targets() {
    local go=$1 f=$work/f o=/dev/null
    "$go" prune-magnitude m.kick -q -j1 -s 0.5
    "$go" prune-wanda m.kick -q -j1 -c "$f/c.kick" -s 0.5
    "$go" prune-sparsegpt m.kick -q -j1 -c "$f/c.kick" -p 2:4
    "$go" quantize-rtn m.kick -q -j1 -g 8
    "$go" quantize-gptq m.kick -q -j1 -c "$f/c.kick" -g 8
    "$go" quantize-awq m.kick -q -j1 -c "$f/c.kick" -g 8
    "$go" quantize-int8 m.kick -q -j1
    "$go" eval-perplexity m.kick -q -j1 -d "$f/c.kick"
    "$go" eval-divergence m.kick -q -j1 -m "$f/m.kick" -d "$f/c.kick"
    "$go" eval-choice m.kick -q -j1 -k 1 -d "$f/mmlu.kick"
    "$go" eval-factoid m.kick -q -j1 -d "$f/fb.kick" --max-new 2
    "$go" eval-retrieval m.kick -q -j1 -d "$f/tq.kick" --max-new 2
    "$go" eval-summary m.kick -q -j1 -d "$f/cnn.kick" --max-new 2
    "$go" eval-chat m.kick -q -j1 -d "$f/mt.kick" --max-new 2
    "$go" generate m.kick -q -j1 --max-new 2 --prompt A
    "$go" judge-overlap summary.kick -q -j1 -m "$f/m.kick" -d "$f/cnn.kick"
    "$go" judge-request summary.kick -q -d "$f/cnn.kick"
    "$go" judge-verdict summary.kick -q --answers "$f/verdicts.jsonl"
    "$go" judge-verdict:answers text:verdicts.jsonl -q --answers - "$f/summary.kick"
    "$go" export-gguf m.kick -q -j1 -o "$work/fuzzed.gguf"
    "$go" analyze-load "ppl-m.kick choice-m.kick summary.kick" -q -D :memory:
    "$go" stream-show m.kick -q -j1
    "$go" stream-check m.kick -q -j1
    "$go" ingest-text text:t.jsonl -q -f jsonl
    "$go" ingest-tasks text:tasks.jsonl -q
    "$go" ingest-freebaseqa text:fb.json -q
    "$go" ingest-mtbench text:q.jsonl -q
    "$go" ingest-triviaqa text:qa/web.json -q
    "$go" ingest-cnndm text:cnn/mid/x.story -q -
}
