<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages\History;

use Cr0Sync\Admin\App;
use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Library;
use Cr0Sync\Admin\RunView;
use Cr0Sync\Admin\Ui;
use Cr0Sync\Cr0SyncException;

/**
 * What one run did, and the page on which it is taken back.
 */
final readonly class OneRun
{
    public function __construct(private Library $library, private Forms $forms)
    {
    }

    public function html(string $id): Html
    {
        $run = Runs::ofAll($this->library)->one($id);
        $back = Html::tag('p', [], $this->forms->link('history', [], 'All runs'));
        if ($run === null) {
            return Html::all($back, Ui::trouble(self::unknown($id)));
        }
        $number = Runs::conflicts($run);
        $undo = ['href' => $this->forms->address('history', ['undo' => $id]), 'class' => 'button'];
        $cannot = self::cannot($run);

        return Html::all($back, Ui::section(
            "Run {$id}",
            Html::tag(
                'p',
                [],
                "{$run['kind']}, ",
                Ui::time($run['at']),
                ', took ' . number_format((int) $run['duration_ms']) . ' ms, ',
                $number === 0 ? 'no conflict.' : number_format($number) . ' new ',
                $number === 0 ? null : $this->forms->link('conflicts', ['status' => 'all'], 'conflicts'),
            ),
            RunView::databases($run['databases']),
            $cannot === null
                ? Html::tag('p', [], Html::tag('a', $undo, 'Take this run back...'))
                : Html::tag('p', ['class' => 'none'], $cannot),
        ));
    }

    public function undo(string $id, bool $isLook): Html
    {
        $refusal = self::refusal($this->library, $id);
        if ($refusal !== null) {
            return Html::all(
                Ui::trouble($refusal),
                Html::tag('p', [], $this->forms->link('history', [], 'All runs')),
            );
        }
        $steps = [
            "The next run of cron gives every row that run {$id} wrote the value it had before, on all sides.",
            'What was new goes, what was deleted comes back, what was changed is as it was.',
            'A row that was changed again since stays as it is now, and is named in the warnings.',
            'Before that, an emergency copy of each file is made; it is on the page Backups.',
            'That is a run of its own, which can be taken back again.',
        ];

        return Html::all(Ui::section(
            "Take run {$id} back",
            Html::tag('ul', [], array_map(static fn (string $one): Html => Html::tag('li', [], $one), $steps)),
            Html::tag('div', ['class' => 'confirm'], $this->forms->post(
                'undo',
                Forms::hidden('run', $id),
                Forms::button("Take run {$id} back", 'danger'),
                $this->forms->link('history', ['run' => $id], 'Do nothing'),
            )),
        ), $this->look($id, $isLook));
    }

    /** Why a run cannot be taken back, if it cannot. */
    public static function refusal(Library $library, string $id): ?string
    {
        $run = Runs::ofAll($library)->one($id);

        return $run === null ? self::unknown($id) : self::cannot($run);
    }

    private static function unknown(string $id): string
    {
        return "There is no run {$id} among the newest that did something. The command history lists older ones.";
    }

    private function look(string $id, bool $isLook): Html
    {
        if (!$isLook) {
            $words = 'Show how many rows would be written now';

            return Html::tag('p', [], $this->forms->link('history', ['undo' => $id, 'look' => '1'], $words));
        }
        try {
            $plan = $this->library->read('cr0_db_undo', ['dry_run' => true], $id);

            return Ui::section('What would be written now', RunView::databases($plan['databases']));
        } catch (Cr0SyncException $error) {
            return Ui::section('What would be written now', Ui::trouble(App::words($error)));
        }
    }

    /**
     * Why it is plain that a run cannot be taken back. The library knows more, and says it when it is asked.
     *
     * @param array<string, mixed> $run
     */
    private static function cannot(array $run): ?string
    {
        $sums = Runs::sums($run);
        $rows = $sums['inserted'] + $sums['updated'] + $sums['deleted'] + $sums['rekeyed'];

        return match (true) {
            $run['kind'] === 'restore' => "Run {$run['run']} was a restore. To take it back, restore the emergency "
                . 'copy that was made before it: it is on the page Backups.',
            $rows === 0 => "Run {$run['run']} wrote no row, so that there is nothing to take back.",
            default => null,
        };
    }
}
