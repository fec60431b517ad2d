# Task data sets and evaluations: what a clone alone can test, then the real data sets.
. "$(dirname "$0")/lib.bash"

# items FILE: how many items a task or result stream has.
items() { zstdcat "$1" | grep -c '^{"item"'; }
has() { zstdcat "$1" | grep -qF -- "$2"; }
lacks() { ! has "$@"; }

mkdir -p "$work/mmlu/dev" "$work/mmlu/test"
printf '%s\n' '"Is ""a, b"" one?",yes,no,"may' 'be",None,C' 'say "x"?,1,2,3,4,A' >"$work/mmlu/test/anatomy_test.csv"
printf 'One?,1,2,3,4,A\r\nTwo?,1,2,3,4,B\r\n' >"$work/mmlu/dev/anatomy_dev.csv"
check "mmlu reads RFC 4180" kick-ingest-mmlu "$work/mmlu" -o "$work/m.kick"
check "mmlu: two items" test "$(items "$work/m.kick")" = 2
check "mmlu: quoted quotes, commas and line ends" has "$work/m.kick" \
    '"item":"anatomy/0","group":"anatomy","discipline":"other","question":"Is \"a, b\" one?","options":["yes","no","may\nbe","None"],"answer":2}'
check "mmlu: a quote inside a plain field is text" has "$work/m.kick" '"question":"say \"x\"?"'
check "mmlu: shots" has "$work/m.kick" '{"shots":"anatomy","rows":[{"question":"One?"'
printf 'Q?,1,2,3,4,A\nQ?,1,2,3,4,E\nQ?,1,2\n' >"$work/mmlu/test/anatomy_test.csv"
refuses "mmlu: a malformed row is named" 1 "anatomy_test.csv: line 2: its answer is 'E'" \
    kick-ingest-mmlu "$work/mmlu" -o "$work/x.kick"
kick-ingest-mmlu --skip-bad "$work/mmlu" -o "$work/x.kick" 2>/dev/null
check "mmlu: --skip-bad counts" has "$work/x.kick" '{"summary":{"items":1,"bad":2}}'

cat >"$work/fb.json" <<'END'
{"Questions":[{"Question-ID":"q1","RawQuestion":"Who?","Parses":[{"Answers":[{"AnswersName":["Ann","Anna"]}]},{"Answers":[{"AnswersName":["Bob"]}]}]},
{"Question-ID":"q2","RawQuestion":"When?","Parses":[]}]}
END
refuses "freebaseqa: a question without parses is named" 1 "fb.json: line 2: q2 has no parses" \
    kick-ingest-freebaseqa "$work/fb.json" -o "$work/x.kick"
kick-ingest-freebaseqa --skip-bad "$work/fb.json" -o "$work/x.kick" 2>/dev/null
check "freebaseqa: first parse and all parses" has "$work/x.kick" \
    '{"item":"q1","question":"Who?","aliases":["Ann","Anna"],"answers":["Ann","Anna","Bob"],"parses":2}'

mkdir -p "$work/cnn/mid"
printf ' A b. \n\nC d.\n\n@highlight\n\nOne\n\n@highlight\n\nTwo\n' >"$work/cnn/mid/x.story"
kick-ingest-cnndm "$work/cnn" -o "$work/x.kick"
check "cnndm: story as released, article, reference" has "$work/x.kick" \
    '{"item":"mid/x","group":"mid","story":"A b.C d.@highlightOne@highlightTwo","article":"A b.\nC d.","reference":"One\nTwo"}'
echo '{"article":"A b.","highlights":"One"}' | kick-ingest-cnndm - -o "$work/x.kick"
check "cnndm: a bucket by words" has "$work/x.kick" '"item":"small/0","group":"small"'

printf '{"question_id":1,"text":"Hi?","category":"g"}\n{"question_id":2,"category":"h","turns":["a","b"]}\n{}\n' >"$work/q.jsonl"
refuses "mtbench: a malformed row is named" 1 'line 3: it has no "question_id"' \
    kick-ingest-mtbench "$work/q.jsonl" -o "$work/x.kick"
kick-ingest-mtbench -n 2 "$work/q.jsonl" -o "$work/x.kick"
check "mtbench: both formats" has "$work/x.kick" '{"item":"2","group":"h","turns":["a","b"]}'

mkdir -p "$work/tqa/qa" "$work/tqa/evidence/web/1" "$work/tqa/evidence/wikipedia"
printf 'web text' >"$work/tqa/evidence/web/1/1_1.txt"
cat >"$work/tqa/qa/web.json" <<'END'
{"Domain":"Web","Data":[
{"QuestionId":"t1","Question":"Q1?","Answer":{"Value":"A","Aliases":["A","B"],"NormalizedAliases":["a"]},"EntityPages":[],"SearchResults":[{"Filename":"1/1_1.txt"},{"Filename":"1/2.txt"}]},
{"QuestionId":"t2","Question":"Q2?","Answer":{"Value":"C"},"SearchResults":[{"Filename":"../x"}]}]}
END
refuses "triviaqa: evidence stays in its folder" 1 'is outside the evidence folder' \
    kick-ingest-triviaqa "$work/tqa/qa/web.json" -o "$work/x.kick"
