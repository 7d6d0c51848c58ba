<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages\Conflicts;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Ui;

/**
 * One conflict: what each side had, who won and why, and the buttons that decide it.
 */
final readonly class Card
{
    private const KINDS = [
        'update_update' => 'two sides changed the same value',
        'update_delete' => 'one side changed the row, another deleted it',
        'insert_insert' => 'two sides added the same row',
        'unique' => 'two rows want the same unique value',
        'foreign_key' => 'the row that it refers to is gone',
        'schema' => 'the tables are made differently',
        'adoption' => 'the sides differed before the first run',
        'uncertain' => 'a run was interrupted, and nobody can tell what was written',
        'oscillation' => 'two sides keep changing it back',
    ];

    public function __construct(private Forms $forms, private Asked $asked, private Html $back)
    {
    }

    /** @param array<string, mixed> $conflict */
    public static function isWaiting(array $conflict): bool
    {
        return in_array($conflict['status'], ['open', 'held'], true);
    }

    /**
     * Among others: only the columns that matter, and values that are cut.
     *
     * @param array<string, mixed> $conflict
     */
    public function short(array $conflict): Html
    {
        $id = $conflict['id'];
        $box = self::isWaiting($conflict) && !$this->asked->isWaiting($id)
            ? Html::tag('label', ['class' => 'check'], Html::tag('input', [
                'type' => 'checkbox',
                'name' => 'chosen[]',
                'value' => $id,
                'form' => Listing::FORM,
                'aria-label' => "Choose conflict {$id}",
            ]))
            : null;

        return $this->card($conflict, $box, Comparison::short($conflict, $this->link($id, 'On its own page')));
    }

    /**
     * On a page of its own: all columns, and values as whole as a page bears.
     *
     * @param array<string, mixed> $conflict
     */
    public function whole(array $conflict): Html
    {
        return $this->card($conflict, null, Comparison::whole($conflict));
    }

    /** @param array<string, mixed> $conflict */
    private function card(array $conflict, ?Html $box, Html $comparison): Html
    {
        $id = $conflict['id'];
        $heading = Html::tag(
            'div',
            ['class' => 'heading'],
            $box,
            Html::tag('h2', [], $this->link($id, "{$id}: {$conflict['database']}.{$conflict['table']}")),
            Ui::state($conflict['status']),
            Html::tag('span', ['class' => 'quiet'], Ui::time($conflict['at']), ' in ', $this->forms->link(
                'history',
                ['run' => $conflict['run']],
                "run {$conflict['run']}",
            )),
        );
        $key = [];
        foreach ($conflict['key'] as $column => $value) {
            $key[] = [' ', Html::tag('span', ['class' => 'quiet'], "{$column} "), Comparison::key($value)];
        }
        $won = $conflict['winner'] === 'none' ? 'Nobody won' : "{$conflict['winner']} won";

        return Html::tag(
            'section',
            ['class' => 'conflict'],
            $heading,
            Html::tag('p', [], self::KINDS[$conflict['kind']] ?? $conflict['kind'], $key === [] ? null : ':', $key),
            $comparison,
            Html::tag('p', [], Html::tag('strong', [], $won), ": {$conflict['reason']}."),
            $this->asked->html($id),
            $this->asked->isWaiting($id) ? null : $this->buttons($conflict),
        );
    }

    /** @param array<string, mixed> $conflict */
    private function buttons(array $conflict): ?Html
    {
        if ($conflict['status'] === 'resolved') {
            return null;
        }
        $buttons = [];
        foreach ($conflict['choices'] as $choice) {
            $attributes = ['type' => 'submit', 'name' => 'take', 'value' => $choice];
            $buttons[] = Html::tag('button', $attributes, self::words($conflict, $choice));
        }
        if (self::isWaiting($conflict)) {
            $attributes = ['type' => 'submit', 'name' => 'seen', 'value' => '1'];
            $buttons[] = Html::tag('button', $attributes, 'Acknowledge');
        }

        return $buttons === [] ? null : $this->forms->post(
            'resolve',
            $this->back,
            Forms::hidden('conflict', $conflict['id']),
            $buttons,
        );
    }

    /**
     * Says so where to take something means that the row goes.
     *
     * @param array<string, mixed> $conflict
     */
    private static function words(array $conflict, string $choice): string
    {
        $row = $choice === 'base' ? $conflict['base'] : $conflict['values'][$choice] ?? null;

        return match (true) {
            $choice === 'both' => 'Keep both rows',
            $choice === 'base' && $row === null => 'Take what was before: no row',
            $choice === 'base' => 'Take what was before',
            $row === null => "Take {$choice}: no row",
            $choice === $conflict['winner'] => "Keep {$choice}",
            default => "Take {$choice}",
        };
    }

    private function link(string $id, string $words): Html
    {
        return $this->forms->link('conflicts', ['id' => $id], $words);
    }
}
