#!/bin/bash
# A step of a report as a Slurm job: make report -j20 RUN=reports/slurm.sh   (KICK_SRUN: further options
# of srun, such as a partition). The job gets the memory that its programs say they need, and is run again
# where its node died; files lie on a file system that all nodes share.
set -eo pipefail

# MiB that a pipe needs: the sum of what its programs say when they may use next to nothing. A stage that
# would read the pipe is asked about the model that the first one reads.
pipe_memory() {
    local sum=0 stage model= said options
    while IFS= read -r stage; do
        options=" ${stage% -o *} "
        if [[ $options =~ \ ([^ ]*/(models|variants)/[^ ]*\.kick)\  && -e ${BASH_REMATCH[1]} ]]; then
            model=${model:-${BASH_REMATCH[1]}}
        fi
        said=$(eval "${stage% -o *} --mem-max 1K" <"${model:-/dev/null}" 2>&1 >/dev/null) || true
        if [[ $said =~ needs\ about\ ([0-9]+)\.[0-9]+\ MiB ]]; then
            sum=$((sum + BASH_REMATCH[1] + 1))
        else # it has no estimate: small, or none before its input is there
            sum=$((sum + ${KICK_SLURM_MEMORY:-256}))
        fi
    done < <(sed 's/ | /\n/g' <<<"$1")
    echo $sum
}

memory=64 variant=
for argument; do # bash -c PIPE, or the pipes of variant.sh, one after another
    [[ $argument != */variants/*.kick || $argument == *\ * ]] || variant=$argument
    [[ $argument == kick-* ]] || continue
    # The variant is not there yet: it needs no more than the model that it is made of.
    [[ ${model-} || ! $argument =~ \ ([^ ]*/models/[^ ]*\.kick) ]] || model=${BASH_REMATCH[1]}
    [ -z "$variant" ] || argument=${argument//"$variant"/"${model-}"}
    m=$(pipe_memory "$argument")
    [ "$m" -le "$memory" ] || memory=$m
done
memory=$((memory + memory / 5 + 32)) # shells, libraries, pages of files

threads=1
[[ "$*" =~ \ -j\ ([0-9]+) ]] && threads=${BASH_REMATCH[1]}
ended=$(mktemp "$PWD/.kick-slurm.XXXXXX")
trap 'rm -f "$ended"' EXIT
for try in 1 2 3; do
    : >"$ended"
    srun --quiet --ntasks=1 --nodes=1 --cpus-per-task="$threads" --mem="${memory}M" --input=none \
        --kill-on-bad-exit=1 $KICK_SRUN bash -c 'f=$1; shift; "$@"; s=$?; echo $s >"$f"; exit $s' _ "$ended" "$@" || true
    status=$(cat "$ended")
    [ -z "$status" ] || exit "$status"
    echo "slurm.sh: the job did not come to its end, try $try of 3" >&2
done
exit 1
