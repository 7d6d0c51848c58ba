<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

use Cr0Sync\Cr0SyncException;
use Cr0Sync\Script\Text;

/**
 * What was asked of the cron user, and what came of it: pending, then done or failed.
 */
final class Requests
{
    private const SHOWN = 10;
    /** What is longer opens when somebody wants it (bytes of markup). */
    private const LONG = 160;

    /**
     * Where it cannot be told, it says why: the rest of a page does not go with it.
     *
     * @param list<string> $actions those that a page is about
     */
    public static function section(Library $library, array $actions): ?Html
    {
        $rows = [];
        try {
            $requests = $library->read('cr0_db_queue')['requests'];
        } catch (Cr0SyncException $error) {
            return Ui::section('Asked for', Ui::trouble(App::words($error)));
        }
        // What waits comes first; the sort keeps the order among the others, the newest first.
        usort($requests, static fn (array $one, array $other): int =>
            ($other['state'] === 'pending') <=> ($one['state'] === 'pending'));
        foreach ($requests as $request) {
            if (in_array($request['action'], $actions, true) && count($rows) < self::SHOWN) {
                $rows[] = [
                    $request['action'],
                    self::arguments($request['arguments']),
                    Html::tag('span', ['class' => 'by'], $request['by']),
                    Ui::time($request['at']),
                    Html::all(Ui::state($request['state']), ' ', self::folded(self::outcome($request))),
                ];
            }
        }
        if ($rows === []) {
            return null;
        }

        return Ui::section('Asked for', Ui::table('Requests', ['What', 'Of what', 'By', 'When', 'State'], $rows));
    }

    /** @param array<string, mixed> $arguments */
    private static function arguments(array $arguments): string
    {
        $words = [];
        foreach ($arguments as $name => $value) {
            if ($value !== null && $value !== false) {
                $words[] = "{$name} " . implode(', ', array_map(
                    static fn (mixed $one): string => is_string($one) ? $one : Text::value($one),
                    is_array($value) && array_is_list($value) ? $value : [$value],
                ));
            }
        }

        return implode(', ', $words);
    }

    /** @param array<string, mixed> $request */
    private static function outcome(array $request): Html|string|null
    {
        if ($request['error'] !== null) {
            return $request['error']['message'] . ' ' . ($request['error']['hint'] ?? '');
        }

        return $request['result'] === null ? null : Results::words($request['result']);
    }

    private static function folded(Html|string|null $outcome): Html|string|null
    {
        return $outcome instanceof Html && strlen($outcome->markup) > self::LONG
            ? Html::tag('details', [], Html::tag('summary', [], 'What came of it'), $outcome)
            : $outcome;
    }
}
