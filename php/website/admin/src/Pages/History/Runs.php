<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages\History;

use Cr0Sync\Admin\Library;
use Cr0Sync\Script\Text;

/**
 * The runs as the library tells them, the newest first. It has no page of them, so that as many are asked for as are
 * needed, and never more than a page can bear.
 */
final readonly class Runs
{
    /** What runs say of databases takes about 7 KiB for each of them, and PHP has 128 MiB as a rule. */
    private const MOST_DATABASES = 9_000;

    /** States in which a database needs nobody. */
    public const WELL = ['unchanged', 'synced', 'absent', 'restored'];

    /** No more runs than these are looked at. */
    public int $most;
    /** @var array<string, string> */
    private array $options;

    /**
     * @param list<string> $databases all that there are
     * @param string $database only runs of this one; empty for all
     */
    public function __construct(private Library $library, array $databases, string $database)
    {
        $this->most = intdiv(self::MOST_DATABASES, $database === '' ? max(1, count($databases)) : 1);
        $this->options = $database === '' ? [] : ['database' => $database];
    }

    public static function ofAll(Library $library): self
    {
        return new self($library, self::databases($library), '');
    }

    /** @return list<string> */
    public static function databases(Library $library): array
    {
        return array_map(strval(...), array_keys($library->read('cr0_config')['config']['databases']));
    }

    /** @return list<array<string, mixed>> */
    public function newest(int $number): array
    {
        return $this->library->read('cr0_db_history', ['limit' => min($number, $this->most)] + $this->options)['runs'];
    }

    /**
     * Those of a time, and whether these are all.
     *
     * @return array{list<array<string, mixed>>, bool}
     */
    public function since(int $start, int $atLeast): array
    {
        for ($number = max(500, $atLeast); true; $number *= 4) {
            $runs = $this->newest($number);
            $last = $runs === [] ? null : $runs[count($runs) - 1];
            $isAll = count($runs) < min($number, $this->most) || strtotime($last['at']) < $start;
            if ($isAll || $number >= $this->most) {
                return [$runs, $isAll];
            }
        }
    }

    /**
     * One of them, and what was undone since.
     *
     * @return array{?array<string, mixed>, Undone}
     */
    public function one(string $id): array
    {
        for ($number = 100; true; $number *= 10) {
            $runs = $this->newest($number);
            foreach ($runs as $run) {
                if ($run['run'] === $id) {
                    return [$run, Undone::among($runs)];
                }
            }
            if (count($runs) < $number || $number >= $this->most) {
                return [null, Undone::among([])];
            }
        }
    }

    /**
     * How many rows a run wrote, by what was done to them.
     *
     * @param array<string, mixed> $run
     * @return array{inserted: int, updated: int, deleted: int, rekeyed: int, lock_ms: int}
     */
    public static function sums(array $run): array
    {
        $sums = ['inserted' => 0, 'updated' => 0, 'deleted' => 0, 'rekeyed' => 0, 'lock_ms' => 0];
        foreach ($run['databases'] as $database) {
            foreach ($database['sides'] as $side) {
                foreach ($sums as $name => $sum) {
                    // Of locks the longest counts, of rows all.
                    $sums[$name] = $name === 'lock_ms' ? max($sum, $side[$name]) : $sum + $side[$name];
                }
            }
        }

        return $sums;
    }

    /**
     * How many rows a run wrote.
     *
     * @param array<string, mixed> $run
     */
    public static function rows(array $run): int
    {
        return array_sum(array_diff_key(self::sums($run), ['lock_ms' => 0]));
    }

    /**
     * The databases that it wrote, or in which something is to be looked at, and how many it left as they were.
     *
     * @param array<string, mixed> $run
     * @return array{list<string>, int}
     */
    public static function written(array $run): array
    {
        $written = array_filter($run['databases'], static fn (array $one): bool =>
            self::rows(['databases' => [$one]]) > 0 || $one['conflicts'] > 0 || $one['warnings'] !== []
                || !in_array($one['state'], self::WELL, true));

        return [array_map(strval(...), array_keys($written)), count($run['databases']) - count($written)];
    }

    /**
     * How many rows were written, by what was done to them: on each side, as the same row on three sides is one row.
     *
     * @param array<string, mixed> $run
     * @return array{inserted: string, updated: string, deleted: string} `2 on 3 sides`, `1 to 4 on 2 sides` or `0`
     */
    public static function onSides(array $run): array
    {
        $sides = ['inserted' => [], 'updated' => [], 'deleted' => []];
        foreach ($run['databases'] as $database) {
            foreach ($database['sides'] as $side => $done) {
                foreach ($sides as $what => $all) {
                    $number = $done[$what] + ($what === 'updated' ? $done['rekeyed'] : 0);
                    $sides[$what][$side] = ($all[$side] ?? 0) + $number;
                }
            }
        }

        return array_map(self::each(...), $sides);
    }

    /** @param array<string, int> $sides */
    private static function each(array $sides): string
    {
        $some = array_filter($sides);
        if ($some === []) {
            return '0';
        }
        [$least, $most] = [number_format(min($some)), number_format(max($some))];

        return ($least === $most ? $most : "{$least} to {$most}") . ' on ' . Text::count(count($some), 'side', 'sides');
    }

    /** @param array<string, mixed> $run */
    public static function conflicts(array $run): int
    {
        return (int) array_sum(array_column($run['databases'], 'conflicts'));
    }
}
