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
        $sections = [];
        $plain = [];
        foreach ($report['config'] as $name => $value) {
            if (is_array($value) && $value !== []) {
                $sections[] = Ui::section($name, $this->tree($value));
            } else {
                $plain[] = [$name, Ui::value($value)];
            }
        }

        return Html::all(
            Html::tag('p', [], $from, ' cr0sync ', cr0_version(), '.'),
            Ui::table('General', ['Setting', 'Value'], $plain),
            $sections,
        );
    }

    public function act(Request $request, Library $library): Outcome
    {
        return new Outcome(Notice::failed('Settings are changed in their file.'));
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
