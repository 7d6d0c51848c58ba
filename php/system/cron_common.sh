# shellcheck shell=sh
# Part of cr0sync. What the three cron scripts do alike: one run at a time, bounded, told in a log that rotates by itself, and
# remembered in sync_state/cron. They read this file into themselves, and set job, log, script, work, rehearsal, cleanups
# and cleanup_every.
#
# Invariant: nothing outlives a run but the log and one small file, which is replaced as a whole. The lock is the kernel's,
# and no child gets it, so a run that is killed is as if it had not been. Where pages may write (logs/), no link is followed
# and no pipe is waited for. What cannot be said in the log is said on standard error, which cron mails, and ends with 69.
# shellcheck disable=SC2154,SC2034  # set by those who read this, and used by their names

# shellcheck source=php/system/settings.sh
. "$here/settings.sh"

# After this many seconds what did not end when it was told to is killed.
GRACE=30
# Whether the script is still there is looked at so often while it waits (seconds).
NAP=5
# So long before the end of its time a run is looked at, or a sixth of that (seconds).
MARGIN=5
# So often is said that it runs, and said again what is as it was (seconds).
HOUR=3600
# More lines of one run are not put into the log.
MOST_LINES=200
# So much room is kept for what PHP says (bytes).
ROOM=16384
# So much of the end of the log is looked through for what was said before (bytes).
TAIL=65536

cron_job() {
    usage="write ${0##*/} [--root DIRECTORY] [--dry-run]"
    is_unlogged='' out=''
    read_options '--root= --dry-run' "$@"
    read_settings "$root"
    if [ -n "$is_rehearsal" ]; then
        rehearse
    fi
    prepare
    lock
    recall
    rotate
    now=$(date +%s)
    [ -z "$unsettled" ] || say_once WARNING settings "$unsettled"
    # shellcheck disable=SC2086  # words of ours
    run $work
    clean_up
    beat
    rm -f -- "$out" "$held"
    last_exit=$code
    last_run=$(date +%s)
    case $code in 0 | 1) last_success=$last_run ;; esac
    if ! why=$(remember 2>&1); then
        stop "cannot write $cron/$job: ${why##*: }" "$see_disk"
    fi
    [ -z "$is_unlogged" ] || exit 69
}

# What keeps it from its work, or from remembering it: on standard error each time, and in the log when it begins and each hour.
stop() { # WHAT WHAT-TO-DO
    now=$(date +%s)
    rm -f -- ${out:+"$out"}
    if is_theirs && is_due "$(told_in_log "$1 (exit 69)")" "$HOUR" && ! append "$(lines_of ERROR "$1 (exit 69)
  $2")" && [ -z "$is_unlogged" ]; then
        echo "${0##*/}: cannot write $root/logs/$log, and what follows is not in it: $why" >&2
    fi
    refuse 69 "$1" "$2"
}

# Whether this is who keeps the log. Others say what stops them only to themselves: as root they would make a log that is root's.
is_theirs() {
    [ "$(id -u)" -ne "$(system_user "$root" %u)" ] || return 0
    [ "$(id -u)" -ne 0 ] && [ -O "$root/sync_state" ]
}

# When the log said that last, in seconds; 0 where it did not.
told_in_log() { # WHAT
    path=$root/logs/$log
    if [ -L "$path" ] || [ ! -f "$path" ] || [ ! -r "$path" ]; then
        echo 0
        return 0
    fi
    size=$(stat -c %s -- "$path")
    line=$(dd iflag=nofollow,nonblock,skip_bytes bs="$TAIL" skip="$((size > TAIL ? size - TAIL : 0))" count=1 status=none \
        if="$path" 2>/dev/null | grep -F -- " - ERROR - $1" | tail -n 1) || :
    [ -n "$line" ] && date -u -d "${line%% UTC - *} UTC" +%s 2>/dev/null || echo 0
}

