<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages\Overview;

use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Ui;

/**
 * When each of the three cron scripts last ran, and how that ended: what they write down of themselves in
 * sync_state/cron, which the group may read.
 *
 * Others could have made such a file, so that only numbers count, and only so many bytes are read.
 */
final class Cron
{
    private const SCRIPTS = [
        'databases' => 'cron_sync_databases.sh',
        'logs' => 'cron_sync_logs.sh',
        'security' => 'cron_security_monitoring.sh',
    ];
    private const FORMAT = 'cr0sync cron 1';
    private const LONGEST = 4096;
    /** Cron calls each script every minute: after so many seconds without a run, somebody should look. */
    private const LATE = 300;
    /** So many seconds may pass between the end that is due and the one that is written down. */
    private const GRACE = 60;

    /**
     * @param string $root of the installation
     * @param array<string, ?string> $jobs when each job over files and events last ran, as far as that is known
     */
    public static function section(string $root, array $jobs): Html
    {
        $rows = [];
        foreach (self::SCRIPTS as $job => $script) {
            $rows[] = [Html::tag('code', [], $script), ...self::row(self::stamp("{$root}/sync_state/cron/{$job}"))];
        }

        return Html::tag('div', ['id' => 'cron'], Ui::section(
            'Jobs of cron',
            Ui::table('The scripts that cron calls each minute', ['Script', 'Last run', 'How it ended', 'Last one that '
                . 'did what it should', 'Now'], $rows),
            self::inner($jobs),
        ));
    }

    /** @param array<string, ?string> $jobs */
    private static function inner(array $jobs): ?Html
    {
        $rows = [];
        foreach ($jobs as $name => $at) {
            if ($at !== null) {
                $rows[] = [Files::JOBS[$name] ?? $name, Ui::moment($at)];
            }
        }

        // When they ran is for the user of the jobs to know: where the website knows nothing, there is nothing to show.
        return $rows === []
            ? null
            : Ui::table('When each job over files and events last ran', ['Job', 'Last run'], $rows);
    }

    /**
     * @param ?array<string, int> $stamp
     * @return list<Html|string>
     */
    private static function row(?array $stamp): array
    {
        if ($stamp === null) {
            return ['never, or it cannot be read', '-', '-', '-'];
        }
        $at = static fn (string $name): ?string => ($stamp[$name] ?? 0) > 0 ? gmdate('c', $stamp[$name]) : null;
        $isOver = isset($stamp['last_run']);

        return [
            Ui::moment($at('last_run')),
            $isOver ? self::ended($stamp['last_exit'] ?? -1) : '-',
            Ui::moment($at('last_success')),
            self::now($stamp),
        ];
    }

    private static function ended(int $code): Html
    {
        return match ($code) {
            -1 => Ui::mark('not known', 'quiet'),
            0 => Ui::mark('well', 'good'),
            1 => Ui::mark('something to look at', 'warn'),
            75 => Ui::mark('another run was at work', 'warn'),
            124, 137 => Ui::mark('took too long', 'bad'),
            default => Html::all(Ui::mark('failed', 'bad'), " (exit code {$code})"),
        };
    }

    /** @param array<string, int> $stamp */
    private static function now(array $stamp): Html|string
    {
        $last = $stamp['last_run'] ?? 0;
        $started = $stamp['started'] ?? 0;
        if (Ui::isAhead(max($last, $started))) {
            $why = ' what is written down is yet to come: was the clock set back?';

            return Html::all(Ui::mark('not known', 'warn'), $why);
        }
        if ($started > $last) {
            $isLate = isset($stamp['timeout']) && time() - $started > $stamp['timeout'] + self::GRACE;
            $since = Ui::time(gmdate('c', $started));

            return $isLate
                ? Html::all(Ui::mark('began and did not end', 'bad'), ' ', $since)
                : Html::all(Ui::mark('at work', 'info'), ' since ', $since);
        }

        return time() - $last > self::LATE ? Ui::mark('late', 'warn') : 'waits for its minute';
    }

    /** @return ?array<string, int> */
    private static function stamp(string $file): ?array
    {
        if (is_link($file) || !is_file($file) || !is_readable($file) || filesize($file) > self::LONGEST) {
            return null;
        }
        $lines = explode("\n", (string) file_get_contents($file, length: self::LONGEST));
        if (rtrim((string) array_shift($lines)) !== self::FORMAT) {
            return null;
        }
        $stamp = [];
        foreach ($lines as $line) {
            // Seconds that a calendar has; what is longer is no time of anything.
            if (preg_match('~^(\w+)=(\d{1,11})\s*$~D', $line, $found) === 1) {
                $stamp[$found[1]] = (int) $found[2];
            }
        }

        return $stamp;
    }
}
