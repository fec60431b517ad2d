# House rules that a machine can check.
. tests/cli/lib.bash

# ---- pages
pages=$(ls {ingest,compress,evaluate,analyze,render,lib/programs}/*.1 lib/*.5 2>/dev/null)
for source in {ingest,compress,evaluate,analyze,render,lib/programs}/*.c; do
    [ -e "$source" ] || continue
    page=${source%.c}.1
    if [ -e "$page" ]; then echo "ok page of $source"; else echo "not ok page of $source: there is no $page"; fi
done
if command -v mandoc >/dev/null; then
    for page in $pages; do
        if said=$(mandoc -Tlint -Wwarning "$page" 2>&1) && [ -z "$said" ]; then
            echo "ok lint of $page"
        else
            echo "not ok lint of $page"
            sed 's/^/    /' <<<"$said"
        fi
    done
else
    echo "skip lint of pages: no mandoc"
fi

# ---- help: 24 lines of 100 columns; each option in the page
for program in "$KICK_BUILD"/bin/kick-*; do
    name=${program##*/kick-}
    help=$("$program" -h)
    lines=$(wc -l <<<"$help") columns=$(wc -L <<<"$help")
    if [ "$lines" -le 24 ] && [ "$columns" -le 100 ]; then
        echo "ok help of $name: $lines lines of $columns"
    else
        echo "not ok help of $name: $lines lines of $columns columns"
    fi
    page=$(ls {ingest,compress,evaluate,analyze,render,lib/programs}/"$name.1" 2>/dev/null)
    [ -n "$page" ] || continue
    missing=
    while read -r letter option; do # "-s, --sparsity": either form will do
        grep -qE -- "Fl (Fl ${option#--}|${letter:-none})( |\$)" "$page" || missing+=" $option"
    done < <(grep -oE -- '^  (-., |    )--[a-z-]+' <<<"$help" | sed -E 's/^  -(.), /\1 /; t; s/^ *--/none --/')
    if [ -z "$missing" ]; then echo "ok page of $name has its options"; else echo "not ok page of $name lacks$missing"; fi
done

# ---- sources
for header in lib/*.h; do
    printf '#include "%s"\n#include "%s"\n' "${header#lib/}" "${header#lib/}" >"$work/alone.c"
    if "${CC:-gcc}" -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -Ilib $(pkg-config --cflags jansson cairo pangocairo 2>/dev/null) \
        -fsyntax-only "$work/alone.c" 2>"$work/said"; then
        echo "ok $header compiles alone"
    else
        # what belongs to one level of the processor needs that level's flags
        if grep -qE 'target specific|immintrin' "$work/said"; then echo "ok $header compiles alone, on its processor"; else
            echo "not ok $header compiles alone"
            head -3 "$work/said" | sed 's/^/    /'
        fi
    fi
done
long=$(wc -l $(git ls-files '*.[ch]' '*.sh' '*.bash' Makefile 2>/dev/null || ls */*.[ch] */*/*.[ch]) | awk '$2 != "total" && $1 > 1050 {print $2 ": " $1}')
if [ -z "$long" ]; then echo "ok no file much over 1000 lines"; else echo "not ok no file much over 1000 lines: $long"; fi
foreign=
for source in {ingest,compress,evaluate,analyze,render}/*.[ch]; do
    [ -e "$source" ] || continue
    for include in $(sed -n 's/^#include "\(.*\)".*/\1/p' "$source"); do
        [ -e "lib/$include" ] || foreign+=" $source: $include"
    done
done
if [ -z "$foreign" ]; then echo "ok stages include lib only"; else echo "not ok stages include lib only:$foreign"; fi
printing=$(grep -nE '\b(printf|puts|putchar|exit|abort)\(|fprintf\(std|(^|[^"._a-z])stderr *[,)]' lib/*.c | grep -vE '^lib/cli\.c|snprintf|^[^:]*:[0-9]*: \*' || true)
if [ -z "$printing" ]; then echo "ok the library neither prints nor exits"; else
    echo "not ok the library neither prints nor exits"
    sed 's/^/    /' <<<"$printing"
fi
