<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages\History;

use Cr0Sync\Admin\Chart;
use Cr0Sync\Admin\Html;

/**
 * Rows, locks and conflicts over time.
 */
final class Charts
{
    /** @param list<array<string, mixed>> $runs */
    public static function of(array $runs, Span $span): Html
    {
        $zeros = array_fill(0, $span->pieces, 0);
        $rows = ['new' => $zeros, 'changed' => $zeros, 'deleted' => $zeros];
        $conflicts = ['conflicts' => $zeros];
        $locks = [];
        foreach ($runs as $run) {
            $at = $span->at($run['at']);
            if ($at === null) {
                continue;
            }
            $sums = Runs::sums($run);
            $rows['new'][$at] += $sums['inserted'];
            $rows['changed'][$at] += $sums['updated'] + $sums['rekeyed'];
            $rows['deleted'][$at] += $sums['deleted'];
            $conflicts['conflicts'][$at] += Runs::conflicts($run);
            foreach ($run['databases'] as $database) {
                foreach ($database['sides'] as $side => $done) {
                    $locks[$side] ??= array_fill(0, $span->pieces, null);
                    $locks[$side][$at] = max($locks[$side][$at] ?? 0, $done['lock_ms']);
                }
            }
        }
        ksort($locks);

        return Html::tag(
            'div',
            ['class' => 'plots'],
            self::rows($rows, $span),
            self::locks($locks, $span),
            self::conflicts($conflicts, $span),
        );
    }

    /** @param array<string, list<int>> $rows */
    private static function rows(array $rows, Span $span): Html
    {
        $sum = number_format(array_sum(array_map(array_sum(...), $rows)));
        $words = "Rows that runs wrote on all sides in each {$span->each()} of the last {$span->words}: {$sum} in all. "
            . 'Times are UTC.';

        return (new Chart('rows', 'Rows written', $words, $span->labels(), $rows, $span->ticks()))->bars();
    }

    /** @param array<string, list<?int>> $locks */
    private static function locks(array $locks, Span $span): Html
    {
        $most = max([0, ...array_map(static fn (array $one): int => max([0, ...array_filter($one)]), $locks)]);
        $words = "The longest that a run kept a file locked for writing in each {$span->each()}, by side, in "
            . "milliseconds. The longest of all was {$most} ms. Times are UTC.";

        return (new Chart('locks', 'Longest lock (ms)', $words, $span->labels(), $locks, $span->ticks()))->lines();
    }

    /** @param array<string, list<int>> $conflicts */
    private static function conflicts(array $conflicts, Span $span): Html
    {
        $sum = number_format(array_sum($conflicts['conflicts']));
        $words = "New conflicts in each {$span->each()} of the last {$span->words}: {$sum} in all. Times are UTC.";

        return (new Chart('conflicts', 'New conflicts', $words, $span->labels(), $conflicts, $span->ticks()))->bars();
    }
}
