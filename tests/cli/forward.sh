# eval-perplexity and generate over the goldens: numbers, equal bytes, refusals.
. tests/cli/lib.bash

stories=$shared/goldens/stories260K
need "$stories/config.json" "forward"
cd "$work" || exit 1

kick-ingest-model "$stories" -o m.kick || exit 1
printf '1 403 407 261 378\n1 410 411 412 413 414 415 416 417 418 419 420\n9 10\n' >ids.txt
kick-ingest-text -f ids ids.txt -o ids.kick
printf 'Once upon a time there was a dog.\n' >one.txt
printf 'He had a ball and a friend. They went to the park.\n' >two.txt
kick-ingest-text one.txt two.txt -o text.kick

summary() { zstdcat "$1" | grep -a '"summary"' | grep -o "\"$2\":[^,}]*" | cut -d: -f2; }
near() { awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN { exit !(a - b <= t * b && b - a <= t * b) }'; }

# The same bytes for any number of threads and at any level.
kick-eval-perplexity m.kick -j1 -d ids.kick --per-token --logits -o want.kick
check "eval-perplexity runs over rows of ids" test -s want.kick
zstdcat want.kick >want
for options in "-j1 scalar" "-j2 scalar" "-j2 avx2" "-j3 avx2" "-j2 avx512"; do
    set -- $options
    KICK_CPU=$2 kick-eval-perplexity m.kick "$1" -d ids.kick --per-token --logits -o got.kick 2>log
    if [ $? -eq 2 ] && grep -q "this machine offers" log; then
        echo "skip eval-perplexity $options"
        continue
    fi
    zstdcat got.kick >got
    check "eval-perplexity $options gives the same bytes" cmp want got
done
check "a row is one window" test "$(zstdcat want.kick | LC_ALL=C grep -a -o '"window":[0-9]' | wc -l)" -eq 3
check "with one window for each row" test "$(summary want.kick windows)" -eq 3
check "and scores all ids but the first" test "$(summary want.kick scored)" -eq 16

# A small limit on memory sends the activations, 25 MB here, to a file.
seq 1 100000 | awk '{ printf "%d%s", $1 * 7 % 499 + 3, $1 % 500 ? " " : "\n" }' >many.txt
kick-ingest-text -f ids many.txt -o many.kick
kick-eval-perplexity m.kick -d many.kick -o a.kick
TMPDIR=$work kick-eval-perplexity m.kick -j1 --mem-max 40M -d many.kick -o b.kick
check "activations in a file change nothing" cmp <(zstdcat a.kick) <(zstdcat b.kick)
check "no temporary file is left" test -z "$(find "$work" -name 'kick-*')"
refuses "no place for the file" 1 "$work/none: cannot make a temporary file" \
    env TMPDIR="$work/none" kick-eval-perplexity m.kick -j1 --mem-max 40M -d many.kick

# Windows of a text: BOS once, then cut; strided windows score each token once.
kick-eval-perplexity m.kick -d text.kick -l 16 -o a.kick
tokens=$(summary a.kick tokens)
check "a text is cut into whole windows" test $((tokens % 16)) -eq 0
kick-eval-perplexity m.kick -d text.kick -l 16 --stride 5 -o s.kick
check "strided windows score each token but the first once" test "$(zstdcat s.kick |
    grep -a '^{"window"' | grep -o '"scored":[0-9]*' | cut -d: -f2 | awk '{ n += $1 } END { print n }')" \
    -eq "$(summary s.kick scored)"
kick-eval-perplexity m.kick -d text.kick -l 16 --stride 16 -n 2 -o s.kick
check "--stride equal to -l scores what is between windows too" \
    test "$(summary s.kick scored)" -eq 31

# Numbers.
check "generate continues as the golden does" test "$(kick-generate m.kick --prompt \
    'Once upon a time' --max-new 40 | cut -c1-90)" = \
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the par"
kick-generate m.kick -d text.kick --max-new 30 -B1 -j1 -o g1.kick
kick-generate m.kick -d text.kick --max-new 30 -B7 -j3 -o g2.kick
check "generate gives the same bytes for any batch and threads" cmp <(zstdcat g1.kick) <(zstdcat g2.kick)
kick-generate m.kick -d text.kick --max-new 30 --temperature 1 -S 1 -o g1.kick
kick-generate m.kick -d text.kick --max-new 30 --temperature 1 -S 1 -B1 -o g2.kick
kick-generate m.kick -d text.kick --max-new 30 --temperature 1 -S 2 -o g3.kick
check "draws depend on the seed" cmp <(zstdcat g1.kick) <(zstdcat g2.kick)
check "and only on it" test "$(zstdcat g1.kick | md5sum)" != "$(zstdcat g3.kick | md5sum)"
kick-prune-magnitude m.kick -s 0.5 -o half.kick
kick-quantize-rtn m.kick -b 4 -g 0 -o four.kick
if [ -f "$shared/goldens/e2e/eval_ids.npy" ]; then
    # 24 rows of 128 ids of 4 or 8 bytes, the header in front.
    size=$(($(stat -c %s "$shared/goldens/e2e/eval_ids.npy") - 24 * 128 * 8 > 0 ? 8 : 4))
    tail -c $((24 * 128 * size)) "$shared/goldens/e2e/eval_ids.npy" |
        od -An -v -w$((128 * size)) -t d$size >eval.txt
    kick-ingest-text -f ids eval.txt -o eval.kick
    while read -r file want name; do
        kick-eval-perplexity "$file" -d eval.kick -o r.kick
        check "$name: perplexity $want" near "$(summary r.kick perplexity)" "$want" 1e-5
    done <<'END'
m.kick 3.43066783310594 dense
half.kick 32.30863221092031 magnitude 50 %
four.kick 3.874064153687697 RTN of 4 bits
END
fi

# Refusals.
refuses "no data" 2 "-d DATA" kick-eval-perplexity m.kick
refuses "an unknown level" 2 "KICK_CPU=fast" env KICK_CPU=fast kick-eval-perplexity m.kick -d ids.kick
refuses "a window over the positions" 2 "512 positions" kick-eval-perplexity m.kick -d text.kick -l 513
refuses "a stride over the window" 2 "--stride" kick-eval-perplexity m.kick -d text.kick -l 8 --stride 9
refuses "a text shorter than a window" 1 "do not fill a window" kick-eval-perplexity m.kick -d text.kick -l 512
refuses "both kinds of prompt" 2 "--prompt" kick-generate m.kick --prompt x -d text.kick
refuses "little memory" 1 "mem-max" kick-eval-perplexity m.kick -d text.kick -l 16 --mem-max 1K
printf '1 2\n1 600\n' >bad.txt && kick-ingest-text -f ids bad.txt -o bad.kick
refuses "an id outside the vocabulary" 1 "row 1: id 600" kick-eval-perplexity m.kick -d bad.kick
printf '1\n' >bad.txt && kick-ingest-text -f ids bad.txt -o bad.kick
refuses "a row of one id" 1 "row 0 has 1 ids" kick-eval-perplexity m.kick -d bad.kick
seq 1 513 | awk '{ printf "%d ", $1 % 500 }' >bad.txt && kick-ingest-text -f ids bad.txt -o bad.kick
refuses "a row longer than the positions" 1 "512 positions" kick-eval-perplexity m.kick -d bad.kick
head -c 300000 m.kick >cut.kick
refuses "a model cut off" 1 "cut.kick" kick-eval-perplexity cut.kick -d ids.kick -o none.kick
check "nothing is left under the name" test ! -e none.kick