kick-ingest-triviaqa --skip-bad "$work/tqa/qa/web.json" -o "$work/x.kick" 2>/dev/null
check "triviaqa: question, aliases, evidence" has "$work/x.kick" \
    '{"item":"t1#0","question":"Q1?","aliases":["A","B"],"normalized":["a"],"web":"web text"}'
printf '%s' '{"Data":[{"QuestionId":"t3","Question":"Q3?","Answer":{"Value":"A"},"SearchResults":[{"Filename":"1/no.txt"},{"Filename":"1/1_1.txt"}]}]}' >"$work/tqa/qa/c.json"
kick-ingest-triviaqa "$work/tqa/qa/c.json" -o "$work/x.kick" 2>"$work/warning"
check "triviaqa: an absent page is passed over" has "$work/x.kick" '"web":"web text"'
printf '%s' '{"Domain":"Wikipedia","Data":[{"QuestionId":"t4","Question":"Q4?","Answer":{"Value":"A"},"EntityPages":[{"Filename":"c.txt"},{"Filename":"b.txt"},{"Filename":"a.txt"}]}]}' >"$work/tqa/qa/d.json"
for p in b c; do printf 'page %s' $p >"$work/tqa/evidence/wikipedia/$p.txt"; done
kick-ingest-triviaqa --pairs "$work/tqa/qa/d.json" -o "$work/x.kick" 2>/dev/null
check "triviaqa: of entity pages the first by name that is there" has "$work/x.kick" \
    '{"item":"t4#2","question":"Q4?","aliases":["A"],"wiki":"page b"}'
for name in ../x a/../x a/.. .. /x; do
    printf '{"Data":[{"QuestionId":"t5","Question":"Q5?","Answer":{"Value":"A"},"EntityPages":[{"Filename":"%s"}]}]}' "$name" >"$work/tqa/qa/e.json"
    refuses "triviaqa: $name is outside the evidence folder" 1 'is outside the evidence folder' \
        kick-ingest-triviaqa "$work/tqa/qa/e.json" -o "$work/x.kick"
done
printf 'page of Jr.' >"$work/tqa/evidence/wikipedia/Sammy_Davis,_Jr..txt"
printf '%s' '{"Data":[{"QuestionId":"t6","Question":"Q6?","Answer":{"Value":"A"},"EntityPages":[{"Filename":"Sammy_Davis,_Jr..txt"}]}]}' >"$work/tqa/qa/e.json"
kick-ingest-triviaqa "$work/tqa/qa/e.json" -o "$work/x.kick"
check "triviaqa: a title may end with a dot" has "$work/x.kick" '"wiki":"page of Jr."'
check "triviaqa: and said" grep -q '1 evidence files are named but not there' "$work/warning"
printf "Who \"x\"?\t['a', \"b's\", 'c\\\\'d']\n" | kick-ingest-triviaqa - -o "$work/x.kick"
check "triviaqa: a Python list of aliases" has "$work/x.kick" '"aliases":["a","b'"'"'s","c'"'"'d"]'

printf '%s\n' '{"doc_id":0,"doc":{},"target":"1","arguments":[["Q: x\nA:"," no"],["Q: x\nA:"," yes"]]}' |
    kick-ingest-tasks - -o "$work/x.kick"
check "tasks: lm-evaluation-harness choices" has "$work/x.kick" \
    '{"item":"0","prompt":"Q: x\nA:","continuations":[" no"," yes"],"answer":1}'
printf '%s\n' '{"doc_id":0,"doc":{},"target":"b","arguments":{"gen_args_0":{"arg_0":"P","arg_1":{"until":["\n"]}}}}' |
    kick-ingest-tasks - -o "$work/x.kick"
check "tasks: lm-evaluation-harness generation" has "$work/x.kick" \
    '{"item":"0","prompt":"P","aliases":["b"],"stop":["\n"]}'

