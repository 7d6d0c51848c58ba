<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages\Conflicts;

use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Ui;
use Cr0Sync\Admin\Values;

/**
 * The row as each side had it, and as it was before, side by side; what differs is marked, and not by colour alone.
 */
final readonly class Comparison
{
    /** So many bytes of each value, where there are many conflicts, and where there is one. */
    private const BRIEF = 1024;
    private const LONG = 65_536;
    /** The library tells of everything, this page does not. */
    private const COMMAND = 'php database_sync_script.php conflicts --json has it whole.';

    /** @param array<string, mixed> $conflict */
    private function __construct(
        private array $conflict,
        private int $most,
        private Html $more,
        /** What was decided, where somebody has: a side, `base` or `both`. */
        private ?string $taken,
    ) {
    }

    /** @param array<string, mixed> $conflict */
    public static function short(array $conflict, Html $more, ?string $taken): Html
    {
        $comparison = new self($conflict, self::BRIEF, $more, $taken);
        $all = $comparison->columns();
        // A row that only one side has is shown as it is.
        $isAlone = count($comparison->rows()) === 1;
        $columns = array_values(array_filter($all, fn (string $name): bool => $isAlone || $comparison->differs($name)));
        $same = count($all) - count($columns);
        $rest = $same === 0 ? null : Html::tag('p', ['class' => 'quiet'], match (true) {
            $columns === [] => 'No value differs. ',
            $same === 1 => '1 more column is the same everywhere. ',
            default => "{$same} more columns are the same everywhere. ",
        }, $more);

        return Html::all($columns === [] ? null : $comparison->table($columns), $rest);
    }

    /** @param array<string, mixed> $conflict */
    public static function whole(array $conflict, ?string $taken): Html
    {
        $comparison = new self($conflict, self::LONG, Html::all(self::COMMAND), $taken);

        return $comparison->table($comparison->columns());
    }

    /**
     * Rows as they are, each with where it is.
     *
     * @param array<string, array<string, mixed>> $rows
     */
    public static function ofRows(string $caption, array $rows): Html
    {
        $columns = [];
        foreach ($rows as $row) {
            $columns += array_fill_keys(array_keys($row), true);
        }
        $cells = [];
        foreach (array_keys($columns) as $column) {
            $values = array_map(static fn (array $row): Html => array_key_exists($column, $row)
                ? Values::shown($row[$column], self::LONG, Html::all(self::COMMAND))
                : Html::tag('span', ['class' => 'quiet'], 'no such column'), array_values($rows));
            $cells[] = [(string) $column, ...$values];
        }
        $heads = array_map(static fn (string|int $where): string => "on {$where}", array_keys($rows));

        return Ui::table($caption, ['Column', ...$heads], $cells);
    }

    /** A value of the key, which is short as a rule. */
    public static function key(mixed $value): Html
    {
        return Values::shown($value, self::BRIEF);
    }

    /** @return list<string> those in conflict first */
    private function columns(): array
    {
        $columns = array_fill_keys($this->conflict['columns'], true);
        foreach ([$this->conflict['base'], ...array_values($this->conflict['values'])] as $row) {
            $columns += array_fill_keys(array_keys($row ?? []), true);
        }

        return array_map(strval(...), array_keys($columns));
    }

    /** Whether the sides that have the row, and what was before, do not agree about a column, or it is in conflict. */
    private function differs(string $column): bool
    {
        $first = $this->rows() === [] ? null : ($this->rows()[0][$column] ?? null);
        foreach ($this->rows() as $row) {
            if (($row[$column] ?? null) !== $first) {
                return true;
            }
        }

        return in_array($column, $this->conflict['columns'], true);
    }

    /** @return list<array<string, mixed>> that are there */
    private function rows(): array
    {
        $rows = [$this->conflict['base'], ...array_values($this->conflict['values'])];

        return array_values(array_filter($rows, static fn (?array $row): bool => $row !== null));
    }

    /** @param list<string> $columns */
    private function table(array $columns): Html
    {
        $heads = ['Column'];
        $sides = [];
        if ($this->conflict['base'] !== null) {
            $heads[] = $this->taken === 'base' ? 'before (taken)' : 'before';
            $sides[] = $this->conflict['base'];
        }
        foreach ($this->conflict['values'] as $side => $row) {
            // No side can be called so: what an interrupted run was writing.
            $heads[] = ($side === 'merged' ? 'was to be written' : $side) . $this->came((string) $side);
            $sides[] = $row;
        }
        $rows = [];
        foreach ($columns as $column) {
            $isMarked = $this->differs($column);
            $name = $isMarked ? Html::tag('mark', [], "{$column} \u{2260}") : $column;
            $rows[] = [$name, ...array_map(fn (?array $row): Html => $this->cell($row, $column, $isMarked), $sides)];
        }
        if ($rows === []) {
            return Html::tag('p', ['class' => 'none'], 'The row itself is not on record.');
        }

        return Ui::table("Conflict {$this->conflict['id']}: what each side had in each column", $heads, $rows);
    }

    /** What became of the row of a side. */
    private function came(string $side): string
    {
        $isOver = $this->conflict['status'] === 'resolved';
        $words = array_filter([
            $side === $this->taken ? 'taken' : null,
            $side === $this->conflict['winner'] && $side !== 'merged' ? ($isOver ? 'won at first' : 'won') : null,
        ]);

        return $words === [] ? '' : ' (' . implode(', ', $words) . ')';
    }

    /** @param ?array<string, mixed> $row */
    private function cell(?array $row, string $column, bool $isMarked): Html
    {
        if ($row === null) {
            return Html::tag('span', ['class' => 'quiet'], 'no row');
        }
        if (!array_key_exists($column, $row)) {
            return Html::tag('span', ['class' => 'quiet'], 'no such column');
        }
        $value = $row[$column];
        $kind = $isMarked && $this->looksAlike($value, $column) ? ' (' . Values::kind($value) . ')' : null;

        return Html::all(Values::shown($value, $this->most, $this->more), $kind);
    }

    /** Whether another side has a value of another kind that is written the same way, as 1 and '1' are. */
    private function looksAlike(mixed $value, string $column): bool
    {
        foreach ($this->rows() as $row) {
            $other = $row[$column] ?? null;
            if ($other !== $value && is_scalar($other) && is_scalar($value) && (string) $other === (string) $value) {
                return true;
            }
        }

        return false;
    }
}
