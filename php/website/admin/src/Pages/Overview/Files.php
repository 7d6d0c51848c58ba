<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages\Overview;

use Cr0Sync\Admin\Advice;
use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\LastCheck;
use Cr0Sync\Admin\Ui;

/**
 * Whether the watched files are as they were accepted, and who holds a lock.
 */
final class Files
{
    /** So many are shown here; their own page has all. */
    private const FEW = 10;
    public const JOBS = [
        'check' => 'Files are compared with the baseline',
        'limits' => 'Old rate limits are cleared',
        'sessions' => 'Old sessions are closed',
        'archive' => 'Events of past days are packed',
        'verify_events' => 'The chain of events is followed',
    ];

    /** @param ?array<string, mixed> $report */
    public static function sections(?array $report, Forms $forms, Advice $advice): Html
    {
        if ($report === null) {
            return Ui::section('Integrity', Ui::trouble('It cannot be told how the files are; see above why.'));
        }

        return Html::all(
            self::integrity($report, $forms, $advice),
            Html::tag('div', ['id' => 'locks'], self::locks($report['locks'])),
        );
    }

    /** @param array<string, mixed> $report */
    private static function integrity(array $report, Forms $forms, Advice $advice): Html
    {
        $baseline = $report['baseline'];
        $known = $baseline['ok']
            ? Html::all(
                "The baseline knows {$baseline['entries']} files: generation {$baseline['generation']}, made ",
                Ui::time($baseline['created']),
                '.',
            )
            : 'There is no baseline that can be believed, so that nothing can be compared.';
        $problems = array_map(
            static fn (array $one): Html => self::problem($one, $advice),
            $report['problems'],
        );
        $last = LastCheck::of($report['last_check']);
        $findings = array_map(
            static fn (array $one): array => [
                Ui::state($one['severity']),
                $one['kind'],
                $one['path'],
                Ui::state($one['silenced'] ?? false ? 'silenced' : 'open'),
            ],
            array_slice(self::worstFirst($last?->findings ?? []), 0, self::FEW),
        );
        $left = count($last?->findings ?? []) - count($findings);
        $checked = $last === null
            ? 'Nothing was checked yet. Cron checks as soon as there is a baseline.'
            : Html::all('Last check ', Ui::time($last->at, 'at an unknown time'), '.');

        return Ui::section(
            'Integrity',
            Html::tag('p', [], $known, ' ', $checked),
            $problems,
            $last?->trouble(),
            $findings === [] ? null : Ui::table('The worst findings of the last '
                . 'check', ['Severity', 'What', 'File', 'State'], $findings),
            $left > 0 ? Html::tag('p', [], "{$left} more are on the page of integrity.") : null,
            Html::tag('p', [], $forms->link('integrity', [], 'All about the files')),
        );
    }

    /** @param array{problem: string, first: ?string, next: string} $one */
    private static function problem(array $one, Advice $advice): Html
    {
        return Html::tag(
            'div',
            ['class' => 'trouble'],
            Html::tag('p', [], Ui::sentence("{$one['problem']}.")),
            $one['first'] === null ? 'Next:' : Html::all('First ', $advice->html($one['first']), 'Then:'),
            $advice->next($one['next']),
        );
    }

    /**
     * What nobody has silenced before what somebody has, and of these the worst first.
     *
     * @param list<array<string, mixed>> $findings
     * @return list<array<string, mixed>>
     */
    private static function worstFirst(array $findings): array
    {
        $rank = static fn (array $one): array =>
            [$one['silenced'] ?? false, -(int) array_search($one['severity'], LastCheck::SEVERITIES, true)];
        usort($findings, static fn (array $one, array $other): int => $rank($one) <=> $rank($other));

        return $findings;
    }

    /** @param list<array{name: string, path: string, process: ?int, since: ?string}> $locks */
    private static function locks(array $locks): Html
    {
        $rows = array_map(static fn (array $lock): array => [
            $lock['name'],
            $lock['process'] === null ? 'not known' : "process {$lock['process']}",
            Ui::time($lock['since'], 'not known'),
            Html::tag('code', [], $lock['path']),
        ], $locks);
        $none = Html::tag('p', ['class' => 'none'], 'Nobody holds a lock now: nothing is at work.');

        return Ui::section(
            'Locks',
            $rows === [] ? $none : Ui::table('Locks that are held now', ['Lock', 'By', 'Since', 'File'], $rows),
        );
    }
}
