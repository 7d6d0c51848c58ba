<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages;

use Cr0Sync\Admin\Advice;
use Cr0Sync\Admin\App;
use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Library;
use Cr0Sync\Admin\ManyFindings;
use Cr0Sync\Admin\Notice;
use Cr0Sync\Admin\Operator;
use Cr0Sync\Admin\Outcome;
use Cr0Sync\Admin\Page;
use Cr0Sync\Admin\Pages\Overview\Confirm;
use Cr0Sync\Admin\Pages\Overview\Cron;
use Cr0Sync\Admin\Pages\Overview\Databases;
use Cr0Sync\Admin\Pages\Overview\Figures;
use Cr0Sync\Admin\Pages\Overview\Files;
use Cr0Sync\Admin\Pages\Overview\Logs;
use Cr0Sync\Admin\Pages\Overview\Needs;
use Cr0Sync\Admin\Preview;
use Cr0Sync\Admin\Request;
use Cr0Sync\Admin\Requests;
use Cr0Sync\Admin\Ui;
use Cr0Sync\Cr0SyncException;

/**
 * What needs a person, and how everything is. What cannot be told shows why, and the rest is shown all the same.
 */
final class Overview implements Page
{
    private const ACTIONS = [
        'resolve', 'acknowledge', 'restore', 'force', 'sync-from', 'backup', 'clean-backups', 'verify', 'undo',
        'unknown',
    ];

    /** Whether to look is cheap enough to do it again and again. */
    private bool $isCheap = true;

    public function title(): string
    {
        return 'Overview';
    }

    public function isLive(): bool
    {
        return $this->isCheap;
    }

    public function show(Request $request, Library $library, Forms $forms): Html
    {
        $database = $request->text('database');
        $confirm = new Confirm($library, $forms);

        return match ($request->text('ask')) {
            'force' => $confirm->force($database, $request),
            'sync-from' => $confirm->syncFrom($database, $request->text('side'), $request),
            default => $this->all($library, $forms),
        };
    }

    public function act(Request $request, Library $library): Outcome
    {
        $database = $request->field('database');
        $action = $request->field('action');
        if ($action === 'look') {
            return Preview::ask($request, ['ask', 'database', 'side']);
        }
        if (!in_array($action, ['force', 'sync-from'], true)) {
            return new Outcome(Notice::failed('Nothing is asked for here.'));
        }
        $arguments = ['database' => $database];
        if ($action === 'sync-from') {
            $arguments += ['side' => $request->field('side'), 'force' => $request->field('force') === '1'];
        }
        $refusal = Confirm::refusal($library, $action, $database, $arguments['side'] ?? '')
            ?? Requests::waiting($library, $action, ['database' => $database]);

        return new Outcome($refusal === null ? $library->ask($action, $arguments) : Notice::failed($refusal));
    }

    private function all(Library $library, Forms $forms): Html
    {
        $many = ManyFindings::of($library);
        $this->isCheap = $many === null;
        $status = $many === null ? $library->read('cr0_status') : self::withoutFiles($library);
        ['hub' => $hub, 'root' => $root] = $library->read('cr0_config')['config'];
        $operator = Operator::of($library, 'security_monitoring_script.php');
        $advice = new Advice($operator, Operator::of($library, 'database_sync_script.php'));
        [$report, $why] = self::looked($library);

        return Html::all(
            (new Needs($forms, $advice))->section($status, $report, $why),
            Figures::of($status, $many),
            Html::tag('div', ['id' => 'databases'], (new Databases($forms, $hub))->section($status['databases'])),
            Html::tag('div', ['id' => 'asked'], Requests::section($library, self::ACTIONS)),
            Logs::section($status['logs'], $forms),
            $many === null
                ? Files::sections($status['security'], $forms, $advice)
                : Ui::section('Integrity', $many->words($operator), Html::tag('p', [], $forms->link(
                    'integrity',
                    [],
                    'All about the files',
                ))),
            Cron::section($root, $status['security']['last_runs'] ?? []),
        );
    }

    /**
     * What a look at the whole installation comes to, or why it cannot be told.
     *
     * @return array{?array<string, mixed>, ?string}
     */
    private static function looked(Library $library): array
    {
        try {
            return [$library->read('cr0_doctor'), null];
        } catch (Cr0SyncException $error) {
            return [null, App::words($error)];
        }
    }

    /** @return array<string, mixed> what cr0_status tells, but for the files */
    private static function withoutFiles(Library $library): array
    {
        $status = ['databases' => null, 'logs' => null, 'security' => null, 'problems' => []];
        foreach (['databases' => 'cr0_db_status', 'logs' => 'cr0_log_status'] as $name => $function) {
            try {
                $status[$name] = $library->read($function);
            } catch (Cr0SyncException $error) {
                $status['problems'][] = App::words($error);
            }
        }

        return $status;
    }
}
