# shellcheck shell=sh
# Part of cr0sync. Reads and writes the crontab of a user, and knows the block in it that is ours. Read into themselves by
# install_crontabs.sh and remove_crontabs.sh, which set `here` and `usage`.
#
# Lines of others stay as they are, byte for byte, wherever they stand. Only `crontab` writes a crontab.
# shellcheck disable=SC2154,SC2034  # set, and used, by those who read this

# shellcheck source=php/system/settings.sh
. "$here/settings.sh"

see_tmp='see whether /tmp is full: df -h /tmp; df -i /tmp'

# What install_crontabs.sh and remove_crontabs.sh are told, and that it can be done.
crontab_options() { # WORDS
    read_options '--root= --user= --print' "$@"
    case $root in
        *[\'\"\\]* | *'
'*) refuse 64 "a crontab cannot name $root" 'give it a name without quotes, backslashes and line ends' ;;
    esac
    [ -n "$user" ] || user=$(system_user "$root")
    id -u -- "$user" >/dev/null 2>&1 || refuse 69 "there is no user $user" 'name the one who is to run it with --user'
    if [ "$(id -u -- "$user")" != "$(id -u)" ] && [ "$(id -u)" -ne 0 ]; then
        others='or root'
        [ "$(id -u -- "$user")" -ne 0 ] || others='and see whether it should be: --user says for whom it is'
        refuse 69 "the crontab of $user is not that of $(id -un)" "run it as $user, $others"
    fi
    command -v crontab >/dev/null 2>&1 || refuse 69 'there is no crontab here' \
        'install cron (Debian: apt-get install cron), or take install_timers.sh'
    work=$(TMPDIR=/tmp mktemp -d) || refuse 69 'cannot work in /tmp' "$see_tmp"
    trap 'rm -rf "$work"' EXIT
    trap 'exit 143' HUP INT TERM
    # shellcheck disable=SC2016  # for the shell that reads it
    printf 'cat -- "$1" >"$(dirname -- "$0")/now"\n' >"$work/look" || refuse 69 "cannot write in $work" "$see_tmp"
}

their_crontab() {
    if [ "$(id -u -- "$user")" = "$(id -u)" ]; then crontab "$@"; else crontab -u "$user" "$@"; fi
}

# The crontab as it is, in the file `now`; an empty one where there is none. `crontab -l` shows some bytes as others, so it is
# looked at as an editor does, one that changes nothing. Were it asked whether to go on, it is told no.
read_crontab() { # [WHAT-IF-NOT]
    rm -f "$work/now"
    # Where there is none, an editor gets an example.
    if ! why=$(their_crontab -l 2>&1 >/dev/null); then
        case $why in
            *'no crontab for '*)
                : >"$work/now"
                return 0
                ;;
        esac
    fi
    if ! why=$(echo n | VISUAL="sh $work/look" EDITOR="sh $work/look" their_crontab -e 2>&1) || [ ! -f "$work/now" ]; then
        what=${1:-cannot read the crontab of $user}
        case $why in *'No space left on device'*) refuse 2 "$what: $why" "$see_tmp" ;; esac
        refuse 2 "$what: $why" \
            "where there is an /etc/cron.allow it has to name $user, and /etc/cron.deny may not; or take install_timers.sh, as root"
    fi
}

our_block() {
    # To cron, % ends a command.
    escaped=$(printf '%s\n' "$root" | sed 's/%/\\%/g')
    cat <<END
# BEGIN cr0sync $root
# cr0sync: each minute; what is done is said in logs/cron_*.log. remove_crontabs.sh takes this block out again.
* * * * * '$escaped/cron_sync_databases.sh'
* * * * * '$escaped/cron_sync_logs.sh'
* * * * * '$escaped/cron_security_monitoring.sh'
# END cr0sync $root
END
}

# What the crontab is to be, in the file `next`: with the block that is in the file `block`, where the one is that is there, else
# at the end. An empty file takes it out. Lines inside of it that are not ours stay, behind it.
replace_block() {
    code=0
    awk -v root="$root" -v block="$work/block" '
        function put(  ours) {
            while (!is_put && (getline ours <block) > 0) print ours
            is_put = 1
        }
        BEGIN { begins = "# BEGIN cr0sync " root; ends = "# END cr0sync " root }
        # Editors of other systems end a line otherwise.
        { line = $0; sub(/\r$/, "", line) }
        line == begins { if (is_in) exit broken = 1; is_in = 1; put(); next }
        line == ends { if (!is_in) exit broken = 1; is_in = 0; printf "%s", theirs; theirs = ""; next }
        is_in && (line ~ /^# cr0sync: / || line ~ /\/cron_(sync_databases|sync_logs|security_monitoring)\.sh\047$/) { next }
        is_in { theirs = theirs $0 "\n"; next }
        { print }
        END { if (broken || is_in) exit 1; put() }
    ' "$work/now" >"$work/next" || code=$?
    # What awk itself cannot do ends with 2.
    [ "$code" -le 1 ] || refuse 2 "cannot write down what the crontab of $user is to be; nothing was changed" "$see_tmp"
    if [ "$code" -eq 1 ]; then
        refuse 2 "the crontab of $user has half a block of cr0sync" \
            "see it with crontab -e: between '# BEGIN cr0sync $root' and '# END cr0sync $root' stand our lines; mend or remove all"
    fi
}

# Gives the crontab what the file `next` says, and looks whether it has it.
write_crontab() {
    if cmp -s "$work/now" "$work/next"; then return 1; fi
    if [ -s "$work/next" ]; then
        their_crontab "$work/next" || refuse 2 "the crontab of $user was not changed" 'see what crontab said'
    else
        their_crontab -r || refuse 2 "the crontab of $user was not removed" 'see what crontab said'
    fi
    read_crontab "the crontab of $user was written, and cannot be read again to see whether all of it is there"
    cmp -s "$work/now" "$work/next" || refuse 2 "the crontab of $user is not what was written" 'look at it with crontab -l'
}
