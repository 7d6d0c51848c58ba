<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages;

use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Secrets;
use Cr0Sync\Admin\Ui;
use Cr0Sync\Script\Text;

/**
 * The details of an event, for reading: what is short in a line, the whole below it.
 *
 * The library hides secrets as it writes an event. Lines of the site's own pages were written without it, so secrets
 * are hidden here too.
 */
final readonly class EventDetails
{
    /** So much of a text is shown (bytes), and so many things of a list, so deep. */
    private const LONGEST = 2000;
    private const MOST = 100;
    private const DEEPEST = 6;
    /** So much is shown before it is opened (letters). */
    private const SUMMARY = 160;

    /** Names of times, and which numbers can be one: of the years 2001 to 2100. */
    private const TIMES = '~(?:^|_)(?:at|[mca]?time|timestamp|since|until|created|expires|expiry|started)$~Di';
    private const FIRST = 1_000_000_000;
    private const LAST = 4_102_444_800;

    /** @param array<string, mixed> $event */
    public function show(array $event): Html
    {
        $details = $this->safe($event['details'] ?? null, 0);
        $more = array_filter([
            'number' => $event['seq'] ?? null,
            'session' => $this->session($event['session_id'] ?? null),
        ], static fn (mixed $one): bool => $one !== null);
        $short = is_array($details) ? $this->line($details) : Text::line((string) $details);
        if (!isset($event['seq'])) {
            $more['by'] = 'a page of the site; the event after it holds it in the chain';
        }
        $whole = is_array($details) ? $details : ['text' => $details];

        return Html::tag(
            'details',
            [],
            Html::tag('summary', [], $short === '' ? 'no details' : self::start($short)),
            $this->tree($whole + ['(event)' => $more]),
        );
    }

    /** @param array<mixed> $details */
    private function line(array $details): string
    {
        $words = [];
        // Of a file its path is what is looked for.
        $path = $details['file'] ?? null;
        if (is_string($path)) {
            unset($details['file']);
            $words[] = $path;
        }
        foreach ($details as $name => $value) {
            $text = self::text(self::timed($name, $value));
            $words[] = is_int($name) ? $text : "{$name}: {$text}";
        }

        return implode(', ', $words);
    }

    /** @param array<mixed> $values */
    private function tree(array $values): Html
    {
        $items = [];
        foreach ($values as $name => $value) {
            $isTree = is_array($value) && $value !== [];
            $items[] = Html::tag(
                'li',
                [],
                is_int($name) ? null : Html::tag('strong', [], "{$name} "),
                $isTree ? $this->tree($value) : Html::tag('code', [], self::text(self::timed($name, $value))),
            );
        }

        return Html::tag('ul', ['class' => 'tree'], $items);
    }

    private function safe(mixed $value, int $depth): mixed
    {
        if (is_string($value)) {
            return $this->cut($value);
        }
        if (!is_array($value)) {
            return $value;
        }
        if ($depth >= self::DEEPEST) {
            return '(deeper than is shown)';
        }
        $safe = [];
        foreach ($value as $name => $one) {
            if (count($safe) >= self::MOST) {
                $safe[] = '(' . (count($value) - self::MOST) . ' more)';
                break;
            }
            // Whether there is one, and how many, is no secret.
            $isSecret = Secrets::isNamed($name) && !is_bool($one) && $one !== null && $one !== [];
            $safe[$this->name($name)] = $isSecret ? Secrets::HIDDEN : $this->safe($one, $depth + 1);
        }

        return $safe;
    }

    private function name(int|string $name): int|string
    {
        return is_int($name) ? $name : substr(Secrets::hide($name), 0, 100);
    }

    private function cut(string $text): string
    {
        $text = Secrets::hide($text);
        if (strlen($text) <= self::LONGEST) {
            return $text;
        }
        $start = substr($text, 0, self::LONGEST);

        return preg_replace('/[\xc0-\xff][\x80-\xbf]{0,2}$/D', '', $start) . '... (cut)';
    }

    /** The site's own pages may have written a session that is open: nobody is to take it over. */
    private function session(mixed $id): ?string
    {
        return is_string($id) && $id !== '' ? substr($id, 0, 6) . (strlen($id) > 6 ? '...' : '') : null;
    }

    /** A number that is a time by its name, as a time; seconds, or thousandths of them. */
    private static function timed(int|string $name, mixed $value): mixed
    {
        if (is_array($value)) {
            $keys = array_keys($value);
            $inner = array_map(self::timed(...), $keys, $value);

            return array_combine($keys, $inner);
        }
        $isTime = is_string($name) && is_int($value) && preg_match(self::TIMES, $name) === 1;

        return match (true) {
            $isTime && $value >= self::FIRST && $value <= self::LAST => Ui::exact($value),
            $isTime && $value >= 1000 * self::FIRST && $value <= 1000 * self::LAST => Ui::exact(intdiv($value, 1000)),
            default => $value,
        };
    }

    private static function text(mixed $value): string
    {
        return is_string($value) ? $value : Text::value($value);
    }

    private static function start(string $text): string
    {
        $isLong = preg_match('/^.{' . self::SUMMARY . '}/us', Text::line($text), $start) === 1;

        return $isLong ? "{$start[0]}..." : $text;
    }
}
