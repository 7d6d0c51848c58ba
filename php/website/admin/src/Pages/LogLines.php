<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Logs\Entry;
use Cr0Sync\Admin\Ui;

/**
 * Lines of a log as a list: the level in a word and a colour, the message, and the lines that belong to it.
 */
final readonly class LogLines
{
    private const KINDS = ['WARNING' => 'warn', 'ERROR' => 'bad', 'CRITICAL' => 'bad'];

    /** @param string $text what was looked for, and is marked; empty for nothing */
    public function __construct(private Forms $forms, private string $text)
    {
    }

    /**
     * @param list<Entry> $entries
     * @param array<string, string> $query of the page that shows what is around a line; empty for no link to it
     * @param bool $isTail whether the end of the list is shown first, and the rest by scrolling up
     */
    public function list(array $entries, array $query, bool $isTail = false): Html
    {
        $items = [];
        foreach ($entries as $entry) {
            $kind = self::KINDS[$entry->level ?? ''] ?? 'quiet';
            $where = $query === []
                ? null
                : $this->forms->link('logs', $query + ['at' => $entry->at], 'around');
            $before = trim("{$entry->time} {$entry->from}");
            $items[] = Html::tag(
                'li',
                ['class' => $kind === 'quiet' ? null : $kind],
                $entry->level === null ? null : [Ui::mark($entry->level, $kind), ' '],
                $before === '' ? null : [Html::tag('span', ['class' => 'quiet'], $before), ' '],
                $this->marked($entry->text),
                $where === null ? null : [' ', $where],
                $this->more($entry),
            );
        }
        $list = Html::tag('ol', ['class' => 'log'], $items);
        $label = ['class' => 'tail', 'tabindex' => '0', 'role' => 'region', 'aria-label' => 'The end of the log'];

        return $isTail ? Html::tag('div', $label, $list) : $list;
    }

    private function more(Entry $entry): ?Html
    {
        $lines = array_map(fn (string $line): Html => Html::tag('div', [], $this->marked($line)), $entry->more);
        if ($entry->left > 0) {
            $lines[] = Html::tag('div', ['class' => 'quiet'], "({$entry->left} more lines belong to it)");
        }

        return $lines === [] ? null : Html::tag('div', ['class' => 'more'], $lines);
    }

    private function marked(string $line): Html
    {
        if ($this->text === '') {
            return Html::all($line);
        }
        $parts = [];
        $from = 0;
        $length = strlen($this->text);
        // Whoever looked for exact letters sees the same in other letters marked too, which does no harm.
        while (($hit = stripos($line, $this->text, $from)) !== false && count($parts) < 100) {
            $parts[] = substr($line, $from, $hit - $from);
            $parts[] = Html::tag('mark', [], substr($line, $hit, $length));
            $from = $hit + $length;
        }

        return Html::all($parts, substr($line, $from));
    }
}