# Each reader: what is malformed is named by file and line, and counted with --skip-bad.
malformed() { # NAME FILE LINE BAD READER OPERAND: the first malformed row, how many there are
    refuses "$1: file and line" 1 "$2: line $3: " "$5" "$6" -o "$work/x.kick"
    "$5" --skip-bad "$6" -o "$work/x.kick" 2>/dev/null
    check "$1: --skip-bad counts" has "$work/x.kick" "\"bad\":$4}"
}
mkdir -p "$work/bad/test" "$work/bad/dev" "$work/bad/cnn/mid"
printf 'Q,1,2,3,4,A\nQ,\xff,2,3,4,A\nQ,\0,2,3,4,A\n' >"$work/bad/test/anatomy_test.csv"
printf 'Q,1,2,3,4,A\n' >"$work/bad/dev/anatomy_dev.csv"
malformed "mmlu, not UTF-8" anatomy_test.csv 2 2 kick-ingest-mmlu "$work/bad"
printf '{"Questions":[{"Question-ID":"a\\"]","RawQuestion":"Q?","Parses":[{"Answers":[{"AnswersName":["x"]}]}]},\n\n{},\n7, {"RawQuestion":\n[]}]}' >"$work/bad/f.json"
malformed freebaseqa f.json 3 3 kick-ingest-freebaseqa "$work/bad/f.json"
printf '{"Data":[\n{"QuestionId":"t","Question":"Q?","Answer":{"Aliases":["x"]}},\n{"QuestionId":"u"}]}' >"$work/bad/t.json"
malformed triviaqa t.json 3 1 kick-ingest-triviaqa "$work/bad/t.json"
printf "Q?\t['x']\nQ?\t['\xff']\nQ?\n" >"$work/bad/t.txt"
malformed "triviaqa, tabs" t.txt 2 2 kick-ingest-triviaqa "$work/bad/t.txt"
printf '{"article":"A.","highlights":"B"}\n{"article":"\xff","highlights":"B"}\n{' >"$work/bad/c.jsonl"
malformed "cnndm, rows" c.jsonl 2 2 kick-ingest-cnndm "$work/bad/c.jsonl"
printf 'A.\n' >"$work/bad/cnn/mid/a.story"
printf 'A.\n\nB\xff\n' >"$work/bad/cnn/mid/b.story"
malformed "cnndm, stories" b.story 3 1 kick-ingest-cnndm "$work/bad/cnn"
printf '{"question_id":1,"text":"Q?"}\n\n{"question_id":2,"turns":["a","b","c"]}\n"x"\n' >"$work/bad/m.jsonl"
malformed mtbench m.jsonl 3 2 kick-ingest-mtbench "$work/bad/m.jsonl"
printf '{"question":"Q?","options":["a","b"],"answer":1}\n{"question":"Q?","options":["a","b"],"answer":2}\n{"question":7}\n' >"$work/bad/k.jsonl"
malformed tasks k.jsonl 2 2 kick-ingest-tasks "$work/bad/k.jsonl"

# What one row lacks, by reader; and in what other forms readers take what they need.
while IFS='|' read -r reader status row says; do
    printf '%b' "${row# }" | sed 's/ $//' >"$work/row"
    refuses "${reader% }: ${says# }" $status "${says# }" kick-ingest-$reader "$work/row" -o "$work/x.kick"