# Shows what a run would do, and changes nothing: no lock, no log.
rehearse() {
    [ -z "$unsettled" ] || echo "${0##*/}: $unsettled" >&2
    # shellcheck disable=SC2086  # words of ours
    set -- $rehearsal --line --root "$root" ${CONFIG:+--config "$CONFIG"}
    exec timeout -k "$GRACE" "$TIMEOUT" "$PHP" "$WEB/$script" "$@" </dev/null
}

# That what is remembered is there and this user's, so that nobody else could have put something else there.
prepare() {
    state=$root/sync_state
    if is_read_only "$root" || { [ -d "$state" ] && is_read_only "$state"; }; then
        stop "the file system of $state can only be read" "$read_only_help"
    fi
    if [ ! -e "$state" ] && [ ! -L "$state" ]; then
        [ "$(system_user "$root" %u)" -eq "$(id -u)" ] ||
            stop "there is no $state, and only $(system_user "$root"), whose the system is, makes it" 'run it as that user'
        make_directory "$state" 3770
    fi
    theirs=$(system_user "$root")
    # As root nobody is kept from anything, but what he makes is closed to whose it should be.
    if [ ! -O "$state" ] || { [ "$(id -u)" -eq 0 ] && [ "$theirs" != root ]; }; then
        holder=$(stat -Lc %U -- "$state" 2>/dev/null || echo nobody)
        if [ "$holder" != "$theirs" ] && [ "$theirs" != root ]; then
            stop "$state belongs to $holder, and this is $(id -un)" \
                "give it back to whom the system belongs, as root: chown -hR $(system_user "$root" %U:%G) $(quoted "$state")"
        fi
        if [ "$holder" = root ]; then
            # All of it is root's, which is how it looks where somebody gave it to root. Nothing of it is to run as root.
            stop "$root and $state belong to root, and this is $(id -un)" \
                "put nothing into root's crontab: as root, doctor says to whom they go back (chown -hR)"
        fi
        stop "$state belongs to $holder, and this is $(id -un)" \
            'run it as that user: install_crontabs.sh puts it into the right crontab'
    fi
    make_directory "$state/locks" 3770
    if [ -L "$state/locks" ] || [ ! -O "$state/locks" ]; then
        stop "$state/locks is not a directory of $(id -un)" 'find out why, and move it away; the next run makes another'
    fi
    make_directory "$state/cron" 2750
    cron=$state/cron
    # Pages may make something of that name in sync_state as well.
    if [ -L "$cron" ] || [ ! -O "$cron" ]; then
        stop "$cron is not a directory of $(id -un)" 'find out why, and move it away; the next run makes another'
    fi
    [ -z "$(find "$cron" -maxdepth 0 -perm /022)" ] || chmod go-w -- "$cron"
    see_disk="see whether the disk is full: df -h $(quoted "$cron"); df -i $(quoted "$cron")"
    if [ ! -d "$root/logs" ]; then make_directory "$root/logs" 2775; fi
}

make_directory() { # PATH MODE
    if [ -d "$1" ]; then return 0; fi
    # Another job may make it at the same time.
    why=$(mkdir -m 0700 -- "$1" 2>&1) || [ -d "$1" ] ||
        stop "cannot make $1: ${why##*: }" 'see what is there, whose the directory above it is, and whether the disk is full'
    chgrp --reference="$(dirname -- "$1")" -- "$1" 2>/dev/null || :
    chmod "$2" -- "$1"
}

