<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

/**
 * What a run did, or would do, to each side of each database.
 */
final class RunView
{
    /** The counts of rows that were written, and what people call them. */
    public const COUNTS = [
        'inserted' => 'Rows new',
        'updated' => 'Rows changed',
        'deleted' => 'Rows deleted',
        'rekeyed' => 'Rows with a new id',
    ];

    /** @param array<string, array<string, mixed>> $databases */
    public static function databases(array $databases): Html
    {
        $rows = $notes = [];
        foreach ($databases as $name => $database) {
            $start = [(string) $name, Ui::state($database['state'])];
            $words = array_filter([$database['reason'], ...$database['warnings']]);
            foreach ($words as $word) {
                $notes[] = Html::tag('li', [], Html::tag('strong', [], "{$name}: "), $word);
            }
            if ($database['sides'] === []) {
                $rows[] = [...$start, '-', '-', '-', '-', '-', '-'];
            }
            foreach ($database['sides'] as $side => $done) {
                $counts = array_map(
                    static fn (string $what): string => number_format($done[$what]),
                    array_keys(self::COUNTS),
                );
                $rows[] = [...$start, (string) $side, ...$counts, number_format($done['lock_ms'])];
            }
        }
        $columns = ['Database', 'State', 'Side', ...array_values(self::COUNTS), 'Locked for (ms)'];

        return Html::all(
            Ui::table('Rows written to each side', $columns, $rows, [3, 4, 5, 6, 7]),
            $notes === [] ? null : [Html::tag('h3', [], 'Warnings'), Html::tag('ul', [], $notes)],
        );
    }
}
