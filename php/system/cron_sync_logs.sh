#!/bin/sh
# Part of cr0sync. Merges the logs of all sides, and once a day rotates what is due, packs what was rotated, and removes what
# is past its age. For cron, each minute, as the user whom sync_state belongs to. What it does is written into
# logs/cron_log_sync.log.
#
#     cron_sync_logs.sh [--root DIRECTORY] [--dry-run]
set -eu
# A crontab may say another, in which nothing of the system is.
PATH=${PATH:+$PATH:}/usr/sbin:/usr/bin:/sbin:/bin
export PATH
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
# shellcheck source=php/system/cron_common.sh
. "$here/cron_common.sh"

job=logs
log=cron_log_sync.log
script=log_sync_script.php
work='sync-all'
rehearsal='sync-all --dry-run'
cleanups='rotate clean'
cleanup_every=86400
cron_job "$@"
