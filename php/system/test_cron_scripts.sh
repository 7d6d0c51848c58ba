#!/bin/sh
# Part of cr0sync. Runs each cron script as cron would, but without changing anything, and says in words what is wrong: PHP and
# its version, the extension, paths, permissions, the crontab. Ends with what doctor says of the rest.
#
#     test_cron_scripts.sh [--root DIRECTORY]
#
# Exit codes: 0 all is well, 1 something is worth a look, 2 something does not work.
set -eu
# A crontab may say another, in which nothing of the system is.
PATH=${PATH:+$PATH:}/usr/sbin:/usr/bin:/sbin:/bin
export PATH
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
# shellcheck source=php/system/settings.sh
. "$here/settings.sh"

usage='write test_cron_scripts.sh [--root DIRECTORY]'
read_options '--root=' "$@"
worst=0
good() { echo "ok     $1"; }
look() { # WHAT WHAT-TO-DO
    echo "look   $1"
    echo "       $2"
    [ "$worst" -gt 1 ] || worst=1
}
wrong() { # WHAT WHAT-TO-DO
    echo "WRONG  $1"
    echo "       $2"
    worst=2
}

owner=$(system_user "$root")
group=$(system_user "$root" %G)
holder=$(stat -Lc %U -- "$root/sync_state" 2>/dev/null || echo "$owner")
if [ "$(id -un)" != "$owner" ] && [ "$(id -u)" -ne 0 ]; then
    wrong "this is $(id -un), and cron runs the jobs as $owner" "run it as $owner or root"
    exit 2
fi
# Nothing else can be told rightly then.
if [ "$holder" != "$owner" ]; then
    wrong "$root/sync_state belongs to $holder, and cron runs the jobs as $owner" \
        "as root: chown -hR $owner:$group $(quoted "$root/sync_state")"
    exit 2
fi

# As cron runs it: with little in its environment, and nothing of ours.
as_cron() {
    home=$(getent passwd "$owner" | cut -d: -f6)
    set -- env -i HOME="${home:-/}" LOGNAME="$owner" SHELL=/bin/sh PATH=/usr/bin:/bin LC_ALL=C "$@"
    if [ "$(id -un)" = "$owner" ]; then "$@"; else runuser -u "$owner" -- "$@"; fi
}

read_settings "$root" "$owner"
if [ -e "$root/cron.env" ] && ! as_cron test -r "$root/cron.env"; then
    wrong "$owner cannot read $root/cron.env, so that its settings count for nothing" "as root: chmod 644 $(quoted "$root/cron.env")"
elif [ -n "$unsettled" ]; then
    wrong "$unsettled" 'correct it'
else
    good "settings: PHP=$PHP WEB=$WEB"
fi

test_php() {
    if ! said=$(as_cron "$PHP" -r 'echo PHP_VERSION, " ", PHP_VERSION_ID >= 80200 ? 1 : 0;' 2>&1 </dev/null); then
        wrong "$owner cannot run PHP, $PHP" "install php-cli, or set PHP= in $root/cron.env"
        return 1
    fi
    case $said in
        *' 1') good "PHP ${said% *}" ;;
        *) wrong "PHP is too old, or complains: $said" "8.2 or newer is needed: set PHP= in $root/cron.env" ;;
    esac
    if as_cron "$PHP" -r 'exit(function_exists("cr0_call") ? 0 : 1);' >/dev/null 2>&1 </dev/null; then
        good 'the extension cr0sync is loaded'
    else
        wrong "the extension cr0sync is not loaded by $PHP" \
            "sudo make install puts it there; $PHP --ini lists the files that enable extensions"
        return 1
    fi
}

test_paths() {
    missing=0
    for script in database_sync_script.php log_sync_script.php security_monitoring_script.php cr0sync/start.php; do
        if [ ! -e "$WEB/$script" ]; then
            wrong "there is no $WEB/$script" \
                "set WEB= in $root/cron.env to where the scripts are, or run make install-system WEB=$WEB"
            missing=1
        elif ! as_cron test -r "$WEB/$script"; then
            wrong "$owner cannot read $WEB/$script" 'chmod a+r it, and a+x the directories above it'
            missing=1
        fi
    done
    return "$missing"
}

