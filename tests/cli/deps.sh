# `make deps report` on a machine without a compiler: packages come first, and nothing goes on without them.
. tests/cli/lib.bash
mkdir -p "$work/bin" "$work/tree/data"
cp -r Makefile lib reports "$work/tree/" && cp -r data/world data/models "$work/tree/data/" && rm -rf "$work/tree/reports/out"
# Stand-ins: no package is there, installing one is noted, and the compiler works from then on.
printf '#!/bin/sh\nexit 1\n' >"$work/bin/dpkg-query"
printf '#!/bin/sh\nshift\nexec "$@"\n' >"$work/bin/sudo"
printf '#!/bin/sh\ncase "$*" in *install*) : >"%s";; esac\n' "$work/installed" >"$work/bin/apt-get"
printf '#!/bin/sh\n[ -e "%s" ] || { echo "cc: too early" >&2; exit 127; }\nexec gcc "$@"\n' "$work/installed" >"$work/bin/cc"
chmod +x "$work/bin"/*
build() {
    env -u MAKEFLAGS -u MAKELEVEL PATH="$work/bin:$PATH" make -s -C "$work/tree" BUILD=build CC=cc "$@"
}

# The compiler that fails ends it: no plan of nothing is carried out.
stops() {
    ! build report && [ ! -e "$work/tree/reports/out/plan.mk" ]
}
check "without a compiler no report begins" stops
printf '#!/bin/sh\necho 1\n' >"$work/bin/nproc" && chmod +x "$work/bin/nproc"
check "nor on a machine of one processor" stops
rm "$work/bin/nproc"
check "deps, then the compiler" build -j2 deps world
check "the world is written" [ -e "$work/tree/data/out/made.mk" ]
