# make install: programs, pages, figures and completion below DESTDIR work from there; make uninstall
# takes away what it brought and nothing else. (tests/long/dist.sh builds what make dist makes.)
. tests/cli/lib.bash
unset MAKEFLAGS MFLAGS MAKELEVEL
root=$work/root
mkdir -p "$root/opt/kick/share/man/man1"
touch "$root/opt/kick/share/man/man1/kickstart.1"
installed() { make -s ${SAN:+SAN=$SAN} "$1" DESTDIR="$root" PREFIX=/opt/kick; }
check "make install" installed install
bin=$root/opt/kick/bin share=$root/opt/kick/share
check "all programs" test "$(ls "$bin" | wc -l)" -eq "$(ls "$KICK_BUILD/bin" | wc -l)"
for p in "$bin"/*; do
    [ -e "$share/man/man1/${p##*/}.1" ] || echo "not ok there is no page of ${p##*/}"
done
check "kick-stream(5)" test -e "$share/man/man5/kick-stream.5"

outside() { (cd / && PATH=$bin:/usr/bin:/bin "$@"); }
"$KICK_BUILD/tests/make-model" "$work/model" --layers 1 --hidden 16 --intermediate 16 --heads 2 --kv-heads 1 --vocab 16
printf '1 2 3 4\n5 6 7 8\n' >"$work/ids"
check "a pipe of installed programs" outside bash -c "set -e -o pipefail
    kick ingest-text -f ids '$work/ids' -o '$work/ids.kick'
    kick ingest-model '$work/model' | kick prune-magnitude -s 0.5 | kick eval-perplexity -d '$work/ids.kick' -o '$work/r.kick'
    kick analyze-load -D '$work/r.db' '$work/r.kick'
    kick render-page -D '$work/r.db' -o '$work/r.html'"
check "installed figures" grep -q '<svg' "$work/r.html"

complete() { # WORD…: what bash would offer after these
    outside bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); compopt() { :; }
        _kick "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"; echo "${COMPREPLY[@]}"' \
        "$share/bash-completion/completions/kick" "$@"
}
check "completion of programs" test "$(complete kick prune-m)" = prune-magnitude
check "completion of options" test "$(complete kick ingest-text --form)" = --format
check "completion of a program by its own name" test "$(complete kick-ingest-text --form)" = --format
check "completion of choices" test "$(complete kick ingest-text -f js)" = jsonl
check "completion of files" test "$(complete kick ingest-text "$work/mod")" = "$work/model"
check "each program has its completion" test -e "$share/bash-completion/completions/kick-stream-show"

check "make uninstall" installed uninstall
check "nothing else is taken" test "$(find "$root" ! -type d)" = "$share/man/man1/kickstart.1"
