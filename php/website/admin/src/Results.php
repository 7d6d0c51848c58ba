<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

use Cr0Sync\Script\Text;

/**
 * What came of a request, in words: which rows went where, which copies were made, checked or removed, and what a
 * person should look at.
 *
 * Others than the user who carries requests out may have written a result, so that it can be anything: what has no
 * known shape is told as not readable.
 */
final class Results
{
    public const ODD = '(not readable)';
    /** More are not told one by one. */
    private const SHOWN = 5;

    /** @param mixed $result the report of what was done */
    public static function words(mixed $result): Html
    {
        $words = is_array($result) ? self::all($result) : [self::ODD];

        return Html::all(array_map(static fn (string $one): Html => Html::tag('div', [], Ui::quoting($one)), $words));
    }

    /**
     * @param array<mixed> $result
     * @return list<string>
     */
    private static function all(array $result): array
    {
        $words = [];
        foreach (self::list($result['databases'] ?? []) as $name => $database) {
            $words[] = self::database((string) $name, $database);
        }
        if (isset($result['backups'])) {
            $words[] = self::count($result['backups']) . ' made';
        }
        if (isset($result['removed'])) {
            $freed = $result['freed_bytes'] ?? null;
            $words[] = self::count($result['removed']) . ' removed, '
                . (is_int($freed) ? Ui::bytes($freed) : self::ODD) . ' freed';
        }
        if (isset($result['checked'])) {
            array_push($words, ...self::checked(self::list($result['checked'])));
        }

        return [...$words, ...self::first($result['warnings'] ?? [])];
    }

    private static function database(string $name, mixed $database): string
    {
        if (!is_array($database)) {
            return "{$name} " . self::ODD;
        }
        $sides = [];
        foreach (self::list($database['sides'] ?? null) as $side => $rows) {
            $count = static fn (string $what): string => self::text($rows[$what] ?? null);
            $sides[] = "{$side} got {$count('inserted')} new, {$count('updated')} changed, {$count('deleted')} deleted";
        }
        $reason = isset($database['reason']) ? ' (' . self::text($database['reason']) . ')' : '';
        $rows = $sides === [] ? 'no rows' : 'rows: ' . implode('; ', $sides);
        $state = self::text($database['state'] ?? null);

        return implode('. ', ["{$name} {$state}{$reason}, {$rows}", ...self::first($database['warnings'] ?? [])]);
    }

    /**
     * @param array<mixed> $checked
     * @return list<string>
     */
    private static function checked(array $checked): array
    {
        $bad = array_filter($checked, static fn (mixed $one): bool => ($one['ok'] ?? null) !== true);
        $words = Text::count(count($checked), 'backup or database', 'backups and databases') . ' checked, '
            . ($bad === [] ? 'all sound' : count($bad) . ' not sound');

        return [$words, ...self::first(array_values(array_map(static fn (mixed $one): string =>
            self::text($one['id'] ?? null) . ': ' . self::text($one['problem'] ?? 'not sound'), $bad)))];
    }

    /** @return list<string> */
    private static function first(mixed $lines): array
    {
        $lines = array_map(self::text(...), array_values(self::list($lines)));
        $more = count($lines) - self::SHOWN;

        return [...array_slice($lines, 0, self::SHOWN), ...($more > 0 ? ["and {$more} more"] : [])];
    }

    private static function count(mixed $backups): string
    {
        return is_array($backups) ? Text::count(count($backups), 'backup', 'backups') : 'backups ' . self::ODD;
    }

    /** @return array<mixed> */
    private static function list(mixed $value): array
    {
        return is_array($value) ? $value : [self::ODD];
    }

    private static function text(mixed $value): string
    {
        return is_string($value) || is_int($value) ? (string) $value : self::ODD;
    }
}
