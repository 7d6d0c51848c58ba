#!/bin/sh
# Part of cr0sync. Takes the block of cron jobs out of the crontab of a user that install_crontabs.sh put there, and nothing
# else. A crontab in which nothing else was is removed.
#
#     remove_crontabs.sh [--root DIRECTORY] [--user USER] [--print]
#
# The root is where this lies, and the user is who owns it, unless told; where that is root, who owns the scripts. --print shows
# what would stay and changes nothing.
set -eu
# A crontab may say another, in which nothing of the system is.
PATH=${PATH:+$PATH:}/usr/sbin:/usr/bin:/sbin:/bin
export PATH
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
usage='write remove_crontabs.sh [--root DIRECTORY] [--user USER] [--print]'
# shellcheck source=php/system/crontab_block.sh
. "$here/crontab_block.sh"

crontab_options "$@"
read_crontab
: >"$work/block"
replace_block
if [ -n "$is_printed" ]; then
    cat "$work/next"
elif write_crontab; then
    echo "the crontab of $user does not run cr0sync in $root any more"
else
    echo "the crontab of $user does not run cr0sync in $root"
fi
