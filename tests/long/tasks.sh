# Task evaluations of stories260K against ../shared/goldens/eval: prompts built from the original
# files and those given, tokens, likelihoods and scores. Needs python3 to compare.
. "$(dirname "$0")/../cli/lib.bash"
need "$shared/goldens/eval" "task goldens"
need "$shared/goldens/stories260K" "task goldens"
command -v python3 >/dev/null || { echo "skip task goldens: no python3"; exit 0; }
golden=$shared/goldens/eval real=$shared/real/datasets
cat >"$work/compare.py" <<'END'
import json, sys
kind, golden, least = sys.argv[1], sys.argv[2], int(sys.argv[3])
mode = sys.argv[4] if len(sys.argv) > 4 else None
results = {}
for line in sys.stdin:
    r = json.loads(line)
    if "item" in r:
        results.setdefault((r["item"], r["prompt"]), r)
seen = bad = 0
for line in open(golden + "/" + kind + ".jsonl"):
    g = json.loads(line)
    if mode and g.get("mode") != mode or g.get("kind") == "rouge":
        continue
    r = results.get((g["bucket"] + "/" + g["id"] if kind == "summary" else g["id"], g["prompt"]))
    if r is None:
        continue
    seen += 1
    if kind == "choice":
        pairs = list(zip(r["logprob"], g["letter_ll_f64"])) + list(zip(r["option_logprob"], g["option_ll_f64"]))
        ok = all((a is None) == (b is None) and (a is None or abs(a - b) < 1e-3) for a, b in pairs)
        ok = ok and r["output"] == g["first_text"] and r["chosen"]["letter"] == g["argmax"]
        ok = ok and r["prompt_tokens"] == g["n_ids"] and bool(r["paper"]) == g["released_correct"]
    else:
        ok = r["output"] == g["new_text"] and r["tokens"] == len(g["new_ids"])
        if not ok and g["min_margin"] < 1e-3:
            continue  # rounding may decide
        if kind == "factoid":
            ok = ok and [r["strict"], r["contains"], r["paper"], r["paper_output"]] == [
                g["strict_equal"], g["strict_contains_words"], g["paper"], g["paper_generated_only"]]
        elif kind == "retrieval":
            ok = ok and [r["strict"], r["paper"], r["prediction"]] == [
                g["official_em"], g["released_em"], g["prediction"]]
            ok = ok and abs(r["strict_f1"] - g["official_f1"]) < 1e-9
        else:
            ok = ok and [r["words"], r["unique_words"]] == [g["n_words"], g["unique_words"]]
    bad += not ok
print(kind, mode or "", seen, "compared,", bad, "differ")
sys.exit(bad > 0 or seen < least)
END
compare() { # NAME KIND LEAST MODE STREAM
    check "$1" bash -c 'zstdcat "$1" | python3 "$2" "$3" "$4" "$5" $6' _ "$5" "$work/compare.py" "$2" "$golden" "$3" "$4"
}
kick-ingest-model "$shared/goldens/stories260K" -o "$work/s.kick"

kick-ingest-tasks "$golden/choice.jsonl" -o "$work/d.kick"
kick-eval-choice --keep-prompts -d "$work/d.kick" "$work/s.kick" -o "$work/r.kick"
compare "choice: prompts given" choice 120 "" "$work/r.kick"
kick-ingest-mmlu --per-subject 60 "$real/mmlu" -o "$work/d.kick"
kick-eval-choice --keep-prompts -k 5 -d "$work/d.kick" "$work/s.kick" -o "$work/r.kick"
compare "choice: prompts built, shots dropped" choice 10 "" "$work/r.kick"

kick-ingest-tasks "$golden/factoid.jsonl" -o "$work/d.kick"
kick-eval-factoid --keep-prompts -d "$work/d.kick" "$work/s.kick" -o "$work/r.kick"
compare "factoid: prompts given" factoid 70 "" "$work/r.kick"
kick-ingest-freebaseqa "$real/freebaseqa/FreebaseQA-eval.rebuilt.json" -n 700 -o "$work/d.kick"
kick-eval-factoid --keep-prompts -d "$work/d.kick" "$work/s.kick" -o "$work/r.kick"
compare "factoid: prompts built" factoid 10 "" "$work/r.kick"

for mode in closed open; do
    least=$([ $mode = open ] && echo 21 || echo 40)
    grep "\"mode\": *\"$mode\"" "$golden/retrieval.jsonl" | kick-ingest-tasks - -o "$work/d.kick"
    kick-eval-retrieval --mode $mode --keep-prompts -d "$work/d.kick" "$work/s.kick" -o "$work/r.kick"
    compare "retrieval, $mode: prompts given" retrieval "$least" $mode "$work/r.kick"
done
tar xzf "$real/triviaqa/triviaqa-sample.tgz" -C "$work"
kick-ingest-triviaqa --pairs "$work/qa/web-train.json" "$work/qa/web-dev.json" \
    "$work/qa/wikipedia-train.json" "$work/qa/wikipedia-dev.json" -o "$work/d.kick"
kick-eval-retrieval --keep-prompts -d "$work/d.kick" "$work/s.kick" -o "$work/r.kick"
compare "retrieval, open: contexts cut" retrieval 10 open "$work/r.kick"

kick-ingest-cnndm "$real/cnn_dm/llmkick_selected_stories" -o "$work/d.kick"
kick-eval-summary --max-new 64 --keep-prompts -d "$work/d.kick" "$work/s.kick" -o "$work/r.kick"
compare "summary: prompts built, stories cut" summary 12 "" "$work/r.kick"
