#!/bin/sh
# Part of cr0sync. Puts the three cron jobs into the crontab of a user, in one block; again, nothing changes. Lines of others
# stay as they are.
#
#     install_crontabs.sh [--root DIRECTORY] [--user USER] [--print]
#
# The root is where this lies, and the user is who owns it, unless told. --print shows the block and changes nothing.
set -eu
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
if [ "$(id -u -- "$user")" -eq 0 ] && [ "$(stat -Lc %u -- "$root")" -ne 0 ]; then
    refuse 69 "$root is not root's, and what its owner writes there would run as root" 'name its owner with --user'
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
