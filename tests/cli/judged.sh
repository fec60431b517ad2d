# An LLM judge's answers take the automatic judge's place: in figures 5, 6, 11 and 13 and tables 2 and 3,
# axis, caption and values; both are of the embedded model here, the answers are made by hand.
. tests/cli/lib.bash
cd "$work"
root=$OLDPWD
for size in small mid large; do
    mkdir -p cnn/$size
    for i in 0 1; do
        printf 'Harin Tanley worked as a miner.\n\nIt rained all day in Ordova.\n\n@highlight\n\nHarin Tanley worked as a miner %d\n' $i >cnn/$size/$i.story
    done
done
for i in 1 2 3; do printf '{"question_id":%d,"category":"c%d","turns":["Name three animals.","Name one more."],"reference":["tiger","duck"]}\n' $i $i; done >q.jsonl
kick-ingest-cnndm -q cnn -o summary.kick
kick-ingest-mtbench -q q.jsonl -o chat.kick
kick-ingest-model -q --role small "$root/data/models/small" -o dense.kick
kick-prune-magnitude -q -s 0.1 dense.kick -o m10.kick
kick-prune-magnitude -q -s 0.5 dense.kick -o m50.kick
kick-prune-magnitude -q -p 2:4 dense.kick -o nm.kick
kick-quantize-rtn -q -b 8 dense.kick -o rtn.kick
kick-quantize-int8 -q dense.kick -o int8.kick

# answers ORDER-12 ORDER-21 LINES: of a judge, to requests on standard input.
answers() {
    sed -nE 's/.*"custom_id":"(12:[^"]*)".*/\1\t'"$1"'/p; s/.*"custom_id":"(21:[^"]*)".*/\1\t'"$2"'/p' |
        awk -F '\t' -v lines="$3" '{ text = $2; for (i = 1; i < lines; i++) text = text "\\n" $2
            printf "{\"custom_id\":\"%s\",\"response\":{\"body\":{\"model\":\"judge-x\",\"choices\":[{\"message\":{\"content\":\"%s\\nBecause.\"}}]}}}\n", $1, text }'
}
mine() { case $1 in dense | rtn) echo 8 ;; m10 | int8) echo 7 ;; m50) echo 5 ;; nm) echo 4 ;; esac; }
for v in dense m10 m50 nm rtn int8; do
    for task in summary chat; do
        kick-eval-$task -q --max-new 8 -d $task.kick $v.kick -o r-$v-$task.kick
        kick-judge-overlap -q -m dense.kick -d $task.kick r-$v-$task.kick -o o-$v-$task.kick
        kick-judge-request -q -d $task.kick r-$v-$task.kick -o ask-$v-$task.jsonl
        m=$(mine $v) lines=4
        [ $task = chat ] && lines=1
        answers "9 $m" "$m 9" $lines <ask-$v-$task.jsonl >said.jsonl
        kick-judge-verdict -q --answers said.jsonl r-$v-$task.kick -o v-$v-$task.kick
    done
done
cat r-*.kick o-*.kick | kick-analyze-load -q -D a.db
cat r-*.kick o-*.kick v-*.kick | kick-analyze-load -q -D b.db
for db in a b; do
    kick-analyze-load -q -D $db.db ask-m10-*.jsonl
    kick-analyze-compare -q -D $db.db
    kick-analyze-claims -q -D $db.db -o $db.txt
done
page() { kick-render-page -q -D $1.db "$root"/reports/{figure-5-summaries,figure-5-summaries-bits,figure-5-summaries-nm,figure-6-instructions,figure-11-summary-verdict,figure-13-answer-verdict,table-2-eight-bits,table-3-pruners,figure-break-points} -o $1.html; }
page a
page b
figures=("$root"/reports/*/figure.json)
check "no text overlaps another or a plot, no series is empty" "$root/$KICK_BUILD/tests/overlaps" b.db "${figures[@]%/figure.json}"
count() { grep -o "$1" "$2" | wc -l; }
check "without an LLM: the axes say that the scores are automatic" test "$(count '>Automatic score (0–100)<' a.html)" -ge 8
check "and the captions" test "$(count 'the automatic judge (judge-overlap' a.html)" -ge 6
check "with one: the axes name it and its scale" test "$(count '>Score by judge-x (1–10)<' b.html)" -ge 8
check "and the captions, tables included" test "$(count 'the LLM judge judge-x (1 to 10)' b.html)" -ge 6 -a "$(count 'judge-x, 1 to 10' b.html)" -ge 2
check "nothing is called automatic any more" test "$(count 'Automatic score' b.html)" -eq 0
# csv FOLDER: of a figure; a first field in quotes, which may hold commas, becomes "facet".
csv() { kick-render-table -q -f csv -D b.db "$root/reports/$1" | sed 's/^"[^"]*"/facet/'; }
# column FILTER NAME: values of a column in the rows that match, of csv on standard input.
column() { awk -F, -v f="$1" -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i; next } $0 ~ f { print $c }' | sort -u | paste -sd' '; }
check "figure 5 has the judge's numbers" test "$(csv figure-5-summaries | column 'unstructured' score)" = "5 7"
check "figure 5b" test "$(csv figure-5-summaries-bits | column 'quantized' score)" = "7 8"
check "figure 5c" test "$(csv figure-5-summaries-nm | column 'n:m' score)" = "4"
check "figure 6, and its dense rule" test "$(csv figure-6-instructions | column 'unstructured|n:m' score) $(csv figure-6-instructions | column . dense_score)" = "4 5 7 8"
kick-render-table -q -D b.db "$root/reports/table-3-pruners" >t3
kick-render-table -q -D b.db "$root/reports/table-2-eight-bits" >t2
check "table 3" test "$(grep -c '8.0 ± 0.0   7.0 ± 0.0\* *5.0 ± 0.0' t3)" -eq 2
check "table 2" grep -q '8.0 ± 0.0   8.0 ± 0.0\*  7.0 ± 0.0' t2
kick-render-table -q -f tex -D b.db "$root/reports/table-3-pruners" >t3.tex
check "table 3 for TeX: booktabs, intervals, the best in bold" test "$(grep -cF '$\mathbf{7.0} \pm 0.0$' t3.tex) $(grep -c '^.\(top\|mid\|bottom\)rule' t3.tex)" = "2 3"
check "percent signs are written out, braces come in pairs" test "$(sed 's/\\[%{}]//g' t3.tex | grep -c '%') $(tr -cd '{' <t3.tex | wc -c)" = "1 $(tr -cd '}' <t3.tex | wc -c)"
check "verdicts of figures 11 and 13" test "$(count '<pre>judge-x</pre>' b.html)" -eq 6
check "break points by one judge" test "$(csv figure-break-points | grep -c Summaries)" -eq 1
cat r-*.kick o-*.kick v-m10-*.kick | kick-analyze-load -q -D c.db
kick-render-table -q -f csv -D c.db "$root/reports/figure-6-instructions" >6.csv
check "a judge that saw no dense model doesn't replace the automatic one" test "$(grep -c overlap 6.csv) $(grep -c judge-x 6.csv)" = "$(($(wc -l <6.csv) - 1)) 0"
answers "9 8" "8 9" 1 <ask-m10-chat.jsonl | sed '1s/judge-x/judge-y/' >two.jsonl
refuses "answers of two judges" 1 "one judge a stream" kick-judge-verdict -q --answers two.jsonl r-m10-chat.kick -o x.kick