done <<'END'
freebaseqa | 1 | {"Questions":[{"RawQuestion":"Q?","Question-ID":7}]} | row: line 1: it has no text under "Question-ID"
freebaseqa | 1 | {"Questions":[{"RawQuestion":"Q?","Question-ID":"a","Parses":[{}]}]} | a: parse 0 has no answers
freebaseqa | 1 | {"Questions":[{"RawQuestion":"Q?","Question-ID":"a","Parses":[{"Answers":[{}]}]}]} | an answer has no "AnswersName"
freebaseqa | 1 | {"Questions":[{"RawQuestion":"Q?","Question-ID":"a","Parses":[{"Answers":[{"AnswersName":[7]}]}]}]} | "AnswersName" holds something that is not text
freebaseqa | 1 | {"Questions":[{"RawQuestion":"Q?","Question-ID":"a","Parses":[{"Answers":[{"AnswersName":[]}]}]}]} | a has no answer in its first parse
freebaseqa | 1 | {"Data":[]} | row: has no list "Questions": is it a FreebaseQA file?
triviaqa | 1 | {"Data":7} | row: has no list "Data": is it a TriviaQA file?
triviaqa | 1 | {"question":"Q?"} | row: line 1: it has no text or list of texts under "aliases"
triviaqa | 1 | Q?\t'a' | row: line 1: its second field is not a list ['alias', …]
triviaqa | 1 | Q?\t[a] | its second field is not a list
triviaqa | 1 | Q?\t['a | its second field is not a list
triviaqa | 1 | Q?\t['\\q'] | its second field is not a list
triviaqa | 1 | Q?\t['\\xg0'] | its second field is not a list
triviaqa | 1 | Q?\t['\\ud800'] | its second field is not a list
triviaqa | 1 | Q?\t[] | its second field is not a list
triviaqa --evidence /dev/null | 2 | {"Data":[]} | --evidence /dev/null: is not a folder
cnndm | 1 | {"article":"A."} | row: line 1: it has no text under "highlights"
mtbench | 1 | {"question_id":1,"turns":["a",7]} | row: line 1: its turn 2 is not text
mtbench | 1 | {"question_id":1} | it has neither "turns" nor "text"
mtbench | 1 | {"question_id":1,"turns":[]} | it has 0 turns; one or two are understood
mmlu | 2 | Q | row: is not a folder with dev/, val/ and test/
tasks | 1 | {"a":1} | row: no row tells which task it is of; say --task
tasks | 1 | {"question":"Q?","aliases":["x\\u0000y"]} | it has no text or list of texts under "aliases"
tasks | 1 | {"question":"Q\\u0000","aliases":["x"]} | its "question" is not text
tasks | 1 | {"question":"Q?","options":["a"],"answer":0} | row: line 1: it has no list of 2 to 26 "options"
tasks | 1 | {"question":"Q?","options":["a",7],"answer":0} | its option 1 is not text
tasks | 1 | {"question":"Q?","options":["a","b"],"answer":"C"} | its "answer" names none of its 2 options
tasks | 1 | {"turns":["a"],"reference":7} | it has no text or list of texts under "reference"
tasks --task choice | 1 | \xff | row: line 1: is not UTF-8: byte 0xff; convert it
tasks | 1 | {"doc_id":0,"doc":{},"arguments":[[7," a"]]} | its "arguments" have no prompt
tasks | 1 | {"doc_id":0,"doc":{},"target":"z","arguments":[["P"," a"],["P"," b"]]} | its "target" names none of its 2 options
tasks | 1 | {"doc_id":0,"doc":{},"target":2,"arguments":[["P"," a"],["P"," b"]]} | its "target" names none of its 2 options
tasks | 1 | {"doc_id":0,"doc":{},"target":"z","acc":1,"filtered_resps":["x","y"],"arguments":[["P"," a"],["P"," b"]]} | its "target" names none of its 2 options
END
while IFS='|' read -r reader row item; do
    printf '%b' "${row# }" | sed 's/ $//' >"$work/row"
    kick-ingest-$reader "$work/row" -o "$work/x.kick" 2>"$work/log"
    check "${reader% }: ${item# }" has "$work/x.kick" "${item# }"
done <<'END'
freebaseqa | {"Questions":[{"RawQuestion":"Q?","Question-ID":"a","Parses":[{"Answers":[{"AnswersName":"Ann"}]}]}]} | "aliases":["Ann"],"answers":["Ann"]
triviaqa | Q?\t["a\\tb\\r", '\\U0001f600', 'a\\xe9'] | "item":"row/0","question":"Q?","aliases":["a\tb\r","😀","aé"]
triviaqa | {"question":"Question: Who?\\nAnswer:","answer":"A"}\n | "question":"Who?","aliases":["A"]
triviaqa | {"question":"x","answer":"y"}\n\n{"question":"Question: Who?","answers":["A","B"],"answer":"C"} | "item":"row/2","question":"Question: Who?","aliases":["A","B","C"]
mtbench | {"question_id":"x","text":"Hi?","reference":["r"]} | {"item":"x","group":null,"turns":["Hi?"],"reference":["r"]}
cnndm | \n{"document":"A.","summary":"B","id":"a"} | {"item":"small/a","group":"small","story":"A.","article":"A.","reference":"B"}
tasks | \xef\xbb\xbf{"question":"Q?","options":["a","b"],"answer":"B"}\r\n | {"item":"0","question":"Q?","options":["a","b"],"answer":1}
tasks | {"id":7,"subject":"s","choices":["a","b"],"label":"b","question":"Q?"} | {"item":"7","group":"s","question":"Q?","options":["a","b"],"answer":1}
tasks | {"shots":"s","rows":[]}\n{"question":"Q?","aliases":["x"],"stop":["."]} | {"item":"1","question":"Q?","aliases":["x"],"stop":["."]}
tasks | {"turns":["a","b"],"reference":["r"],"bucket":3} | {"item":"0","group":"3","turns":["a","b"],"reference":["r"]}
tasks | {"article":"A.","highlights":"B"} | {"item":"0","story":"A.","article":"A.","reference":"B"}
tasks | {"question":"Q?","gold":"x","context":"C","normalized_aliases":["x"]} | {"item":"0","question":"Q?","aliases":["x"],"normalized":["x"],"web":"C"}
tasks | {"doc_id":0,"doc":{},"target":1,"arguments":[["P"," a"],["P"," b"]]} | {"item":"0","prompt":"P","continuations":[" a"," b"],"answer":1}
tasks | {"turns":["Go on.","Go on."],"reference":["r","r"]} | {"item":"0","turns":["Go on.","Go on."],"reference":["r","r"]}
tasks | {"shots":5,"question":"Q?","aliases":["x"]} | {"item":"0","question":"Q?","aliases":["x"]}
END
long=$(printf 'é%.0s' {1..200}) odd=$'\351'
printf '{"article":"A.","highlights":"B","id":"%s"}\n' "aa$long" >"$work/row"
kick-ingest-cnndm "$work/row" -o "$work/x.kick"
check "cnndm: an id of 402 bytes, whole" has "$work/x.kick" "\"item\":\"small/aa$long\""
printf '{"Data":[{"QuestionId":"aa%s","Question":"Q?","Answer":{"Value":"A"}}]}' "$long" >"$work/row"
kick-ingest-triviaqa "$work/row" -o "$work/x.kick"
check "triviaqa: likewise" has "$work/x.kick" "\"item\":\"aa$long#0\""
mkdir -p "$work/odd/cnn/$odd" "$work/odd/test" "$work/odd/dev"
printf 'A.\n' >"$work/odd/cnn/$odd/a.story"
kick-ingest-cnndm "$work/odd/cnn" -o "$work/x.kick"
check "cnndm: a folder whose name is not UTF-8" has "$work/x.kick" '"item":"%E9/a","group":"%E9"'
: >"$work/odd/cnn/$odd/b.story"
refuses "cnndm: a story of nothing" 1 "b.story: it holds no text" kick-ingest-cnndm "$work/odd/cnn" -o "$work/x.kick"
refuses "mmlu: no subject" 1 "odd/test: holds no file *_test.csv" kick-ingest-mmlu "$work/odd" -o "$work/x.kick"
printf 'Q,1,2,3,4,A\n' >"$work/odd/test/$odd"_test.csv
refuses "mmlu: a subject whose name is not UTF-8" 1 "the name is too long or not UTF-8" kick-ingest-mmlu "$work/odd" -o "$work/x.kick"
rm "$work/odd/test/"*
printf 'Q,1,2,3,4,A\n' >"$work/odd/test/spells_test.csv"
kick-ingest-mmlu "$work/odd" -o "$work/x.kick"
check "mmlu: a subject of no discipline" has "$work/x.kick" '"group":"spells","discipline":null'
printf 'Q,1,2,3,4\nQ,1,2,3,4,B\n' >"$work/odd/dev/spells_dev.csv"
refuses "mmlu: a malformed shot" 1 "spells_dev.csv: line 1: it has 5 fields" kick-ingest-mmlu "$work/odd" -o "$work/x.kick"
kick-ingest-mmlu --skip-bad "$work/odd" -o "$work/x.kick" 2>/dev/null
check "mmlu: is left out of them" has "$work/x.kick" '{"shots":"spells","rows":[{"question":"Q","options":["1","2","3","4"],"answer":1}]}'
printf '{"Data":[{"QuestionId":"t","Question":"Q?","Answer":{"Value":"A"},"EntityPages":[{}]}]}' >"$work/tqa/qa/e.json"
refuses "triviaqa: a page without a file" 1 'e.json: line 1: it has no text under "Filename"' \
    kick-ingest-triviaqa "$work/tqa/qa/e.json" -o "$work/x.kick"
printf '{"question_id":1,"turns":["a"]}\n{"question_id":"b","turns":["c","d"]}\n' >"$work/q.jsonl"
printf '{"question_id":"b","choices":[{"turns":["C","D"]}]}\n\n' >"$work/answers"
kick-ingest-mtbench --reference "$work/answers" "$work/q.jsonl" -o "$work/x.kick"
check "mtbench: answers of --reference" has "$work/x.kick" '{"item":"b","group":null,"turns":["c","d"],"reference":["C","D"]}'
check "mtbench: where there are any" has "$work/x.kick" '{"item":"1","group":null,"turns":["a"]}'
echo '{"question_id":1,"choices":[]}' >>"$work/answers"
refuses "mtbench: an answer without turns" 1 'answers: line 3: it has no "choices" with "turns"' \
    kick-ingest-mtbench --reference "$work/answers" "$work/q.jsonl" -o "$work/x.kick"

cat >"$work/samples.jsonl" <<'END'
{"doc_id":0,"doc":{},"target":" ran to the park.","arguments":{"gen_args_0":{"arg_0":"Tom","arg_1":" ran to the park."},"gen_args_1":{"arg_0":"Lily","arg_1":" ran to the park."}},"filtered_resps":[[-3.0,false],[-2.0,false]],"filter":"none","acc":0.0}
{"doc_id":1,"doc":{"subject":"days"},"target":"0","arguments":[["One day,"," Tom"],["One day,"," a dog"],[""," Tom"],[""," a dog"]],"filter":"none","acc":1.0}
{"doc_id":2,"doc":{},"target":" time","arguments":[["Once upon a"," time"]],"filter":"none","acc":1.0}
{"doc_id":2,"doc":{},"target":" time","arguments":[["Once upon a"," time"]],"filter":"other","acc":1.0}
{"doc_id":3,"doc":{},"target":"","arguments":[["Once upon a time"]],"filter":"none"}
END
refuses "tasks: a rolling log-likelihood is named" 1 "samples.jsonl: line 5: its requests have no continuations" \
    kick-ingest-tasks "$work/samples.jsonl" -o "$work/x.kick"
kick-ingest-tasks -n 3 "$work/samples.jsonl" -o "$work/samples.kick"
check "tasks: options with prompts of their own, gold by the logged acc" has "$work/samples.kick" \
    '"continuations":[" ran to the park."," ran to the park."],"prompts":["Tom","Lily"],"answer":0}'
check "tasks: unconditional requests are no options" has "$work/samples.kick" \
    '{"item":"1","prompt":"One day,","group":"days","continuations":[" Tom"," a dog"],"answer":0}'
check "tasks: one row a document" test "$(items "$work/samples.kick")" = 3
printf '%s\n' '{"doc_id":0,"doc":{"answer":"b"},"arguments":{"gen_args_0":{"arg_0":"P","arg_1":{"until":"\n","max_gen_toks":9}}}}' |
    kick-ingest-tasks - -o "$work/x.kick"
check "tasks: one stop string, most new tokens, the document's answer" has "$work/x.kick" \
    '{"item":"0","prompt":"P","aliases":["b"],"stop":["\n"],"max_new":9}'

# The embedded model: from raw files to scores on a pipe, the same bytes however it runs.
printf '{"Questions":[%s{"Question-ID":"z","RawQuestion":"Where is it?","Parses":[{"Answers":[{"AnswersName":["Oxria"]}]}]}]}' \
    "$(for i in 1 2 3 4 5; do echo '{"Question-ID":"'$i'","RawQuestion":"In which town is the mill '$i'?","Parses":[{"Answers":[{"AnswersName":["Alfield"]}]}]},'; done)" >"$work/e.json"
printf '{"question":"Where is it?","aliases":["Oxria"],"wiki":"It is in Oxria. %s"}\n' one two three four >"$work/e.jsonl"
for i in 1 2 3 4; do printf '{"question_id":%d,"turns":["Tell me about the mill %d.","And more."]}\n' $i $i; done >"$work/e-chat.jsonl"
printf 'The old mason had lost the bells.\n\nIt rained all day.\n\n@highlight\n\nBells lost\n' >"$work/cnn/mid/y.story"
printf 'Where?,a,b,c,d,A\nWho?,a,b,c,d,B\n' >"$work/mmlu/test/anatomy_test.csv"
kick-ingest-freebaseqa "$work/e.json" -o "$work/e-factoid.kick"
kick-ingest-tasks "$work/e.jsonl" -o "$work/e-retrieval.kick"
kick-ingest-mtbench "$work/e-chat.jsonl" -o "$work/e-chat.kick"
kick-ingest-cnndm "$work/cnn" -o "$work/e-summary.kick"
kick-ingest-mmlu "$work/mmlu" -o "$work/e-choice.kick"
for t in factoid choice retrieval summary chat; do
    for run in "-j1 -B1" "-j2 -B32"; do
        [ $t = choice ] && run=${run% *}
        kick-ingest-model -q data/models/small | kick-eval-$t $run -d "$work/e-$t.kick" >"$work/e$run.kick"
    done
    [ $t = choice ] && mv "$work/e-j1.kick" "$work/e-j1 -B1.kick" && mv "$work/e-j2.kick" "$work/e-j2 -B32.kick"
    check "embedded, $t: a summary, and -j1 -B1 = -j2 -B32" \
        bash -c 'zstdcat "$1" | grep -q "^{\"summary\"" && cmp "$1" "$2"' _ "$work/e-j1 -B1.kick" "$work/e-j2 -B32.kick"
done

# A dense model that was asked with several seeds is compared with once a result.
kick-ingest-model -q data/models/small -o "$work/small.kick"
kick-prune-magnitude -q -s 0.4 "$work/small.kick" -o "$work/pruned.kick"
for S in 1 2; do
    for m in small pruned; do
        kick-eval-factoid -q --temperature 1 -S $S -d "$work/e-factoid.kick" "$work/$m.kick" -o "$work/asked-$m-$S.kick"
    done
done
check "several seeds of the dense model load" kick-analyze-load -q -D "$work/asked.db" "$work"/asked-*.kick
check "and compare" kick-analyze-compare -q -D "$work/asked.db"

need "$shared/real/datasets" "real data sets"
real=$shared/real/datasets
for s in dev:285 val:1531 test:14042; do
    kick-ingest-mmlu -q --split ${s%:*} "$real/mmlu" -o "$work/x.kick"
    check "mmlu ${s%:*}: ${s#*:} items" test "$(items "$work/x.kick")" = "${s#*:}"
done
check "mmlu: 57 subjects" test "$(zstdcat "$work/x.kick" | grep -c '^{"shots"')" = 57
for s in dev:3995 eval:4000; do
    kick-ingest-freebaseqa "$real/freebaseqa/FreebaseQA-${s%:*}.rebuilt.json" -o "$work/fb-${s%:*}.kick"
    check "freebaseqa ${s%:*}: ${s#*:} items" test "$(items "$work/fb-${s%:*}.kick")" = "${s#*:}"
done
kick-ingest-mtbench "$real/mt_bench/question.jsonl" -o "$work/mt.kick"
check "mtbench: 80 items of two turns" test "$(zstdcat "$work/mt.kick" | grep -c '"turns":\[".*","')" = 80
kick-ingest-mtbench "$real/mt_bench/llmkick/question.jsonl" -o "$work/x.kick"
check "vicuna-80: 80 items" test "$(items "$work/x.kick")" = 80
kick-ingest-cnndm "$real/cnn_dm/llmkick_selected_stories" -o "$work/cnn.kick"
check "cnndm: 90 stories" test "$(items "$work/cnn.kick")" = 90
kick-ingest-triviaqa "$real/nq_open/nq-open-oracle.jsonl.gz" -o "$work/nq.kick"
check "nq with passages: 2655 items" test "$(items "$work/nq.kick")" = 2655
kick-ingest-triviaqa "$real/triviaqa/dpr_trivia_test.txt" -o "$work/x.kick"
check "triviaqa questions: 11313 items" test "$(items "$work/x.kick")" = 11313

need "$shared/goldens/stories260K" "tasks on a model"
kick-ingest-model "$shared/goldens/stories260K" -o "$work/s.kick"
kick-ingest-mmlu --per-subject 1 "$real/mmlu" -o "$work/mmlu.kick"
same() { # NAME PROGRAM OPTIONS…: any threads and any batch give the same bytes
    local name=$1
    shift
    "$@" -j1 "$work/s.kick" -o "$work/a.kick" && "$@" -j3 "$work/s.kick" -o "$work/b.kick"
    check "$name: -j1 = -j3" cmp "$work/a.kick" "$work/b.kick"
    case $1 in kick-eval-choice | kick-eval-divergence) return ;; esac
    "$@" -B1 "$work/s.kick" -o "$work/b.kick"
    check "$name: -B1 = -B32" cmp "$work/a.kick" "$work/b.kick"
}
same choice kick-eval-choice -k 2 -d "$work/mmlu.kick"
kick-eval-choice -d "$work/samples.kick" "$work/s.kick" -o "$work/x.kick"
for who in Tom Lily; do
    printf '%s\n' '{"doc_id":0,"doc":{},"target":"0","arguments":[["'$who'"," ran to the park."]]}' |
        kick-ingest-tasks - -o "$work/y.kick"
    kick-eval-choice -d "$work/y.kick" "$work/s.kick" | zstdcat | sed -n 's/.*"option_logprob":\[\([^]]*\)\].*/\1/p'
