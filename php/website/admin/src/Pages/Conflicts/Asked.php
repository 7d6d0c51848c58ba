<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages\Conflicts;

use Cr0Sync\Admin\App;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Library;
use Cr0Sync\Admin\Requests;
use Cr0Sync\Admin\Results;
use Cr0Sync\Admin\Ui;
use Cr0Sync\Cr0SyncException;

/**
 * What was asked for of each conflict, and what was decided by that.
 */
final readonly class Asked
{
    /**
     * @param array<string, list<array<string, mixed>>> $requests by conflict, the newest first
     * @param ?string $problem why nobody knows what was asked for
     */
    private function __construct(private array $requests, public ?string $problem)
    {
    }

    /** For who only looks: conflicts are shown also where the queue cannot be read, which is said then. */
    public static function asFarAsKnown(Library $library): self
    {
        try {
            return self::of($library);
        } catch (Cr0SyncException $error) {
            return new self([], 'It cannot be told what was asked for: ' . App::words($error));
        }
    }

    public static function of(Library $library): self
    {
        $requests = [];
        foreach (Requests::all($library) as $request) {
            foreach (self::conflicts($request) as $id) {
                $requests[$id][] = $request;
            }
        }

        return new self($requests, null);
    }

    public function isWaiting(string $id): bool
    {
        return ($this->requests[$id][0]['state'] ?? null) === 'pending';
    }

    /**
     * What came of a conflict, if that is on record here.
     *
     * @param 'resolve'|'acknowledge' $action
     */
    public function decision(string $id, string $action): ?Decision
    {
        return Decision::ofRequests($this->requests[$id] ?? [], $action);
    }

    /** What waits, or why it did not come about. */
    public function html(string $id): ?Html
    {
        $request = $this->requests[$id][0] ?? null;
        if ($request === null || $request['state'] === 'done') {
            return null;
        }
        $take = $request['arguments']['take'] ?? null;
        $take = is_string($take) ? $take : Results::ODD;
        $what = $request['action'] === 'resolve' ? "take {$take}" : 'acknowledge';
        $asked = Html::all("{$what}, asked for by {$request['by']} ", Ui::when($request['at']));
        if ($request['state'] === 'pending') {
            $when = ['; the next run of cron does it.', Requests::again()];

            return Html::tag('p', [], Ui::state('pending'), ' ', $asked, $when);
        }
        $why = trim(($request['error']['message'] ?? '') . '. ' . ($request['error']['hint'] ?? ''), '. ');

        return Html::tag('p', [], Ui::state('failed'), ' ', $asked, ': ', Ui::sentence("{$why}."));
    }

    /**
     * @param array<string, mixed> $request
     * @return list<string>
     */
    private static function conflicts(array $request): array
    {
        $arguments = $request['arguments'];
        $ids = match ($request['action']) {
            'resolve' => [$arguments['conflict'] ?? null],
            'acknowledge' => $arguments['conflicts'] ?? [],
            default => [],
        };

        return array_values(array_filter(is_array($ids) ? $ids : [], is_string(...)));
    }
}
