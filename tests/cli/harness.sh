# Result files of lm-evaluation-harness: into the database and out of it.
. "$(dirname "$0")/lib.bash"

cat >"$work/new.json" <<'END'
 {"results":{"arc":{"alias":"arc","acc,none":0.75,"acc_stderr,none":0.01,"acc_norm,none":NaN,"note":"say \"NaN\""},
"gsm":{"alias":"gsm","exact_match,strict":0.1,"exact_match_stderr,strict":0.02,"exact_match,loose":0.25,"exact_match_stderr,loose":"N/A"}},
"configs":{"arc":{"task":"arc"}},"versions":{"arc":1.0},"n-shot":{"arc":0,"gsm":5},"n-samples":{"arc":{"original":9,"effective":8}},
"config":{"model":"hf","model_args":"pretrained=org/name,dtype=float32"},"model_name":"org/name"}
END
echo '{"results":{"lambada":{"ppl":14.5,"ppl_stderr":0.5,"acc":0.5}},"versions":{"lambada":0},"config":{"model":"hf-causal","model_args":"pretrained=old,x=1"}}' >"$work/old.json"

check "analyze-load reads result files" kick-analyze-load -D "$work/a.db" "$work/new.json" "$work/old.json"
cp "$work/a.db" "$work/b.db"
check "again: nothing new" kick-analyze-load -D "$work/b.db" "$work/old.json" "$work/new.json"
check "render-table --lm-eval" kick-render-table -D "$work/b.db" --lm-eval "$work/out"
new=$(ls "$work/out/org_name/"*) old=$(ls "$work/out/old/"*)
wrote() { grep -qF -- "$2" "$1"; }
check "metrics and their errors" wrote "$new" '"arc":{"alias":"arc","acc,none":0.75,"acc_stderr,none":0.01,"acc_norm,none":null,'
check "filters" wrote "$new" '"exact_match,loose":0.25,"exact_match_stderr,loose":"N/A","exact_match,strict":0.1,"exact_match_stderr,strict":0.02'
check "samples and shots" wrote "$new" '"n-shot":{"arc":0,"gsm":5},"n-samples":{"arc":{"original":8,"effective":8}}'
check "the older layout" wrote "$old" '"lambada":{"alias":"lambada","acc,none":0.5,"acc_stderr,none":"N/A","ppl,none":14.5,"ppl_stderr,none":0.5}'
results() { sed 's/.*"results":\(.*\),"config":.*/\1/' "$1"; }
kick-analyze-load -D "$work/c.db" "$new" "$old" && kick-render-table -D "$work/c.db" --lm-eval "$work/again"
check "out, in and out again" test "$(results "$work/again/org_name/"*)" = "$(results "$new")"

# Files of lm-evaluation-harness 0.4.13 itself, of the embedded small model in f32 on items of its world.
real=tests/data/harness
check "a real result file" kick-analyze-load -D "$work/r.db" $real/results.json
kick-render-table -D "$work/r.db" --lm-eval "$work/real"
file=$(echo "$work"/real/small/*)
check "real: metrics, and no counts among them" wrote "$file" \
    '"tiny_choice":{"alias":"tiny_choice","acc,none":0.875,"acc_stderr,none":0.06895966054592131,"acc_norm,none":0.8333333333333334,"acc_norm_stderr,none":0.07770873402002615}'
check "real: versions stay" wrote "$file" '"versions":{"tiny":"1.0","tiny_choice":1.0,"tiny_cont":1.0,"tiny_gen":2.0,"tiny_roll":1.0}'
check "real: the group's tasks stay" wrote "$file" '"group_subtasks":{"tiny":["tiny_choice","tiny_gen"]}'
kick-ingest-model -q data/models/small -o "$work/small.kick"
# logged KEY FILE, ours KEY FILE: the numbers of a list, one a line.
logged() { grep -o "\"$1\": \[\[.*\]\], \"filter\"" "$2" | grep -o '"-\?[0-9][^"]*"' | tr -d '"'; }
ours() { zstdcat "$2" | grep -o "\"$1\":\[[^]]*\]" | tr ':[],' '\n' | grep '^-\?[0-9]'; }
near() { paste <(logged filtered_resps "$1") <(ours option_logprob "$2") |
    awk -v n="$3" '{d = $1 - $2; bad += NF != 2 || d > 1e-3 || d < -1e-3} END {exit bad || NR != n}'; }
scored() { diff <(grep -o "\"$1\": [01]" "$2" | tail -c +2 | grep -o '[01]$') \
    <(zstdcat "$4" | grep '^{"item"' | grep -o "\"$3\":[01]" | grep -o '[01]$'); }
for t in choice:16 cont:3; do
    kick-ingest-tasks $real/samples_${t%:*}.jsonl -o "$work/t.kick"
    kick-eval-choice -d "$work/t.kick" "$work/small.kick" -o "$work/r.kick"
    check "samples, ${t%:*}: its log-likelihoods" near $real/samples_${t%:*}.jsonl "$work/r.kick" ${t#*:}
    check "samples, ${t%:*}: its acc" scored acc $real/samples_${t%:*}.jsonl strict "$work/r.kick"
done
kick-ingest-tasks $real/samples_gen.jsonl -o "$work/t.kick"
kick-eval-factoid -d "$work/t.kick" "$work/small.kick" -o "$work/r.kick"
check "samples, gen: its answers" diff <(grep -o '"filtered_resps": \["[^"]*' $real/samples_gen.jsonl | sed 's/.*"//') \
    <(zstdcat "$work/r.kick" | grep -o '"output":"[^"]*' | sed 's/.*"//')
refuses "samples are no results" 1 'samples of lm-evaluation-harness' \
    kick-analyze-load -D "$work/x.db" $real/samples_gen.jsonl

echo '{"a":1}' >"$work/x.json"
refuses "JSON of another kind, named" 1 'x.json: is neither' kick-analyze-load -D "$work/x.db" "$work/x.json"
echo '{"results":{"a":{"acc":0.5}}' >"$work/x.json"
refuses "a result file cut off" 1 'x.json' kick-analyze-load -D "$work/x.db" "$work/x.json"
refuses "--lm-eval and -o" 2 '--lm-eval' kick-render-table -D "$work/b.db" --lm-eval "$work/out" -o "$work/y"
refuses "--lm-eval and -f" 2 'no -f' kick-render-table -D "$work/b.db" --lm-eval "$work/out" -f tex

need "$shared/goldens/stories260K" "results of our own"
kick-ingest-model -q "$shared/goldens/stories260K" -o "$work/s.kick"
printf '%s\n' '{"question":"Q?","options":["a","b"],"answer":0,"discipline":"one"}' | kick-ingest-tasks - -o "$work/t.kick"
kick-eval-choice -k 0 -d "$work/t.kick" "$work/s.kick" -o "$work/r.kick"
kick-analyze-load -D "$work/d.db" "$work/r.kick" && kick-render-table -D "$work/d.db" --lm-eval "$work/own"
check "a stream by a named pipe is whole" kick-analyze-load -D "$work/e.db" <(cat "$work/r.kick")
check "a discipline is a subtask" wrote "$(ls "$work"/own/*/*)" '"group_subtasks":{"choice_choice":["choice_choice_one"]}'
