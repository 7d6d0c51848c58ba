<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages\InForce;

use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Ui;

/**
 * What the settings mean, and in which unit each is: by the name that it has in the file, as `backups.keep_daily`.
 */
final class Meanings
{
    /** The groups in the order of the page: what each is about. */
    public const GROUPS = [
        'general' => ['The installation', 'Where everything lies, and which side the others meet at.'],
        'databases' => ['Databases', 'Which files are sides of one database, and how clashes in them are decided.'],
        'logs' => ['Logs', 'Which files are sides of one log, and how its archive, the copy of the hub, is rotated.'],
        'backups' => ['Backups', 'How often a side is backed up, and which backups stay.'],
        'guards' => ['Guards', 'What stops a run before it does damage.'],
        'integrity' => ['Integrity', 'How files are watched. Which ones, is said in a file of its own.'],
        'access' => ['API keys, sessions and rate limits', 'How the API of the website lets somebody in, and how '
            . 'often.'],
        'events' => ['Events', 'Where security events are written, and for how long they stay.'],
        'alerts' => ['Alerts', 'Who is told of bad events.'],
        'ownership' => ['Ownership', 'Whose files and directories become that runs make.'],
    ];

    /** What each means, its unit, and what it means where it is not set. */
    private const KEYS = [
        'version' => ['the version of the format of the file'],
        'root' => ['where the installation lies; relative paths count from it'],
        'hub' => ['the side that all others are merged with; it must be reachable'],
        'secrets' => ['names of columns whose values are never shown, beside those that are known', '', 'no others'],
        'backups.directory' => ['where all backups lie', '', 'beside the file of the hub, those of others below the '
            . 'root'],
        'backups.every_minutes' => ['a side that is written again and again gets no second backup within', 'minutes'],
        'backups.keep_within_hours' => ['all backups stay of the last', 'hours'],
        'backups.keep_hourly' => ['one backup stays for each of the last', 'hours'],
        'backups.keep_daily' => ['one backup stays for each of the last', 'days'],
        'backups.keep_weekly' => ['one backup stays for each of the last', 'weeks'],
        'backups.keep_min' => ['so many of the newest stay of each side, whatever else is said', 'backups'],
        'backups.max_total_bytes' => ['above this size of all together the oldest go', 'bytes', 'no limit'],
        'guards.max_delete_percent' => ['a run that would delete more of the rows of a table is held', 'percent'],
        'guards.max_lock_ms' => ['a database that was locked for longer is warned of', 'milliseconds'],
        'guards.busy_timeout_ms' => ['a side that others use is tried for so long, and then left to the next '
            . 'run', 'milliseconds'],
        'guards.min_free_percent' => ['no backup is written where less of the disk is free', 'percent'],
        'integrity.config' => ['the list of what is watched: change it to watch more or less'],
        'integrity.baseline' => ['what was accepted, as pages of the website read it'],
        'integrity.alerts' => ['what was found, as pages of the website read it'],
        'integrity.legacy_md5' => ['whether that has MD5 digests too, for older pages'],
        'integrity.xattrs' => ['whether extended attributes and capabilities are compared too'],
        'integrity.reread_hours' => ['every file is read again within, whatever its times say', 'hours'],
        'integrity.every_minutes' => ['files are checked every', 'minutes'],
        'integrity.threads' => ['so many files are read at once; 0 lets the machine decide'],
        'access.keys' => ['where keys are kept, as digests that let nobody in'],
        'access.sessions' => ['where sessions are kept, as digests that let nobody in'],
        'access.rate_limits' => ['where older pages of the website count requests'],
        'access.session_minutes' => ['a session ends after', 'minutes'],
        'access.clients' => ['so many clients are counted at once', 'clients'],
        'access.tiers' => ['how many requests a client may send, by the name of the tier', 'tiers'],
        'events.log' => ['where events are written'],
        'events.archive' => ['where events of past days are packed'],
        'events.keep_days' => ['packed events are removed after', 'days', 'they stay for good'],
        'alerts.command' => ['a program that is told, on its standard input', 'secret', 'none'],
        'alerts.mail' => ['the address that gets a mail', '', 'nobody'],
        'alerts.severity' => ['only events that are at least so bad are told'],
        'alerts.per_hour' => ['somebody is told at most', 'times an hour'],
        'ownership.user' => ['the user who runs the jobs of cron'],
        'ownership.group' => ['the group of that user and of the website'],
        'ownership.website_user' => ['the user of the pages of the website, these too'],
        'ownership.dir_mode' => ['the mode of directories'],
        'ownership.file_mode' => ['the mode of files'],
    ];

    /** What a setting means; null for one that nobody described. */
    public static function of(string $key): ?string
    {
        return self::KEYS[$key][0] ?? null;
    }

    /** A value with its unit, in words. */
    public static function value(string $key, mixed $value): Html
    {
        [, $unit, $unset] = (self::KEYS[$key] ?? ['']) + [1 => '', 2 => 'not set'];

        return match (true) {
            $value === null, $value === [] => Html::tag('span', ['class' => 'quiet'], $unset),
            // A command may hold what lets somebody in elsewhere.
            $unit === 'secret' => Ui::value(['redacted' => true]),
            $unit === 'tiers' => self::tiers($value),
            is_bool($value) => Html::all($value ? 'yes' : 'no'),
            $unit === 'bytes' => Html::all(Ui::bytes($value)),
            is_int($value) => Html::all(number_format($value) . ' ' . ($value === 1 ? self::one($unit) : $unit)),
            is_array($value) && array_is_list($value) => Html::tag('ul', ['class' => 'tree'], array_map(
                static fn (mixed $one): Html => Html::tag('li', [], Ui::value($one)),
                $value,
            )),
            default => Ui::value($value),
        };
    }

    private static function one(string $unit): string
    {
        return preg_replace('~s$~D', '', $unit) ?? $unit;
    }

    /** @param array<string, array{limit: int, period_seconds: int, burst: int}> $tiers */
    private static function tiers(array $tiers): Html
    {
        $items = [];
        foreach ($tiers as $name => $tier) {
            $rate = Ui::rate($tier['limit'], $tier['period_seconds']);
            $burst = number_format($tier['burst']) . ' at once after a rest';
            $items[] = Html::tag('li', [], Html::tag('strong', [], $name), " {$rate}, {$burst}");
        }

        return Html::tag('ul', ['class' => 'tree'], $items);
    }
}
