<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages\Overview;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Pages;
use Cr0Sync\Admin\Ui;

/**
 * Each log: how far each copy is, and what is wrong.
 */
final class Logs
{
    /** @param ?array<string, mixed> $report */
    public static function section(?array $report, Forms $forms): Html
    {
        if ($report === null) {
            return Ui::section('Logs', Ui::trouble('It cannot be told how the logs are; see above why.'));
        }
        $rows = $troubles = [];
        $isWrong = array_filter($report['logs'], static fn (array $log): bool =>
            $log['problems'] !== [] || array_filter(array_column($log['sides'], 'problem')) !== []);
        // What waits for a person comes first.
        foreach ($isWrong + $report['logs'] as $name => $log) {
            foreach ($log['problems'] as $problem) {
                $side = $problem['side'] === null ? '' : " of {$problem['side']}";
                $troubles[] = Ui::trouble("{$name}{$side}: {$problem['message']}");
            }
            if ($log['unfinished']) {
                $troubles[] = Ui::trouble("{$name}: a run was ended in its midst; the next one finishes it");
            }
            foreach ($log['sides'] as $side => $copy) {
                $rows[] = [$name, ...self::copy((string) $side, $copy, $log), Ui::time($log['last_merge'])];
            }
        }
        $columns = ['Log', 'Side', 'Size', 'To be merged', 'To be received', 'State', 'Last merge'];
        $table = Ui::table('The copy that each side has of a log', $columns, $rows, [2, 3, 4]);
        $none = 'No log is configured. Name some under `logs` in cr0sync.json.';

        return Ui::section(
            'Logs',
            $troubles,
            $rows === [] ? Html::tag('p', ['class' => 'none'], $none) : $table,
            Html::tag('p', [], $forms->link('logs', [], 'Read the logs')),
        );
    }

    /**
     * @param array<string, mixed> $copy
     * @param array<string, mixed> $log
     * @return list<mixed>
     */
    private static function copy(string $side, array $copy, array $log): array
    {
        return [
            $copy['mirror'] ? Html::all($side, Html::tag('span', ['class' => 'quiet'], ' (mirror)')) : $side,
            $copy['exists'] ? Ui::bytes($copy['bytes']) : 'not there',
            Ui::bytes($copy['unread_bytes']),
            Ui::bytes($copy['lag_bytes']),
            Pages\Logs::state($copy, $log['unfinished']),
        ];
    }
}
