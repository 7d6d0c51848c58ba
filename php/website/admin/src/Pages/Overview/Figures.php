<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages\Overview;

use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\LastCheck;
use Cr0Sync\Admin\ManyFindings;
use Cr0Sync\Admin\Ui;

/**
 * What is seen first: how many of what, and how long ago the jobs of cron ran. A dash is what cannot be told.
 */
final class Figures
{
    private const UNKNOWN = "\u{2013}";
    /** Cron calls the jobs each minute: after so many seconds without one, somebody should look. */
    private const LATE = 300;

    /** @param array<string, mixed> $status */
    public static function of(array $status, ?ManyFindings $many): Html
    {
        $databases = $status['databases']['databases'] ?? null;
        $logs = $status['logs']['logs'] ?? null;
        $security = $status['security'];
        $check = LastCheck::of($security['last_check'] ?? null);

        return Ui::figures(
            ...self::databases($databases),
            ...[
                self::logs($logs),
                $many === null
                    ? self::findings($check)
                    : Ui::figure('Findings in files', number_format($many->total), 'bad'),
                self::job('Databases synced', self::newest($databases, 'last_run')),
                self::plain('Logs merged', self::newest($logs, 'last_merge')),
                self::plain('Files checked', $security['last_runs']['check'] ?? $check?->at ?? $many?->at),
            ],
        );
    }

    /**
     * @param ?array<string, array<string, mixed>> $databases
     * @return list<Html>
     */
    private static function databases(?array $databases): array
    {
        if ($databases === null) {
            return [Ui::figure('Databases in sync', self::UNKNOWN, 'bad')];
        }
        $there = array_filter($databases, static fn (array $one): bool => $one['state'] !== 'absent');
        $synced = count(array_filter($there, static fn (array $one): bool => $one['state'] === 'synced'));
        $conflicts = (int) array_sum(array_column($databases, 'open_conflicts'));
        $wrong = count(array_filter($databases, Databases::isWrong(...)));

        return [
            Ui::figure('Databases in sync', "{$synced} of " . count($there), $synced === count($there) ? 'good' : ''),
            Ui::figure('Open conflicts', number_format($conflicts), $conflicts === 0 ? 'good' : 'warn'),
            Ui::figure('Held or with a problem', $wrong, $wrong === 0 ? 'good' : 'bad'),
        ];
    }

    /** @param ?array<string, array<string, mixed>> $logs */
    private static function logs(?array $logs): Html
    {
        if ($logs === null) {
            return Ui::figure('Logs not merged yet', self::UNKNOWN, 'bad');
        }
        $bytes = 0;
        foreach ($logs as $log) {
            foreach ($log['sides'] as $copy) {
                $bytes += $copy['lag_bytes'] + $copy['unread_bytes'];
            }
        }

        return Ui::figure('Logs not merged yet', Ui::bytes($bytes), $bytes === 0 ? 'good' : '');
    }

    private static function findings(?LastCheck $check): Html
    {
        if ($check === null) {
            return Ui::figure('Findings in files', self::UNKNOWN, 'warn');
        }

        $silenced = $check->silenced();
        $words = Html::all(
            number_format($check->count()),
            $silenced === 0 ? null : [' ', Html::tag('small', [], "{$silenced} silenced")],
        );

        return Ui::figure('Findings in files', $words, $check->kind($check->count() - $silenced));
    }

    private static function job(string $name, ?string $at): Html
    {
        $time = $at === null ? false : strtotime($at);
        $isLate = $time === false || time() - $time > self::LATE || Ui::isAhead($time);

        return Ui::figure($name, Ui::time($at), $isLate ? 'warn' : 'good');
    }

    private static function plain(string $name, ?string $at): Html
    {
        return Ui::figure($name, $at === null ? self::UNKNOWN : Ui::time($at));
    }

    /** @param ?array<string, array<string, mixed>> $all */
    private static function newest(?array $all, string $what): ?string
    {
        $times = array_filter(array_column($all ?? [], $what));

        return $times === [] ? null : max($times);
    }
}
