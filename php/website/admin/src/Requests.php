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
    private const NAMES = [
        'resolve' => 'Deciding a conflict',
        'acknowledge' => 'Acknowledging conflicts',
        'restore' => 'Restoring a backup',
        'force' => 'A sync with force',
        'sync-from' => 'Taking one side',
        'backup' => 'Backing up',
        'clean-backups' => 'Cleaning backups',
        'verify' => 'Verifying',
        'undo' => 'Undoing a run',
    ];

    /** What is asked for, in words that begin a sentence. */
    public static function name(string $action): string
    {
        return self::NAMES[$action] ?? $action;
    }

    /**
     * The same with what it is of, as far as people ask for it on these pages.
     *
     * @param array<string, mixed> $arguments
     */
    public static function sentence(string $action, array $arguments): string
    {
        $database = $arguments['database'] ?? 'all databases';

        return match ($action) {
            'resolve' => "Deciding conflict {$arguments['conflict']} (take {$arguments['take']})",
            'acknowledge' => 'Acknowledging ' . Text::count(count($arguments['conflicts']), 'conflict', 'conflicts'),
            'restore' => "Restoring {$arguments['backup']} into " . ($arguments['side'] ?? 'all sides'),
            'force' => "A sync of {$database} with force",
            'sync-from' => "Taking {$database} from {$arguments['side']}",
            'backup' => "Backing up {$database}",
            'clean-backups' => "Cleaning backups of {$database}",
            'verify' => "Verifying {$database}",
            'undo' => "Undo of run {$arguments['run']}",
            default => self::name($action),
        };
    }

    /** For who has no script that loads the page again. */
    public static function again(): Html
    {
        return Html::tag('noscript', [], ' Load this page again to see.');
    }

    /**
     * All requests, the newest first. Others than the user who carries them out may have written what came of one, so
     * that arguments and errors are brought into known shapes here; a result can be anything still.
     *
     * @return list<array<string, mixed>>
     * @throws Cr0SyncException
     */
    public static function all(Library $library): array
    {
        return array_map(static function (array $request): array {
            $error = $request['error'];
            $word = static fn (string $name): ?string => is_string($error[$name] ?? null) ? $error[$name] : null;
            $arguments = is_array($request['arguments']) ? $request['arguments'] : ['arguments' => Results::ODD];
            $error = $error === null ? null : ['message' => $word('message') ?? Results::ODD, 'hint' => $word('hint')];

            return ['arguments' => $arguments, 'error' => $error] + $request;
        }, $library->read('cr0_db_queue')['requests']);
    }

    /**
     * Why something is not asked for again: it waits already.
     *
     * @param array<string, mixed> $arguments those that make it the same; null for one that must not be there
     * @throws Cr0SyncException
     */
    public static function waiting(Library $library, string $action, array $arguments): ?string
    {
        return self::isWaiting($library, $action, $arguments)
            ? self::name($action) . ' is asked for already; the next run of cron does it.'
            : null;
    }

    /**
     * @param array<string, mixed> $arguments
     * @throws Cr0SyncException
     */
    private static function isWaiting(Library $library, string $action, array $arguments): bool
    {
        foreach (self::all($library) as $request) {
            $isSame = $request['state'] === 'pending' && $request['action'] === $action;
            foreach ($arguments as $name => $value) {
                $isSame = $isSame && ($request['arguments'][$name] ?? null) === $value;
            }
            if ($isSame) {
                return true;
            }
        }

        return false;
    }

    /** Whether anything waits for the next run of cron; not where nobody can tell. */
    public static function isAnyWaiting(Library $library): bool
    {
        try {
            return in_array('pending', array_column(self::all($library), 'state'), true);
        } catch (Cr0SyncException) {
            return false;
        }
    }

    /**
     * Where it cannot be told, it says why: the rest of a page does not go with it.
     *
     * @param list<string> $actions those that a page is about
     */
    public static function section(Library $library, array $actions): ?Html
    {
        $rows = [];
        try {
            $requests = self::all($library);
        } catch (Cr0SyncException $error) {
            return Ui::section('Asked of cron', Ui::trouble(App::words($error)));
        }
        // What waits comes first; the sort keeps the order among the others, the newest first.
        usort($requests, static fn (array $one, array $other): int =>
            ($other['state'] === 'pending') <=> ($one['state'] === 'pending'));
        foreach ($requests as $request) {
            if (in_array($request['action'], $actions, true) && count($rows) < self::SHOWN) {
                $rows[] = [
                    self::name($request['action']),
                    self::arguments($request['arguments']),
                    Html::tag('span', ['class' => 'by'], $request['by']),
                    Ui::moment($request['at']),
                    Html::all(
                        Ui::state($request['state']),
                        $request['state'] === 'pending' ? self::again() : null,
                        ' ',
                        self::folded(self::outcome($request)),
                    ),
                ];
            }
        }
        if ($rows === []) {
            return null;
        }

        return Ui::section('Asked of cron', Ui::table(
            'Requests: what waits first, then the newest',
            ['What', 'Of what', 'Asked by', 'Asked', 'State'],
            $rows,
        ));
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

        return $words === [] ? 'all databases' : implode(', ', $words);
    }

    /** @param array<string, mixed> $request */
    private static function outcome(array $request): Html|string|null
    {
        if ($request['error'] !== null) {
            return Ui::sentence($request['error']['message'] . '. ' . ($request['error']['hint'] ?? ''));
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
