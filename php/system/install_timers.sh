#!/bin/sh
# Part of cr0sync. Has systemd run the three jobs each minute, and a watcher all the time, instead of cron. As root.
#
#     install_timers.sh [--root DIRECTORY] [--print | --remove] [--to DIRECTORY]
#
# The root is where this lies unless told. The units are for who owns it; where that is root, for who owns the scripts. --print
# shows the units and changes nothing; --remove takes them away; --to puts them elsewhere than in /etc/systemd/system, and tells
# systemd nothing.
set -eu
# A crontab may say another, in which nothing of the system is.
PATH=${PATH:+$PATH:}/usr/sbin:/usr/bin:/sbin:/bin
export PATH
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
# shellcheck source=php/system/settings.sh
. "$here/settings.sh"

usage='write install_timers.sh [--root DIRECTORY] [--print | --remove] [--to DIRECTORY]'
read_options '--root= --to= --print --remove' "$@"
units=${units:-/etc/systemd/system}
case $is_printed$is_removal in
    yesyes) refuse 64 '--print and --remove are not for one call' "$usage" ;;
    '') mode=install ;;
    *) mode=${is_printed:+print}${is_removal:+remove} ;;
esac
owner=$(system_user "$root")
group=$(system_user "$root" %G)
read_settings "$root" "$owner"
set -- "$root"
# What is taken away needs no settings.
if [ "$mode" != remove ]; then
    [ -z "$unsettled" ] || refuse 2 "$unsettled" 'correct it first'
    if [ "$owner" = root ]; then
        open=$(open_to_others "$root" root)
        [ -z "$open" ] || refuse 69 "others than root may write what would run as root: $(printf '%s\n' "$open" | head -n 1)" \
            "give $root to whom the system belongs, or see that all of it is root's alone"
    fi
    set -- "$root" "$PHP" "$WEB" "$CONFIG"
fi
for value; do
    case $value in *[\'\"\\\|\&\$]* | *'
'*) refuse 64 "a unit cannot name $value" 'give it a name without quotes, backslashes, bars, dollars and line ends' ;; esac
done

# To systemd, % begins something else.
for_unit() { printf '%s' "$1" | sed 's/%/%%/g'; }

unit() { # FILE
    config=
    [ -z "$CONFIG" ] || config=" \"--config=$(for_unit "$CONFIG")\""
    sed -e "s|@ROOT@|$(for_unit "$root")|g" -e "s|@OWNER@|$owner|g" -e "s|@GROUP@|$group|g" \
        -e "s|@PHP@|$(for_unit "$PHP")|g" -e "s|@WEB@|$(for_unit "$WEB")|g" -e "s|@CONFIG@|$config|g" "$1"
}

is_ours() { [ ! -e "$1" ] || grep -qxF "# cr0sync $(for_unit "$root")" "$1"; }
has_systemd() { [ "$units" = /etc/systemd/system ] && [ -d /run/systemd/system ]; }

all() { # what to begin
    echo cr0sync-databases.timer cr0sync-logs.timer cr0sync-security.timer cr0sync-watch.service
}

for file in "$here"/systemd/*.service "$here"/systemd/*.timer; do
    [ -f "$file" ] || refuse 69 "there are no units in $here/systemd" 'run it from the source: php/system/install_timers.sh'
    is_ours "$units/${file##*/}" || [ "$mode" = print ] ||
        refuse 2 "$units/${file##*/} is not for $root" 'it is of another installation: remove that first, with --remove of its own'
done
case $mode in
    print)
        for file in "$here"/systemd/*; do
            echo "# $units/${file##*/}"
            unit "$file"
            echo
        done
        ;;
    remove)
        # Each by itself, as one whose file is gone would keep systemd from the others.
        if has_systemd; then
            for name in $(all); do
                if [ -e "$units/$name" ]; then systemctl disable --now "$name" || :; else systemctl stop "$name" 2>/dev/null || :; fi
            done
        fi
        for file in "$here"/systemd/*; do
            name=${file##*/}
            if [ -e "$units/$name" ]; then
                rm -f -- "$units/$name"
                echo "removed $units/$name"
            fi
            for link in "$units"/*.wants/"$name"; do
                if [ -L "$link" ] && [ ! -e "$link" ]; then
                    rm -f -- "$link"
                    echo "removed $link"
                fi
            done
        done
        if has_systemd; then
            systemctl daemon-reload
            # What failed last would be known as that until the machine begins anew.
            for file in "$here"/systemd/*; do systemctl reset-failed "${file##*/}" 2>/dev/null || :; done
        fi
        ;;
    install)
        if ! mkdir -p -- "$units" || [ ! -w "$units" ]; then
            refuse 69 "$(id -un) cannot write in $units" 'run it as root'
        fi
        for file in "$here"/systemd/*; do
            unit "$file" >"$units/.${file##*/}.new"
            chmod 644 "$units/.${file##*/}.new"
            mv -f "$units/.${file##*/}.new" "$units/${file##*/}"
            echo "installed $units/${file##*/}"
        done
        if has_systemd; then
            systemctl daemon-reload
            # A watcher that is at work goes on with what was installed before.
            systemctl try-restart cr0sync-watch.service
            # shellcheck disable=SC2046  # names of ours
            systemctl enable --now $(all)
        else
            echo "begin them with: systemctl daemon-reload && systemctl enable --now $(all)"
        fi
        if command -v crontab >/dev/null 2>&1 && crontab -u "$owner" -l 2>/dev/null | grep -qxF "# BEGIN cr0sync $root"; then
            echo "the crontab of $owner runs the same jobs: $root/remove_crontabs.sh takes them out"
        fi
        ;;
esac
