<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

use Cr0Sync\Script\Text;

/**
 * The parts that pages are made of: tables, states, times, sizes. The same thing looks the same everywhere.
 */
final class Ui
{
    /** What states look like; the word itself always stands beside the colour. */
    private const KINDS = [
        'ok' => 'good',
        'synced' => 'good',
        'unchanged' => 'good',
        'done' => 'good',
        'active' => 'good',
        'whole' => 'good',
        'resolved' => 'good',
        'open' => 'warn',
        'pending' => 'warn',
        'warning' => 'warn',
        'skipped' => 'warn',
        'MEDIUM' => 'warn',
        'held' => 'bad',
        'problem' => 'bad',
        'failed' => 'bad',
        'broken' => 'bad',
        'quarantined' => 'bad',
        'CRITICAL' => 'bad',
        'HIGH' => 'bad',
        'changed' => 'info',
        'new' => 'info',
        'LOW' => 'info',
    ];

    /** So many seconds may two clocks differ that write down when something was. */
    private const AHEAD = 60;

    /** A state in its colour. */
    public static function state(string $state): Html
    {
        $kind = self::KINDS[$state] ?? 'quiet';

        return Html::tag('span', ['class' => "state {$kind}"], $state);
    }

    /** A word that is no state of the library's, in one of the colours: good, warn, bad, info or quiet. */
    public static function mark(string $words, string $kind): Html
    {
        return Html::tag('span', ['class' => "state {$kind}"], $words);
    }

    /**
     * A table. On a phone each row is a card, in which every value has the name of its column beside it.
     *
     * @param list<string> $columns
     * @param iterable<list<mixed>|Html> $rows the cells of each; markup is a line of its own below the row before
     * @param list<int> $numbers which columns hold numbers
     * @param ?string $none what to say where there is no row: what would be here
     */
    public static function table(
        string $caption,
        array $columns,
        iterable $rows,
        array $numbers = [],
        ?string $none = null,
    ): Html {
        $head = $body = [];
        foreach ($columns as $at => $name) {
            $isNumber = in_array($at, $numbers, true);
            $head[] = Html::tag('th', ['scope' => 'col', 'class' => $isNumber ? 'number' : null], $name);
        }
        foreach ($rows as $row) {
            if ($row instanceof Html) {
                $cell = Html::tag('td', ['colspan' => count($columns), 'data-label' => 'More'], $row);
                $body[] = Html::tag('tr', ['class' => 'below'], $cell);
                continue;
            }
            $cells = [];
            foreach (array_values($row) as $at => $cell) {
                $class = in_array($at, $numbers, true) ? 'number' : null;
                $cells[] = Html::tag('td', ['data-label' => $columns[$at] ?? '', 'class' => $class], $cell);
            }
            $body[] = Html::tag('tr', [], $cells);
        }
        if ($body === []) {
            return Html::tag('p', ['class' => 'none'], $none ?? "{$caption}: none.");
        }

        return Html::tag(
            'div',
            ['class' => 'scroll', 'tabindex' => '0', 'role' => 'region', 'aria-label' => $caption],
            Html::tag(
                'table',
                [],
                Html::tag('caption', [], $caption),
                Html::tag('thead', [], Html::tag('tr', [], $head)),
                Html::tag('tbody', [], $body),
            ),
        );
    }

    /**
     * When something was, in words that are read at once; the exact time is in it. What is yet to come was not: there
     * the clock was set back, or somebody else wrote it.
     */
    public static function time(?string $rfc3339, string $never = 'never'): Html
    {
        return self::words($rfc3339, $never, false);
    }

    /** When something was, in words, with the exact time to be read beside it. */
    public static function moment(?string $rfc3339, string $never = 'never'): Html
    {
        return Html::all(self::time($rfc3339, $never), self::beside($rfc3339));
    }

    /** When something ends, or has ended: the same, and it may be yet to come. */
    public static function until(?string $rfc3339, string $never = 'never'): Html
    {
        return Html::all(self::words($rfc3339, $never, true), self::beside($rfc3339));
    }

    /** Whether it is so far ahead of the clock that it was not written down by it. */
    public static function isAhead(int $at): bool
    {
        return $at > time() + self::AHEAD;
    }

    private static function words(?string $rfc3339, string $never, bool $mayCome): Html
    {
        $at = $rfc3339 === null ? false : strtotime($rfc3339);
        if ($at === false) {
            return Html::tag('span', ['class' => 'quiet'], $rfc3339 ?? $never);
        }
        $isWrong = !$mayCome && self::isAhead($at);
        $seconds = time() - $at;
        $words = self::length(abs($seconds));
        $attributes = ['datetime' => gmdate('c', $at), 'title' => self::exact($at)];

        return Html::tag('time', $attributes + ['class' => $isWrong ? 'state warn' : null], match (true) {
            abs($seconds) < 5 => 'now',
            $isWrong => "{$words} ahead of the clock",
            $seconds < 0 => "in {$words}",
            default => "{$words} ago",
        });
    }

