<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Library;
use Cr0Sync\Cr0SyncException;

/**
 * What to do where no event fits: each filter that is set, whether there are events without it, and the way there.
 */
final readonly class EventsLooser
{
    /** So long is looked (nanoseconds): each look may read all archives. */
    private const LONGEST = 1_500_000_000;
    private const NAMES = [
        'type' => 'the type',
        'severity' => 'the severity',
        'since' => 'the time since',
        'until' => 'the time until',
        'ip' => 'the address',
        'text' => 'the text',
    ];

    public function __construct(private Library $library, private Forms $forms)
    {
    }

    /** @param non-empty-array<string, string> $query */
    public function html(array $query): Html
    {
        $begin = hrtime(true);
        $items = [];
        foreach (array_keys($query) as $name) {
            $rest = array_diff_key($query, [$name => 0]);
            $is = hrtime(true) - $begin < self::LONGEST ? $this->isAny($rest) : null;
            $items[] = Html::tag(
                'li',
                [],
                $this->forms->link('events', $rest, 'Without ' . self::NAMES[$name]),
                ' ',
                Html::tag('code', [], $query[$name]),
                match ($is) {
                    true => ' there are events.',
                    false => ' there is none either.',
                    null => '',
                },
            );
        }
        $words = count($query) === 1
            ? 'No event fits this filter, neither in the log nor in its archives. Leave it out, or say less:'
            : 'No event fits all of these filters, neither in the log nor in its archives. Leave one out, or say less:';

        return Html::all(
            Html::tag('p', [], $words),
            Html::tag('ul', [], $items),
            isset($query['type'])
                ? Html::tag('p', ['class' => 'quiet'], 'A type is matched whole; a part of it is found as text.')
                : null,
            count($query) === 1 ? null : Html::tag('p', [], $this->forms->link('events', [], 'All events')),
        );
    }

    /**
     * Whether there is an event; null where nobody can tell.
     *
     * @param array<string, string> $query
     */
    private function isAny(array $query): ?bool
    {
        try {
            return $this->library->read('cr0_event_query', [], $query + ['limit' => 1])['events'] !== [];
        } catch (Cr0SyncException) {
            return null;
        }
    }
}
