#!/bin/bash
# What the quirks of the study's released code do to scores, measured on the embedded models by the
# programs themselves: prints the tables that the pages of evaluate/ quote (tests/long/quirks.sh
# compares them). `make quirks` runs it, in 2 minutes of one core.
#
# Columns: large, then small; each dense and pruned by magnitude. Numbers are per cent of the items
# (counts as in reports/paper.plan), or as a row says.
set -eo pipefail
data=${1:-data/out}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sparsity="0 50 70 90"
columns=()
for role in large small; do
    kick-ingest-model -q "data/models/$role" -o "$work/$role-0.kick"
    for s in $sparsity; do
        columns+=("$role-$s")
        [ "$s" = 0 ] || kick-prune-magnitude -q -s 0.$s "$work/$role-0.kick" -o "$work/$role-$s.kick"
    done
done
kick-ingest-freebaseqa -q "$data"/freebaseqa/*.json -o "$work/freebaseqa.kick"
kick-ingest-mmlu -q "$data/mmlu" -o "$work/mmlu.kick"
kick-ingest-triviaqa -q --evidence "$data/triviaqa/evidence" "$data/triviaqa/qa/web-dev.json" -o "$work/triviaqa.kick"
kick-ingest-cnndm -q "$data/cnndm" -o "$work/cnndm.kick"
kick-ingest-mtbench -q "$data/mtbench/question.jsonl" -o "$work/mtbench.kick"
kick-ingest-text -q "$data/text/mixed.txt" -o "$work/mixed.kick"

# each NAME COMMAND…: the command on every column's model; its results are $work/NAME-COLUMN.
each() {
    local name=$1 c
    shift
    for c in "${columns[@]}"; do
        "$@" -q "$work/$c.kick" | zstdcat | grep '^{"item"\|^{"summary"\|^{"window"' >"$work/$name-$c"
    done
}
# title TEXT: the head of a table.
title() {
    printf '\n%s\n%28s%-24s%s\n%26s' "$1" '' large small ''
    printf ' dense  50 %%  70 %%  90 %%%.0s' 1 2
    echo
}
# row TEXT NAME AWK: a row of what AWK, a program over the items and the summary, prints for each column.
# score("key") is a number of the item, text("key") a string.
row() {
    local c
    printf '%-26s' "$1"
    for c in "${columns[@]}"; do
        awk 'function score(key, s) { return match($0, "\"" key "\":[-0-9.e]+") ? substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3) + 0 : 0 }
            function text(key) { return match($0, "\"" key "\":\"([^\"\\\\]|\\\\.)*\"") ? substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 5) : "" }
            function empty(s) { gsub(/[[:punct:]]/, " ", s); s = " " tolower(s) " "; while (gsub(/ (a|an|the) /, " ", s)); return s !~ /[^ ]/ }
            function share(n) { printf "%6.1f", 100 * n / items }
            /^{"item"/ { items++ }'"$3" "$work/$2-$c"
    done
    echo
}
items() { row "$1" "$2" '/^{"item"/ && ('"$3"') { n++ } END { share(n) }'; }
mean() { row "$1" "$2" '/^{"summary"/ { x = score("'"$3"'"); printf x < 100 ? "%6.3f" : x < 1e5 ? "%6.0f" : "  >1e5", x }'; }

title "eval-factoid -n 400"
each factoid kick-eval-factoid -n 400 -d "$work/freebaseqa.kick"
items "paper" factoid 'score("paper")'
items " gold stands in the prompt" factoid 'score("paper") && !score("paper_output")'
items " gold inside other words" factoid 'score("paper_output") && !score("contains")'
items " gold among other words" factoid 'score("contains") && !score("strict")'
items "strict" factoid 'score("strict")'
printf 'Please give answer to this question: {question} The answer is ' >"$work/prompt"
each space kick-eval-factoid -n 400 -d "$work/freebaseqa.kick" --prompt "$work/prompt"
items "paper, space for newline" space 'score("paper")'
row "paper, 1001 over 1000" factoid '/^{"item"/ { n += score("paper") } END { printf "%6.1f", 100.1 * n / items }'

title "eval-choice -k 0"
each choice kick-eval-choice -k 0 -d "$work/mmlu.kick"
items "paper" choice 'score("paper")'
items " not a letter" choice 'text("paper") !~ /^[ABCD]$/'
items "letter" choice 'score("letter")'
items "strict" choice 'score("strict")'
printf 'The following are multiple choice questions (with answers) about {subject}.\n\n' >"$work/prompt"
each choice-space kick-eval-choice -k 0 -d "$work/mmlu.kick" --prompt "$work/prompt"
items "paper, one space" choice-space 'score("paper")'
items "strict, one space" choice-space 'score("strict")'
each shots kick-eval-choice -k 5 -d "$work/mmlu.kick"
items "-k 5: shots dropped" shots 'score("shots") < 5'
items "-k 5: paper" shots 'score("paper")'
items "-k 5: strict" shots 'score("strict")'

for mode in open closed; do
    title "eval-retrieval -n 300 --mode $mode"
    each $mode kick-eval-retrieval -n 300 --mode $mode -d "$work/triviaqa.kick"
    items "paper" $mode 'score("paper")'
    items " nothing but punctuation" $mode 'score("paper") && !score("strict") && empty(text("prediction"))'
    items " gold and more, or a part" $mode 'score("paper") && !score("strict") && !empty(text("prediction"))'
    items "strict" $mode 'score("strict")'
done

# judged NAME DATA COMMAND…: texts of every column, judged, with the column's dense model.
judged() {
    local name=$1 tasks=$2 c
    shift 2
    for c in "${columns[@]}"; do
        "$@" -q -d "$tasks" "$work/$c.kick" |
            kick-judge-overlap -q -m "$work/${c%-*}-0.kick" -d "$tasks" | zstdcat |
            grep '^{"item"\|^{"summary"' >"$work/$name-$c"
    done
}
scores() { # NAME TEXT
    mean "consistency$2" "$1" consistency
    mean "relevance$2" "$1" relevance
}
title "eval-summary --max-new 48, judge-overlap"
summary=(kick-eval-summary --max-new 48)
judged summary "$work/cnndm.kick" "${summary[@]}"
scores summary ", as released"
judged article "$work/cnndm.kick" "${summary[@]}" --text article
scores article ", no highlights"
zstdcat "$work/cnndm.kick" | grep '^{"item"' | sed 's/@highlight/\\n@highlight\\n/g' |
    kick-ingest-tasks -q - -o "$work/lines.kick"
judged lines "$work/lines.kick" "${summary[@]}"
scores lines ", lines kept"
printf '%s\n' 'Summarize the given news in less than 150 words while preserving high coherence, consistency, fluency, and relevance.' '' '{story}' >"$work/prompt"
judged news "$work/cnndm.kick" "${summary[@]}" --prompt "$work/prompt"
scores news ", always news"
judged drawn "$work/cnndm.kick" "${summary[@]}" --temperature 0.7
scores drawn ", T = 0.7"

title "eval-chat, judge-overlap"
judged chat "$work/mtbench.kick" kick-eval-chat
mean "relevance" chat relevance
row "unique tokens" chat '/^{"item"/ { n += score("unique_tokens") } END { printf "%6.1f", n / items }'
judged turn "$work/mtbench.kick" kick-eval-chat --turns 1
row "unique tokens, first turn" turn '/^{"item"/ { n += score("unique_tokens") } END { printf "%6.1f", n / items }'
judged chat-drawn "$work/mtbench.kick" kick-eval-chat --temperature 0.7
mean "relevance, T = 0.7" chat-drawn relevance

# A judge that always gives 7 and of 80 answers has 6 that cannot be read, as in the release.
title "judge-verdict, eval-chat: 7 always, 6 of 80 unparsed"
for c in "${columns[@]}"; do
    kick-eval-chat -q -d "$work/mtbench.kick" "$work/$c.kick" -o "$work/chat.kick"
    kick-judge-request -q -d "$work/mtbench.kick" "$work/chat.kick" | grep -o '"custom_id":"12:[^"]*"' |
        awk '{ text = NR > 74 ? "Both are fine." : "8 7"
            printf "{%s,\"response\":{\"body\":{\"choices\":[{\"message\":{\"content\":\"%s\"}}]}}}\n", $0, text }' >"$work/answers"
    kick-judge-verdict -q --answers "$work/answers" "$work/chat.kick" | zstdcat | grep '^{"summary"' >"$work/verdict-$c"
done
mean "mean of what was read" verdict overall
row "with -1 for the unread" verdict '{ n = score("parsed"); printf "%6.3f", (score("overall") * n - score("unparsed")) / (n + score("unparsed")) }'

title "eval-perplexity of mixed.txt"
each whole kick-eval-perplexity -d "$work/mixed.kick"
mean "perplexity" whole perplexity
each half kick-eval-perplexity --stride 128 -d "$work/mixed.kick"
mean "with --stride 128" half perplexity
mean "tokens scored" whole scored
mean "with --stride 128" half scored
