# What the tests of `make report` share: a tiny checkpoint, a text of ids and the command.
. tests/cli/lib.bash
"$KICK_BUILD/tests/make-model" "$work/tiny" --layers 1 --hidden 32 --intermediate 48 --heads 2 \
    --kv-heads 1 --vocab 64 --positions 64
mkdir "$work/data"
awk 'BEGIN { for (i = 0; i < 120; i++) { for (j = 0; j < 32; j++) printf "%d ", (i * 7 + j * j * 3 + int(i / 5) * j) % 64; print "" } }' \
    >"$work/data/rows.ids"

# report OUT [ARGUMENT…]: as a user would call it.
report() {
    local out=$1
    shift
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s report BUILD="$KICK_BUILD" ${SAN:+SAN=$SAN} PLAN=quick OUT="$out" \
        MODELS="$work/tiny" DATA="$work/data" "$@" </dev/null
}

# All numbers of a report.
dump() {
    kick render-table -q -f csv -D "$1/report.db" reports/figure-1-perplexity
    for f in "$1"/results/*.kick; do
        kick stream-show "$f"
    done
}
