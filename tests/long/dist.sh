# make dist: the tarball alone builds with gcc and with clang, without git, without warnings and, where
# that can be had, without a network; what it installs works with its sources moved away.
. tests/cli/lib.bash
unset MAKEFLAGS MFLAGS MAKELEVEL
check "make dist" make -s dist
tarball=$(ls -t build/kick-*.tar.gz | head -1)
make -s dist >/dev/null && cp "$tarball" "$work/again.tar.gz"
check "the same bytes again" cmp "$tarball" "$work/again.tar.gz"
alone=()
unshare -rn true 2>/dev/null && alone=(unshare -rn)
for compiler in gcc clang; do
    if ! command -v $compiler >/dev/null; then
        echo "skip build with $compiler: it is not here"
        continue
    fi
    mkdir -p "$work/$compiler/bin"
    for t in git curl wget; do # whoever calls one has failed
        printf '#!/bin/sh\nexit 1\n' >"$work/$compiler/bin/$t"
        chmod +x "$work/$compiler/bin/$t"
    done
    tar xzf "$tarball" -C "$work/$compiler"
    sources=$(echo "$work/$compiler"/kick-*)
    check "it builds with $($compiler -dumpversion | sed "s/^/$compiler /")" env PATH="$work/$compiler/bin:$PATH" \
        "${alone[@]}" make -s -C "$sources" -j2 CC=$compiler programs unit-tests
    check "it installs" make -s -C "$sources" CC=$compiler install PREFIX=/usr DESTDIR="$work/$compiler/root"
    mv "$sources" "$work/$compiler/away"
    "$KICK_BUILD/tests/make-model" "$work/model" --layers 1 --hidden 16 --intermediate 16 --heads 2 --kv-heads 1
    check "it runs from there" bash -c "set -e -o pipefail; cd /; PATH='$work/$compiler/root/usr/bin':/usr/bin:/bin
        kick ingest-model '$work/model' | kick prune-magnitude -p 2:4 -o '$work/$compiler.kick'"
    mv "$work/$compiler/away" "$sources"
    check "a tarball of the tarball is the same" bash -c "make -s -C '$sources' dist >/dev/null && cmp '$tarball' '$sources'/build/kick-*.tar.gz"
done
check "one result of both compilers" cmp "$work/gcc.kick" "$work/clang.kick"
