<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages\Conflicts;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Ui;

/**
 * A choice that takes a row away, and the page before it, which shows the row that goes and is asked once more.
 */
final readonly class Removal
{
    public function __construct(private Forms $forms)
    {
    }

    /**
     * Whether a row goes by this choice.
     *
     * @param array<string, mixed> $conflict
     */
    public static function isOne(array $conflict, string $take): bool
    {
        return $take !== 'both' && self::row($conflict, $take) === null && self::left($conflict) !== [];
    }

    /**
     * Names what somebody saw: rows of a conflict that waits are brought up to date, and who agreed to lose one row has
     * not agreed to lose another.
     *
     * @param array<string, mixed> $conflict
     */
    public static function seen(array $conflict, string $take): string
    {
        return hash('sha256', serialize([$take, $conflict['id'], self::left($conflict)]));
    }

    /** @param array<string, mixed> $conflict */
    public function html(array $conflict, string $take): Html
    {
        $id = $conflict['id'];
        $table = "{$conflict['database']}.{$conflict['table']}";
        $from = $take === 'base' ? 'There was no such row before' : "{$take} has no such row";
        $steps = [
            "{$from}: to take that deletes this row of {$table} on all sides.",
            'The next run of cron does it, within a minute or so. It refuses where the row has changed since, or where '
                . 'other rows point at it.',
            'That is a run of its own. The page History shows it, and can undo it.',
        ];

        return Ui::section(
            "Delete a row to decide conflict {$id}?",
            Html::tag('ul', [], array_map(static fn (string $one): Html => Html::tag('li', [], $one), $steps)),
            Html::tag('div', ['class' => 'goes'], Comparison::ofRows(
                "The row that goes, of {$table}",
                self::left($conflict),
            )),
            Html::tag('div', ['class' => 'confirm'], $this->forms->post(
                'resolve',
                Forms::hidden('id', $id),
                Forms::hidden('conflict', $id),
                Forms::hidden('take', $take),
                Forms::hidden('sure', self::seen($conflict, $take)),
                Forms::button('Delete the row', 'danger'),
                $this->forms->link('conflicts', ['id' => $id], 'Do nothing'),
            )),
        );
    }

    /**
     * The rows that are there, by where: what won is everywhere, and where nobody won each side has its own.
     *
     * @param array<string, mixed> $conflict
     * @return array<string, array<string, mixed>>
     */
    private static function left(array $conflict): array
    {
        $winner = $conflict['winner'];
        if ($conflict['status'] !== 'held' && array_key_exists($winner, $conflict['values'])) {
            $row = $conflict['values'][$winner];

            return $row === null ? [] : ['all sides' => $row];
        }

        return array_filter($conflict['values'], static fn (?array $row): bool => $row !== null);
    }

    /**
     * @param array<string, mixed> $conflict
     * @return ?array<string, mixed>
     */
    private static function row(array $conflict, string $take): ?array
    {
        return $take === 'base' ? $conflict['base'] : $conflict['values'][$take] ?? null;
    }
}
