<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

use Cr0Sync\Script\Text;

/**
 * What came of a request, in words: which rows went where, which copies were made, checked or removed, and what a
 * person should look at.
 */
final class Results
{
    /** More are not told one by one. */
    private const SHOWN = 5;

    /** @param array<string, mixed> $result the report of what was done */
    public static function words(array $result): Html
    {
        $words = [];
        foreach ($result['databases'] ?? [] as $name => $database) {
            $words[] = self::database((string) $name, $database);
        }
        if (isset($result['backups'])) {
            $words[] = Text::count(count($result['backups']), 'backup', 'backups') . ' made';
        }
        if (isset($result['removed'])) {
            $words[] = Text::count(count($result['removed']), 'backup', 'backups') . ' removed, '
                . Ui::bytes($result['freed_bytes']) . ' freed';
        }
        if (isset($result['checked'])) {
            array_push($words, ...self::checked($result['checked']));
        }
        array_push($words, ...self::first($result['warnings'] ?? []));

        return Html::all(array_map(static fn (string $one): Html => Html::tag('div', [], $one), $words));
    }

    /** @param array<string, mixed> $database */
    private static function database(string $name, array $database): string
    {
        $sides = [];
        foreach ($database['sides'] as $side => $rows) {
            $sides[] = "{$side} got {$rows['inserted']} new, {$rows['updated']} changed, {$rows['deleted']} removed";
        }
        $reason = $database['reason'] === null ? '' : " ({$database['reason']})";
        $rows = $sides === [] ? 'no rows' : 'rows: ' . implode('; ', $sides);

        return implode('. ', ["{$name} {$database['state']}{$reason}, {$rows}", ...self::first($database['warnings'])]);
    }

    /**
     * @param list<array{id: string, ok: bool, problem: ?string}> $checked
     * @return list<string>
     */
    private static function checked(array $checked): array
    {
        $bad = array_values(array_filter($checked, static fn (array $one): bool => !$one['ok']));
        $words = Text::count(count($checked), 'thing', 'things') . ' checked, '
            . ($bad === [] ? 'all sound' : count($bad) . ' not sound');

        return [$words, ...self::first(array_map(static fn (array $one): string => "{$one['id']}: "
            . ($one['problem'] ?? 'not sound'), $bad))];
    }

    /**
     * @param list<string> $lines
     * @return list<string>
     */
    private static function first(array $lines): array
    {
        $more = count($lines) - self::SHOWN;

        return [...array_slice($lines, 0, self::SHOWN), ...($more > 0 ? ["and {$more} more"] : [])];
    }
}
