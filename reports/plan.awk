# Turns a plan into make rules. Variables, of what there is: roles ("large small": those that have a
# model), texts and calibration ("prose mixed": names of the texts in DATA and of those to calibrate
# on, the default first), readers ("mmlu cnndm"). The paths are make's: $(OUT)/models/ROLE.kick,
# $(OUT)/data/NAME.kick, $(OUT)/stamps/PROGRAM (changes with a program's revision),
# $(OUT)/results/NAME.kick; a variant with several results is $(OUT)/variants/NAME.kick while they are
# made (variant.sh). judge-request writes $(OUT)/requests/NAME.jsonl, for a judge elsewhere. A line for which
# something is not there is left out.

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

# Names of the texts that "-d text" (all of them) or "-d text/NAME" asks for: that one, or the first where
# there is none of that name.
function wanted_texts(from,    name, part)
{
    name = substr(from, 6)
    split(texts, part, " ")
    return name == "" ? texts : has(texts, name) ? name : part[1]
}

# The command that makes the variant of the stages: sets made and needed.
function prepare(role, count,    i, on, one)
{
    needed = made = ingested("$(OUT)/models/" role ".kick")
    for (i = 1; i <= count; i++) {
        one = stage[i]
        needed = needed " $(OUT)/stamps/" program(one)
        on = calibrated_on(one)
        if (on != "") {
            sub("-c [^ ]+", "-c $(OUT)/data/calibration-" on ".kick", one)
            needed = needed " " ingested("$(OUT)/data/calibration-" on ".kick")
        }
        made = (i == 1 ? "" : made " | ") "kick-" one " -q -j $(threads)" (i == 1 ? " " made : "")
    }
}

# What is ingested, what takes longest first. It is made before all others, and then the dense models' results:
# results that make finds to wait for something are put off until it has looked at all others.
function ingested(path)
{
    if (!(path in inputs)) {
        inputs[path] = 1
        input_list = path ~ /\/models\/|\/text-/ ? input_list " " path : path " " input_list
    }
    return path
}

# One task, which may have a judge: "eval-chat -d mtbench > judge-overlap -m dense -d mtbench". Its
# results become entries of the variant: target[], need[], command[] up to what is read, and read_from[],
# "" for the variant itself.
function result(role, task, set, variant,    name, part, i, n, path, asked, input, entry)
{
    name = variant
    n = split(task, part, ">")
    for (i = 1; i <= n; i++) {
        task = trim(part[i])
        name = name "-" slug(task) (i == 1 && set ~ /^text-/ ? substr(set, 5) : "")
        if (length(name) > 240)
            fail("too many stages for a file name: " name)
        sub("-d [^ ]+", "-d $(OUT)/data/" set ".kick", task)
        sub("-m dense", "-m $(OUT)/models/" role ".kick", task)
        asked = program(part[i]) == "judge-request"
        path = asked ? "$(OUT)/requests/" name ".jsonl" : "$(OUT)/results/" name ".kick"
        if (!(path in seen)) {
            seen[path] = 1
            if (!(variant in entries)) {
                variants[++variant_count] = variant
                how[variant] = made
            }
            entries[variant]++
            entry = variant SUBSEP entries[variant]
            target[entry] = path
            need[entry] = (i == 1 ? needed : input " $(OUT)/models/" role ".kick") \
                " " ingested("$(OUT)/data/" set ".kick") " $(OUT)/stamps/" program(part[i])
            command[entry] = "kick-" task " -q " (asked ? "" : "-j $(threads) ")
            read_from[entry] = input
        }
        input = path
    }
}

function line(s,    part, n, i, t, k, on, role, name, task, tasks, from, text, reader, on_texts)
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
    prepare(role, n - 2)
    k = split(part[n], task, ",")
    for (i = 1; i <= k; i++) {
        task[i] = trim(task[i])
        from = argument(task[i], "-d")
        if (from == "")
            fail(task[i] ": has no -d")
        if (from !~ /^(text(\/.*)?|freebaseqa|mmlu|triviaqa|cnndm|mtbench|tasks)$/)
            fail(task[i] ": \"" from "\" is no reader")
        on_texts[i] = from ~ /^text/ ? wanted_texts(from) : ""
        sub("-d text[^ ]*", "-d text", task[i])
        reader[i] = argument(task[i], "-d")
    }
    for (i = 1; i <= k; i++) {
        if (reader[i] == "text") {
            tasks = split(on_texts[i], text, " ")
            for (t = 1; t <= tasks; t++)
                result(role, task[i], "text-" text[t], name)
        } else if (has(readers, reader[i]))
            result(role, task[i], reader[i], name)
    }
}

# The results of a variant, which is made once.
function rule(variant,    n, i, t, part, parts, listed, file)
{
    n = entries[variant]
    file = "$(OUT)/variants/" variant ".kick"
    for (i = 1; i <= n; i++) {
        printf "%s ", target[variant, i]
        listed[target[variant, i]] = 1
    }
    printf "&:"
    for (i = 1; i <= n; i++) {
        parts = split(need[variant, i], part, " ")
        for (t = 1; t <= parts; t++)
            if (!(part[t] in listed)) {
                printf " %s", part[t]
                listed[part[t]] = 1
            }
    }
    printf "\n\t@$(say) $(RUN) bash reports/variant.sh %s '%s'", file, how[variant] " -o " file
    for (i = 1; i <= n; i++)
        printf " \\\n\t  %s '%s' '%s'", target[variant, i], need[variant, i], \
            whole(variant, i, file)
    print ""
}

# The command of an entry, which reads `variant` unless it judges results.
function whole(name, i, variant,    input)
{
    input = read_from[name, i] == "" ? variant : read_from[name, i]
    return command[name, i] (input == "" ? "" : input " ") "-o " target[name, i]
}

# One rule for all results of a variant; rules of their own for those of a dense model, which is there,
# and for a single result (a pipe). results and requests: all of them, in the
# order in which they are made, but those of dense models, which are not loaded early (Makefile), at the end.
function rules(variant,    n, i, dense)
{
    n = entries[variant]
    dense = how[variant] !~ /^kick-/
    for (i = 1; i <= n; i++)
        if (target[variant, i] ~ /\.jsonl$/)
            requests = requests " \\\n  " target[variant, i]
        else if (dense)
            dense_results = dense_results " \\\n  " target[variant, i]
        else
            results = results " \\\n  " target[variant, i]
    if (!dense && n > 1) {
        rule(variant)
        return
    }
    for (i = 1; i <= n; i++)
        printf "%s: %s\n\t@$(say) mkdir -p $(@D); $(RUN) bash -o pipefail -c '%s'\n", \
            target[variant, i], need[variant, i], \
            (dense ? "" : how[variant] " | ") whole(variant, i, dense ? how[variant] : "")
}

{
    sub(/#.*/, "")
    if (trim($0) == "")
        next
    # What make or a shell would take for its own is not let through.
    if ($0 ~ /[^A-Za-z0-9 \t.,:_+=\/|{}>-]/)
        fail("a character that a plan may not hold")
    expand(trim($0))
}

END {
    if (!status) {
        for (i = 1; i <= variant_count; i++)
            rules(variants[i])
        print "FIRST :=" input_list dense_results "\nRESULTS :=" results dense_results "\nREQUESTS :=" requests
    }
}
