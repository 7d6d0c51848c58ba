#!/bin/sh
# Part of cr0sync. Does what is due of checks, archives and cleanups; when which is, the library knows. For cron, each minute,
# as the user whom sync_state belongs to. What it finds is written into logs/cron_security.log.
#
#     cron_security_monitoring.sh [--root DIRECTORY] [--dry-run]
set -eu
# A crontab may say another, in which nothing of the system is.
PATH=${PATH:+$PATH:}/usr/sbin:/usr/bin:/sbin:/bin
export PATH
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
# shellcheck source=php/system/cron_common.sh
. "$here/cron_common.sh"

job=security
log=cron_security.log
script=security_monitoring_script.php
work='run'
# There is no check that leaves no trace; how all is can be looked at.
rehearsal='status'
cleanups=
cleanup_every=0
cron_job "$@"
