<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Library;
use Cr0Sync\Admin\Logs\Catalogue;
use Cr0Sync\Admin\Notice;
use Cr0Sync\Admin\Outcome;
use Cr0Sync\Admin\Page;
use Cr0Sync\Admin\Request;
use Cr0Sync\Admin\Ui;
use Cr0Sync\Script\Text;

/**
 * The logs with their copies, and how far each copy is; and a look into one of them.
 */
final class Logs implements Page
{
    private const PER_PAGE = 25;

    /** Only the end of a log changes by itself while somebody reads it. */
    private bool $isTail = false;

    public function title(): string
    {
        return 'Logs';
    }

    public function isLive(): bool
    {
        return $this->isTail;
    }

    public function show(Request $request, Library $library, Forms $forms): Html
    {
        $catalogue = new Catalogue($library);
        if ($request->text('copy') !== '') {
            $view = new LogView($catalogue, $forms);
            $this->isTail = $view->isTail($request);

            return $view->show($request);
        }
        $logs = $library->read('cr0_log_status')['logs'];
        $skip = $request->number('skip', 0);
        $shown = array_slice($logs, $skip, self::PER_PAGE, true);

        return Html::all(
            $this->figures($logs),
            $this->problems($logs),
            Ui::section(
                'Logs that are merged',
                $logs === []
                    ? Html::tag('p', [], 'No logs are named in the settings: list them under "logs" in cr0sync.json.')
                    : $this->table($forms, $shown),
                Ui::pager($forms, 'logs', [], $skip, self::PER_PAGE, count($logs)),
            ),
            $this->own($forms, $catalogue),
        );
    }

    public function act(Request $request, Library $library): Outcome
    {
        return new Outcome(Notice::failed('Logs are only read here.'));
    }

    /** @param array<string, array<string, mixed>> $logs */
    private function figures(array $logs): Html
    {
        $bytes = $behind = $problems = 0;
        foreach ($logs as $log) {
            $bytes += array_sum(array_column($log['sides'], 'bytes'));
            $bytes += array_sum(array_column($log['rotated'], 'bytes'));
            $behind += array_sum(array_column($log['sides'], 'lag_bytes'));
            $behind += array_sum(array_column($log['sides'], 'unread_bytes'));
            $problems += count($log['problems']);
        }

        return Ui::figures(
            Ui::figure('Logs', count($logs)),
            Ui::figure('Problems', $problems, $problems === 0 ? 'good' : 'bad'),
            Ui::figure('Logs not merged yet', Ui::bytes($behind)),
            Ui::figure('Size of all copies', Ui::bytes($bytes)),
        );
    }

    /** @param array<string, array<string, mixed>> $logs */
    private function problems(array $logs): ?Html
    {
        $rows = [];
        foreach ($logs as $name => $log) {
            foreach ($log['problems'] as $one) {
                $rows[] = [$name, $one['side'] ?? 'the whole log', strtr($one['kind'], '_', ' '), $one['message']];
            }
        }

        return $rows === [] ? null : Ui::section(
            'What is wrong',
            Ui::table('Problems of logs', ['Log', 'Side', 'What', 'In words'], $rows),
        );
    }

    /** @param array<string, array<string, mixed>> $logs */
    private function table(Forms $forms, array $logs): Html
    {
        $rows = [];
        foreach ($logs as $name => $log) {
            $isFirst = true;
            foreach ($log['sides'] as $side => $copy) {
                $rows[] = [
                    Html::tag($isFirst ? 'strong' : 'span', ['class' => $isFirst ? null : 'again'], $name),
                    $forms->link('logs', ['log' => $name, 'copy' => "side:{$side}"], $side),
                    $copy['exists'] ? Ui::bytes($copy['bytes']) : 'not there',
                    Ui::bytes($copy['unread_bytes']),
                    Ui::bytes($copy['lag_bytes']),
                    $isFirst ? Ui::time($log['last_merge']) : '',
                    $isFirst ? $this->rotated($log['rotated']) : '',
                    self::state($copy, $log['unfinished']),
                ];
                $isFirst = false;
            }
        }
        $columns = ['Log', 'Side', 'Size', 'To be merged', 'To be received', 'Last merge', 'Rotated', 'State'];

        return Ui::table('The copy that each side has of a log', $columns, $rows, [2, 3, 4]);
    }

    /**
     * How the copy of a side is; the same words wherever it is shown.
     *
     * @param array<string, mixed> $copy
     */
    public static function state(array $copy, bool $isUnfinished): Html
    {
        return match (true) {
            $copy['problem'] !== null => Html::all(Ui::state('problem'), ' ', Ui::sentence($copy['problem'])),
            !$copy['exists'] => Ui::mark('not there', 'warn'),
            $isUnfinished => Ui::mark('the next run finishes it', 'warn'),
            $copy['unread_bytes'] + $copy['lag_bytes'] > 0 => Ui::mark('waits', 'info'),
            default => Html::all(Ui::state('ok'), $copy['weak'] ? ' adopted by few lines' : ''),
        };
    }

    /** @param list<array{path: string, bytes: int}> $files */
    private function rotated(array $files): string
    {
        $bytes = Ui::bytes(array_sum(array_column($files, 'bytes')));

        return $files === [] ? 'none' : Text::count(count($files), 'file', 'files') . ", {$bytes}";
    }

    private function own(Forms $forms, Catalogue $catalogue): Html
    {
        $rows = [];
        foreach ($catalogue->own() as $copy) {
            $seen = @lstat($copy->path);
            $rows[] = [
                $forms->link('logs', ['copy' => $copy->key], $copy->label),
                Html::tag('code', [], $copy->path),
                Ui::bytes($seen['size'] ?? 0),
                Ui::time($seen === false ? null : gmdate('c', $seen['mtime'])),
            ];
        }

        return Ui::section(
            'Logs of cron and of the website',
            $rows === []
                ? Html::tag('p', [], 'None of them is there: install_crontabs.sh makes those of cron.')
                : Ui::table('Logs that are not merged', ['Log', 'File', 'Size', 'Last written'], $rows, [2]),
        );
    }
}
