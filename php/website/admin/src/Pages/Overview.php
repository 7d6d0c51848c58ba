<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages;

use Cr0Sync\Admin\App;
use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Library;
use Cr0Sync\Admin\Notice;
use Cr0Sync\Admin\Operator;
use Cr0Sync\Admin\Outcome;
use Cr0Sync\Admin\Page;
use Cr0Sync\Admin\Pages\Overview\Confirm;
use Cr0Sync\Admin\Pages\Overview\Databases;
use Cr0Sync\Admin\Pages\Overview\Figures;
use Cr0Sync\Admin\Pages\Overview\Files;
use Cr0Sync\Admin\Pages\Overview\Findings;
use Cr0Sync\Admin\Pages\Overview\Logs;
use Cr0Sync\Admin\Request;
use Cr0Sync\Admin\Requests;
use Cr0Sync\Admin\Ui;
use Cr0Sync\Cr0SyncException;

/**
 * How everything is. What cannot be told shows why, and the rest is shown all the same.
 */
final readonly class Overview implements Page
{
    private const ACTIONS = [
        'resolve', 'acknowledge', 'restore', 'force', 'sync-from', 'backup', 'clean-backups', 'verify', 'undo',
        'unknown',
    ];

    public function title(): string
    {
        return 'Overview';
    }

    public function isLive(): bool
    {
        return true;
    }

    public function show(Request $request, Library $library, Forms $forms): Html
    {
        $database = $request->text('database');
        $isLook = $request->text('look') === '1';
        $confirm = new Confirm($library, $forms);

        return match ($request->text('ask')) {
            'force' => $confirm->force($database, $isLook),
            'sync-from' => $confirm->syncFrom($database, $request->text('side'), $isLook),
            default => self::all($library, $forms),
        };
    }

    public function act(Request $request, Library $library): Outcome
    {
        $database = $request->field('database');
        $action = $request->field('action');
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

    private static function all(Library $library, Forms $forms): Html
    {
        $status = $library->read('cr0_status');
        $hub = $library->read('cr0_config')['config']['hub'];
        $operator = Operator::of($library, 'security_monitoring_script.php');
        $troubles = array_map(static fn (string $problem): Html => Ui::trouble($problem), $status['problems']);

        return Html::all(
            Figures::of($status),
            $troubles,
            (new Databases($forms, $hub))->section($status['databases']),
            Requests::section($library, self::ACTIONS),
            Logs::section($status['logs'], $forms),
            Files::sections($status['security'], $forms, $operator),
            self::findings($library),
        );
    }

    private static function findings(Library $library): Html
    {
        try {
            return Findings::section($library->read('cr0_doctor'));
        } catch (Cr0SyncException $error) {
            return Ui::section('What to look at', Ui::trouble(App::words($error)));
        }
    }
}