# Whoever may write what cron runs is the cron user. Whether pages can is for doctor to say, who knows what they run as.
test_writers() {
    open=$(open_to_others "$root" "$owner")
    case $doctor in
        *'
  problem: scripts: '*) say=wrong ;;
        *) say=look ;;
    esac
    if [ -z "$open" ]; then
        [ "$say" = wrong ] || good "nobody but root and $owner may write what cron runs"
        return 0
    fi
    "$say" "others than root and $owner may put something else in the place of what cron runs as $owner; as root:" \
        "$(printf '%s\n' "$open" | close_to_others)
       or, for what is in $WEB, set WEB=/usr/local/share/cr0sync in $root/cron.env"
}

# The command that mends it, for each path of standard input.
close_to_others() {
    before=
    # Pages may make files in the root; there it is enough that they can move none of others.
    top=$(realpath -- "$root")
    while IFS= read -r path; do
        name=$(quoted "$path")
        mode=g-w,o-w
        [ "$(realpath -- "$path")" != "$top" ] || mode=+t
        case $(stat -c %F:%U -- "$path") in
            'symbolic link':*) printf '%schown -h root %s' "$before" "$name" ;;
            *:root | *:"$owner") printf '%schmod %s %s' "$before" "$mode" "$name" ;;
            *) printf '%schown -h root %s && chmod %s %s' "$before" "$name" "$mode" "$name" ;;
        esac
        before='
       '
    done
}

test_permissions() {
    for directory in "$root/sync_state" "$root/logs" "$root/databases"; do
        if [ ! -d "$directory" ]; then
            wrong "there is no directory $directory" "make install-system ROOT=$root makes it"
        elif is_read_only "$directory"; then
            wrong "the file system of $directory can only be read" "$read_only_help"
        elif ! as_cron test -w "$directory" -a -x "$directory"; then
            wrong "$owner cannot write in $directory" "chown -h $owner:$group $directory && runuser -u $owner -- chmod ug+rwx $directory"
        fi
    done
    for log in cron_database_sync cron_log_sync cron_security; do
        file=$root/logs/$log.log
        if [ -L "$file" ]; then
            wrong "$file is a link, which is not followed" 'move it away'
        elif [ -e "$file" ] && ! is_read_only "$file" && ! as_cron test -w "$file"; then
            wrong "$owner cannot write $file" "chown -h $owner:$group $file && runuser -u $owner -- chmod 664 $file"
        fi
    done
    for job in databases logs security; do
        file=$root/sync_state/locks/cron-$job.lock
        if [ -e "$file" ] && [ "$(stat -c %U -- "$file")" != "$owner" ]; then
            wrong "the lock $file is not a file of $owner" 'find out why, and move it away'
        fi
    done
}

test_script() { # NAME
    code=0
    said=$(as_cron "$root/$1" --root "$root" --dry-run 2>&1 </dev/null) || code=$?
    case $code in
        0 | 1) good "$1: ${said:-nothing to do}" ;;
        69) case $said in
            *'(dry run, nothing was changed)'*) look "$1: $said" "a real run does more: look at its log afterwards" ;;
            *) wrong "$1 can do nothing: $said" 'see what it says' ;;
        esac ;;
        75) good "$1: another run is at work just now" ;;
        126 | 127) wrong "$1 cannot be run: $said" "make install-system ROOT=$root puts it there" ;;
        *) wrong "$1 ended with $code: ${said:-and said nothing}" 'the line above says what to do, or else --help of the PHP script' ;;
    esac
}

