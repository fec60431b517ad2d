# Turns a plan into make rules. Variables, of what there is: roles ("large small": those that have a
# model), texts and calibration ("prose mixed": names of the texts in DATA and of those to calibrate
# on, the default first), readers ("mmlu cnndm"). The paths are make's: $(OUT)/models/ROLE.kick,
# $(OUT)/data/NAME.kick, $(OUT)/stamps/PROGRAM (changes with a program's revision),
# $(OUT)/results/NAME.kick. A line for which something is not there is left out.

function fail(text)
{
    printf "%s:%d: %s\n", FILENAME, FNR, text > "/dev/stderr"
    status = 1
    exit 1
}

function trim(s)
{
    gsub(/^[ \t]+|[ \t]+$/, "", s)
    return s
}

# Writes each expansion of the first {a,b} out in turn.
function expand(s,    open, shut, before, inside, after, part, n, i)
{
    shut = index(s, "}")
    if (!shut) {
        if (index(s, "{"))
            fail("a { without its }")
        line(s)
        return
    }
    for (open = shut; open > 0 && substr(s, open, 1) != "{"; open--)
        ;
    if (!open)
        fail("a } without its {")
    before = substr(s, 1, open - 1)
    inside = substr(s, open + 1, shut - open - 1)
    after = substr(s, shut + 1)
    n = split(inside, part, ",")
    for (i = 1; i <= n; i++)
        expand(before part[i] after)
}

# A file name for a command.
function slug(s)
{
    gsub(/:/, "of", s)
    gsub(/[^A-Za-z0-9.]+/, "-", s)
    gsub(/^-|-$/, "", s)
    return s
}

function program(s,    word)
{
    split(s, word, " ")
    return word[1]
}

# What stands behind an option; "" without it.
function argument(command, option,    word, n, i)
{
    n = split(command, word, " ")
    for (i = 1; i < n; i++)
        if (word[i] == option)
            return word[i + 1]
    return ""
}

function has(list, word)
{
    return index(" " list " ", " " word " ") > 0
}

# Name of the calibration text that a stage asks for ("-c calibration" or "-c calibration/NAME").
function calibrated_on(stage,    name, part)
{
    name = argument(stage, "-c")
    if (name == "")
        return ""
    if (name !~ /^calibration(\/|$)/)
        fail(stage ": -c takes calibration, or calibration/NAME")
    sub(/^calibration\/?/, "", name)
    split(calibration, part, " ")
    return name == "" ? part[1] == "" ? "?" : part[1] : name
}

# The rule that pipes the model through the stages into one task.
function result(role, count, task, set, name,    command, i, need, on, target, source, one)
{
    target = "$(OUT)/results/" name ".kick"
    if (target in seen)
        return
    seen[target] = 1
    results = results " \\\n  " target
    source = "$(OUT)/models/" role ".kick"
    need = source " $(OUT)/data/" set ".kick $(OUT)/stamps/" program(task)
    command = ""
    for (i = 1; i <= count; i++) {
        one = stage[i]
        need = need " $(OUT)/stamps/" program(one)
        on = calibrated_on(one)
        if (on != "") {
            sub("-c [^ ]+", "-c $(OUT)/data/calibration-" on ".kick", one)
            need = need " $(OUT)/data/calibration-" on ".kick"
        }
        command = command "kick " one " -q -j $(threads) " (i == 1 ? source : "") " | "
    }
    sub("-d [^ ]+", "-d $(OUT)/data/" set ".kick", task)
    command = command "kick " task " -q -j $(threads) -o $@" (count ? "" : " " source)
    if (length(name) > 240)
        fail("too many stages for a file name: " name)
    printf "%s: %s\n\t@$(say)\n\t@mkdir -p $(@D); $(RUN) bash -o pipefail -c '%s'\n", target, need, command
}

function line(s,    part, n, i, t, k, on, role, name, task, tasks, from, text)
{
    n = split(s, part, "|")
    if (n < 2)
        fail("a line is: role | stage | … | task, task …")
    for (i = 1; i <= n; i++) {
        part[i] = trim(part[i])
        if (part[i] == "")
            fail("an empty part between two |")
    }
    role = part[1]
    if (role !~ /^(large|small|other)$/)
        fail("'" role "' is no role; roles are large, small and other")
    if (!has(roles, role))
        return
    name = role
    for (i = 2; i < n; i++) {
        stage[i - 1] = part[i]
        on = calibrated_on(part[i])
        if (on != "" && !has(calibration, on))
            return
        name = name "-" slug(part[i])
    }
    k = split(part[n], task, ",")
    for (i = 1; i <= k; i++) {
        task[i] = trim(task[i])
        from = argument(task[i], "-d")
        if (from == "")
            fail(task[i] ": has no -d")
        if (from !~ /^(text|freebaseqa|mmlu|triviaqa|cnndm|mtbench|tasks)$/)
            fail(task[i] ": \"" from "\" is no reader")
        if (from == "text") {
            tasks = split(texts, text, " ")
            for (t = 1; t <= tasks; t++)
                result(role, n - 2, task[i], "text-" text[t], name "-" slug(task[i]) "-" text[t])
        } else if (has(readers, from))
            result(role, n - 2, task[i], from, name "-" slug(task[i]))
    }
}

{
    sub(/#.*/, "")
    if (trim($0) == "")
        next
    # What make or a shell would take for its own is not let through.
    if ($0 ~ /[^A-Za-z0-9 \t.,:_+=\/|{}-]/)
        fail("a character that a plan may not hold")
    expand(trim($0))
}

END {
    if (!status)
        print "RESULTS :=" results
}
