<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Library;
use Cr0Sync\Admin\NotThere;
use Cr0Sync\Admin\Notice;
use Cr0Sync\Admin\Outcome;
use Cr0Sync\Admin\Page;
use Cr0Sync\Admin\Pages\Conflicts\Asked;
use Cr0Sync\Admin\Pages\Conflicts\Card;
use Cr0Sync\Admin\Pages\Conflicts\Filter;
use Cr0Sync\Admin\Pages\Conflicts\Listing;
use Cr0Sync\Admin\Pages\Conflicts\Removal;
use Cr0Sync\Admin\Request;
use Cr0Sync\Admin\Ui;
use Cr0Sync\Script\Text;

/**
 * What sides wrote at the same time: who won, why, and how it is decided otherwise.
 *
 * Nothing is asked for twice: what waits in the queue is shown beside its conflict, in place of the buttons.
 */
final readonly class Conflicts implements Page
{
    public function title(): string
    {
        return 'Conflicts';
    }

    public function isLive(): bool
    {
        return true;
    }

    public function show(Request $request, Library $library, Forms $forms): Html
    {
        $id = $request->text('id');

        return $id === ''
            ? (new Listing($library, $forms))->html(Filter::ofAddress($request, self::databases($library)))
            : self::one($request, $library, $forms);
    }

    public function act(Request $request, Library $library): Outcome
    {
        $query = $request->field('id') === ''
            ? Filter::ofForm($request, self::databases($library))->query(true)
            : ['id' => $request->field('id')];
        $notice = match ($request->field('action')) {
            'resolve' => $request->field('seen') === ''
                ? self::resolve($request, $library)
                : self::acknowledge([$request->field('conflict')], $library),
            'acknowledge' => self::acknowledge($request->fields(
                $request->field('all') === '' ? 'chosen' : 'shown',
            ), $library),
            default => Notice::failed('Nothing is asked for here.'),
        };

        return $notice instanceof Outcome ? $notice : new Outcome($notice, $query);
    }

    private static function one(Request $request, Library $library, Forms $forms): Html
    {
        $id = $request->text('id');
        $conflict = self::found([$id], $library)[0] ?? null;
        $back = Html::tag('p', [], $forms->link('conflicts', [], 'All conflicts'));
        if ($conflict === null) {
            throw new NotThere("There is no conflict {$id} on record.", $forms->link('conflicts', [], 'All conflicts'));
        }
        $asked = Asked::asFarAsKnown($library);
        $trouble = $asked->problem === null ? null : Ui::trouble($asked->problem);
        $take = $request->text('take');
        if (self::isToConfirm($conflict, $take) && !$asked->isWaiting($id)) {
            return Html::all($back, $trouble, (new Removal($forms))->html($conflict, $take));
        }
        $card = new Card($forms, $asked, Forms::hidden('id', $conflict['id']));

        return Html::all($back, $trouble, $card->whole($conflict, $library));
    }

    /** @param array<string, mixed> $conflict */
    private static function isToConfirm(array $conflict, string $take): bool
    {
        return in_array($take, $conflict['choices'], true) && Removal::isOne($conflict, $take);
    }

    /** Asks for it, or leads to the page that shows the row which would go. */
    private static function resolve(Request $request, Library $library): Notice|Outcome
    {
        $id = $request->field('conflict');
        $take = $request->field('take');
        $conflict = self::found([$id], $library)[0] ?? null;
        if ($conflict === null) {
            return Notice::failed("There is no conflict {$id} on record.");
        }
        if (!in_array($take, $conflict['choices'], true)) {
            return Notice::failed("{$take} is no choice of conflict {$id}.");
        }
        if (Asked::of($library)->isWaiting($id)) {
            return Notice::failed("Conflict {$id} is asked for already; the next run of cron does it.");
        }

        $isSure = hash_equals(Removal::seen($conflict, $take), $request->field('sure'));
        if (self::isToConfirm($conflict, $take) && !$isSure) {
            $words = 'Nothing is asked for yet: that deletes a row. Look at the row, then say it again.';

            return new Outcome(Notice::failed($words), ['id' => $id, 'take' => $take]);
        }

        return $library->ask('resolve', ['conflict' => $id, 'take' => $take]);
    }

    /** @param list<string> $ids */
    private static function acknowledge(array $ids, Library $library): Notice
    {
        $asked = Asked::of($library);
        $known = array_column(self::found($ids, $library), 'id');
        $unknown = array_values(array_diff($ids, $known));
        if ($unknown !== []) {
            return Notice::failed('There is no conflict ' . implode(', ', $unknown) . ' on record.');
        }
        $new = array_values(array_filter($known, static fn (string $id): bool => !$asked->isWaiting($id)));
        if ($new === []) {
            return Notice::failed($known === [] ? 'Choose conflicts first.' : 'That is asked for already.');
        }
        $notice = $library->ask('acknowledge', ['conflicts' => $new]);

        $before = count($known) - count($new);
        $left = $before === 0 ? '' : ' ' . Text::count($before, 'other was', 'others were') . ' asked for before.';

        return Notice::done($notice->text . $left);
    }

    /**
     * Those of them that are on record.
     *
     * @param list<string> $ids
     * @return list<array<string, mixed>>
     */
    private static function found(array $ids, Library $library): array
    {
        $plain = array_values(array_filter($ids, static fn (string $id): bool => ctype_digit($id)));

        // An empty list would be all of them.
        return $plain === [] ? [] : $library->read('cr0_db_conflicts', ['ids' => $plain])['conflicts'];
    }

    /** @return list<string> */
    private static function databases(Library $library): array
    {
        return array_map(strval(...), array_keys($library->read('cr0_config')['config']['databases']));
    }
}
