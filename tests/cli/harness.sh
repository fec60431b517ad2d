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

echo '{"a":1}' >"$work/x.json"
refuses "JSON of another kind, named" 1 'x.json: is neither' kick-analyze-load -D "$work/x.db" "$work/x.json"
echo '{"results":{"a":{"acc":0.5}}' >"$work/x.json"
refuses "a result file cut off" 1 'x.json' kick-analyze-load -D "$work/x.db" "$work/x.json"
refuses "--lm-eval and -o" 2 '--lm-eval' kick-render-table -D "$work/b.db" --lm-eval "$work/out" -o "$work/y"

need "$shared/goldens/stories260K" "results of our own"
kick-ingest-model -q "$shared/goldens/stories260K" -o "$work/s.kick"
printf '%s\n' '{"question":"Q?","options":["a","b"],"answer":0,"discipline":"one"}' | kick-ingest-tasks - -o "$work/t.kick"
kick-eval-choice -k 0 -d "$work/t.kick" "$work/s.kick" -o "$work/r.kick"
kick-analyze-load -D "$work/d.db" "$work/r.kick" && kick-render-table -D "$work/d.db" --lm-eval "$work/own"
check "a stream by a named pipe is whole" kick-analyze-load -D "$work/e.db" <(cat "$work/r.kick")
check "a discipline is a subtask" wrote "$(ls "$work"/own/*/*)" '"group_subtasks":{"choice_choice":["choice_choice_one"]}'
