<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages\Overview;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Ui;
use Cr0Sync\Script\Text;

/**
 * Each database with its sides, and what waits for a person.
 */
final readonly class Databases
{
    public function __construct(private Forms $forms, private string $hub)
    {
    }

    /** @param ?array<string, mixed> $report */
    public function section(?array $report): Html
    {
        if ($report === null) {
            return Ui::section('Databases', Ui::trouble('It cannot be told how the databases are; see above why.'));
        }
        $databases = $report['databases'];
        // What waits for a person comes first.
        $isWrong = array_filter($databases, self::isWrong(...));
        $parts = [];
        foreach ($isWrong + $databases as $name => $database) {
            $parts[] = $this->database((string) $name, $database);
        }
        $none = 'No database is configured. Name some under `databases` in cr0sync.json.';

        return Ui::section('Databases', $parts === [] ? Html::tag('p', ['class' => 'none'], $none) : $parts);
    }

    /** @param array<string, mixed> $database */
    public static function isWrong(array $database): bool
    {
        return in_array($database['state'], ['held', 'problem'], true)
            || $database['held'] !== null || $database['paused'] !== [] || $database['quarantined'] !== [];
    }

    /** @param array<string, mixed> $database */
    private function database(string $name, array $database): Html
    {
        $number = $database['open_conflicts'];
        $conflicts = $number === 1 ? '1 open conflict' : number_format($number) . ' open conflicts';
        $heading = Html::tag(
            'div',
            ['class' => 'heading'],
            Html::tag('h3', [], $name),
            Ui::state($database['state']),
            Html::tag('span', ['class' => 'quiet'], 'last run ', Ui::time($database['last_run'])),
            Html::tag('span', ['class' => 'quiet'], 'last change ', Ui::time($database['last_change'])),
            $number === 0
                ? Html::tag('span', ['class' => 'quiet'], 'no open conflict')
                : $this->forms->link('conflicts', ['database' => $name], $conflicts),
        );
        $isAbsent = $database['state'] === 'absent';
        $words = 'No side has this database yet. It is synced as soon as one has.';
        $absent = Html::tag('p', ['class' => 'none'], $words);

        return Html::tag(
            'div',
            ['class' => 'database'],
            $heading,
            $this->waiting($name, $database),
            $isAbsent ? $absent : $this->sides($name, $database['sides']),
        );
    }

    /**
     * @param array<string, mixed> $database
     * @return list<Html>
     */
    private function waiting(string $name, array $database): array
    {
        $words = [];
        if ($database['held'] !== null) {
            $words[] = Html::tag(
                'div',
                ['class' => 'trouble'],
                Html::tag('p', [], 'Held, since ', Ui::when($database['held']['since']), ': ', [
                    Ui::sentence("{$database['held']['reason']}."),
                ]),
                $this->button('Sync now with force...', ['ask' => 'force', 'database' => $name]),
            );
        }
        foreach ($database['paused'] as $table => $notice) {
            $words[] = self::since("Table {$table} is left alone, ", $notice);
        }
        foreach ($database['quarantined'] as $side => $notice) {
            $words[] = self::since("{$side} is not touched, ", $notice);
        }

        return $words;
    }

    /** @param array{since: string, reason: string} $notice */
    private static function since(string $what, array $notice): Html
    {
        $words = [$what, 'since ', Ui::when($notice['since']), ': ', Ui::sentence($notice['reason'])];

        return Html::tag('p', ['class' => 'trouble'], $words);
    }

    /** @param array<string, array<string, mixed>> $sides */
    private function sides(string $name, array $sides): Html
    {
        $rows = [];
        foreach ($sides as $side => $one) {
            $query = ['ask' => 'sync-from', 'database' => $name, 'side' => $side];
            $rows[] = [
                $side === $this->hub ? Html::all($side, Html::tag('span', ['class' => 'quiet'], ' (hub)')) : $side,
                Html::tag('code', [], $one['path']),
                $one['exists'] ? Ui::bytes($one['bytes']) : 'not there',
                $one['journal_mode'] ?? '-',
                $one['owner'] ?? '-',
                $one['lag'] === 0 ? 'up to date' : Text::count($one['lag'], 'merge', 'merges'),
                $side === $this->hub || !$one['exists'] ? '-' : $this->button("Take from {$side}...", $query),
            ];
            if ($one['problem'] !== null) {
                $rows[] = Html::all(Ui::state('problem'), " {$side}: ", Ui::sentence($one['problem']));
            }
        }
        $columns = ['Side', 'File', 'Size', 'Journal mode', 'Owner', 'Behind', 'In an emergency'];

        return Ui::table("Sides of {$name}", $columns, $rows, [2]);
    }

    /** @param array<string, string> $query */
    private function button(string $words, array $query): Html
    {
        return Html::tag('a', ['class' => 'button', 'href' => $this->forms->address('overview', $query)], $words);
    }
}
