<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

/**
 * The reports of log functions as people read them, in a terminal and in the log of cron.
 *
 * Shows, and never judges: each word about a state is the library's. No line of a log is ever shown.
 */
final readonly class LogText
{
    /** How a copy that is new to us lay to the archive. */
    private const ADOPTED = [
        'contained' => 'the archive had all of it',
        'overlap' => 'it goes on where the archive ended, and what follows was merged',
        'diverged' => 'it and the archive each had lines that the other lacked, and all are kept',
        'weak' => self::WEAK,
    ];
    private const WEAK = 'what it has in common with the archive is less than 8 lines and 1 KiB: '
        . 'have a look at whether a line of it is in the archive twice';

    public function __construct(private Console $console, private bool $quiet, private bool $dry)
    {
    }

    /** @param array<string, mixed> $report */
    public function run(array $report): string
    {
        $table = new Table(['log', 'state', 'side', 'bytes read', 'bytes appended', 'lines appended', 'behind']);
        $notes = [];
        $archived = $given = $bytes = 0;
        foreach ($report['logs'] as $name => $log) {
            $words = array_filter([$this->reason($log), ...$log['warnings']]);
            foreach ($log['sides'] as $side => $done) {
                if ($done['adopted'] === 'weak' || ($done['adopted'] !== null && !$this->quiet)) {
                    $words[] = self::adopted((string) $side, $done);
                }
                $isArchive = $side === $report['hub'];
                $archived += $isArchive ? $done['lines'] : 0;
                $given += $isArchive ? 0 : $done['lines'];
            }
            if ($log['rotated'] !== null && !$this->quiet) {
                $words[] = "past its size limit, and rotated to {$log['rotated']}";
            }
            array_push($notes, ...self::about((string) $name, $words));
            $bytes += array_sum(array_column($log['sides'], 'read_bytes'));
            if ($this->quiet && $words === []) {
                continue;
            }
            $start = [(string) $name, $log['state']];
            $colour = Colour::ofState($log['state']);
            $told = $log['state'] === 'merged' ? $log['sides'] : [];
            if ($told === []) {
                $table->add([...$start, '', '', '', '', ''], $colour);
            }
            foreach ($told as $side => $done) {
                $counts = [$done['read_bytes'], $done['appended_bytes'], $done['lines'], $done['lag_bytes']];
                if ($this->dry) {
                    // Nobody has counted them.
                    $counts[2] = '';
                }
                $table->add([...$start, (string) $side, ...$counts], $colour);
                $start = ['', ''];
            }
        }
        $changed = in_array('merged', array_column($report['logs'], 'state'), true);
        $told = static fn (array $log): bool => $log['warnings'] !== []
            || ($log['reason'] !== null && $log['state'] !== 'unchanged');
        $isTold = array_filter($report['logs'], $told) !== [];
        $merged = match (true) {
            !$changed => $report['ok'] && !$isTold ? 'Nothing to do' : 'Nothing merged',
            $this->dry => "{$bytes} bytes would be merged",
            default => Text::count($archived, 'line', 'lines') . " to archives, {$given} to copies",
        };

        return $this->whole($table, $notes, $report, "{$merged}, {$report['duration_ms']} ms.");
    }

    /** @param array<string, mixed> $report */
    public function rotated(array $report): string
    {
        $table = new Table(['log', 'state', 'how', 'bytes', 'rotated file']);
        $notes = [];
        $rotated = 0;
        foreach ($report['logs'] as $name => $log) {
            $rotated += (int) ($log['state'] === 'rotated');
            $words = array_filter([$this->reason($log), ...$log['warnings']]);
            $isPlan = $log['state'] === 'rotated' && $log['warnings'] === [];
            if ($this->quiet && ($words === [] || $isPlan)) {
                continue;
            }
            array_push($notes, ...self::about((string) $name, $words));
            $table->add([
                (string) $name,
                $log['state'],
                $log['method'] ?? '',
                $log['file'] === null ? '' : $log['bytes'],
                $log['file'] ?? '',
            ], Colour::ofState($log['state']));
            $packed = static fn (string $file): string => "packed {$file}";
            array_push($notes, ...self::about((string) $name, array_map($packed, $log['compressed'])));
        }
        $logs = Text::count($rotated, 'log', 'logs');
        $line = $this->dry ? "{$logs} would be rotated" : "{$logs} rotated";

        return $this->whole($table, $notes, $report, "{$line}, {$report['duration_ms']} ms.");
    }

    /** @param array<string, mixed> $report */
    public function cleaned(array $report): string
    {
        $table = new Table(['log', 'rotated file', 'bytes', 'days old', '', 'because']);
        $notes = [];
        $count = $bytes = 0;
        foreach ($report['logs'] as $name => $log) {
            array_push($notes, ...self::about((string) $name, array_filter([$log['reason'], ...$log['warnings']])));
            foreach ($log['files'] as $file) {
                $count += (int) !$file['keep'];
                $bytes += $file['keep'] ? 0 : $file['bytes'];
                if ($this->quiet && $file['keep']) {
                    continue;
                }
                $cells = [$file['bytes'], $file['age_days'], $file['keep'] ? 'stays' : 'goes', $file['reason']];
                $table->add([(string) $name, $file['path'], ...$cells], $file['keep'] ? Colour::Faint : Colour::Look);
            }
        }
        $files = Text::count($count, 'file', 'files');
        $line = $this->dry ? "{$files} would go, {$bytes} bytes." : "{$files} removed, {$bytes} bytes.";

        return $this->whole($table, $notes, $report, $line);
    }

    /** @param array<string, mixed> $report */
    public function verified(array $report): string
    {
        $table = new Table(['log', 'state', 'ranges', 'bytes', 'bytes cleaned away', 'bytes not merged yet']);
        $notes = [];
        foreach ($report['logs'] as $name => $log) {
            $words = array_filter([$log['reason']]);
            if ($log['first_bad'] !== null) {
                $bad = $log['first_bad'];
                $words[] = "the first bad range is {$bad['length']} bytes at {$bad['from']} of the archive, which came"
                    . " from {$bad['origin']} (there at {$bad['offset']}) at {$bad['at']}";
            }
            if ($this->quiet && in_array($log['state'], ['ok', 'unknown'], true)) {
                continue;
            }
            array_push($notes, ...self::about((string) $name, $words));
            $counts = [$log['ranges'], $log['bytes'], $log['gone_bytes'], $log['unmerged_bytes']];
            $table->add([(string) $name, $log['state'], ...$counts], Colour::ofState($log['state']));
        }
        $logs = Text::count(count($report['logs']), 'log', 'logs');
        $otherwise = 'Not all of them are what was merged.';

        return $this->whole($table, $notes, $report, "{$logs} checked, {$report['duration_ms']} ms.", $otherwise);
    }

    /** @param array<string, mixed> $report */
    public function status(array $report): string
    {
        $logs = new Table(['log', 'last merge', 'rotated files', 'bytes']);
        $sides = new Table(['log', 'side', '', 'bytes', 'read up to', 'not merged yet', 'behind', 'path', 'problem']);
        $notes = [];
        foreach ($report['logs'] as $name => $log) {
            $name = (string) $name;
            $words = $this->problems($log);
            $problems = array_column($log['sides'], 'problem');
            foreach ($log['sides'] as $side => $one) {
                if ($one['weak']) {
                    $words[] = "{$side}: " . self::WEAK;
                }
                if ($one['merged'] !== null && !$this->quiet) {
                    $words[] = "{$side}: what others write goes into {$one['merged']}, as the program that writes"
                        . " {$one['path']} does not append whole lines to it";
                }
                if ($one['foreign_bytes'] > 0 && !$one['mirror'] && !$this->quiet) {
                    $words[] = "{$side}: {$one['foreign_bytes']} bytes of others were written into it so far";
                }
                if ($this->quiet && $one['problem'] === null) {
                    continue;
                }
                $sides->add([
                    $name,
                    (string) $side,
                    $one['mirror'] ? 'mirror' : '',
                    $one['exists'] ? $one['bytes'] : '-',
                    $one['cursor'],
                    $one['unread_bytes'],
                    $one['lag_bytes'],
                    $one['path'],
                    $one['problem'] ?? '',
                ], $one['problem'] === null ? null : Colour::Bad);
            }
            array_push($notes, ...self::about($name, $words));
            if ($this->quiet && $words === [] && array_filter($problems) === []) {
                continue;
            }
            $bytes = array_sum(array_column($log['rotated'], 'bytes'));
            $logs->add([$name, $log['last_merge'] ?? 'never', count($log['rotated']), $bytes]);
        }
        $tables = array_filter([$logs, $sides], static fn (Table $table): bool => !$table->isEmpty());
        if ($tables === []) {
            return $this->quiet ? '' : "No logs.\n";
        }
        $text = array_map(fn (Table $table): string => $table->text($this->console), $tables);

        return implode("\n", array_filter([...$text, Text::lines($notes)]));
    }

    /**
     * Why a log is as it is. That nobody has written it yet is nothing for cron to tell each minute.
     *
     * @param array<string, mixed> $log
     */
    private function reason(array $log): ?string
    {
        return $this->quiet && $log['state'] === 'unchanged' ? null : $log['reason'];
    }

    /**
     * A copy that is new.
     *
     * @param array<string, mixed> $done
     */
    public static function adopted(string $side, array $done): string
    {
        $known = $done['known_bytes'] > 0 ? " ({$done['known_bytes']} bytes of it were there already)" : '';

        return "adopted the copy {$side}: " . (self::ADOPTED[$done['adopted']] ?? $done['adopted']) . $known;
    }

    /**
     * What is wrong with a log, but for the first thing of each side, which stands beside it.
     *
     * @param array<string, mixed> $log
     * @return list<string>
     */
    private function problems(array $log): array
    {
        $first = array_filter(array_column($log['sides'], 'problem'));
        $words = [];
        foreach ($log['problems'] as $found) {
            $isTold = $found['side'] !== null && in_array($found['message'], $first, true);
            if (!$isTold && !($this->quiet && $found['kind'] === 'missing')) {
                $words[] = ($found['side'] === null ? '' : "{$found['side']}: ") . $found['message'];
            }
        }

        return $words;
    }

    /**
     * What a run did: the table, what is to be said, and one line about all of it. With `--quiet` that line alone says
     * nothing.
     *
     * @param list<string> $notes
     * @param array<string, mixed> $report
     */
    private function whole(
        Table $table,
        array $notes,
        array $report,
        string $line,
        string $otherwise = Console::NOT_WELL,
    ): string {
        if ($this->quiet && $table->isEmpty() && $notes === [] && $report['ok']) {
            return '';
        }
        $line = $this->dry ? "Dry run. {$line} Nothing was changed." : $line;
        $parts = [
            $table->isEmpty() ? '' : $table->text($this->console),
            Text::lines($notes),
            $this->console->verdict($line, $report['ok'], $otherwise),
        ];

        return implode("\n", array_filter($parts));
    }

    /**
     * @param array<string> $words
     * @return list<string>
     */
    private static function about(string $log, array $words): array
    {
        return array_values(array_map(static fn (string $one): string => "{$log}: {$one}", $words));
    }
}