# One at a time. The lock is a file that nobody else may open, so nobody else can hold it.
lock() {
    file=$state/locks/cron-$job.lock
    if [ ! -e "$file" ] && [ ! -L "$file" ]; then
        # Another one may make it at the same time.
        why=$( (umask 077 && set -C && : >"$file") 2>&1) || [ -e "$file" ] || [ -L "$file" ] ||
            stop "cannot make the lock $file: ${why##*: }" 'see whose that directory is, and whether the disk is full'
    fi
    if [ -L "$file" ] || [ ! -f "$file" ] || [ ! -O "$file" ]; then
        stop "the lock $file is not a file of $(id -un)" 'find out why, and move it away; the next run makes another'
    fi
    # Else the shell would end here, without a word in the log.
    if [ ! -w "$file" ]; then
        why=$(chmod 0600 -- "$file" 2>&1) ||
            stop "cannot open the lock $file: ${why##*: }" 'see whether the file system was mounted again to be read only'
    fi
    exec 9>>"$file"
    held_by=0
    why=$(flock -n 9 2>&1) || held_by=$?
    case $held_by in
        0) ;;
        1) exit 0 ;;
        *) stop "$file cannot be locked: ${why##*: }" 'flock must be there, of util-linux, and the file system must know locks' ;;
    esac
    chmod 0600 -- "$file"
}

# What the run before left: numbers, and a digest. Anything else is as if it were not there.
recall() {
    last_run=0 last_exit=0 last_success=0 since=0 runs=0 total=0 last_heartbeat=0 last_cleanup=0 last_work=0
    locked_since=0 locked_told=0 told=0 told_at=0 settings_told=0 settings_told_at=0 cleanup_failed=0
    [ -f "$cron/$job" ] && [ -r "$cron/$job" ] || return 0
    while IFS='=' read -r name value; do
        case $value in '' | *[!0-9]* | ???????????????*) continue ;; esac
        case $name in
            last_run | last_exit | last_success | since | runs | total | last_heartbeat | last_cleanup | last_work | \
                locked_since | locked_told | told | told_at | settings_told | settings_told_at | cleanup_failed) eval "$name=$value" ;;
        esac
    done <"$cron/$job"
    # Before the clock was set back.
    [ "$since" -le "$(date +%s)" ] || since=0 runs=0
}

# What readers and the next run are to know, replaced as a whole. Before a run it says since when that is at work, and how long it
# may be: who reads it tells a long run from a cron that stands still. What never was is not there, or 0.
remember() {
    text="cr0sync cron 1
started=$began
timeout=$TIMEOUT"
    [ "$last_run" -eq 0 ] || text="$text
last_run=$last_run
last_exit=$last_exit"
    [ "$last_success" -eq 0 ] || text="$text
last_success=$last_success"
    for name in since runs total last_heartbeat last_cleanup last_work locked_since locked_told told told_at settings_told \
        settings_told_at cleanup_failed; do
        eval "text=\"\$text
$name=\$$name\""
    done
    if (umask 027 && printf '%s\n' "$text" | dd of="$cron/$job.new" iflag=fullblock status=none) &&
        mv -fT -- "$cron/$job.new" "$cron/$job"; then
        return 0
    fi
    rm -f -- "$cron/$job.new"
    return 1
}

# Whether so many seconds have passed. A clock that was set back makes it due, instead of never.
is_due() { # WHEN SECONDS
    [ "$now" -lt "$1" ] || [ "$((now - $1))" -ge "$2" ]
}

run() { # COMMAND
    if [ -n "$METRICS" ]; then
        bounded "$1" --metrics "$METRICS/cr0sync.prom"
    else
        bounded "$1"
    fi
    code=$status
    cause=
    [ "$status" -le 1 ] || cause=$(digest_of_output)
    runs=$((runs + 1)) total=$((total + 1))
    [ "$since" -gt 0 ] || since=$now
    if [ "$status" -eq 75 ]; then
        locked
        return 0
    fi
    locked_since=0
    if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
        told=1
        say_output
    elif has_done; then
        last_work=$now
        told=0
        say_output
    elif [ "$status" -eq 0 ] && [ ! -s "$out" ]; then
        # Whatever was told is over.
        if [ "$told" -ne 0 ]; then say INFO 'what was said before is over'; fi
        told=0
    else
        say_output_once
    fi
}

