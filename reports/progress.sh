# One line of progress for a terminal: how many results are there, how long the others will take at the
# pace since make began, and what is being made.
#   progress.sh OUT TOTAL NAME     OUT/stamps/started: the second in which it began, and results then
out=$1 total=$2 name=$3
done=$(ls "$out/results" 2>/dev/null | wc -l)
read -r began before 2>/dev/null <"$out/stamps/started" || began=0 before=0
passed=$(($(date +%s) - began)) made=$((done - before)) left=
if [ "$began" -gt 0 ] && [ "$made" -gt 0 ] && [ "$passed" -gt 2 ] && [ "$done" -lt "$total" ]; then
    seconds=$((passed * (total - done) / made))
    if [ $seconds -ge 5400 ]; then
        left=", $(((seconds + 1800) / 3600)) h left"
    elif [ $seconds -ge 90 ]; then
        left=", $(((seconds + 30) / 60)) min left"
    else
        left=", $seconds s left"
    fi
fi
printf '\r\033[K[%d of %d results%s] %.40s' "$done" "$total" "$left" "$name"
