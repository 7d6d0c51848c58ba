#!/bin/sh
# Part of cr0sync. Merges the databases of all sides, and once a week removes the backups that no rule keeps. For cron, each
# minute, as the user whom sync_state belongs to. What it does is written into logs/cron_database_sync.log.
#
#     cron_sync_databases.sh [--root DIRECTORY] [--dry-run]
set -eu
# A crontab may say another, in which nothing of the system is.
PATH=${PATH:+$PATH:}/usr/sbin:/usr/bin:/sbin:/bin
export PATH
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
# shellcheck source=php/system/cron_common.sh
. "$here/cron_common.sh"

job=databases
log=cron_database_sync.log
script=database_sync_script.php
work='bidirectional'
rehearsal='bidirectional --dry-run'
cleanups='clean-backups'
cleanup_every=604800
cron_job "$@"
