# What the shell tests share. A test prints "ok NAME", "not ok NAME" or "skip NAME".
set -u
shared=${KICK_SHARED:-../shared}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# check NAME COMMAND…: passes if the command succeeds.
check() {
    local name=$1
    shift
    if "$@" >"$work/check.log" 2>&1; then
        echo "ok $name"
    else
        echo "not ok $name"
        sed 's/^/    /' "$work/check.log" | head -20
    fi
}

# refuses NAME STATUS TEXT COMMAND…: exits with STATUS, says one line that holds TEXT.
refuses() {
    local name=$1 status=$2 text=$3 got
    shift 3
    "$@" >/dev/null 2>"$work/refuses.log"
    got=$?
    if [ "$got" -eq "$status" ] && [ "$(wc -l <"$work/refuses.log")" -eq 1 ] &&
        grep -qF -- "$text" "$work/refuses.log"; then
        echo "ok $name"
    else
        echo "not ok $name: exit $got, said:"
        sed 's/^/    /' "$work/refuses.log" | head -20
    fi
}

# need PATH NAME: skips the rest of the test where a part of ../shared is absent.
need() {
    if [ ! -e "$1" ]; then
        echo "skip $2: no $1"
        exit 0
    fi
}