done | paste -sd, >"$work/alone"
check "choice: an option behind its own prompt is scored there" has "$work/x.kick" "\"option_logprob\":[$(cat "$work/alone")]"
check "choice: one continuation is right where greedy decoding gives it" has "$work/x.kick" '{"item":"2","strict":1,'
same factoid kick-eval-factoid -n 20 -d "$work/fb-eval.kick"
same retrieval kick-eval-retrieval -n 20 -d "$work/nq.kick"
same summary kick-eval-summary -n 12 --max-new 32 -d "$work/cnn.kick"
cp "$work/a.kick" "$work/summary.kick"
same chat kick-eval-chat -n 12 --max-new 24 -d "$work/mt.kick"
same "chat, drawn" kick-eval-chat -n 12 --max-new 24 --temperature 0.7 --top-p 0.9 -d "$work/mt.kick"
check "stop strings" kick-eval-retrieval -n 20 --mode closed --stop '.' -d "$work/nq.kick" "$work/s.kick" -o "$work/x.kick"
check "stop strings end an answer" has "$work/x.kick" '"finish":"stop"'
# What is scored is an answer's first line: nothing changes where it ends the answer, nor where a draw begins it.
for line in -q --first-line; do
    kick-eval-retrieval --mode closed $line --temperature 9 --max-new 6 -d "$work/nq.kick" "$work/s.kick" -o "$work/x.kick"
    zstdcat "$work/x.kick" | grep -o '"item":.*"paper_f1":[^,]*' >"$work/lines$line"
