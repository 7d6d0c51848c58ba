# shellcheck shell=sh
# Part of cr0sync. What the scripts beside it have in common, which read this file into themselves: how their options are read,
# how they refuse, whose the system is, what is set in ROOT/cron.env, and who could exchange what cron runs.
#
# That file is read line by line, and no part of it is ever run: NAME=value, # and empty lines. It says which PHP runs, so
# one that others could have written counts for nothing.
# shellcheck disable=SC2034,SC2154  # used, and set, by those who read this

# As what programs say is read, and options may stand behind words.
LC_ALL=C
export LC_ALL
unset POSIXLY_CORRECT

refuse() { # EXIT WHAT WHAT-TO-DO
    echo "${0##*/}: $2" >&2
    echo "  $3" >&2
    exit "$1"
}

# Whether nobody can write there, whatever its owner and mode. Where nothing tells, that is not said. Of file systems that are
# mounted over each other the last one counts.
is_read_only() { # PATH
    [ ! -w "$1" ] || return 1
    case ,$(findmnt -no OPTIONS -T "$1" 2>/dev/null | tail -n 1), in *,ro,*) return 0 ;; *) return 1 ;; esac
}

read_only_help="see why (dmesg; after an error of the disk the kernel does that), then as root mount it for writing (mount -o remount,rw)"

# Sets root, user, units, is_printed, is_removal and is_rehearsal, of which a script knows some: `--root=` takes a word, which may
# stand behind it or be the next one, and `--print` none. What is not given is empty, and the root where the script lies.
read_options() { # KNOWN WORD...
    known=" $1 "
    shift
    root=$here user='' units='' is_printed='' is_removal='' is_rehearsal=''
    while [ $# -gt 0 ]; do
        name=${1%%=*} value=
        case $known in
            *" $name= "*)
                case $1 in
                    *=*) value=${1#*=} ;;
                    *) if [ $# -gt 1 ]; then value=$2 && shift; fi ;;
                esac
                [ -n "$value" ] || refuse 64 "$name needs a word" "$usage"
                ;;
            *" $1 "*) ;;
            *) refuse 64 "unknown option $1" "$usage" ;;
        esac
        case $name in
            --root) root=$value ;;
            --user) user=$value ;;
            --to) units=$value ;;
            --print) is_printed=yes ;;
            --remove) is_removal=yes ;;
            --dry-run) is_rehearsal=yes ;;
            *) refuse 64 "unknown option $1" "$usage" ;;
        esac
        shift
    done
    [ -d "$root" ] || refuse 64 "there is no directory $root" "$usage"
    root=$(CDPATH='' cd -- "$root" && pwd)
}

# The user whose the system is, and for whom cron runs it: the owner of the root; where that is root, the owner of the first cron
# script; where that is root as well, the owner of sync_state. In another format of stat, his number or his group.
system_user() { # ROOT [FORMAT]
    # Behind the root no link is followed: whoever made one there would choose the user by it.
    for witness in "$1/." "$1/cron_sync_databases.sh" "$1/sync_state"; do
        if [ "$(stat -c %u -- "$witness" 2>/dev/null || echo 0)" -ne 0 ]; then
            stat -c "${2:-%U}" -- "$witness"
            return 0
        fi
    done
    stat -c "${2:-%U}" -- "$1/."
}

# A path as a shell takes it, for commands that are shown.
quoted() { # PATH
    case $1 in
        *[!A-Za-z0-9_./:+,@-]*) printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")" ;;
        *) printf '%s' "$1" ;;
    esac
}

# Sets PHP, WEB, CONFIG, TIMEOUT, LOG_BYTES, LOG_KEEP and METRICS; what is wrong with the file is in `unsettled`.
read_settings() { # ROOT [USER]
    PHP=/usr/bin/php WEB=/var/www/html CONFIG='' TIMEOUT=600 LOG_BYTES=1048576 LOG_KEEP=5 METRICS=''
    unsettled=
    settings=$1/cron.env
    if [ ! -e "$settings" ] && [ ! -L "$settings" ]; then return 0; fi
    if ! believed "$settings" "${2:-$(id -un)}"; then
        unsettled="$settings is not read, as others than root and ${2:-$(id -un)} could have written it: chown it, chmod 644"
        return 0
    fi
    # As root's umask may have it.
    if [ ! -r "$settings" ] && [ "$(id -un)" = "${2:-$(id -un)}" ]; then
        unsettled="$settings is not read, as $(id -un) may not: as root, chmod 644 it"
        return 0
    fi
    number=0 return=$(printf '\r')
    while IFS= read -r line || [ -n "$line" ]; do
        number=$((number + 1))
        # As editors of other systems end a line.
        line=${line%"$return"}
        case $line in
            '' | '#'*) ;;
            *=\"*\" | *=\'*\') unsettle "line $number has quotes, which nothing here needs or takes away: $line" ;;
            WEB=[!/]* | CONFIG=[!/]* | METRICS=[!/]*) unsettle "line $number: that path must begin with /: $line" ;;
            PHP=?*) PHP=${line#*=} ;;
            WEB=?*) WEB=${line#*=} ;;
            CONFIG=*) CONFIG=${line#*=} ;;
            METRICS=*) METRICS=${line#*=} ;;
            TIMEOUT=*) set_number TIMEOUT "${line#*=}" ;;
            LOG_BYTES=*) set_number LOG_BYTES "${line#*=}" ;;
            LOG_KEEP=*) set_number LOG_KEEP "${line#*=}" ;;
            *) unsettle "line $number is not understood: $line" ;;
        esac
    done <"$settings"
}

set_number() { # NAME VALUE
    case $2 in
        '' | 0* | *[!0-9]* | ??????????*) unsettle "line $number: $1 needs a number from 1 on, not ${2:-nothing}" ;;
        *) eval "$1=$2" ;;
    esac
}

unsettle() { # WHAT
    unsettled="${unsettled:-$settings:}${unsettled:+;} $1"
}

# A regular file of root or of that user that nobody else may write.
believed() { # FILE USER
    [ -n "$(find "$1" -maxdepth 0 -type f '(' -user root -o -user "$2" ')' ! -perm /022 2>/dev/null)" ]
}

# By what others than root and that user may put something else in the place of what cron runs, after read_settings, a line each:
# a file itself, a link to it, or a directory above it that they may write in, unless it is sticky. A link is another way to what
# it leads to.
open_to_others() { # ROOT USER
    allowed=$2
    set -- "$1"/*.sh "$1/cron.env" "$PHP" "$WEB"/cr0sync/*.php
    for script in database_sync_script.php log_sync_script.php security_monitoring_script.php; do set -- "$@" "$WEB/$script"; done
    for file; do
        for one in "$file" "$(realpath -e -- "$file" 2>/dev/null || echo "$file")"; do
            while [ -n "$one" ]; do
                echo "$one"
                case $one in
                    /*) one=${one%/*} ;;
                    *) one= ;;
                esac
            done
        done
    done | sort -u | while IFS= read -r one; do
        find "$one" -maxdepth 0 '(' ! -type l -perm /022 ! '(' -type d -perm -1000 ')' -o ! -user root ! -user "$allowed" ')' \
            2>/dev/null || :
    done
    find / -maxdepth 0 -perm /022 ! -perm -1000
}
