<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Library;
use Cr0Sync\Admin\Notice;
use Cr0Sync\Admin\Outcome;
use Cr0Sync\Admin\Page;
use Cr0Sync\Admin\Preview;
use Cr0Sync\Admin\Request;
use Cr0Sync\Admin\Requests;
use Cr0Sync\Admin\Ui;
use Cr0Sync\Script\Text;

/**
 * The backups there are, by database and side, and what can be done with them. Nothing of it is done here: the user who
 * runs the sync is asked.
 */
final readonly class Backups implements Page
{
    private const PER_PAGE = 50;
    private const ACTIONS = ['backup', 'verify', 'clean-backups', 'restore'];

    public function title(): string
    {
        return 'Backups';
    }

    public function isLive(): bool
    {
        return true;
    }

    public function show(Request $request, Library $library, Forms $forms): Html
    {
        $all = $library->read('cr0_db_backups')['backups'];
        if ($request->text('restore') !== '') {
            return (new BackupRestore($library, $forms))->show($request, $all);
        }
        $databases = $library->read('cr0_config')['config']['databases'];
        $database = $request->text('database');
        $side = $request->text('side');
        $shown = array_values(array_filter($all, static fn (array $one): bool =>
            ($database === '' || $one['database'] === $database) && ($side === '' || $one['side'] === $side)));

        return Html::all(
            $this->figures($all),
            $this->actions($forms, array_keys($databases)),
            Requests::section($library, self::ACTIONS),
            Ui::section(
                'Backups there are',
                $this->filter($forms, $databases, $database, $side),
                $all === []
                    ? Html::tag('p', [], 'There are no backups yet. The sync makes them by itself; "Back up now" asks '
                        . 'for the first one.')
                    : $this->table($forms, array_slice($shown, $this->skip($request), self::PER_PAGE)),
                Ui::pager(
                    $forms,
                    'backups',
                    array_filter(['database' => $database, 'side' => $side], static fn (string $one) => $one !== ''),
                    $this->skip($request),
                    self::PER_PAGE,
                    count($shown),
                ),
            ),
        );
    }

    public function act(Request $request, Library $library): Outcome
    {
        $action = $request->field('action');
        if ($action === 'restore') {
            return BackupRestore::ask($request, $library);
        }
        if ($action === 'look') {
            return Preview::ask($request, ['restore', 'into']);
        }
        if (!in_array($action, self::ACTIONS, true)) {
            return new Outcome(Notice::failed('Nothing like that can be asked for here.'));
        }
        $database = $request->field('database');
        if ($database !== '' && !isset($library->read('cr0_config')['config']['databases'][$database])) {
            return new Outcome(Notice::failed('There is no such database.'));
        }

        $waits = Requests::waiting($library, $action, ['database' => $database === '' ? null : $database]);

        return new Outcome($waits === null
            ? $library->ask($action, $database === '' ? [] : ['database' => $database])
            : Notice::failed($waits));
    }

    /** @param list<array<string, mixed>> $all */
    private function figures(array $all): Html
    {
        $times = array_column($all, 'created_at');
        $unverified = count(array_filter($all, static fn (array $one): bool => !$one['verified']));
        $leaving = count(array_filter($all, static fn (array $one): bool => $one['kept_because'] === []));

        return Ui::figures(
            Ui::figure('Backups', count($all), $all === [] ? 'bad' : ''),
            Html::tag(
                'div',
                ['class' => 'figure'],
                Html::tag('dt', [], 'Newest'),
                Html::tag('dd', [], Ui::time($times === [] ? null : max($times), 'none')),
            ),
            Ui::figure('Size of all', Ui::bytes(array_sum(array_column($all, 'bytes')))),
            Ui::figure('Not verified yet', $unverified),
            Ui::figure('The next cleaning removes', $leaving),
        );
    }

    /** @param list<string> $databases */
    private function actions(Forms $forms, array $databases): Html
    {
        $names = array_map(strval(...), $databases);
        $choices = ['' => 'all databases'] + array_combine($names, $names);

        return Ui::section(
            'Back up, verify, clean',
            Html::tag(
                'div',
                ['class' => 'actions'],
                $forms->post(
                    'backup',
                    Forms::select('Back up', 'database', $choices),
                    Forms::button('Back up now', 'main'),
                ),
                $forms->post('verify', Forms::select('Verify', 'database', $choices), Forms::button('Verify')),
                $forms->post('clean-backups', Forms::select('Clean', 'database', $choices), Forms::button('Clean')),
            ),
            Html::tag(
                'p',
                ['class' => 'quiet'],
                'Each is done by the next run of cron, within a minute or so. Verifying reads the newest backups of '
                    . 'each side, the sides themselves and what was merged last. Cleaning removes what no rule of the '
                    . 'settings keeps.',
            ),
        );
    }

    /** @param array<string, array<string, mixed>> $databases */
    private function filter(Forms $forms, array $databases, string $database, string $side): Html
    {
        $names = array_map(strval(...), array_keys($databases));
        $sides = [];
        foreach ($databases as $one) {
            $sides += $one['replicas'];
        }
        $sides = array_map(strval(...), array_keys($sides));

        return $forms->search(
            Forms::select('Database', 'database', ['' => 'all'] + array_combine($names, $names), $database),
            Forms::select('Side', 'side', ['' => 'all'] + array_combine($sides, $sides), $side),
            Forms::button('Show'),
        );
    }

    /** @param list<array<string, mixed>> $backups */
    private function table(Forms $forms, array $backups): Html
    {
        $rows = [];
        foreach ($backups as $one) {
            $rows[] = [
                $one['database'],
                $one['side'],
                self::kind($one),
                Ui::moment($one['created_at']),
                Ui::bytes($one['bytes']),
                $one['verified'] ? Ui::mark('verified', 'good') : Ui::mark('not yet', 'quiet'),
                $one['kept_because'] === []
                    ? Ui::mark('the next cleaning removes it', 'warn')
                    : $this->reasons(array_map(Ui::sentence(...), $one['kept_because'])),
                $forms->link('backups', ['restore' => $one['id']], 'Restore...'),
            ];
        }

        $columns = ['Database', 'Side', 'Kind', 'Made', 'Size', 'Verified', 'Kept as', 'Do'];

        return Html::all(
            Ui::table('Backups by database and side, the newest first', $columns, $rows, [4]),
            Html::tag('p', ['class' => 'quiet'], 'An emergency copy is what a file held just before it was restored, '
                . 'forced, taken from another side or undone: it brings back what that took away.'),
        );
    }

    /**
     * What it was made for.
     *
     * @param array<string, mixed> $backup
     */
    public static function kind(array $backup): Html
    {
        $isEmergency = str_contains($backup['id'], ':emergency:');

        return $isEmergency ? Ui::mark('emergency copy', 'info') : Html::all('regular backup');
    }

    /** @param non-empty-list<string> $reasons */
    private function reasons(array $reasons): Html
    {
        $first = array_shift($reasons);
        if ($reasons === []) {
            return Html::all($first);
        }
        $more = Text::count(count($reasons), 'more reason', 'more reasons');

        return Html::tag(
            'details',
            [],
            Html::tag('summary', [], "{$first}, {$more}"),
            Html::all(array_map(static fn (string $one): Html => Html::tag('div', [], $one), $reasons)),
        );
    }

    private function skip(Request $request): int
    {
        return $request->number('skip', 0);
    }
}