done
check "--first-line ends an answer" has "$work/x.kick" '"finish":"stop"'
check "a line feed that an answer begins with does not" has "$work/x.kick" '"output":"\n'
check "what is scored stays" cmp "$work/lines-q" "$work/lines--first-line"
refuses "a task stream of another task" 1 'holds items of the task "chat"' \
    kick-eval-choice -d "$work/mt.kick" "$work/s.kick" -o "$work/x.kick"
printf 'Once upon a time there was a little dog. He liked to run in the park with his friend.' >"$work/t.txt"
kick-ingest-text "$work/t.txt" -o "$work/t.kick"
kick-eval-divergence -l 16 -m "$work/s.kick" -d "$work/t.kick" "$work/s.kick" -o "$work/x.kick"
check "a model does not diverge from itself" has "$work/x.kick" '"kl":0.0,"kl_reverse":0.0'

check "judge-overlap" kick-judge-overlap -m "$work/s.kick" -d "$work/cnn.kick" "$work/summary.kick" -o "$work/o.kick"
check "judge-overlap: a score an item" test "$(items "$work/o.kick")" = 12
echo '{"article":"Zqx zqy zqz. Zqw zqy zqv.","highlights":"Zqx zqy.","id":"a"}' >"$work/zqx.jsonl"
kick-ingest-cnndm "$work/zqx.jsonl" -o "$work/zqx.kick"
kick-eval-summary --max-new 32 -d "$work/zqx.kick" "$work/s.kick" -o "$work/x.kick"
kick-judge-overlap -m "$work/s.kick" -d "$work/zqx.kick" "$work/x.kick" -o "$work/o.kick"
check "judge-overlap: what shares nothing with the story has no order" has "$work/o.kick" '"coherence":0.0'
check "judge-request: both orders" test "$(kick-judge-request -d "$work/cnn.kick" "$work/summary.kick" | wc -l)" = 24
kick-judge-request -d "$work/cnn.kick" "$work/summary.kick" | sed -n 's/.*"custom_id":"\([^"]*\)".*/\1/p' |
    awk '{ t = NR % 2 ? "8 6\\n8 6\\n8 6\\n8 6" : "no idea"
           printf "{\"custom_id\":\"%s\",\"response\":{\"body\":{\"model\":\"j\",\"choices\":[{\"message\":{\"content\":\"%s\"}}]}}}\n", $0, t }' >"$work/v.jsonl"
