<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Library;
use Cr0Sync\Admin\Notice;
use Cr0Sync\Admin\Outcome;
use Cr0Sync\Admin\Page;
use Cr0Sync\Admin\Request;
use Cr0Sync\Admin\Ui;

/**
 * The settings in force, with every default spelled out. They are changed in the file, not here.
 */
final readonly class InForce implements Page
{
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
        $from = $report['source'] === null
            ? 'No file is there: these are the settings as shipped.'
            : Html::all('From ', Html::tag('code', [], $report['source']), ', with every default spelled out.');
        $config = $report['config'];
        $sections = $plain = [];
        foreach (array_diff_key($config, ['databases' => 0, 'logs' => 0]) as $name => $value) {
            if ($name === 'alerts') {
                // A command may hold what lets somebody in elsewhere.
                $value['command'] = $value['command'] === null ? null : ['redacted' => true];
            }
            if (is_array($value) && $value !== [] && !array_is_list($value)) {
                $sections[] = Ui::section($name, $this->group($name, $value));
            } else {
                $plain[] = [$name, Ui::value($value)];
            }
        }

        return Html::all(
            Html::tag('p', [], $from, ' cr0sync ', cr0_version(), '.'),
            Ui::table('General', ['Setting', 'Value'], $plain),
            Ui::section('databases', $this->databases($config['databases'])),
            Ui::section('logs', $this->logs($config['logs'])),
            $sections,
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
                implode(', ', $database['prefer']),
                Ui::value($database['schema']),
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
            Ui::table('Databases', ['Database', 'Sides', 'Preferred in this order', 'Schema'], $rows),
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
                implode(', ', $log['mirrors'] ?? []),
                is_array($log['rotate'] ?? null) ? $this->tree($log['rotate']) : Ui::value($log['rotate'] ?? null),
            ];
        }

        return Ui::table('Logs', ['Log', 'Copies', 'Only written', 'Rotated'], $rows);
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
    private function group(string $title, array $values): Html
    {
        $rows = [];
        foreach ($values as $name => $value) {
            $isTree = is_array($value) && $value !== [] && $value !== ['redacted' => true];
            $rows[] = [Html::tag('code', [], $name), $isTree ? $this->tree($value) : Ui::value($value)];
        }

        return Ui::table("Settings of {$title}", ['Setting', 'Value'], $rows);
    }

    /** @param array<mixed> $values */
    private function tree(array $values): Html
    {
        $items = [];
        foreach ($values as $name => $value) {
            $isTree = is_array($value) && $value !== [];
            $label = is_int($name) ? null : Html::tag('strong', [], $name, ' ');
            $items[] = Html::tag('li', [], $label, $isTree ? $this->tree($value) : Ui::value($value));
        }

        return Html::tag('ul', ['class' => 'tree'], $items);
    }
}
