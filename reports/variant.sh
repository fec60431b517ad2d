# One variant and the results that need it: make calls this for a variant with several results.
#   variant.sh VARIANT COMMAND [RESULT NEEDS COMMAND]…
# COMMAND makes the file VARIANT, which goes at the end; each RESULT that is older than one of its NEEDS
# is made by its COMMAND. Nothing is made that is there.
set -eo pipefail
variant=$1 make_variant=$2
shift 2
trap 'rm -f "$variant"' EXIT
rm -f "$variant" # of a run that was killed
current() { # RESULT NEED…
    local result=$1 need
    shift
    [ -e "$result" ] || return 1
    for need; do
        [ ! "$need" -nt "$result" ] || return 1
    done
}
kept= results=()
while [ $# -gt 0 ]; do
    if current "$1" $2; then
        kept=1
    else
        for file in "$variant" "$1"; do
            [ -d "${file%/*}" ] || mkdir -p "${file%/*}"
        done
        [ -e "$variant" ] || eval "$make_variant"
        eval "$3"
    fi
    results+=("$1")
    shift 3
done
# To make, all are as new as what their neighbours need; a judge not older than what it read.
[ -z "$kept" ] || touch "${results[@]}"