# Another run is at work, which is nothing to tell; unless it is for longer than any run may take.
locked() {
    [ "$locked_since" -gt 0 ] && [ "$locked_since" -le "$now" ] || locked_since=$now
    if [ "$((now - locked_since))" -gt "$TIMEOUT" ] && is_due "$locked_told" "$HOUR"; then
        locked_told=$now
        say WARNING "another run has kept this one from its work since $(stamp "$locked_since"): $(head -n 1 "$out")"
        holders | while IFS= read -r one; do say WARNING "  $one"; done
    fi
}

# Cleanups wait while another run is at work, and for an hour where they failed.
clean_up() {
    if [ "$cleanup_every" -eq 0 ] || ! is_due "$last_cleanup" "$cleanup_every"; then return 0; fi
    case $code in 0 | 1 | 2) ;; *) return 0 ;; esac
    # shellcheck disable=SC2086  # words of ours
    set -- $cleanups
    left=$cleanups parts=$((1 + $#))
    for cleanup in $cleanups; do
        bounded "$cleanup"
        [ "$status" -ne 75 ] || return 0
        if [ "$status" -gt 1 ] && [ "$(digest_of_output)" = "$cause" ]; then
            # shellcheck disable=SC2086  # words of ours
            set -- $left
            say ERROR "the same keeps it from $(printf '%s, ' "$@" | sed 's/, $//'): $((1 + $#)) of $parts parts of this run are not done"
        elif [ "$status" -ne 0 ] || [ -s "$out" ]; then
            say_output
        fi
        left=${left#"$cleanup"} left=${left# }
        # The first failure is the one that is remembered, whatever was found before it.
        if [ "$code" -le 1 ] && [ "$status" -gt "$code" ]; then code=$status; fi
        if [ "$status" -gt 1 ]; then
            last_cleanup=$((now - cleanup_every + HOUR)) cleanup_failed=$now
            return 0
        fi
    done
    last_cleanup=$now cleanup_failed=0
}

# Once an hour, so that a log without news is not taken for one of a cron that stands still.
beat() {
    is_due "$last_heartbeat" "$HOUR" || return 0
    did='nothing was to be done yet'
    case $code in 0 | 1 | 75) ;; *) did='nothing was done yet' ;; esac
    [ "$last_work" -eq 0 ] || did="last did something at $(stamp "$last_work")"
    case $code in 0 | 1 | 75) ;; *) did="$did, and this one ended with $code" ;; esac
    say INFO "running: $runs $([ "$runs" -eq 1 ] && echo run || echo runs) since $(stamp "$since"), $did"
    last_heartbeat=$now runs=0 since=$now
}

# Runs the script for at most TIMEOUT seconds; sets `status`, and leaves what it said in the file `out`.
bounded() { # COMMAND [WORD...]
    held=$cron/$job.held
    rm -f -- ${out:+"$out"} "$held"
    command=$1 ending='' advice=
    began=$(date +%s)
    begun=$(uptime)
    # Where that cannot be written the work is done all the same; what is remembered after it says so.
    remember 2>/dev/null || :
    make_room
    timeout -k "$GRACE" "$TIMEOUT" "$PHP" "$WEB/$script" "$@" --line --root "$root" ${CONFIG:+--config "$CONFIG"} \
        >>"$out" 2>&1 </dev/null 9>&- &
    child=$!
    look_before_the_end >/dev/null 2>&1 </dev/null 9>&- &
    looker=$!
    trap told_to_end HUP INT TERM
    status=0
    wait "$child" || status=$?
    kill "$looker" 2>/dev/null || :
    wait "$looker" 2>/dev/null || :
    trap - HUP INT TERM
    took=$(($(uptime) - begun))
    # The PHP of a command line says so itself, and ends as if it had found something.
    if [ "$status" -eq 1 ] && [ ! -r "$WEB/$script" ]; then
        advice="  there is no $WEB/$script that $(id -un) may read: set WEB= in $root/cron.env"
        status=69
    fi
    case $status in
        124) ending="$command did not end within $TIMEOUT seconds, and was ended" ;;
        137) if [ "$took" -ge "$TIMEOUT" ]; then
            ending="$command did not end within $TIMEOUT seconds, nor when it was told to, and was killed"
        else
            ending="$command was killed by somebody else after $took seconds; where memory is short, the kernel does that"
        fi ;;
        126 | 127) advice="the PHP $PHP cannot be run: set PHP= in $root/cron.env" ;;
    esac
}

