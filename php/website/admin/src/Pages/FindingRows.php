<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages;

use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Operator;
use Cr0Sync\Admin\Ui;
use Cr0Sync\Script\SecurityText;

/**
 * Findings as rows of a table: what each is, what it was before, and the command that accepts it.
 */
final readonly class FindingRows
{
    /** What the operator can accept; anything else has to be mended first. */
    private const ACCEPTABLE = ['added', 'removed', 'modified', 'moved'];

    public function __construct(private Operator $operator)
    {
    }

    /**
     * @param list<array<string, mixed>> $findings
     * @return iterable<list<mixed>>
     */
    public function rows(array $findings): iterable
    {
        foreach ($findings as $one) {
            $isSilenced = $one['silenced'] ?? false;
            $tick = [
                'type' => 'checkbox',
                'name' => 'paths[]',
                'value' => self::name($one),
                'aria-label' => "Silence {$one['path']}",
            ];
            yield [
                $isSilenced ? '' : Html::tag('input', $tick),
                Ui::state($one['severity']),
                $one['kind'],
                Html::all(
                    Html::tag('code', [], $one['path']),
                    isset($one['from']) ? [' from ', Html::tag('code', [], $one['from'])] : null,
                    isset($one['reason']) ? Html::tag('div', [], Ui::sentence($one['reason'])) : null,
                    $this->accept($one),
                ),
                $this->changes($one),
                $isSilenced ? Ui::mark('silenced', 'quiet') : Ui::state('open'),
            ];
        }
    }

    /** @param array<string, mixed> $finding */
    private function accept(array $finding): Html
    {
        if (!in_array($finding['kind'], self::ACCEPTABLE, true)) {
            return Html::tag('div', ['class' => 'quiet'], 'It cannot be accepted: mend it, then check again.');
        }
        $command = isset($finding['path_b64'])
            ? $this->operator->command('accept', '--path-b64', $finding['path_b64'])
            : $this->operator->command('accept', $finding['path']);

        return Html::tag(
            'details',
            [],
            Html::tag('summary', [], 'Accept it on the machine'),
            Operator::shown($command),
        );
    }

    /** @param array<string, mixed> $finding */
    private function changes(array $finding): Html
    {
        $before = $finding['before'] ?? [];
        $after = $finding['after'] ?? [];
        $rows = [];
        foreach (array_keys($before + $after) as $name) {
            $rows[] = [
                Html::tag('strong', [], $name),
                isset($before[$name]) ? Ui::value($before[$name]) : '',
                isset($after[$name]) ? Ui::value($after[$name]) : '',
            ];
        }
        $words = SecurityText::changes($finding);
        if ($rows === []) {
            return Html::all($words);
        }

        return Html::tag(
            'details',
            [],
            Html::tag('summary', [], $words === '' ? 'what it was' : $words),
            Ui::table('What the file was and is', ['Attribute', 'Before', 'After'], $rows),
        );
    }

    /**
     * What names a finding in a form; of paths that are no text, what they are exactly.
     *
     * @param array<string, mixed> $finding
     */
    public static function name(array $finding): string
    {
        return $finding['path_b64'] ?? $finding['path'];
    }
}
