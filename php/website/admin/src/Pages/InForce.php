<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Library;
use Cr0Sync\Admin\Notice;
use Cr0Sync\Admin\Operator;
use Cr0Sync\Admin\Outcome;
use Cr0Sync\Admin\Page;
use Cr0Sync\Admin\Pages\InForce\Meanings;
use Cr0Sync\Admin\Request;
use Cr0Sync\Admin\Ui;

/**
 * The settings in force, with every default spelled out. They are changed in the file, not here.
 */
final readonly class InForce implements Page
{
    /** What of the schema travels to a side that lacks it. */
    private const SCHEMAS = [
        'additive' => 'tables, columns and indexes travel (additive)',
        'all' => 'tables, columns, indexes, views and triggers travel (all)',
        'none' => 'nothing of the schema travels (none)',
    ];

    public function title(): string
    {
        return 'Settings';
    }

    public function isLive(): bool
    {
        return false;
    }

    public function show(Request $request, Library $library, Forms $forms): Html
    {
        $report = $library->read('cr0_config');
        $config = $report['config'];
        $plain = array_filter($config, static fn (mixed $value): bool => !is_array($value) || array_is_list($value));
        $groups = ['general' => $plain] + array_diff_key($config, $plain);
        $sections = [];
        foreach (array_keys(Meanings::GROUPS + $groups) as $name) {
            [$title, $about] = Meanings::GROUPS[$name] ?? [$name, ''];
            $sections[] = Ui::section($title, Html::tag('p', [], $about), match ($name) {
                'databases' => $this->databases($config['databases']),
                'logs' => $this->logs($config['logs']),
                default => $this->group($name, $title, $groups[$name] ?? []),
            });
        }

        return Html::all($this->how($library, $report['source'], $config['root']), $sections);
    }

    /** Where they come from, and how they are changed: on the machine, as whoever changes them could do anything. */
    private function how(Library $library, ?string $source, string $root): Html
    {
        $operator = Operator::of($library, 'database_sync_script.php');
        $file = $source ?? "{$root}/cr0sync.json";

        return Ui::section(
            'How to change them',
            Html::tag('p', [], $source === null
                ? 'No file is there: these are the settings as shipped. To change one, make this file:'
                : 'They are in this file, and what it does not say is as shipped. To change one, edit it on the '
                    . 'machine:'),
            Operator::shown($file),
            Html::tag(
                'p',
                [],
                'A setting that is called ',
                Html::tag('code', [], 'backups.keep_daily'),
                ' here is written ',
                Html::tag('code', [], '"backups": {"keep_daily": 14}'),
                ' there. Every run reads it anew. What makes no sense in it is refused with its place, by each run '
                    . 'and by:',
            ),
            Operator::shown($operator->command('config')),
            Html::tag(
                'p',
                [],
                'Who may come in to these pages is in settings.php beside them; README.md says how. At work is '
                    . 'cr0sync ',
                Html::tag('strong', [], cr0_version()),
                '.',
            ),
        );
    }

    public function act(Request $request, Library $library): Outcome
    {
        return new Outcome(Notice::failed('Settings are changed in their file.'));
    }

    /** @param array<string, array<string, mixed>> $databases */
    private function databases(array $databases): Html
    {
        $rows = $policies = [];
        foreach ($databases as $name => $database) {
            $rows[] = [
                Html::tag('strong', [], $name),
                $this->places($database['replicas']),
                $database['prefer'] === [] ? 'the hub, then by name' : implode(', ', $database['prefer']),
                self::SCHEMAS[$database['schema']] ?? Ui::value($database['schema']),
            ];
            $tables = [];
            foreach ($database['tables'] as $table => $policy) {
                $tables[] = [Html::tag('code', [], $table), $this->tree($policy)];
            }
            if ($tables !== []) {
                $policies[] = Ui::table("Policies of {$name}", ['Tables', 'Policy'], $tables);
            }
        }

        return Html::all(
            Ui::table('Databases and their sides', ['Database', 'Sides', 'Preferred in this '
                . 'order', 'Schema'], $rows, [], 'No '
                . 'database is configured. Each would be here with its sides.'),
            $policies,
            Html::tag('p', ['class' => 'quiet'], 'Tables without a policy here are merged as the one of their name is '
                . 'by default, else by their keys.'),
        );
    }

    /** @param array<string, array<string, mixed>> $logs */
    private function logs(array $logs): Html
    {
        $rows = [];
        foreach ($logs as $name => $log) {
            $rows[] = [
                Html::tag('strong', [], $name),
                $this->places($log['copies']),
                ($log['mirrors'] ?? []) === [] ? 'none' : implode(', ', $log['mirrors']),
                is_array($log['rotate'] ?? null) ? $this->rotation($log['rotate']) : 'not by cr0sync',
            ];
        }

        return Ui::table(
            'Logs and their sides',
            ['Log', 'Sides', 'Mirrors: only written to', 'How the archive is rotated'],
            $rows,
            [],
            'No log is configured. Each would be here with its sides.',
        );
    }

    /** @param array<string, mixed> $rotate */
    private function rotation(array $rotate): Html
    {
        $told = ['maxsize' => null, 'size' => null, 'maxage' => null];
        $words = [
            isset($rotate['maxsize']) ? 'above ' . Ui::bytes((int) $rotate['maxsize']) : null,
            isset($rotate['size']) ? 'above ' . Ui::bytes((int) $rotate['size']) : null,
            isset($rotate['maxage']) ? "removed after {$rotate['maxage']} days" : null,
        ];

        return Html::all(
            Html::tag('div', [], implode(', ', array_filter($words))),
            $this->tree(array_diff_key($rotate, $told)),
        );
    }

    /** @param array<string, string> $sides */
    private function places(array $sides): Html
    {
        $items = [];
        foreach ($sides as $side => $path) {
            $items[] = Html::tag('li', [], Html::tag('strong', [], $side), ' ', Html::tag('code', [], $path));
        }

        return Html::tag('ul', ['class' => 'tree'], $items);
    }

    /** @param array<string, mixed> $values */
    private function group(string $name, string $title, array $values): Html
    {
        $rows = [];
        foreach ($values as $key => $value) {
            $full = $name === 'general' ? (string) $key : "{$name}.{$key}";
            $rows[] = [
                Html::tag('code', ['class' => 'setting'], $full),
                Meanings::of($full) ?? '-',
                Meanings::value($full, $value),
            ];
        }

        return Ui::table("Settings: {$title}", ['Setting', 'What it means', 'In force'], $rows);
    }

    /** @param array<mixed> $values */
    private function tree(array $values): Html
    {
        $items = [];
        foreach ($values as $name => $value) {
            $isTree = is_array($value) && $value !== [];
            $label = is_int($name) ? null : Html::tag('strong', [], $name, ' ');
            $items[] = Html::tag('li', [], $label, match (true) {
                $isTree => $this->tree($value),
                is_bool($value) => $value ? 'yes' : 'no',
                $value === [] => 'none',
                default => Ui::value($value),
            });
        }

        return Html::tag('ul', ['class' => 'tree'], $items);
    }
}
