# Prints the bash completion of all programs: completion.bash BIN. Each program tells its options itself
# (--completion, lib/cli.c), so that none is listed by hand.
bin=$1
cat <<'END'
# bash completion of kick, made from the programs' option tables by make install
declare -gA _kick_options _kick_follows
END
programs=
for path in "$bin"/kick-*; do
    program=${path##*/}
    programs+=" ${program#kick-}"
    options=
    while IFS=$'\t' read -r forms follows; do
        options+=" $forms"
        for form in $forms; do
            [ -z "$follows" ] || printf "_kick_follows['%s']='%s'\n" "$program $form" "$follows"
        done
    done < <("$path" --completion)
    printf "_kick_options['%s']='%s'\n" "$program" "${options# }"
done
printf "_kick_programs='%s'\n" "${programs# }"
cat <<'END'
_kick() {
    local program=${1##*/} word=$2 before=$3 follows
    if [ "$program" = kick ]; then
        if [ "$COMP_CWORD" -eq 1 ]; then
            COMPREPLY=($(compgen -W "$_kick_programs" -- "$word"))
            return
        fi
        program=kick-${COMP_WORDS[1]}
    fi
    follows=${_kick_follows["$program $before"]-}
    case $follows in
    value) ;;
    '' | file)
        if [ -z "$follows" ] && [[ $word == -* ]]; then
            COMPREPLY=($(compgen -W "${_kick_options["$program"]-}" -- "$word"))
        else
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
        fi
        ;;
    *) COMPREPLY=($(compgen -W "$follows" -- "$word")) ;;
    esac
}
END
printf 'complete -F _kick kick%s\n' "$(printf ' kick-%s' $programs)"