# Lines that are commented out call nothing.
test_crontab() {
    called=0 missing=''
    # A crontab has a backslash before each %.
    table=$(as_cron crontab -l 2>/dev/null | sed 's/\\%/%/g') || :
    lines=$(printf '%s\n' "$table" | grep '^[[:space:]]*[-@*0-9]') || :
    for script in cron_sync_databases.sh cron_sync_logs.sh cron_security_monitoring.sh; do
        case "$lines " in
            # A whole word, and no part of a longer path.
            *[[:space:]\'\"\;\&\|\(]"$root/$script"[[:space:]\'\"\;\&\|\)\<\>]*) called=$((called + 1)) ;;
            *) missing="$missing $script" ;;
        esac
    done
    timer=/etc/systemd/system/cr0sync-databases.timer
    timers='cr0sync-databases.timer cr0sync-logs.timer cr0sync-security.timer'
    # One of others', for what stands behind it.
    shell=$(printf '%s\n' "$table" | awk -v ours="$root/cron_sync_databases.sh" '
        index($0, ours) { exit }
        sub(/^[ \t]*SHELL[ \t]*=[ \t]*/, "") { gsub(/["\047 \t\r]/, ""); shell = $0 }
        END { print shell }')
    mail=$(printf '%s\n' "$table" | awk -v ours="$root/cron_sync_databases.sh" '
        index($0, ours) { exit }
        sub(/^[ \t]*MAILTO[ \t]*=[ \t]*/, "") { gsub(/["\047 \t\r]/, ""); nobody = $0 == "" }
        END { if (nobody) print "nobody" }')
    if [ "$called" -gt 0 ] && [ -n "$mail" ]; then
        look "the crontab of $owner says MAILTO=\"\" before the jobs: what they cannot write into their logs is told to nobody" \
            "crontab -e, as $owner: let it name who is to get that mail, or put that line behind our block"
    fi
    if [ "$called" -gt 0 ] && [ -n "$shell" ] && [ "$(as_cron "$shell" -c 'echo run' 2>/dev/null </dev/null)" != run ]; then
        wrong "the crontab of $owner says SHELL=$shell before the jobs, and that runs none" \
            "crontab -e, as $owner: put SHELL=/bin/sh before our block, or that line behind it"
    elif [ "$called" -eq 3 ]; then
        good "the crontab of $owner has the jobs"
    elif [ "$called" -gt 0 ]; then
        look "the crontab of $owner does not call$missing: there is no line for that, or it is commented out" \
            "$(quoted "$root/install_crontabs.sh") puts it back"
    elif ! grep -qsxF "# cr0sync $(printf '%s' "$root" | sed 's/%/%%/g')" "$timer"; then
        look "neither the crontab of $owner nor systemd calls the jobs" "run $(quoted "$root/install_crontabs.sh")"
    elif [ ! -d /run/systemd/system ]; then
        look 'there are units for systemd, which does not run here' "run $(quoted "$root/install_crontabs.sh")"
    else
        # shellcheck disable=SC2086  # names of ours
        states=$(systemctl is-active $timers 2>/dev/null) || :
        case $states in
            'active
active
active') good 'systemd has the jobs' ;;
            # Without a bus it answers only root.
            '') look "systemd has the jobs, and does not tell $(id -un) whether it runs them" \
                "as root: systemctl is-active $timers" ;;
            *) look 'systemd has the jobs, and does not run all of them' "as root: systemctl enable --now $timers" ;;
        esac
    fi
}

# What doctor says is part of more than one test.
ask_doctor() {
    doctor_code=0
    doctor=$(as_cron "$PHP" "$WEB/database_sync_script.php" doctor --line --root "$root" ${CONFIG:+--config "$CONFIG"} \
        2>&1 </dev/null) || doctor_code=$?
}

test_doctor() {
    all="$(quoted "$PHP") $(quoted "$WEB/database_sync_script.php") doctor --root $(quoted "$root") tells all of it"
    case $doctor_code in
        0) good "doctor: $doctor" ;;
        1) look "doctor: $doctor" "$all" ;;
        2) wrong "doctor: $doctor" "$all" ;;
        *) wrong "doctor ended with $doctor_code: $doctor" 'do what is said there' ;;
    esac
}

test_permissions
test_crontab
# What follows needs what comes before.
if test_php && test_paths; then
    ask_doctor
    test_writers
    for script in cron_sync_databases.sh cron_sync_logs.sh cron_security_monitoring.sh; do test_script "$script"; done
    test_doctor
fi
exit "$worst"