kick-judge-verdict --answers "$work/v.jsonl" "$work/summary.kick" -o "$work/v.kick" 2>/dev/null
check "judge-verdict: what did not parse is not averaged in" has "$work/v.kick" '"n":12,"scored":12,"parsed":12,"unparsed":12,"missing":0'
check "judge-verdict: the judged model is assistant 2" has "$work/v.kick" '"scores":{"coherence":6.0'

mkdir "$work/model"
cp "$shared/goldens/stories260K/"{config.json,model.safetensors,tokenizer.model} "$work/model"
echo '{{ messages }}' >"$work/model/chat_template.jinja"
kick-ingest-model "$work/model" -o "$work/own.kick"
refuses "an unknown chat template is no guess" 1 "is not known; name one with --template" \
    kick-eval-chat -n 1 -d "$work/mt.kick" "$work/own.kick" -o "$work/x.kick"
check "a chat format by name" kick-eval-chat -n 1 --max-new 4 --template zephyr -d "$work/mt.kick" \
    "$work/own.kick" -o "$work/x.kick"
refuses "open book without evidence" 1 "no item has evidence" \
    kick-eval-retrieval -d "$work/fb-eval.kick" "$work/s.kick" -o "$work/x.kick"

kick-prune-magnitude -s 0.4 "$work/s.kick" -o "$work/p4.kick"
kick-prune-magnitude -s 0.6 "$work/s.kick" -o "$work/p6.kick"
for m in s p4 p6; do
    kick-eval-choice -k 0 -d "$work/mmlu.kick" "$work/$m.kick" -o "$work/choice-$m.kick"
    kick-eval-perplexity -l 8 -d "$work/t.kick" "$work/$m.kick" -o "$work/ppl-$m.kick"