# As when the machine is shut down.
told_to_end() {
    trap '' HUP INT TERM
    kill "$child" "$looker" 2>/dev/null || :
    took=$(($(uptime) - begun))
    say WARNING "$command was told to end after $took seconds (exit 143); the next minute tries again"
    rm -f -- "$out"
    exit 143
}

# Sets `out` to a file for what PHP says. Room for it is had before PHP may need all that is left, as else a full disk would have a
# run fail without a word; where there is none, the file is in memory, or wherever room is.
make_room() {
    out=$cron/$job.out
    ! has_room "$out" || return 0
    reason=$why
    rm -f -- "$out"
    for place in /dev/shm /tmp; do
        out=$(mktemp -p "$place" cr0sync-cron.XXXXXX 2>/dev/null) || continue
        ! has_room "$out" || return 0
        rm -f -- "$out"
    done
    out=
    stop "cannot write $cron/$job.out, nor in /dev/shm and /tmp, so that nothing can be run: $reason" "$see_disk"
}

# Whether a file has room, which it then keeps where the file system can do that; else `why` says why.
has_room() { # PATH
    if ! why=$(umask 027 && dd if=/dev/zero of="$1" bs="$ROOM" count=1 status=none 2>&1); then
        why=${why##*: }
        return 1
    fi
    : >"$1"
    fallocate -n -l "$ROOM" "$1" 2>/dev/null || :
}

# What a run said; before it, what it was at where it did not end.
output() {
    if [ -z "$ending" ]; then
        cat -- "$out"
        return 0
    fi
    echo "$ending; the next minute tries again"
    [ ! -f "$held" ] || sed 's/^/  at that time /' "$held"
    sed 's/^/  it said: /' "$out"
}

# Shortly before the time is over, as afterwards nobody holds anything any more. Each nap takes a little longer than it should, so
# what is left is counted by a clock, one that nobody sets.
look_before_the_end() {
    nap=
    trap '[ -z "$nap" ] || kill "$nap" 2>/dev/null; exit 0' TERM
    margin=$((TIMEOUT / 6))
    margin=$((margin > MARGIN ? MARGIN : margin > 0 ? margin : 1))
    while
        left=$((begun + TIMEOUT - margin - $(uptime)))
        [ "$left" -gt 0 ]
    do
        sleep "$((left > NAP ? NAP : left))" &
        nap=$!
        wait "$nap"
        # $$ is the script: should that be killed, nobody is left to tell.
        kill -0 "$$" || exit 0
    done
    holders >"$held.new"
    [ -s "$held.new" ] || echo 'no lock of ours was held' >"$held.new"
    mv -fT -- "$held.new" "$held"
}

# Whole seconds since the machine was started.
uptime() {
    read -r up _ </proc/uptime
    echo "${up%%.*}"
}

# Who holds which lock of ours, as the kernel knows it, a line for each.
holders() {
    for file in "$root/sync_state/lock" "$root/sync_state/logs/lock" "$root"/sync_state/locks/*.lock; do
        if [ ! -f "$file" ] || [ -L "$file" ]; then continue; fi
        name=${file##*/}
        case $file in
            */locks/cron-*) continue ;;
            */locks/*) name=${name%.lock} ;;
            */logs/lock) name=logs ;;
            *) name=databases ;;
        esac
        process=$(holder "$file")
        [ -z "$process" ] ||
            echo "process $process ($(tr '\0' ' ' <"/proc/$process/cmdline" 2>/dev/null)) held the lock $name"
    done
}

