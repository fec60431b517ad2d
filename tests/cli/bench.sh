# The bench: every case is measured or named as left out; its database is one that renderers read.
. tests/cli/lib.bash

# A Python that has nothing: its cases are left out, not failed.
printf '#!/bin/sh\necho absent: no such package\n' >"$work/python"
chmod +x "$work/python"
if kick bench -n 1 -l 128 --python "$work/python" -o "$work/bench.kick" -D "$work/bench.db" >"$work/said"; then
    echo "ok bench runs"
else
    echo "not ok bench runs"
fi
kicks=$(grep -c '^product.* kick ' "$work/said") out=$(grep -c 'PyTorch.*left out: absent: no such package' "$work/said")
if [ "$kicks" = 18 ] && [ "$out" = 4 ]; then
    echo "ok bench measures $kicks products and names what is absent"
else
    echo "not ok bench measures products: $kicks of 18, $out of 4 left out"
fi
if kick stream-check -q "$work/bench.kick"; then echo "ok bench stream is whole"; else echo "not ok bench stream is whole"; fi
for figure in bars products programs; do
    if kick render-table -q -f csv -D "$work/bench.db" reports/bench/$figure -o "$work/$figure.csv"; then
        echo "ok table of $figure"
    else
        echo "not ok table of $figure"
    fi
done
rows=$(grep -c '^product' "$work/products.csv")
if [ "$rows" = 24 ]; then echo "ok a row a case"; else echo "not ok a row a case: $rows of 24"; fi
# Bars: both products of 512 rows against OpenBLAS where it is there, three of one row against dense ones.
bars=$(grep -c '^product' "$work/bars.csv") said=$(grep -c 'must be .*: \(reached\|MISSED\)$' "$work/said")
if [ "$bars" = "$said" ] && { [ "$bars" = 5 ] || { [ "$bars" = 3 ] && grep -q 'libopenblas' "$work/said"; }; }; then
    echo "ok $bars bars and what was reached"
else
    echo "not ok bars: $bars in the table, $said said"
fi
kick bench -n 1 -l 128 -D "$work/bench.db" >"$work/said" 2>"$work/error"
if [ $? = 1 ] && grep -q 'is there already' "$work/error"; then echo "ok no database is overwritten"; else echo "not ok no database is overwritten"; fi
kick bench -n 1 "$work/no.kick" >"$work/said" 2>"$work/error"
if [ $? = 2 ]; then echo "ok models without texts are wrong use"; else echo "not ok models without texts are wrong use"; fi
kick bench -n 1 -l 2048 --mem-max 192M >"$work/said" 2>"$work/error"
if [ $? = 1 ] && grep -q 'needs about .* more than --mem-max' "$work/error" && [ ! -s "$work/said" ]; then
    echo "ok the memory of the matrices is counted"
else
    echo "not ok the memory of the matrices is counted"
fi