done
kick-analyze-load -D "$work/r.db" "$work"/choice-*.kick "$work"/ppl-*.kick
check "analyze-compare" kick-analyze-compare -j3 -D "$work/r.db"
kick-analyze-load -D "$work/r1.db" "$work"/choice-*.kick "$work"/ppl-*.kick
kick-analyze-compare -j1 -D "$work/r1.db"
check "analyze-compare: the same bytes from one thread" cmp "$work/r.db" "$work/r1.db"
check "analyze-compare: another run is welcome" kick-analyze-compare -D "$work/r.db"
refuses "analyze-compare: a database is needed" 2 "-D FILE" kick-analyze-compare
printf 'One day a cat saw a big dog. The dog ran to the park and the cat was happy. They played all day.\n%.0s' 1 2 3 4 >"$work/cal.txt"
kick-ingest-text -f lines "$work/cal.txt" -o "$work/cal.kick"
for seed in 0 1 2; do
    kick-prune-wanda -s 0.6 -c "$work/cal.kick" --draw counter -n 2 -l 16 -S $seed "$work/s.kick" -o "$work/w.kick"
    kick-eval-choice -k 0 -d "$work/mmlu.kick" "$work/w.kick" -o "$work/seed-$seed.kick"
done
kick-analyze-load -D "$work/seeds.db" "$work/choice-s.kick" "$work"/seed-*.kick
kick-analyze-compare -D "$work/seeds.db"
cat >"$work/claims.sql" <<'END'
-- claim joined: Three seeds are one row of three, and three rows that are part of it.
SELECT 1 AS effect, iif((SELECT count(*) FROM comparison WHERE metric = 'strict' AND seeds = 3 AND NOT joined) = 1 AND
    (SELECT count(*) FROM comparison WHERE metric = 'strict' AND joined) = 3 AND
    (SELECT count(*) FROM compared WHERE metric = 'strict') = 1, 1, -1) AS low, 2 AS high;
-- claim mean: Its drop is the mean of theirs.
SELECT 1 AS effect, iif(abs(avg(a.drop_value) - b.drop_value) < 1e-12 AND b.low < b.high, 1, -1) AS low, 2 AS high
FROM comparison AS a JOIN compared AS b ON b.metric = a.metric WHERE a.metric = 'strict' AND a.joined;
END
check "analyze-compare: three seeds are joined" test "$(kick-analyze-claims -D "$work/seeds.db" -f "$work/claims.sql" | grep -c '^holds')" = 2
cat >"$work/claims.sql" <<'END'
-- claim yes: Two is above one.
SELECT 2 AS effect, 1.5 AS low, 2.5 AS high;
-- claim no: One case of two lies below.
SELECT 2 AS effect, 1.5 AS low, 2.5 AS high UNION ALL SELECT -2, -3, -1;
-- claim maybe: The interval holds 0.
SELECT 0.1 AS effect, 0.01 AS variance;
-- claim none: No cases.
SELECT 1 AS effect, 1 AS low, 1 AS high WHERE 0;
END
check "analyze-claims: verdicts" test "$(kick-analyze-claims -D "$work/r.db" -f "$work/claims.sql" | cut -c1-12 | tr -d ' ' | tr '\n' ,)" = "holds,fails,cannottell,cannottell,"
check "analyze-claims: those of the paper run" kick-analyze-claims -D "$work/r.db"
