<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

/**
 * Reports as one line, for the logs of cron and for people who only want to know whether all is well.
 *
 * Below it follows, indented, a line for each thing that a person may have to look at; it begins with `warning: ` where
 * something is not as it should be. Where nothing was done and nothing is to be said there is no line at all; where
 * nothing was done and something is to be said, it begins with `nothing`. The cron scripts look for both words.
 */
final readonly class LineText
{
    /** More findings are counted only: `status` and the event log have them all. */
    private const MOST = 50;
    private const WARNING = 'warning: ';

    public function __construct(private bool $dry)
    {
    }

    /**
     * @param array<string, mixed> $report
     * @param list<string> $conflicts the new ones, each in one line
     */
    public function databases(array $report, array $conflicts): string
    {
        $more = $conflicts;
        $sums = ['inserted' => 0, 'updated' => 0, 'deleted' => 0, 'rekeyed' => 0];
        foreach ($report['databases'] as $name => $database) {
            // That nobody has it yet is nothing to tell each minute.
            $reason = $database['state'] === 'absent' ? null : $database['reason'];
            array_push($more, ...self::warnings([$reason, ...$database['warnings']], "{$name}: "));
            foreach ($database['sides'] as $side) {
                foreach (array_keys($sums) as $what) {
                    $sums[$what] += $side[$what];
                }
            }
        }
        foreach ($this->dry ? [] : $report['requests'] ?? [] as $one) {
            $what = "request {$one['id']}, {$one['action']}, by {$one['by']}: {$one['state']}";
            array_push($more, ...isset($one['error'])
                ? self::warnings(["{$what}: {$one['error']['message']}"])
                : [$what]);
        }
        $rekeyed = $sums['rekeyed'] === 0 ? '' : ", {$sums['rekeyed']} with a new id";
        $counts = "{$sums['inserted']} inserted, {$sums['updated']} updated, {$sums['deleted']} deleted{$rekeyed}";
        // A run without a number is none of the history: what it tells was so before.
        $isNothing = $report['run'] === '' && $report['conflicts'] === 0 && array_sum($sums) === 0
            && ($report['requests'] ?? []) === [];
        $what = $this->whole($report['databases'], 'synced', ['database', 'databases'], $isNothing, $counts);
        $found = $report['conflicts'] === 0
            ? ''
            : '; ' . Text::count($report['conflicts'], 'new conflict', 'new conflicts');

        return $this->said($isNothing, $more, $report['ok'], "{$what}{$found}; {$report['duration_ms']} ms");
    }

    /** @param array<string, mixed> $report */
    public function backups(array $report): string
    {
        $count = count($report['removed']);
        $backups = Text::count($count, 'backup', 'backups');

        return $this->said($count === 0, self::warnings($report['warnings']), $report['ok'], $count === 0
            ? 'nothing to clean away'
            : "{$backups} {$this->would('go', 'removed')}, {$report['freed_bytes']} bytes");
    }

    /** @param array<string, mixed> $report */
    public function logs(array $report): string
    {
        $more = [];
        $lines = ['archives' => 0, 'copies' => 0];
        $bytes = 0;
        foreach ($report['logs'] as $name => $log) {
            array_push($more, ...self::aboutLog((string) $name, $log));
            foreach ($log['sides'] as $side => $done) {
                $lines[$side === $report['hub'] ? 'archives' : 'copies'] += $done['lines'];
                $bytes += $done['appended_bytes'];
                if ($done['adopted'] !== null) {
                    $more[] = "{$name}: " . LogText::adopted((string) $side, $done);
                }
            }
            if ($log['rotated'] !== null) {
                $more[] = "{$name}: past its size limit, and rotated to {$log['rotated']}";
            }
        }
        $isNothing = !in_array('merged', array_column($report['logs'], 'state'), true);
        // Nobody counts lines that are not written.
        $counts = $this->dry ? "{$bytes} bytes" : Text::count($lines['archives'], 'line', 'lines')
            . " to archives, {$lines['copies']} to copies";
        $what = $this->whole($report['logs'], 'merged', ['log', 'logs'], $isNothing, $counts);

        return $this->said($isNothing, $more, $report['ok'], "{$what}; {$report['duration_ms']} ms");
    }

    /** @param array<string, mixed> $report */
    public function rotated(array $report): string
    {
        $more = [];
        $packed = 0;
        foreach ($report['logs'] as $name => $log) {
            $packed += count($log['compressed']);
            $to = $log['state'] === 'rotated' && $log['file'] !== null ? ["{$name}: rotated to {$log['file']}"] : [];
            array_push($more, ...$to, ...self::aboutLog((string) $name, $log));
        }
        $isNothing = $packed === 0 && !in_array('rotated', array_column($report['logs'], 'state'), true);
        $what = $this->whole($report['logs'], 'rotated', ['log', 'logs'], $isNothing, "{$packed} packed");

        return $this->said($isNothing, $more, $report['ok'], "{$what}; {$report['duration_ms']} ms");
    }

    /** @param array<string, mixed> $report */
    public function cleaned(array $report): string
    {
        $more = [];
        $count = $bytes = 0;
        foreach ($report['logs'] as $name => $log) {
            array_push($more, ...self::aboutLog((string) $name, $log));
            foreach ($log['files'] as $file) {
                $count += (int) !$file['keep'];
                $bytes += $file['keep'] ? 0 : $file['bytes'];
            }
        }
        $files = Text::count($count, 'rotated file', 'rotated files');

        return $this->said($count === 0, $more, $report['ok'], $count === 0
            ? 'nothing to clean away'
            : "{$files} {$this->would('go', 'removed')}, {$bytes} bytes");
    }

    /**
     * @param array<string, mixed> $report
     * @param string $summary of the jobs
     */
    public function ran(array $report, string $summary): string
    {
        $more = $report['missed'] === null ? [] : [$report['missed']];
        if ($report['new_break'] !== null) {
            $more[] = 'the chain of events is broken: ' . SecurityText::place($report['new_break']);
        }
        foreach ($report['jobs'] as $name => $job) {
            if ($job['state'] === 'failed') {
                $more[] = "{$name} failed: " . ($job['reason'] ?? 'it did not say why');
            }
        }
        $alerts = ($report['alerts'] ?? []) + ['told' => 0, 'problems' => [], 'warnings' => []];
        array_push($more, ...$report['problems'], ...$alerts['problems'], ...$alerts['warnings']);
        array_push($more, ...$report['new_warnings']);
        $more = self::warnings($more);
        $findings = $report['new_findings'] > 0 ? $report['jobs']['check']['report']['findings'] ?? [] : [];
        foreach (array_slice($findings, 0, self::MOST) as $one) {
            $changes = SecurityText::changes($one);
            $more[] = "{$one['severity']}, {$one['kind']}: {$one['path']}" . ($changes === '' ? '' : " ({$changes})");
        }
        if (count($findings) > self::MOST) {
            $more[] = count($findings) - self::MOST . ' more findings: security_monitoring_script.php check shows them';
        }
        $isNothing = $report['new_findings'] === 0 && $alerts['told'] === 0;

        return $this->said($isNothing, $more, $report['ok'], $summary);
    }

    /** @param array<string, mixed> $report */
    public function databaseStatus(array $report): string
    {
        $conflicts = array_sum(array_column($report['databases'], 'open_conflicts'));
        $problems = [];
        foreach ($report['databases'] as $name => $database) {
            if ($database['held'] !== null) {
                $problems[] = "{$name} is held: {$database['held']['reason']}";
            }
            foreach ($database['paused'] as $table => $notice) {
                $problems[] = "{$name}.{$table} is left alone: {$notice['reason']}";
            }
            foreach ($database['quarantined'] as $side => $notice) {
                $problems[] = "{$name} on {$side} is quarantined: {$notice['reason']}";
            }
            if ($database['state'] === 'problem' && $database['quarantined'] === []) {
                $problemOf = static fn (array $side): ?string => $side['problem'];
                $found = array_filter(array_map($problemOf, $database['sides']));
                foreach ($found as $side => $problem) {
                    $problems[] = "{$name} on {$side}: {$problem}";
                }
                if ($found === []) {
                    $problems[] = "{$name}: a problem";
                }
            }
        }
        $whole = [
            Text::count(count($report['databases']), 'database', 'databases'),
            ...self::states($report['databases']),
            ...($conflicts === 0 ? [] : [Text::count($conflicts, 'open conflict', 'open conflicts')]),
        ];

        return self::state($conflicts === 0 && $problems === [], $whole, $problems);
    }

    /** @param array<string, mixed> $report */
    public function logStatus(array $report): string
    {
        $problems = [];
        $unread = 0;
        foreach ($report['logs'] as $name => $log) {
            $unread += array_sum(array_column($log['sides'], 'unread_bytes'));
            foreach ($log['problems'] as $one) {
                if (!in_array($one['kind'], ['missing', 'unsettled'], true)) {
                    $problems[] = "{$name}: {$one['message']}";
                }
            }
        }
        $whole = [Text::count(count($report['logs']), 'log', 'logs'), "{$unread} bytes not merged yet"];

        return self::state($report['ok'], $whole, $problems);
    }

    /** @param array<string, mixed> $report */
    public function securityStatus(array $report): string
    {
        $problems = array_map(
            static fn (array $one): string => "{$one['problem']}; next: {$one['next']}",
            $report['problems'],
        );
        $last = $report['last_check'];
        $whole = [
            $report['baseline']['ok'] ? "baseline of {$report['baseline']['entries']} files" : 'no baseline',
            $last === null
                ? 'nothing checked yet'
                : Text::count(count($last['findings'] ?? []), 'finding', 'findings'),
        ];

        return self::state($report['ok'], $whole, $problems);
    }

    /**
     * How many of all were treated, what that came to, and how the others are.
     *
     * @param array<string, array<string, mixed>> $all
     * @param array{string, string} $words for one and for many
     */
    private function whole(array $all, string $done, array $words, bool $isNothing, string $counts): string
    {
        $number = count(array_filter($all, static fn (array $one): bool => $one['state'] === $done));
        $others = self::states(array_filter(
            $all,
            static fn (array $one): bool => !in_array($one['state'], [$done, 'unchanged', 'synced'], true),
        ));
        $rest = $others === [] ? '' : ' (' . implode(', ', $others) . ')';
        $of = Text::count(count($all), ...$words);

        return $isNothing
            ? "nothing {$this->would("be {$done}", $done)} of {$of}{$rest}"
            : "{$number} of {$of} {$this->would("be {$done}", $done)}: {$counts}{$rest}";
    }

    private function would(string $dry, string $done): string
    {
        return $this->dry ? "would {$dry}" : $done;
    }

    /**
     * @param array<string, array<string, mixed>> $all
     * @return list<string>
     */
    private static function states(array $all): array
    {
        $counts = array_count_values(array_column($all, 'state'));

        return array_map(static fn (string $state, int $n): string => "{$n} {$state}", array_keys($counts), $counts);
    }

    /**
     * @param array<string, mixed> $log
     * @return list<string>
     */
    private static function aboutLog(string $name, array $log): array
    {
        // That nobody has written it yet is nothing to tell each minute.
        $reason = $log['state'] === 'unchanged' ? null : $log['reason'];

        return self::warnings([$reason, ...$log['warnings']], "{$name}: ");
    }

    /**
     * @param list<?string> $words
     * @return list<string>
     */
    private static function warnings(array $words, string $about = ''): array
    {
        $said = array_values(array_filter($words, static fn (?string $word): bool => ($word ?? '') !== ''));

        return array_map(static fn (string $word): string => self::WARNING . "{$about}{$word}", $said);
    }

    /** @param list<string> $more */
    private function said(bool $isNothing, array $more, bool $ok, string $line): string
    {
        if ($isNothing && $more === [] && $ok && !$this->dry) {
            return '';
        }
        $end = $this->dry ? ' (dry run, nothing was changed)' : '';
        $text = Text::line($line . $end) . "\n";
        foreach (self::once($more) as $one) {
            $text .= '  ' . Text::line($one) . "\n";
        }

        return $text;
    }

    /**
     * What stops several parts is said once, where it is said first, with the parts: a warning has those before its
     * first colon, and what is behind it is the cause.
     *
     * @param list<string> $lines
     * @return list<string>
     */
    private static function once(array $lines): array
    {
        $said = $parts = [];
        foreach ($lines as $number => $line) {
            $words = explode(': ', $line, 3);
            if ("{$words[0]}: " !== self::WARNING || !isset($words[2])) {
                $said["line {$number}"] = $line;
                continue;
            }
            [, $part, $cause] = $words;
            $parts[$cause][$part] = $part;
            $count = count($parts[$cause]);
            $names = implode(', ', $parts[$cause]);
            $said[$cause] = $count === 1 ? $line : self::WARNING . "{$count} parts ({$names}): {$cause}";
        }

        return array_values($said);
    }

    /**
     * @param list<string> $whole
     * @param list<string> $problems
     */
    private static function state(bool $ok, array $whole, array $problems): string
    {
        $text = ($ok ? 'ok: ' : 'attention: ') . implode(', ', $whole);

        return Text::line($text . ($problems === [] ? '' : ': ' . implode(' | ', $problems))) . "\n";
    }
}
