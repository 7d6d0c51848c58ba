<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages\Conflicts;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Library;
use Cr0Sync\Admin\Pages\History\OneRun;
use Cr0Sync\Admin\Pages\History\Runs;
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
    public static function isResolved(array $conflict): bool
    {
        return $conflict['status'] === 'resolved';
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

        $decision = $this->asked->decision($id, 'resolve');
        $comparison = Comparison::short($conflict, $this->link($id, 'On its own page'), $decision?->take);
        $unknown = Decision::unknown($this->link($id, 'Its own page looks further'));

        return $this->card($conflict, $box, $comparison, $this->came($conflict, $decision) ?? $unknown);
    }

    /**
     * On a page of its own: all columns, and values as whole as a page bears.
     *
     * @param array<string, mixed> $conflict
     */
    public function whole(array $conflict, Library $library): Html
    {
        $decision = $this->asked->decision($conflict['id'], 'resolve');
        if ($decision === null && self::isResolved($conflict)) {
            $decision = Decision::ofEvents($library, $conflict['id']);
        }
        $runs = $this->forms->link('history', [], 'The page History has the runs.');
        $came = $this->came($conflict, $decision, $this->since($decision, $library)) ?? Decision::unknown($runs);

        return $this->card($conflict, null, Comparison::whole($conflict, $decision?->take), $came);
    }

    /** That the run which decided was undone: the row may be as it was before. */
    private function since(?Decision $decision, Library $library): ?Html
    {
        if ($decision?->run === null) {
            return null;
        }
        [$run, $undone] = Runs::ofAll($library)->one($decision->run);
        $mark = $run === null ? null : (new OneRun($library, $this->forms))->mark($run, $undone);

        return $mark === null ? null : Html::all('That run was ', $mark, '.');
    }

    /**
     * What came of it; null where it is settled and nobody knows how.
     *
     * @param array<string, mixed> $conflict
     */
    private function came(array $conflict, ?Decision $decision, ?Html $since = null): ?Html
    {
        return match ($conflict['status']) {
            'resolved' => $decision?->html($conflict, $this->forms, $since),
            'acknowledged' => $this->asked->decision($conflict['id'], 'acknowledge')?->html($conflict, $this->forms)
                ?? Html::all(),
            default => Html::all(),
        };
    }

    /** @param array<string, mixed> $conflict */
    private function card(array $conflict, ?Html $box, Html $comparison, Html $came): Html
    {
        $id = $conflict['id'];
        $heading = Html::tag(
            'div',
            ['class' => 'heading'],
            $box,
            Html::tag('h2', [], $this->link($id, "{$id}: {$conflict['database']}.{$conflict['table']}")),
            Ui::state($conflict['status']),
            Html::tag('span', ['class' => 'quiet'], Ui::when($conflict['at']), ' in ', $this->forms->link(
                'history',
                ['run' => $conflict['run']],
                "run {$conflict['run']}",
            )),
        );
        $kind = self::KINDS[$conflict['kind']] ?? $conflict['kind'];
        $key = [];
        foreach ($conflict['key'] as $column => $value) {
            $key[] = [' ', Html::tag('span', ['class' => 'quiet'], "{$column} "), Comparison::key($value)];
        }
        $won = $conflict['winner'] === 'none' ? 'Nobody won' : "{$conflict['winner']} won";
        $won = self::isResolved($conflict) ? "{$won} at first" : Html::tag('strong', [], $won);

        return Html::tag(
            'section',
            ['class' => 'conflict'],
            $heading,
            Html::tag('p', [], ucfirst($kind), $key === [] ? '.' : ': row', $key),
            $comparison,
            $came,
            Html::tag('p', [], $won, ": {$conflict['reason']}."),
            $this->asked->html($id),
            $this->asked->isWaiting($id) ? null : $this->buttons($conflict),
        );
    }

    /** @param array<string, mixed> $conflict */
    private function buttons(array $conflict): ?Html
    {
        if (self::isResolved($conflict)) {
            return null;
        }
        $buttons = [];
        foreach ($conflict['choices'] as $choice) {
            if (Removal::isOne($conflict, $choice)) {
                $ask = ['id' => $conflict['id'], 'take' => $choice];
                $link = ['class' => 'button danger', 'href' => $this->forms->address('conflicts', $ask)];
                $buttons[] = Html::tag('a', $link, self::words($conflict, $choice) . '...');
                continue;
            }
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
        // No side can be called so.
        $isPlanned = $choice === 'merged';
        $name = $isPlanned ? 'what was to be written' : $choice;

        return match (true) {
            $choice === 'both' => 'Keep both rows',
            $choice === 'base' && $row === null => 'Take what was before: delete the row',
            $choice === 'base' => 'Take what was before',
            $row === null && Removal::isOne($conflict, $choice) => "Take {$name}: delete the row",
            $choice === $conflict['winner'] && !$isPlanned => "Keep {$name}",
            $row === null => "Take {$name}: no row",
            default => "Take {$name}",
        };
    }

    private function link(string $id, string $words): Html
    {
        return $this->forms->link('conflicts', ['id' => $id], $words);
    }
}
