<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages\History;

/**
 * Which runs were undone, and by which. A run that undid another can be undone itself: then the other stands again.
 */
final readonly class Undone
{
    /** States in which a database was undone; a side that must not be touched keeps the others from nothing. */
    private const DONE = ['synced', 'quarantined'];

    /**
     * @param array<string, array<string, list<string>>> $by databases by the run that undid, by the run undone
     */
    private function __construct(private array $by)
    {
    }

    /** @param list<array<string, mixed>> $runs the newest first, with all that are newer than those that are asked for */
    public static function among(array $runs): self
    {
        $by = [];
        foreach ($runs as $run) {
            $undid = self::undid($run);
            if ($undid === null) {
                continue;
            }
            $done = array_filter($run['databases'], static fn (array $one): bool =>
                in_array($one['state'], self::DONE, true));
            // What was undone of it since, by runs that were seen before it, does not count.
            $standing = array_diff(array_map(strval(...), array_keys($done)), ...array_values($by[$run['run']] ?? []));
            if ($standing !== []) {
                $by[$undid][$run['run']] = array_values($standing);
            }
        }

        return new self($by);
    }

    /**
     * The run that this one undid, if it did.
     *
     * @param array<string, mixed> $run
     */
    public static function undid(array $run): ?string
    {
        return preg_match('~^undo (\d+)$~D', (string) $run['kind'], $found) === 1 ? $found[1] : null;
    }

    /** @return list<string> the runs that undid this one, or a part of it; the newest first */
    public function by(string $run): array
    {
        return array_map(strval(...), array_keys($this->by[$run] ?? []));
    }

    /**
     * Whether nothing of it is left to be undone.
     *
     * @param array<string, mixed> $run
     */
    public function isWhole(array $run): bool
    {
        return $this->by($run['run']) !== [] && $this->left($run) === [];
    }

    /**
     * The databases that the run wrote to, and that were not undone.
     *
     * @param array<string, mixed> $run
     * @return list<string>
     */
    public function left(array $run): array
    {
        $wrote = array_filter($run['databases'], static fn (array $one): bool =>
            Runs::rows(['databases' => [$one]]) > 0);

        return array_values(array_diff(
            array_map(strval(...), array_keys($wrote)),
            ...array_values($this->by[$run['run']] ?? []),
        ));
    }
}
