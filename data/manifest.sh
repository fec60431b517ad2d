#!/bin/bash
# Writes data/MANIFEST: bytes, sha256 and name of every committed model file, and one line for the whole
# world: "world", number of files, digest of their listing (tests/cli/data.sh checks both).
set -eu
cd "$(dirname "$0")/.."
listing() (
    cd "$1" && find . -type f ! -name made.mk | LC_ALL=C sort | xargs sha256sum
)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
build/world -o "$out"
set -- $(listing "$out" | sha256sum)
{
    echo "world $(listing "$out" | wc -l) $1"
    mkdir -p data/models
    (cd data && find models -type f | LC_ALL=C sort) | while read -r f; do
        set -- $(sha256sum "data/$f")
        echo "$(wc -c <"data/$f") $1 $f"
    done
} >data/MANIFEST