# The process that holds the lock of a file. The kernel's list is told in pieces, and where others lock and let go meanwhile, a
# line can be passed over: so twice.
holder() { # FILE
    cat /proc/locks /proc/locks 2>/dev/null | awk -v inode="$(stat -c %i -- "$1")" '
        $2 == "FLOCK" && $5 > 0 && split($6, place, ":") == 3 && place[3] == inode { print $5, place[1] ":" place[2] }' |
        sort -u | while read -r process on; do
        if is_of "$1" "$process" "$on"; then
            echo "$process"
            break
        fi
    done
}

# Whether such a lock is of that file, and not of one of the same number elsewhere. Layered file systems say another device in the
# list than to those who look at the file; then it is the file that the process has open, or that it has signed.
is_of() { # FILE PROCESS DEVICE-IN-HEX
    device=$(stat -c %d -- "$1" 2>/dev/null) || return 1
    [ "$3" != "$(printf '%02x:%02x' "$((device >> 8 & 4095))" "$((device & 255 | device >> 12 & 1048320))")" ] || return 0
    stat -Lc %d:%i -- "/proc/$2/fd"/* 2>/dev/null | grep -qxF "$(stat -c %d:%i -- "$1")" ||
        dd iflag=nofollow,nonblock bs=64 count=1 status=none if="$1" 2>/dev/null | grep -q "^process $2 since "
}

# Whether the run did something, which is said each time it happens.
has_done() {
    [ "$status" -le 2 ] || return 1
    case $(head -n 1 "$out") in
        '' | nothing* | *_script.php:* | PHP\ * | Fatal*) return 1 ;;
    esac
}

# What stays as it is would fill the log: it is said when it begins, and each hour.
say_output_once() {
    digest=$(digest_of_output)
    if [ "$digest" != "$told" ] || is_due "$told_at" "$HOUR"; then
        say_output
        # What is in no log was not told.
        told=0 told_at=0
        [ -n "$is_unlogged" ] || told=$digest told_at=$now
    fi
}

# The same for what is the same but for how long it took, and who held what.
digest_of_output() {
    { echo "$status$advice" && sed 's/[0-9]* ms//g; s/process [0-9]*//g' "$out"; } | cksum | cut -d' ' -f1
}

say_once() { # LEVEL NAME MESSAGE
    digest=$(printf '%s' "$3" | cksum | cut -d' ' -f1)
    if [ "$digest" != "$settings_told" ] || is_due "$settings_told_at" "$HOUR"; then
        say "$1" "$3"
        [ -n "$is_unlogged" ] || settings_told=$digest settings_told_at=$now
    fi
}

say_output() {
    case $status in
        0) level=INFO ;;
        1) level=WARNING ;;
        *) level=ERROR ;;
    esac
    said=$(output | head -n "$MOST_LINES")
    lines=$(output | wc -l)
    [ "$lines" -le "$MOST_LINES" ] || said="$said
  and $((lines - MOST_LINES)) lines more"
    # Not by way of the file, for which there may be no room left.
    [ -z "$advice" ] || said="$said${said:+
}$advice"
    [ -n "$said" ] || said="$PHP $WEB/$script $command said nothing"
    # How it ended is of its first line.
    [ "$status" -eq 0 ] || said=$(printf '%s\n' "$said" | sed "1s/\$/ (exit $status)/")
    say "$level" "$said"
}

# Says it in the log, or, where that cannot be written, on standard error.
say() { # LEVEL MESSAGE
    text=$(lines_of "$1" "$2")
    if append "$text"; then return 0; fi
    if [ -z "$is_unlogged" ]; then
        echo "${0##*/}: cannot write $root/logs/$log: $why" >&2
        echo "  it must be a file that $(id -un) may write, on a disk with room; this is what it lacks:" >&2
    fi
    is_unlogged=yes
    printf '%s\n' "$text" >&2
}

