# shellcheck shell=sh
# Part of cr0sync. What is set in ROOT/cron.env, for the scripts beside it, which read this file into themselves.
#
# That file is read line by line, and no part of it is ever run: NAME=value, # and empty lines. It says which PHP runs, so
# one that others could have written counts for nothing.
# shellcheck disable=SC2034  # used by those who read this

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
    number=0
    while IFS= read -r line || [ -n "$line" ]; do
        number=$((number + 1))
        case $line in
            '' | '#'*) ;;
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

# Whether others than root and the owner of the root may put something else in the place of a file: by the file, or by a
# directory above it that they may write in, unless it is sticky.
open_to_others() { # FILE OWNER
    [ -z "$(find "$1" -maxdepth 0 '(' -perm /022 -o ! -user root ! -user "$2" ')' 2>/dev/null)" ] || return 0
    above=$(dirname -- "$1")
    while :; do
        [ -z "$(find "$above" -maxdepth 0 '(' -perm /022 ! -perm -1000 -o ! -user root ! -user "$2" ')' \
            2>/dev/null)" ] || return 0
        [ "$above" != / ] || return 1
        above=$(dirname -- "$above")
    done
}
