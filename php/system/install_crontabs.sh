#!/bin/sh
# Part of cr0sync. Puts the three cron jobs into the crontab of a user, in one block; again, nothing changes. Lines of others
# stay as they are.
#
#     install_crontabs.sh [--root DIRECTORY] [--user USER] [--print]
#
# The root is where this lies, and the user is who owns it, unless told; where that is root, who owns the scripts. --print shows the
# block and changes nothing. Root's crontab runs only what nobody but root could change.
set -eu
# A crontab may say another, in which nothing of the system is.
PATH=${PATH:+$PATH:}/usr/sbin:/usr/bin:/sbin:/bin
export PATH
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
usage='write install_crontabs.sh [--root DIRECTORY] [--user USER] [--print]'
# shellcheck source=php/system/crontab_block.sh
. "$here/crontab_block.sh"

crontab_options "$@"
if [ -n "$is_printed" ]; then
    our_block
    exit 0
fi
for script in cron_sync_databases.sh cron_sync_logs.sh cron_security_monitoring.sh; do
    [ -x "$root/$script" ] || refuse 69 "there is no $root/$script that can be run" "make install-system ROOT=$root puts it there"
done
if [ "$(id -u -- "$user")" -eq 0 ]; then
    read_settings "$root" root
    open=$(open_to_others "$root" root)
    if [ -n "$open" ]; then
        refuse 69 "others than root may write what would run as root: $(printf '%s\n' "$open" | head -n 1)" \
            "name with --user whom that belongs to, as $(system_user "$root"); to be run as root, all of it must be root's alone"
    fi
    [ -z "$unsettled" ] || refuse 69 "$unsettled" 'correct it first, as what it names would run as root'
fi
read_crontab
# Where links lead to it, a directory has other names.
is=$(stat -Lc %d:%i -- "$root")
sed -n 's/^# BEGIN cr0sync //p' "$work/now" | while IFS= read -r other; do
    if [ "$other" != "$root" ] && [ "$(stat -Lc %d:%i -- "$other" 2>/dev/null || :)" = "$is" ]; then
        refuse 2 "the crontab of $user runs cr0sync in $root already, under the name $other" \
            "$(quoted "$other/remove_crontabs.sh") takes that out, if you want it otherwise"
    fi
done
our_block >"$work/block"
replace_block
if write_crontab; then
    echo "the crontab of $user runs cr0sync each minute, in $root"
else
    echo "the crontab of $user runs cr0sync already, in $root"
fi
# As root was taken for that user once.
if [ "$(id -u)" -eq 0 ] && [ "$(id -u -- "$user")" -ne 0 ] && crontab -l 2>/dev/null | grep -qxF "# BEGIN cr0sync $root"; then
    echo "the crontab of root runs it as well, as root: $(quoted "$root/remove_crontabs.sh") --user root takes that out"
fi
