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

    private const NOTES = '~ (?:was copied to .+ first|would get the content of .+|has the content of .+ now)$'
        . '|^[^:]+, [^:]+: [\d,]+ rows? inserted, [\d,]+ updated, [\d,]+ deleted$~Ds';

    /**
     * What a run would do now, where somebody has only looked.
     *
     * @param array<string, array<string, mixed>> $databases
     */
    public static function plan(array $databases): Html
    {
        return Ui::section('What would be written now', self::databases($databases, 'Rows that each side would get'));
    }

    /** @param array<string, array<string, mixed>> $databases */
    public static function databases(array $databases, string $caption = 'Rows written to each side'): Html
    {
        $rows = $warnings = $notes = [];
        foreach ($databases as $name => $database) {
            $start = [(string) $name, Ui::state($database['state'])];
            foreach (array_filter([$database['reason'], ...$database['warnings']]) as $word) {
                $line = Html::tag('li', [], Html::tag('strong', [], "{$name}: "), Ui::quoting($word));
                if (self::isNote($word)) {
                    $notes[] = $line;
                } else {
                    $warnings[] = $line;
                }
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
            Ui::table($caption, $columns, $rows, [3, 4, 5, 6, 7]),
            self::listed('Warnings', $warnings),
            self::listed('Notes', $notes),
        );
    }

    /**
     * How many warnings a run left that somebody should look at.
     *
     * @param array<string, array<string, mixed>> $databases
     */
    public static function warnings(array $databases): int
    {
        $all = array_merge(...array_values(array_column($databases, 'warnings')));

        return count(array_filter($all, static fn (string $one): bool => !self::isNote($one)));
    }

    /** Whether it tells of what is always done, as of copies that are made first: the library has one list of both. */
    private static function isNote(string $words): bool
    {
        return preg_match(self::NOTES, $words) === 1;
    }

    /** @param list<Html> $lines */
    private static function listed(string $title, array $lines): ?Html
    {
        return $lines === [] ? null : Html::all(Html::tag('h3', [], $title), Html::tag('ul', [], $lines));
    }
}
