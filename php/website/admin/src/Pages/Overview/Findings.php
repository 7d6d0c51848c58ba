<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages\Overview;

use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Ui;
use Cr0Sync\Script\Text;

/**
 * What a look at the whole installation found that is not as it should be, the worst first, and what to do.
 */
final class Findings
{
    /** @param array<string, mixed> $report */
    public static function section(array $report): Html
    {
        $wrong = array_filter($report['findings'], static fn (array $one): bool => $one['state'] !== 'ok');
        usort($wrong, static fn (array $one, array $other): int =>
            ($other['state'] === 'problem') <=> ($one['state'] === 'problem'));
        $rows = array_map(static fn (array $one): array => [
            Ui::state($one['state']),
            $one['check'],
            Html::all($one['what'], $one['where'] === null ? null : [' ', Html::tag('code', [], $one['where'])]),
            $one['do'] ?? '-',
        ], $wrong);
        $well = count($report['findings']) - count($wrong);
        $words = Text::count($well, 'thing is well', 'things are well') . '; the website sees less than cron does.';

        return Ui::section(
            'What to look at',
            $rows === [] ? null : Ui::table('Not as it should be', ['State', 'Of', 'What', 'What to do'], $rows),
            Html::tag('p', ['class' => 'none'], $words),
        );
    }
}
