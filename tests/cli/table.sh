# Figures as text, markdown and TeX, on the page and in the workbook, from queries whose rows are written out here.
. tests/cli/lib.bash
cp tests/data/results-1.kick "$work"
kick-analyze-load -q -D "$work/r.db" "$work/results-1.kick" || { echo "not ok a database"; exit 1; }

# figure NAME JSON SQL [CAPTION]: a folder of one.
figure() {
    mkdir -p "$work/$1"
    echo "$2" >"$work/$1/figure.json"
    echo "$3" >"$work/$1/query.sql"
    printf '%b' "${4:-}" >"$work/$1/caption.md"
}
# shows NAME FORMAT TEXT: what render-table prints, to the byte; TEXT's \n are line ends.
shows() {
    check "$1 as $2" diff <(kick-render-table -q -D "$work/r.db" -f "$2" "$work/$1" 2>&1) <(printf '%b' "$3")
}
# holds NAME FORMAT TEXT: a line of it.
holds() { check "$1 as $2: $3" grep -qF -- "$3" <(kick-render-table -q -D "$work/r.db" -f "$2" "$work/$1"); }

figure texts '{"title": "T", "label": "L", "kind": "samples", "samples": {"head": ["part", "n"], "filters": ["part"]}, "columns": [{"name": "said", "label": "Said & meant"}, {"name": "x", "hidden": true}]}' \
    "SELECT 'a_b' AS part, 1 AS n, ' x|y' || char(10) || '50 % ~' AS said, NULL AS other, 'no' AS x UNION ALL SELECT '<c>', 2, 'z', 'o', 'no'" 'Of **one** or `two`, *three*\n\nand ** none.'
shows texts text 'L. T\n\na_b, 1\nSaid & meant:\n  x|y\n  50 % ~\n\n<c>, 2\nSaid & meant:\n  z\nother:\n  o\n'
shows texts md '## L. T\n\n\n### a_b, 1\n\n*Said & meant*\n\n> x|y  \n> 50 % ~\n\n\n### <c>, 2\n\n*Said & meant*\n\n> z\n\n*other*\n\n> o\n\n\nOf **one** or `two`, *three*\n\nand ** none.\n'
shows texts tex '% L. T\n\\paragraph{a\\_b, 1}\n\\textit{Said \\& meant:}\n\\begin{quote}x|y\n\n50 \\% \\textasciitilde{}\\end{quote}\n\\paragraph{\\textless{}c\\textgreater{}, 2}\n\\textit{Said \\& meant:}\n\\begin{quote}z\\end{quote}\n\\textit{other:}\n\\begin{quote}o\\end{quote}\n'

figure folded '{"title": "T", "label": "L", "kind": "table", "table": {"rows": ["who"], "columns": "kind", "value": "v", "best": "b", "bold": "the best"}, "columns": [{"name": "v", "decimals": 1}]}' \
    "SELECT 'a|b' AS who, 'k\\1' AS kind, 1.25 AS v, 1 AS b UNION ALL SELECT 'a|b', 'l', 2, 0 UNION ALL SELECT 'c' || char(10) || 'd', 'k\\1', 3, 0"
shows folded md '## L. T\n\n| who | k\\\\1 | l |\n|---|---:|---:|\n| a\\|b | **1.2** | 2.0 |\n| c d | 3.0 | – |\n'
holds folded text '*: the best'

figure long '{"title": "T", "kind": "table", "columns": [{"name": "n", "label": "A number of many words", "unit": "%"}, {"name": "s", "label": "S", "unit": "µm"}, {"name": "t", "label": "t"}]}' \
    "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 50) SELECT n, 7 AS s, 'a text that is longer than a line is wide ' || n AS t FROM c"
for text in '% \usepackage{array,booktabs,longtable}' '\endfirsthead' '\endhead' '\end{longtable}}' 'Every row: S 7~µm.' \
    '\shortstack[r]{A number\\of many words\\(\%)} & t' '{@{}r>{\raggedright\arraybackslash}p{0.22\linewidth}@{}}'; do
    holds long tex "$text"
