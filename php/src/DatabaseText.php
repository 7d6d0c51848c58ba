<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

/**
 * The reports of database functions as people read them, in a terminal and in the log of cron.
 *
 * Shows, and never judges: each word about a state or a conflict is the library's.
 */
final readonly class DatabaseText
{
    /** So many are named one by one. */
    private const FEW_CONFLICTS = 20;
    private const COUNTS = ['inserted', 'updated', 'deleted', 'rekeyed'];

    public function __construct(private Console $console)
    {
    }

    /**
     * @param array<string, mixed> $report
     * @param list<array<string, mixed>> $conflicts the new ones
     */
    public function run(array $report, array $conflicts, bool $dry, bool $quiet): string
    {
        $table = new Table(['database', 'state', 'side', 'inserted', 'updated', 'deleted', 'new id', 'locked ms']);
        $notes = '';
        foreach ($report['databases'] as $name => $database) {
            // Who asks for news only has none where nobody has the database yet.
            $reason = $quiet && $database['state'] === 'absent' ? null : $database['reason'];
            $words = array_filter([$reason, ...$database['warnings']]);
            foreach ($words as $word) {
                $notes .= Text::line("{$name}: {$word}") . "\n";
            }
            if ($quiet && $words === [] && $database['conflicts'] === 0) {
                continue;
            }
            $start = [(string) $name, $database['state']];
            $colour = Colour::ofState($database['state']);
            $sides = $database['state'] === 'unchanged' ? [] : $database['sides'];
            if ($sides === []) {
                $table->add([...$start, '', '', '', '', '', ''], $colour);
            }
            foreach ($sides as $side => $done) {
                $counts = array_map(static fn (string $what): int => $done[$what], self::COUNTS);
                $table->add([...$start, (string) $side, ...$counts, $done['lock_ms']], $colour);
                $start = ['', ''];
            }
        }
        $requests = $dry
            ? self::waiting($report['requests'] ?? [], $quiet)
            : $this->carriedOut($report['requests'] ?? [], $quiet);
        if ($quiet && $table->isEmpty() && $requests === '') {
            return '';
        }
        $parts = array_filter([$requests, $table->isEmpty() ? '' : $table->text($this->console), $notes]);
        $text = implode("\n", $parts);
        foreach ($conflicts as $conflict) {
            $text .= "\n" . $this->conflict($conflict);
        }

        return $text . "\n" . $this->summary($report, $dry);
    }

    /**
     * What a run did on request before it merged, with the rows of all sides that each request wrote.
     *
     * @param list<array<string, mixed>> $requests
     */
    private function carriedOut(array $requests, bool $quiet): string
    {
        $table = new Table(
            ['request', 'by', 'state', 'run', 'conflicts', 'inserted', 'updated', 'deleted', 'new id', 'why'],
        );
        foreach (array_reverse($requests) as $one) {
            if ($quiet && $one['state'] === 'done' && ($one['result']['conflicts'] ?? 0) === 0) {
                continue;
            }
            $sides = array_merge(...array_values(array_map(
                static fn (array $database): array => array_values($database['sides']),
                $one['result']['databases'] ?? [],
            )));
            $sum = static fn (string $what): int|string => $sides === [] ? '' : array_sum(array_column($sides, $what));
            $table->add([
                self::request($one),
                $one['by'],
                $one['state'],
                $one['result']['run'] ?? '',
                is_int($one['result']['conflicts'] ?? null) ? $one['result']['conflicts'] : '',
                ...array_map($sum, self::COUNTS),
                self::why($one),
            ], Colour::ofState($one['state']));
        }

        return $table->isEmpty() ? '' : $table->text($this->console);
    }

    /**
     * What a dry run says of requests, which it leaves where they are.
     *
     * @param list<array<string, mixed>> $requests
     */
    private static function waiting(array $requests, bool $quiet): string
    {
        if ($quiet || $requests === []) {
            return '';
        }

        return Text::count(count($requests), 'request waits', 'requests wait')
            . " in the queue; a real run carries out what it may before it syncs.\n";
    }

    /** @param array<string, mixed> $one */
    private static function request(array $one): string
    {
        return rtrim("{$one['action']} " . Text::row($one['arguments']));
    }

    /** @param array<string, mixed> $one */
    private static function why(array $one): string
    {
        $hint = isset($one['error']['hint']) ? " ({$one['error']['hint']})" : '';

        return isset($one['error']) ? $one['error']['message'] . $hint : '';
    }

    /**
     * @param array<string, mixed> $report
     * @param bool $quiet only what waits for a person
     */
    public function status(array $report, bool $quiet): string
    {
        $databases = new Table(['database', 'state', 'last run', 'last change', 'open conflicts']);
        $sides = new Table(['database', 'side', 'bytes', 'journal', 'owner', 'lag', 'path', 'problem']);
        $waiting = [];
        $tables = '';
        foreach ($report['databases'] as $name => $database) {
            if ($database['held'] !== null) {
                $waiting[] = "{$name} is held since {$database['held']['since']}: {$database['held']['reason']}";
            }
            foreach ($database['paused'] as $table => $notice) {
                $waiting[] = "{$name}.{$table} is left alone since {$notice['since']}: {$notice['reason']}";
            }
            foreach ($database['quarantined'] as $side => $notice) {
                $waiting[] = "{$name} on {$side} is quarantined since {$notice['since']}: {$notice['reason']}";
            }
            if ($quiet && !self::waits($database)) {
                continue;
            }
            $databases->add([
                (string) $name,
                $database['state'],
                $database['last_run'] ?? 'never',
                $database['last_change'] ?? 'never',
                $database['open_conflicts'],
            ], Colour::ofState($database['state']));
            foreach ($database['sides'] as $side => $one) {
                if ($quiet && $one['problem'] === null) {
                    continue;
                }
                $sides->add([
                    (string) $name,
                    (string) $side,
                    $one['exists'] ? $one['bytes'] : '-',
                    $one['journal_mode'] ?? '-',
                    $one['owner'] ?? '-',
                    $one['lag'],
                    $one['path'],
                    $one['problem'] ?? $one['unseen'] ?? '',
                ], $one['problem'] === null ? null : Colour::Bad);
            }
            foreach ($database['tables'] ?? [] as $table => $rules) {
                $tables .= "\n" . $this->rules("{$name}.{$table}", $rules);
            }
        }
        if ($databases->isEmpty()) {
            return $quiet ? '' : "No databases.\n";
        }

        return $databases->text($this->console) . ($sides->isEmpty() ? '' : "\n" . $sides->text($this->console))
            . ($waiting === [] ? '' : "\n" . Text::lines($waiting)) . $tables;
    }

    /**
     * Whether something of a database needs a person.
     *
     * @param array<string, mixed> $database
     */
    private static function waits(array $database): bool
    {
        return in_array($database['state'], ['held', 'problem'], true) || $database['open_conflicts'] > 0
            || $database['paused'] !== [] || $database['quarantined'] !== [];
    }

    /** @param array<string, mixed> $report */
    public function conflicts(array $report, bool $all): string
    {
        $table = new Table(['id', 'row', 'kind', 'winner', 'status', 'at']);
        $details = '';
        $seen = 0;
        foreach ($report['conflicts'] as $conflict) {
            $waits = in_array($conflict['status'], ['open', 'held'], true);
            if (!$waits && !$all) {
                ++$seen;
                continue;
            }
            $table->add([
                $conflict['id'],
                rtrim("{$conflict['database']}.{$conflict['table']} " . Text::row($conflict['key'])),
                $conflict['kind'],
                $conflict['winner'],
                $conflict['status'],
                $conflict['at'],
            ], $waits ? Colour::Look : Colour::Faint);
            $details .= "\n" . $this->conflict($conflict);
        }
        $more = Text::count($seen, 'more is', 'more are');
        $rest = $seen === 0 ? '' : "{$more} acknowledged or resolved; --all shows them.\n";
        if ($table->isEmpty()) {
            return "No conflicts wait for anyone.\n{$rest}";
        }

        return $table->text($this->console) . $details . ($rest === '' ? '' : "\n{$rest}");
    }

    /** @param array<string, mixed> $report */
    public function acknowledged(array $report, bool $dry, bool $quiet): string
    {
        $seen = $quiet ? '' : self::ids($report['acknowledged']);
        $resolved = self::ids($report['resolved']);
        $text = match (true) {
            $seen === '' => '',
            $dry => "Would mark as seen: {$seen}. Nothing was changed.\n",
            default => "Marked as seen: {$seen}.\n",
        };

        return $text . ($resolved === '' ? '' : "Resolved already, and left so: {$resolved}.\n");
    }

    /**
     * Conflicts by their ids; thousands of them by their number, and the ends.
     *
     * @param list<string> $ids
     */
    private static function ids(array $ids): string
    {
        $count = count($ids);

        return Text::line($count > self::FEW_CONFLICTS
            ? "{$count} conflicts, {$ids[0]} to {$ids[$count - 1]}"
            : implode(', ', $ids));
    }

    /** @param array<string, mixed> $report */
    public function history(array $report): string
    {
        $table = new Table([
            'run', 'at', 'kind', 'ms', 'database', 'state', 'conflicts', 'inserted', 'updated', 'deleted', 'new id',
        ]);
        foreach ($report['runs'] as $run) {
            $start = [$run['run'], $run['at'], $run['kind'], $run['duration_ms']];
            $isTold = static fn (array $database): bool => $database['state'] !== 'unchanged';
            $told = array_filter($run['databases'], $isTold);
            if ($told === []) {
                // It is on record for what it said, as that it finished an interrupted one.
                $table->add([...$start, '', 'unchanged', ...array_fill(0, 1 + count(self::COUNTS), 0)]);
            }
            foreach ($told as $name => $database) {
                $sum = static fn (string $what): int => array_sum(array_column($database['sides'], $what));
                $counts = array_map($sum, self::COUNTS);
                $cells = [...$start, (string) $name, $database['state'], $database['conflicts'], ...$counts];
                $table->add($cells, Colour::ofState($database['state']));
                $start = ['', '', '', ''];
            }
        }

        return $table->isEmpty() ? "No run has done anything yet.\n" : $table->text($this->console);
    }

    /** @param array<string, mixed> $report */
    public function backup(array $report, bool $dry, bool $quiet): string
    {
        $text = $this->backupTable($quiet ? [] : $report['backups']) . Text::lines($report['warnings']);
        if ($quiet && $text === '') {
            return '';
        }
        $made = $dry
            ? 'Dry run. Nothing was made.'
            : Text::count(count($report['backups']), 'backup', 'backups') . ' made.';

        return $text . $this->console->verdict($made, $report['ok']);
    }

    /** @param array<string, mixed> $report */
    public function backups(array $report): string
    {
        return $report['backups'] === [] ? "No backups.\n" : $this->backupTable($report['backups']);
    }

    /** @param array<string, mixed> $report */
    public function cleaned(array $report, bool $dry, bool $quiet): string
    {
        $count = count($report['removed']);
        if ($quiet && $count === 0 && $report['ok']) {
            return '';
        }
        $table = new Table(['backup', 'bytes', '', 'because']);
        foreach ($report['removed'] as $one) {
            $table->add([$one['id'], $one['bytes'], 'goes', $one['removed_because']], Colour::Look);
        }
        foreach ($quiet ? [] : $report['kept'] as $one) {
            $table->add([$one['id'], $one['bytes'], 'stays', implode('; ', $one['kept_because'])], Colour::Faint);
        }
        $text = $table->isEmpty() ? '' : $table->text($this->console) . "\n";
        $backups = Text::count($count, 'backup', 'backups');
        $line = $dry
            ? "Dry run. {$backups} would go, {$report['freed_bytes']} bytes."
            : "{$backups} removed, {$report['freed_bytes']} bytes.";

        return $text . Text::lines($report['warnings']) . $this->console->verdict($line, $report['ok']);
    }

    /** @param array<string, mixed> $report */
    public function verified(array $report, bool $quiet): string
    {
        $table = new Table(['what', 'sound', 'path', 'problem']);
        foreach ($report['checked'] as $one) {
            if (!$quiet || !$one['ok']) {
                $cells = [$one['id'], $one['ok'] ? 'yes' : 'no', $one['path'], $one['problem'] ?? ''];
                $table->add($cells, $one['ok'] ? Colour::Good : Colour::Bad);
            }
        }
        $text = ($table->isEmpty() ? '' : $table->text($this->console) . "\n") . Text::lines($report['warnings']);
        if ($quiet && $text === '') {
            return '';
        }
        $things = Text::count(count($report['checked']), 'thing', 'things');

        return $text . $this->console->verdict("{$things} checked.", $report['ok'], 'Not all of them are sound.');
    }

    /** @param array<string, mixed> $report */
    public function queued(array $report): string
    {
        return 'Asked for as ' . Text::line($report['id']) . ". The next run does it; queue tells what came of it.\n";
    }

    /** @param array<string, mixed> $report */
    public function queue(array $report, bool $quiet): string
    {
        $table = new Table(['at', 'what', 'by', 'state', 'finished', 'why']);
        foreach ($report['requests'] as $one) {
            if ($quiet && $one['state'] === 'done') {
                continue;
            }
            $table->add([
                $one['at'],
                self::request($one),
                $one['by'],
                $one['state'],
                $one['finished_at'] ?? '',
                self::why($one),
            ], Colour::ofState($one['state']));
        }
        if ($table->isEmpty()) {
            return $quiet ? '' : "Nothing was asked for.\n";
        }

        return $table->text($this->console);
    }

    /** @param list<array<string, mixed>> $backups */
    private function backupTable(array $backups): string
    {
        $table = new Table(['backup', 'made', 'bytes', 'verified', 'path', 'kept because']);
        foreach ($backups as $one) {
            $table->add([
                $one['id'],
                $one['created_at'],
                $one['bytes'],
                $one['verified'] ? 'yes' : 'no',
                $one['path'],
                $one['kept_because'] === [] ? 'nothing; clean-backups removes it' : implode('; ', $one['kept_because']),
            ], $one['verified'] ? null : Colour::Look);
        }

        return $table->isEmpty() ? '' : $table->text($this->console) . "\n";
    }

    /** As a configuration file that could be used again. */
    public function config(string $json): string
    {
        $document = json_decode($json, false, 512, JSON_THROW_ON_ERROR);
        $this->console->talk('from ' . ($document->source ?? 'the shipped configuration'));
        $flags = JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR;

        return json_encode($document->config, $flags) . "\n";
    }

    /** @param array<string, mixed> $report */
    private function summary(array $report, bool $dry): string
    {
        $conflicts = Text::count($report['conflicts'], 'new conflict', 'new conflicts');
        if ($dry) {
            return "Dry run, {$report['duration_ms']} ms, {$conflicts}. Nothing was changed.\n";
        }
        $well = array_filter(
            $report['databases'],
            static fn (array $one): bool => in_array($one['state'], ['unchanged', 'synced'], true),
        );
        $nothing = match (true) {
            // What waits or fails as it did in the run before.
            count($well) < count($report['databases']) => 'Nothing new',
            ($report['requests'] ?? []) === [] => 'Nothing to do',
            default => 'Nothing else to do',
        };
        $run = $report['run'] === '' ? $nothing : "Run {$report['run']}";

        return $this->console->verdict("{$run}, {$report['duration_ms']} ms, {$conflicts}.", $report['ok']);
    }

    /**
     * All of a conflict in one line, for a log.
     *
     * @param array<string, mixed> $conflict
     */
    public function conflictLine(array $conflict): string
    {
        $lines = explode("\n", rtrim($this->conflict($conflict)));
        $facts = array_map(static fn (string $one): string => preg_replace('/ {2,}/', ': ', trim($one), 1), $lines);

        return implode('; ', $facts);
    }

    /** @param array<string, mixed> $conflict */
    private function conflict(array $conflict): string
    {
        $row = rtrim("{$conflict['database']}.{$conflict['table']} " . Text::row($conflict['key']));
        $head = Text::line("conflict {$conflict['id']}: {$row}, {$conflict['kind']}, {$conflict['status']}");
        $columns = self::columns($conflict);
        $cells = static fn (?array $values): string => Text::row(array_intersect_key($values ?? [], $columns));
        $facts = ['before' => $conflict['base'] === null ? 'no such row' : $cells($conflict['base'])];
        foreach ($conflict['values'] as $side => $values) {
            $kept = $side === $conflict['winner'] ? '  <- kept' : '';
            $facts[$side] = ($values === null ? 'no such row' : $cells($values)) . $kept;
        }
        $facts['because'] = Text::line($conflict['reason']);
        if (in_array($conflict['status'], ['open', 'held', 'acknowledged'], true)) {
            $takes = Text::line(implode('|', $conflict['choices']));
            $facts['decide'] = $takes === ''
                ? "acknowledge {$conflict['id']}, once you have dealt with it"
                : "resolve {$conflict['id']} --take {$takes}, or acknowledge {$conflict['id']}";
        }
        $names = array_keys($facts);
        $width = max(array_map(static fn (int|string $name): int => Text::width(Text::line((string) $name)), $names));
        $text = $this->console->paint($head, Colour::Heading) . "\n";
        foreach ($facts as $name => $fact) {
            $name = Text::line((string) $name);
            $text .= '  ' . $name . str_repeat(' ', $width - Text::width($name)) . "  {$fact}\n";
        }

        return $text;
    }

    /**
     * The columns to show: those that clash, else those that differ, else all.
     *
     * @param array<string, mixed> $conflict
     * @return array<string, int>
     */
    private static function columns(array $conflict): array
    {
        if ($conflict['columns'] !== []) {
            return array_flip($conflict['columns']);
        }
        $rows = array_values(array_filter([$conflict['base'], ...array_values($conflict['values'])], is_array(...)));
        $first = $rows[0] ?? [];
        $differ = static fn (int|string $column): bool => count(array_unique(array_map(
            static fn (array $row): string => serialize($row[$column] ?? null),
            $rows,
        ))) > 1;
        $columns = array_filter(array_keys($first), $differ);

        return array_flip($columns === [] ? array_keys($first) : array_values($columns));
    }

    /** @param array<string, mixed> $rules */
    private function rules(string $table, array $rules): string
    {
        $text = $this->console->paint(Text::line($table), Colour::Heading) . ': ' . Text::line($rules['rule']) . "\n";
        if ($rules['paused'] !== null) {
            $text .= '  left alone: ' . Text::line($rules['paused']) . "\n";
        }
        $facts = [
            'identity' => implode(', ', $rules['identity']),
            'columns' => self::pairs($rules['columns'], ' '),
            'references' => self::pairs($rules['references'], ' -> '),
            'delete against edit' => $rules['on_delete_update'],
            'append only' => $rules['append_only'] ? 'yes' : '',
        ];
        foreach (array_filter($facts, static fn (string $fact): bool => $fact !== '') as $name => $fact) {
            $text .= "  {$name}: " . Text::line($fact) . "\n";
        }

        return $text;
    }

    /** @param array<string, string> $pairs */
    private static function pairs(array $pairs, string $between): string
    {
        $one = static fn (int|string $left, string $right): string => "{$left}{$between}{$right}";

        return implode(', ', array_map($one, array_keys($pairs), array_values($pairs)));
    }
}