# Each line of a message as a line of the log; what the PHP scripts call a warning is one, also of a run that ended well.
lines_of() { # LEVEL MESSAGE
    head="$(stamp "$(date +%s)") - cron.$job -"
    case $1 in
        INFO) worse=WARNING ;;
        *) worse=$1 ;;
    esac
    printf '%s\n' "$2" | tr -d '\000-\010\013-\037\177' |
        sed -e "s/^  warning: /$head $worse -   /" -e t -e "s/^/$head $1 - /"
}

# Adds that to the log as a whole, or not at all, and then `why` says why. No link is followed there, and no pipe waited for. One
# that is stopped before it has the lock of its job writes there too, so one at a time does: the lock is that of the directory.
# Pages may hold it, so it is not waited for long.
append() { # TEXT
    if [ -d "$root/logs" ] && [ -r "$root/logs" ]; then
        {
            is_alone=yes
            flock -w 2 8 2>/dev/null || is_alone=
            write_log "$1"
        } 8<"$root/logs"
    else
        is_alone=
        write_log "$1"
    fi
}

write_log() { # TEXT
    to=$root/logs/$log end='' size=
    if is_cut "$to"; then end='
'; fi
    if [ ! -e "$to" ] && [ ! -L "$to" ]; then
        size=0
    elif [ -f "$to" ] && [ ! -L "$to" ]; then
        size=$(stat -c %s -- "$to")
    fi
    if why=$(umask 002 && printf '%s%s\n' "$end" "$1" 2>/dev/null |
        dd oflag=append,nofollow,nonblock conv=notrunc bs=65536 iflag=fullblock status=none of="$to" 2>&1); then
        return 0
    fi
    why=${why##*: }
    # A full disk takes a part of it, which is taken back; what somebody else has written since is not. In blocks of a byte, as dd
    # empties a file of which less than one is to stay.
    if [ -n "$is_alone" ] && [ -n "$size" ] && is_begun "$1"; then
        dd if=/dev/null of="$to" oflag=nofollow,nonblock conv=nocreat bs=1 seek="$size" count=0 status=none 2>/dev/null || :
    fi
    return 1
}

# Whether all that the log has got is a part of that.
is_begun() { # TEXT
    got=$(dd iflag=nofollow,nonblock,skip_bytes bs=65536 skip="$size" status=none if="$to" 2>/dev/null | cksum)
    length=${got#* }
    [ "$length" -gt 0 ] && [ "$(printf '%s%s\n' "$end" "$1" | head -c "$length" | cksum)" = "$got" ]
}

# Whether the last line of a file has no end.
is_cut() { # PATH
    if [ -L "$1" ] || [ ! -f "$1" ] || [ ! -s "$1" ]; then return 1; fi
    last=$(($(stat -c %s -- "$1") - 1))
    [ "$(dd iflag=nofollow,nonblock,skip_bytes bs=1 skip="$last" count=1 status=none if="$1" 2>/dev/null | wc -l)" -eq 0 ]
}

stamp() { date -u -d "@$1" '+%Y-%m-%d %H:%M:%S UTC'; }

# By size, before anything is written: LOG.1 is the newest, LOG.$LOG_KEEP the oldest.
rotate() {
    path=$root/logs/$log
    if [ -L "$path" ] || [ ! -f "$path" ] || [ "$(stat -c %s -- "$path")" -lt "$LOG_BYTES" ]; then return 0; fi
    number=$LOG_KEEP
    while [ "$number" -gt 1 ]; do
        older=$path.$number
        number=$((number - 1))
        if [ -f "$path.$number" ]; then mv -fT -- "$path.$number" "$older" || return 0; fi
    done
    mv -fT -- "$path" "$path.1" || :
}