done
check "a head on the first page and one for the others" test "$(kick-render-table -D "$work/r.db" -f tex "$work/long" | grep -c '^.toprule')" = 2

figure none '{"title": "T", "label": "L", "kind": "table", "empty": "Missing: all"}' "SELECT 1 AS a WHERE 0"
shows none tex '% L. T: Missing: all\n'

for text in 'The models are \texttt{llama-13K};' 'Magnitude~\cite{han2015} prunes to 50\,\%.' '2 items of \texttt{mmlu}'; do
    check "the methods say: $text" grep -qF -- "$text" <(kick-render-table -q -D "$work/r.db" -f methods)
done
check "and the references hold what they cite" test "$(kick-render-table -D "$work/r.db" -f methods | grep -o 'cite{[^}]*' | cut -c6- | sort -u | paste -sd' ')" = \
    "$(kick-render-table -D "$work/r.db" -f references | sed -n 's/^@[a-z]*{\(.*\),$/\1/p' | paste -sd' ')"

kick-render-page -q -D "$work/r.db" "$work/texts" "$work/folded" -o "$work/page.html"
for text in '<p>Of <strong>one</strong> or <code>two</code>, <em>three</em></p>' '<p>and ** none.</p>' '<td class="n"><b>1.2</b></td>' \
    '<label>part <select data-filter="0"></select></label>' '<article data-f0="&lt;c&gt;">' '<h4>Said &amp; meant</h4><pre>x|y'; do
    check "the page has $text" grep -qF -- "$text" "$work/page.html"
done
# The first bytes of a model's role were a class, as they were.
"$KICK_BUILD/tests/make-model" "$work/model" --layers 1 --hidden 16 --intermediate 16 --heads 2 --kv-heads 1 --vocab 16
kick-ingest-model -q --role '">é' "$work/model" -o "$work/m.kick"
echo '1 2 3' | kick-ingest-text -q -f ids - -o "$work/t.kick"
kick-eval-perplexity -q -d "$work/t.kick" "$work/m.kick" | kick-analyze-load -q -D "$work/odd.db"
kick-render-page -q -D "$work/odd.db" "$work/none" -o "$work/odd.html"
check "an odd role is text on the page" grep -qF '<tr><td>&quot;&gt;é</td>' "$work/odd.html"

figure chart '{"title": "T", "panels": [{"x": {"column": "x", "label": "X", "type": "category", "order": ["p", "q"]}}, {"title": "N", "x": {"column": "v", "scale": "log", "reverse": true, "max": 100}}],
 "y": {"column": "y", "low": "low", "high": "high", "label": "Y", "scale": "log"}, "baseline": {"column": "b"}, "series": {"column": "s"}}' \
    "SELECT 'p' AS x, 1 AS v, 0.2 AS y, 0.1 AS low, 0.3 AS high, 0.25 AS b, 'one' AS s UNION ALL SELECT 'q', 10, 300, 250, 400, 0.25, 'one'"
kick-render-workbook -q -D "$work/r.db" "$work/chart" -o "$work/book.xlsx"
part() { unzip -p "$work/book.xlsx" "xl/$1"; }
while IFS='|' read -r file name text; do
    check "the workbook: $name" grep -qF -- "$text" <(part "$file")
done <<'END'
charts/chart1.xml|categories and their values are cells|<c:f>chart!$J$4:$J$5</c:f><c:strCache><c:ptCount val="2"/><c:pt idx="0"><c:v>p</c:v></c:pt><c:pt idx="1"><c:v>q</c:v>
charts/chart1.xml|the baseline is a series beside them|<c:tx><c:v>dense</c:v></c:tx>
charts/chart2.xml|a panel has its own title|<a:t>N</a:t>
charts/chart2.xml|numbers may go down on a log axis|<c:logBase val="10"/><c:orientation val="maxMin"/><c:max val="100"/>
charts/chart2.xml|the other axis in whole powers|<c:logBase val="10"/><c:orientation val="minMax"/><c:max val="1000"/><c:min val="0.1"/>
sharedStrings.xml|the small table is explained|The same numbers by category, for the charts of categories
END
