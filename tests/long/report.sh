# A report as people get it: the page in a browser, the workbook part by part, figures at every width, tables
# and methods through TeX. KICK_REPORT=DIR looks at a report that is there instead of making a quick one.
. tests/cli/lib.bash
out=${KICK_REPORT:-$work/out}
[ -n "${KICK_REPORT:-}" ] || check "a report is made" env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s report PLAN=quick OUT="$out"
figures=(reports/*/figure.json)
check "no text overlaps another or a plot, no series is empty" "$KICK_BUILD/tests/overlaps" "$out/report.db" "${figures[@]%/figure.json}"

if command -v python3 >/dev/null; then
    python3 tests/long/workbook.py "$out/report.xlsx" "Figure 1" "$out/figure-1-perplexity.csv" >"$work/workbook" 2>&1
    check "workbook: parts parse, every chart's ranges hold data, the numbers of figure 1 are its csv's ($(tail -1 "$work/workbook"))" \
        test "$(wc -l <"$work/workbook")" -eq 1 -a "$(cut -d' ' -f1 "$work/workbook")" -gt 0
else
    echo "skip workbook: no python3"
fi

# requests FILE: what a net log asked the network, but for what the browser asks on its own behalf.
requests() {
    grep -oE '"url":"(https?|wss?|ftp):[^"]*' "$1" |
        grep -vE '//(clients2.google.com/time|optimizationguide-pa.googleapis.com/|update.googleapis.com/service/update2|accounts.google.com/ListAccounts)'
}
if command -v chromium >/dev/null; then
    for width in 1200 390; do
        timeout 300 chromium --headless=new --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update \
            --disable-sync --disable-default-apps --user-data-dir="$work/chromium" --window-size=$width,900 --enable-logging=stderr \
            --log-net-log="$work/net.json" --dump-dom "file://$(realpath "$out/report.html")" >"$work/dom" 2>"$work/said"
        check "page, $width wide: it is there" grep -q '</footer>' "$work/dom"
        check "page, $width wide: its script ran" grep -q '<output>' "$work/dom"
        check "page, $width wide: nothing on the console" test -z "$(grep CONSOLE "$work/said")"
        check "page, $width wide: no request but for itself" test -z "$(requests "$work/net.json")"
    done
    # Both checks see what they look for.
    echo '<script>console.error("x"); fetch("http://127.0.0.1:9/");</script>' >"$work/bad.html"
    timeout 300 chromium --headless=new --no-sandbox --disable-gpu --no-first-run --disable-background-networking --user-data-dir="$work/chromium" \
        --enable-logging=stderr --log-net-log="$work/net.json" --virtual-time-budget=2000 --dump-dom "file://$work/bad.html" >/dev/null 2>"$work/said"
    check "a page with an error and a request is seen" test -n "$(grep CONSOLE "$work/said")" -a -n "$(requests "$work/net.json")"
else
    echo "skip page: no chromium"
fi

if command -v pdflatex >/dev/null && kpsewhich booktabs.sty longtable.sty >/dev/null; then
    {
        echo '\documentclass{article}\usepackage[utf8]{inputenc}\usepackage[T1]{fontenc}\usepackage[margin=2cm]{geometry}'
        echo '\usepackage{array,booktabs,longtable}\begin{document}\section{Methods}'
        cat "$out/methods.tex"
        for f in "$out"/table-*.tex "$out"/figure-1-*.tex "$out"/figure-2-*.tex "$out"/figure-8-*.tex; do echo "\\input{$(realpath "$f")}"; done
        echo '\bibliographystyle{plain}\bibliography{references}\end{document}'
    } >"$work/paper.tex"
    cp "$out/references.bib" "$work"
    check "tables, samples and methods pass through TeX" bash -c "cd '$work'; pdflatex -interaction=nonstopmode -halt-on-error paper.tex"
    check "and the references through bibtex" bash -c "cd '$work'; bibtex paper && pdflatex -interaction=nonstopmode paper.tex && pdflatex -interaction=nonstopmode paper.tex"
    check "no reference is missing, no warning of bibtex" test "$(grep -c 'Citation.*undefined' "$work/paper.log") $(grep -c Warning "$work/paper.blg")" = "0 0"
    [ -z "${KICK_REPORT:-}" ] || cp "$work/paper.pdf" "$out/paper.pdf"
else
    echo "skip TeX: no pdflatex with booktabs and longtable"
fi
