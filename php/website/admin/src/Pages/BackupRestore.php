<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Library;
use Cr0Sync\Admin\NotThere;
use Cr0Sync\Admin\Notice;
use Cr0Sync\Admin\Outcome;
use Cr0Sync\Admin\Preview;
use Cr0Sync\Admin\Request;
use Cr0Sync\Admin\Requests;
use Cr0Sync\Admin\Ui;

/**
 * The page before a backup is restored: says in full what will happen, and asks for it.
 */
final readonly class BackupRestore
{
    /** What is sent for all sides; a side is sent as `side:NAME`, so that none can have this name. */
    private const ALL = 'all';

    public function __construct(private Library $library, private Forms $forms)
    {
    }

    /** @param list<array<string, mixed>> $backups */
    public function show(Request $request, array $backups): Html
    {
        $backup = self::find($backups, $request->text('restore'));
        if ($backup === null) {
            $words = 'There is no such backup any more; it may have been cleaned away.';

            throw new NotThere($words, $this->forms->link('backups', [], 'To all backups'));
        }
        $sides = self::sides($this->library, $backup['database']);
        $own = "side:{$backup['side']}";
        $into = $request->text('into', $own);
        $taken = self::taken($sides, $into);

        return Html::all(
            Html::tag('p', [], $this->forms->link('backups', [], 'Back to all backups')),
            Ui::section(
                'Restore ' . $backup['database'],
                Ui::table('The backup', ['Backup', 'Of side', 'Kind', 'Made', 'Size', 'Verified'], [[
                    Html::tag('code', [], $backup['id']),
                    $backup['side'],
                    Backups::kind($backup),
                    Ui::moment($backup['created_at']),
                    Ui::bytes($backup['bytes']),
                    $backup['verified'] ? Ui::mark('verified', 'good') : Ui::mark('not yet', 'quiet'),
                ]]),
                $this->choices($backup, array_keys($sides), $into),
            ),
            $taken === []
                ? Ui::trouble("There is no side of that name in {$backup['database']}: choose one of these.")
                : Ui::section('What will happen', $this->consequences($backup, $taken), $this->form($backup, $into)),
            $taken === [] ? null : (new Preview($this->forms, ['restore' => $backup['id'], 'into' => $into]))->html(
                $request,
                fn (): array => $this->library->read(
                    'cr0_db_restore',
                    ['dry_run' => true] + self::where($into),
                    $backup['id'],
                ),
            ),
        );
    }

    /** @return array{all_sides: true}|array{side: string} */
    private static function where(string $into): array
    {
        return $into === self::ALL ? ['all_sides' => true] : ['side' => substr($into, strlen('side:'))];
    }

    public static function ask(Request $request, Library $library): Outcome
    {
        $id = $request->field('backup');
        $backup = self::find($library->read('cr0_db_backups')['backups'], $id);
        if ($backup === null) {
            return new Outcome(Notice::failed('There is no such backup any more.'));
        }
        $into = $request->field('into');
        if (self::taken(self::sides($library, $backup['database']), $into) === []) {
            return new Outcome(Notice::failed('There is no such side.'), ['restore' => $id]);
        }
        $where = self::where($into);
        $force = $request->field('force') === 'yes' ? ['force' => true] : [];

        $waits = Requests::waiting($library, 'restore', ['backup' => $id] + $where);

        return new Outcome($waits === null
            ? $library->ask('restore', ['backup' => $id] + $where + $force)
            : Notice::failed($waits));
    }

    /**
     * @param array<string, mixed> $backup
     * @param list<string> $sides
     */
    private function choices(array $backup, array $sides, string $into): Html
    {
        $items = [];
        foreach ([...array_map(static fn (string|int $one): string => "side:{$one}", $sides), self::ALL] as $choice) {
            $words = match ($choice) {
                self::ALL => 'all sides',
                "side:{$backup['side']}" => "{$backup['side']}, where it is from",
                default => substr($choice, strlen('side:')),
            };
            $address = $this->forms->address('backups', ['restore' => $backup['id'], 'into' => $choice]);
            $here = $choice === $into ? 'true' : null;
            $link = ['href' => $address, 'class' => 'button', 'aria-current' => $here];
            $items[] = Html::tag('li', [], Html::tag('a', $link, $words));
        }

        return Html::all(Html::tag('p', [], 'Into:'), Html::tag('ul', ['class' => 'choices'], $items));
    }

    /**
     * @param array<string, mixed> $backup
     * @param array<string, string> $taken the sides that are written, and their files
     */
    private function consequences(array $backup, array $taken): Html
    {
        $made = Ui::exact((int) strtotime($backup['created_at']));
        $items = [];
        foreach ($taken as $side => $path) {
            $items[] = Html::tag(
                'li',
                [],
                Html::tag('strong', [], $side),
                " of {$backup['database']} gets what {$backup['side']} held at {$made}: ",
                Html::tag('code', [], $path),
                '. Every row that was added or changed there since is gone from it, and rows that were deleted since '
                    . 'are there again.',
            );
        }
        $items[] = Html::tag('li', [], 'Before that, an emergency copy is made of each file that is overwritten. It is '
            . 'on the page of backups then, and can be restored in the same way.');
        $items[] = Html::tag('li', [], count($taken) === 1
            ? 'The run of the sync that follows brings what changed by this to all other sides.'
            : 'All sides are alike afterwards; what the sync finds at the run that follows, it merges as always.');
        $items[] = Html::tag('li', [], 'The next run of cron does it, within a minute or so, after it has checked that '
            . 'the backup is sound. A backup that is not sound is never restored.');

        return Html::tag('ul', [], $items);
    }

    /** @param array<string, mixed> $backup */
    private function form(array $backup, string $into): Html
    {
        return Html::tag('div', ['class' => 'confirm'], $this->forms->post(
            'restore',
            Forms::hidden('backup', $backup['id']),
            Forms::hidden('into', $into),
            Html::tag(
                'label',
                ['class' => 'check'],
                Html::tag('input', ['type' => 'checkbox', 'name' => 'force', 'value' => 'yes']),
                'Force: overwrite a file that is damaged, and take a backup that has no table in common with it',
            ),
            Forms::button('Restore it', 'danger'),
            $this->forms->link('backups', [], 'Do nothing'),
        ));
    }

    /**
     * @param list<array<string, mixed>> $backups
     * @return ?array<string, mixed>
     */
    private static function find(array $backups, string $id): ?array
    {
        foreach ($backups as $one) {
            if ($one['id'] === $id) {
                return $one;
            }
        }

        return null;
    }

    /** @return array<string, string> the sides of a database, and their files */
    private static function sides(Library $library, string $database): array
    {
        return $library->read('cr0_config')['config']['databases'][$database]['replicas'] ?? [];
    }

    /**
     * @param array<string, string> $sides
     * @return array<string, string> those that are written; none where there is no such side
     */
    private static function taken(array $sides, string $into): array
    {
        return $into === self::ALL
            ? $sides
            : array_filter($sides, static fn (string|int $one): bool => "side:{$one}" === $into, ARRAY_FILTER_USE_KEY);
    }
}