    private static function beside(?string $rfc3339): ?Html
    {
        $at = $rfc3339 === null ? false : strtotime($rfc3339);

        return $at === false ? null : Html::tag('div', ['class' => 'quiet exact'], self::exact($at));
    }

    private static function length(int $seconds): string
    {
        return match (true) {
            $seconds < 90 => "{$seconds} seconds",
            $seconds < 90 * 60 => Text::count((int) round($seconds / 60), 'minute', 'minutes'),
            $seconds < 36 * 3600 => Text::count((int) round($seconds / 3600), 'hour', 'hours'),
            default => Text::count((int) round($seconds / 86400), 'day', 'days'),
        };
    }

    /** A length of time in words: a number, never rounded to less than it is. */
    public static function duration(int $seconds): string
    {
        [$size, $unit] = match (true) {
            $seconds < 120 => [1, 'second'],
            $seconds < 7200 => [60, 'minute'],
            $seconds < 172_800 => [3600, 'hour'],
            default => [86_400, 'day'],
        };

        return Text::count((int) ceil($seconds / $size), $unit, "{$unit}s");
    }

    /** So much in so long, as people say it. */
    public static function rate(int $number, int $seconds): string
    {
        $units = [1 => 'second', 60 => 'minute', 3600 => 'hour', 86_400 => 'day'];

        return number_format($number) . (isset($units[$seconds]) ? " per {$units[$seconds]}" : ' in '
            . self::duration($seconds));
    }

    public static function bytes(int $bytes): string
    {
        $units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
        $size = (float) $bytes;
        while ($size >= 1024 && count($units) > 1) {
            $size /= 1024;
            array_shift($units);
        }

        return ($units[0] === 'B' ? (string) $bytes : number_format($size, $size < 10 ? 1 : 0)) . " {$units[0]}";
    }

    /** The same as moment(), within a sentence. */
    public static function when(?string $rfc3339, string $never = 'never'): Html
    {
        $at = $rfc3339 === null ? false : strtotime($rfc3339);
        $exact = $at === false ? null : [' ', Html::tag('span', ['class' => 'quiet exact'], self::exact($at))];

        return Html::all(self::time($rfc3339, $never), $exact);
    }

    /** The exact time, in the one time zone of all pages. */
    public static function exact(int $at): string
    {
        return gmdate('Y-m-d H:i:s', $at) . ' UTC';
    }

    /** A sentence of the library, with times as these pages write them. Nothing of a path is one. */
    public static function sentence(string $words): string
    {
        $time = '~(?<![^\s(])(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d+)?'
            . '(?:Z\b| UTC\b|(?=$|[,.;:)]| [a-z(]))~';

        return (string) preg_replace($time, '$1 $2 UTC', $words);
    }

    /** The same of what may quote a row, where no zone may be put to a time that has none. */
    public static function quoting(string $words): string
    {
        $time = '~(?<![^\s(])(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z\b~';

        return (string) preg_replace($time, '$1 $2 UTC', $words);
    }

    /** A value of a row as the library tells it. */
    public static function value(mixed $value): Html
    {
        return $value === null || $value === ['redacted' => true]
            ? Html::tag('span', ['class' => 'quiet'], Text::value($value))
            : Html::tag('code', [], is_string($value) ? $value : Text::value($value));
    }

    /**
     * Something that is not as it should be, and what to do. It does not call out by itself: live pages show it anew
     * again and again.
     */
    public static function trouble(string $words): Html
    {
        return Html::tag('p', ['class' => 'trouble'], self::sentence($words));
    }

    /** A part of a page with a heading. */
    public static function section(string $title, mixed ...$content): Html
    {
        return Html::tag('section', [], Html::tag('h2', [], $title), ...$content);
    }

    /** A number with its name, as the first thing that is seen of a page. */
    public static function figure(string $name, string|int|Html $value, string $kind = ''): Html
    {
        $class = trim("figure {$kind}");

        return Html::tag('div', ['class' => $class], Html::tag('dt', [], $name), Html::tag('dd', [], $value));
    }

    public static function figures(Html ...$figures): Html
    {
        return Html::tag('dl', ['class' => 'figures'], $figures);
    }

    /**
     * The way to the pages before and after.
     *
     * @param array<string, string|int> $query of this page, without `skip`
     */
    public static function pager(Forms $forms, string $page, array $query, int $skip, int $limit, int $total): ?Html
    {
        if ($total <= $limit && $skip === 0) {
            return null;
        }
        $last = min($skip + $limit, $total);
        $first = min($skip + 1, $total);
        $before = $skip > 0
            ? $forms->link($page, $query + ['skip' => max(0, $skip - $limit)], 'Before')
            : null;
        $after = $last < $total ? $forms->link($page, $query + ['skip' => $skip + $limit], 'Next') : null;
        $words = Html::tag('span', [], "{$first} to {$last} of {$total}");

        return Html::tag('nav', ['class' => 'pager', 'aria-label' => 'More'], $before, $words, $after);
    }
}
