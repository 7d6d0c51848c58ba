<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages\Conflicts;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Library;
use Cr0Sync\Admin\Ui;

/**
 * A page of the conflicts that fit, and what is done with several at once.
 */
final readonly class Listing
{
    private const AT_ONCE = 50;
    /** The form that the boxes of all cards belong to, as forms cannot be in one another. */
    public const FORM = 'several';

    public function __construct(private Library $library, private Forms $forms)
    {
    }

    public function html(Filter $filter): Html
    {
        [$conflicts, $total, $skip] = $this->page($filter);
        $search = $this->search($filter);
        if ($conflicts === []) {
            return Html::all($search, Html::tag('p', ['class' => 'none'], $this->whyNone($filter)));
        }
        $asked = Asked::asFarAsKnown($this->library);
        $back = [];
        foreach (['skip' => $skip] + $filter->query(true) as $name => $value) {
            $back[] = Forms::hidden($name, $value);
        }
        $card = new Card($this->forms, $asked, Html::all($back));
        $cards = $shown = [];
        foreach ($conflicts as $conflict) {
            $cards[] = $card->short($conflict);
            if (Card::isWaiting($conflict) && !$asked->isWaiting($conflict['id'])) {
                $shown[] = Forms::hidden('shown[]', $conflict['id']);
            }
        }
        $pager = Ui::pager($this->forms, 'conflicts', $filter->query(false), $skip, self::AT_ONCE, $total);

        $trouble = $asked->problem === null ? null : Ui::trouble($asked->problem);

        return Html::all($search, $trouble, $pager, $this->several($shown, Html::all($back)), $cards, $pager);
    }

    /** @return array{list<array<string, mixed>>, int, int} the conflicts, how many fit, and how many are before them */
    private function page(Filter $filter): array
    {
        $options = $filter->options();
        $read = fn (int $skip, int $limit): array =>
            $this->library->read('cr0_db_conflicts', ['skip' => $skip, 'limit' => $limit] + $options);
        $report = $filter->order === 'oldest' ? $read($filter->skip, self::AT_ONCE) : $read(0, 0);
        $total = $report['total'];
        // A page that is behind the end, as others resolved some meanwhile, is the last one.
        $last = $total === 0 ? 0 : intdiv($total - 1, self::AT_ONCE) * self::AT_ONCE;
        $skip = min($filter->skip, $last);
        if ($filter->order === 'oldest') {
            $report = $skip === $filter->skip ? $report : $read($skip, self::AT_ONCE);

            return [$report['conflicts'], $total, $skip];
        }
        // The library tells the oldest first, so that the newest are at its end.
        $end = $total - $skip;
        $start = max(0, $end - self::AT_ONCE);

        return [array_reverse($total === 0 ? [] : $read($start, $end - $start)['conflicts']), $total, $skip];
    }

    private function search(Filter $filter): Html
    {
        $names = ['' => 'all databases'] + array_combine($filter->databases, $filter->databases);
        $states = array_combine(array_keys(Filter::STATES), array_keys(Filter::STATES));
        $states['waiting'] = 'open or held';
        $orders = ['oldest' => 'the oldest first', 'newest' => 'the newest first'];

        return $this->forms->search(
            Forms::select('Database', 'database', $names, $filter->database),
            Forms::select('State', 'status', $states, $filter->status),
            Forms::select('Order', 'order', $orders, $filter->order),
            Forms::button('Show'),
        );
    }

    /** @param list<Html> $shown */
    private function several(array $shown, Html $back): ?Html
    {
        if ($shown === []) {
            return null;
        }
        $all = ['type' => 'submit', 'name' => 'all', 'value' => '1'];
        $number = count($shown);

        return Html::tag('div', ['class' => 'several'], $this->forms->named(
            self::FORM,
            'acknowledge',
            $back,
            $shown,
            Forms::button('Acknowledge the chosen ones'),
            Html::tag('button', $all, $number === 1 ? 'Acknowledge this one' : "Acknowledge all {$number} here"),
        ), Html::tag('p', ['class' => 'quiet'], 'To acknowledge is to have seen it: the values stay as they are.'));
    }

    private function whyNone(Filter $filter): string
    {
        return match (true) {
            $filter->status === 'waiting' && $filter->database === '' =>
                'No conflict waits for you. There will be one when two sides change the same thing between two runs.',
            $filter->status === 'all' && $filter->database === '' =>
                'There was no conflict yet: no two sides have changed the same thing between two runs.',
            default => 'No conflict fits that. Choose other databases or states above.',
        };
    }
}
