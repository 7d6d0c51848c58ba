<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages\History;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Library;
use Cr0Sync\Admin\NotThere;
use Cr0Sync\Admin\Preview;
use Cr0Sync\Admin\Request;
use Cr0Sync\Admin\Requests;
use Cr0Sync\Admin\RunView;
use Cr0Sync\Admin\Ui;
use Cr0Sync\Cr0SyncException;

/**
 * What one run did, what undid it, and the page on which it is undone.
 */
final readonly class OneRun
{
    public function __construct(private Library $library, private Forms $forms)
    {
    }

    public function html(string $id): Html
    {
        [$run, $undone] = Runs::ofAll($this->library)->one($id);
        $back = Html::tag('p', [], $this->forms->link('history', [], 'All runs'));
        if ($run === null) {
            throw $this->none($id);
        }
        $number = Runs::conflicts($run);
        $words = number_format($number) . ($number === 1 ? ' new conflict' : ' new conflicts');

        return Html::all($back, Ui::section(
            "Run {$id}",
            Html::tag(
                'p',
                [],
                $this->kind($run),
                ', ',
                Ui::when($run['at']),
                ', took ' . number_format((int) $run['duration_ms']) . ' ms, ',
                $number === 0 ? 'no conflict' : $this->forms->link('conflicts', ['status' => 'all'], $words),
                '.',
            ),
            self::did($run),
            $this->decided($run),
            $this->undone($run, $undone),
            RunView::databases($run['databases']),
            $this->offer($run, $undone),
        ));
    }

    /** @param array<string, mixed> $run */
    private static function did(array $run): Html
    {
        [$written, $others] = Runs::written($run);
        $words = [];
        foreach (['inserted' => 'new', 'updated' => 'changed', 'deleted' => 'deleted'] as $what => $name) {
            $number = Runs::onSides($run)[$what];
            $words[] = $number === '0' ? null : "{$name}: {$number}";
        }
        $rows = array_filter($words) === [] ? 'It wrote no row' : 'Rows ' . implode(', ', array_filter($words));
        $names = $written === [] ? '' : '; databases: ' . implode(', ', $written);

        return Html::tag('p', [], $rows . $names . ($others === 0 ? '.' : " ({$others} unchanged)."));
    }

    /**
     * Of a run that decided a conflict: which, as far as that was asked for here.
     *
     * @param array<string, mixed> $run
     */
    private function decided(array $run): ?Html
    {
        if ($run['kind'] !== 'resolve') {
            return null;
        }
        try {
            $requests = Requests::all($this->library);
        } catch (Cr0SyncException) {
            $requests = [];
        }
        $links = [];
        foreach ($requests as $request) {
            $id = $request['arguments']['conflict'] ?? null;
            // A result can be anything, as others may have written it.
            $by = is_array($request['result']) ? $request['result']['run'] ?? null : null;
            if ($request['action'] === 'resolve' && is_string($id) && $by === $run['run']) {
                $links[] = [' ', $this->forms->link('conflicts', ['id' => $id], "conflict {$id}")];
            }
        }

        return Html::tag('p', [], $links !== []
            ? ['It decided', $links, '.']
            : ['It decided a conflict, by the command resolve on the machine or more than a week ago. ', $this->forms
                ->link('conflicts', ['status' => 'resolved'], 'Conflicts that are resolved')]);
    }

    /**
     * What sort of run it was; where it undid another, that leads there.
     *
     * @param array<string, mixed> $run
     */
    public function kind(array $run): Html
    {
        $undid = Undone::undid($run);

        return $undid === null
            ? Html::all($run['kind'])
            : Html::all('undo of ', $this->forms->link('history', ['run' => $undid], "run {$undid}"));
    }

    /**
     * That it was undone, and by which runs, if it was.
     *
     * @param array<string, mixed> $run
     */
    public function mark(array $run, Undone $undone): ?Html
    {
        $by = $undone->by($run['run']);
        if ($by === []) {
            return null;
        }
        $links = [];
        foreach ($by as $at => $id) {
            $links[] = [$at === 0 ? null : ', ', $this->forms->link('history', ['run' => $id], "run {$id}")];
        }
        $words = $undone->isWhole($run) ? 'undone' : 'undone in part';

        return Html::all(Ui::mark($words, 'warn'), ' by ', $links);
    }

    /** @param array<string, mixed> $run */
    private function undone(array $run, Undone $undone): ?Html
    {
        $mark = $this->mark($run, $undone);
        $left = $undone->left($run);
        $words = match (true) {
            $left === [] => '. What it wrote does not stand any more; to have it back, undo the run that undid it.',
            default => '. What it wrote to ' . implode(', ', $left) . ' still stands.',
        };

        return $mark === null ? null : Html::tag('p', [], $mark, $words);
    }

    /** @param array<string, mixed> $run */
    private function offer(array $run, Undone $undone): ?Html
    {
        if ($undone->isWhole($run)) {
            return null;
        }
        $cannot = self::cannot($run, $undone) ?? $this->waiting($run['run']);
        $undo = ['href' => $this->forms->address('history', ['undo' => $run['run']]), 'class' => 'button'];

        return $cannot === null
            ? Html::tag('p', [], Html::tag('a', $undo, 'Undo this run...'))
            : Html::tag('p', ['class' => 'none'], $cannot);
    }

    private function waiting(string $id): ?string
    {
        try {
            return Requests::waiting($this->library, 'undo', ['run' => $id]);
        } catch (Cr0SyncException) {
            // Whoever asks is told why nobody can know.
            return null;
        }
    }

    public function undo(string $id, Request $request): Html
    {
        [$run, $undone] = Runs::ofAll($this->library)->one($id);
        if ($run === null) {
            throw $this->none($id);
        }
        $refusal = self::cannot($run, $undone);
        if ($refusal !== null) {
            return Html::all(
                Ui::trouble($refusal),
                Html::tag('p', [], $this->forms->link('history', [], 'All runs')),
            );
        }
        $steps = [
            "The next run of cron gives every row that run {$id} wrote the values it had before, on all sides.",
            'What was new goes, what was deleted comes back, what was changed is as it was.',
            'A row that was changed again since stays as it is now, and is named in the warnings.',
            'Before that, an emergency copy of each file is made; it is on the page Backups.',
            'That is a run of its own, which can be undone in turn.',
        ];

        return Html::all(Ui::section(
            "Undo run {$id}",
            Html::tag('ul', [], array_map(static fn (string $one): Html => Html::tag('li', [], $one), $steps)),
            Html::tag('div', ['class' => 'confirm'], $this->forms->post(
                'undo',
                Forms::hidden('run', $id),
                Forms::button("Undo run {$id}", 'danger'),
                $this->forms->link('history', ['run' => $id], 'Do nothing'),
            )),
        ), (new Preview($this->forms, ['undo' => $id]))->html(
            $request,
            fn (): array => $this->library->read('cr0_db_undo', ['dry_run' => true], $id),
        ));
    }

    /** Why a run cannot be undone, if it cannot. */
    public static function refusal(Library $library, string $id): ?string
    {
        [$run, $undone] = Runs::ofAll($library)->one($id);

        return $run === null ? self::unknown($id) : self::cannot($run, $undone);
    }

    private function none(string $id): NotThere
    {
        return new NotThere(self::unknown($id), $this->forms->link('history', [], 'All runs'));
    }

    private static function unknown(string $id): string
    {
        return "There is no run {$id} among the newest that did something. The command history lists older ones.";
    }

    /**
     * Why it is plain that a run cannot be undone. The library knows more, and says it when it is asked.
     *
     * @param array<string, mixed> $run
     */
    private static function cannot(array $run, Undone $undone): ?string
    {
        $by = $undone->by($run['run'])[0] ?? null;

        return match (true) {
            $undone->isWhole($run) => "Run {$run['run']} is undone already, by run {$by}. To have back what it wrote, "
                . "undo run {$by}.",
            $run['kind'] === 'restore' => "Run {$run['run']} was a restore. To undo it, restore the emergency copy "
                . 'that was made before it: it is on the page Backups.',
            Runs::rows($run) === 0 => "Run {$run['run']} wrote no row, so that there is nothing to undo.",
            default => null,
        };
    }
}
