<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

/**
 * The reports about files, events and keys as people read them, in a terminal and in the log of cron.
 *
 * Shows, and never judges: each word about a state is the library's.
 */
final readonly class SecurityText
{
    public function __construct(private Console $console, private bool $quiet)
    {
    }

    /**
     * A line about the whole, then one for each thing that is not as it should be, which ends with what to do.
     *
     * @param array<string, mixed> $report
     * @param string $script how the script was called
     * @param string $options where it was told to look, as it is told again
     */
    public function status(array $report, string $script, string $options): string
    {
        if ($this->quiet && $report['ok']) {
            return '';
        }
        $baseline = $report['baseline'];
        $last = $report['last_check'];
        $whole = implode(', ', [
            $baseline['ok']
                ? "baseline of {$baseline['entries']} files "
                    . "(generation {$baseline['generation']}, of {$baseline['created']})"
                : 'no baseline that can be believed',
            $last === null
                ? 'nothing checked yet'
                : Text::count(count($last['findings'] ?? []), 'finding', 'findings')
                    . ' at ' . ($last['at'] ?? 'an unknown time')
                    . ($last['source'] === 'private' ? '' : ' (as the website can write it)'),
            match (true) {
                $report['watch']['stale'] => 'the watcher is missed',
                $report['watch']['running'] => 'a watcher is at work',
                default => 'no watcher',
            },
        ]);
        $lines = [($report['ok'] ? 'well: ' : 'look: ') . $whole];
        foreach ($report['problems'] as $one) {
            $first = $one['first'] === null ? '; next:' : "; first: {$one['first']}; then:";
            $lines[] = "{$one['problem']}{$first} php {$script} {$one['next']}{$options}";
        }
        if ($report['chain'] === 'whole' || $report['chain'] === 'acknowledged') {
            $known = $report['chain'] === 'whole' ? '' : ': it is broken where people know of it';
            $lines[] = "The chain of events was verified at {$report['last_runs']['verify_events']}{$known}.";
        }
        foreach ($report['locks'] as $lock) {
            $who = $lock['process'] === null ? 'another process' : "process {$lock['process']}";
            $since = $lock['since'] === null ? '' : " since {$lock['since']}";
            $lines[] = "The lock {$lock['name']} is held by {$who}{$since}.";
        }

        return $this->lines([...$lines, ...$report['warnings']]);
    }

    /** @param array<string, mixed> $report */
    public function checked(array $report): string
    {
        $end = "{$report['checked']} files checked, {$report['duration_ms']} ms; "
            . ($report['complete'] ? '' : 'not all of them: ') . $report['guarantee'];
        $found = $this->findings($report['findings']);

        return $found . $this->lines([...$report['warnings'], ...($this->quiet && $found === '' ? [] : [$end])]);
    }

    /**
     * Cron calls it each minute, and mails what is said: so the same findings and warnings are shown once only where it
     * is to be quiet.
     *
     * @param array<string, mixed> $report
     */
    public function ran(array $report): string
    {
        $table = new Table(['job', 'state', 'next', 'because']);
        foreach ($report['jobs'] as $name => $job) {
            if (!$this->quiet || $job['state'] === 'failed') {
                $state = strtr($job['state'], '_', ' ');
                $colour = $job['state'] === 'failed' ? Colour::Bad : null;
                $table->add([$name, $state, $job['next'] ?? 'the next minute', $job['reason'] ?? ''], $colour);
            }
        }
        $check = $report['jobs']['check']['report'];
        $isTold = $check !== null && ($report['new_findings'] > 0 || !$this->quiet);
        $missed = $report['missed'] === null ? [] : [$report['missed']];
        if ($report['new_break'] !== null) {
            $missed[] = 'The chain of events is broken: ' . self::place($report['new_break']);
        }
        $warnings = $report[$this->quiet ? 'new_warnings' : 'warnings'];
        $unsaid = $report['alerts']['problems'] ?? [];
        $said = ($isTold ? $this->findings($check['findings']) : '')
            . $this->lines([...$missed, ...$report['problems'], ...$unsaid, ...$warnings])
            . ($table->isEmpty() ? '' : $table->text($this->console));

        return $said === '' ? '' : $said . $this->lines([self::summary($report)]);
    }

    /**
     * A run in one line.
     *
     * @param array<string, mixed> $report
     */
    public static function summary(array $report): string
    {
        $by = ['ran' => [], 'failed' => [], 'skipped' => []];
        foreach ($report['jobs'] as $name => $job) {
            $by[$job['state']][] = $name;
        }
        $parts = [];
        foreach (['ran', 'failed', 'skipped'] as $state) {
            if ($by[$state] !== []) {
                $parts[] = "{$state}: " . implode(' ', $by[$state]);
            }
        }
        $check = $report['jobs']['check']['report'];
        if ($check !== null) {
            $findings = Text::count(count($check['findings']), 'finding', 'findings');
            $parts[] = "{$findings}, {$report['new_findings']} new";
        }
        $told = Alerts::told($report['alerts'] ?? null);
        if ($told !== null) {
            $parts[] = $told;
        }

        return ($parts === [] ? 'nothing was due' : implode('; ', $parts)) . "; {$report['duration_ms']} ms";
    }

    /**
     * What a watcher has to tell while it is at work.
     *
     * @param array{watches: int, report: ?array<string, mixed>, warning: ?string} $news
     */
    public function news(array $news): string
    {
        $isTold = ($news['report']['new_findings'] ?? 0) > 0;

        return ($isTold ? $this->findings($news['report']['findings']) : '')
            . $this->lines($news['warning'] === null ? [] : [$news['warning']]);
    }

    /** @param array<string, mixed> $report */
    public function watched(array $report): string
    {
        $findings = Text::count($report['new_findings'], 'finding', 'findings');
        $checks = Text::count($report['checks'], 'check', 'checks');
        $end = "{$findings} new; {$report['watches']} directories watched, {$checks}.";

        return $this->lines($this->quiet ? [] : [$end]);
    }

    /** @param array<string, mixed> $report */
    public function baseline(array $report): string
    {
        $count = $report['changed_count'];
        $more = $count - count($report['changed']);
        $changed = $count === 0 ? '' : "Otherwise than in generation {$report['compared_with']}, and accepted now:\n"
            . $this->findings($report['changed']) . ($more > 0 ? "and {$more} more.\n" : '');
        $unknown = 'Nothing accepted before is known, so nothing was compared.';
        $end = [
            ...($report['compared_with'] === null ? [$unknown] : []),
            ...($report['new_key'] ? ['A new key signs from now on.'] : []),
            ($report['imported'] > 0
                ? "{$report['imported']} of {$report['entries']} files accepted as the list says "
                : "{$report['entries']} files accepted as they are ") . "(generation {$report['generation']}).",
        ];

        return $this->findings($report['findings']) . $changed
            . $this->lines([...$report['warnings'], ...self::resolved($report), ...($this->quiet ? [] : $end)]);
    }

    /** @param array<string, mixed> $report */
    public function accepted(array $report): string
    {
        $count = Text::count(count($report['accepted']), 'finding', 'findings');
        $end = $report['dry_run']
            ? "{$count} would be accepted."
            : "{$count} accepted (generation {$report['generation']}).";
        $refused = $report['refused'] === []
            ? ''
            : "Could not be read, and are as they were:\n" . $this->findings($report['refused']);

        return $this->findings($report['accepted']) . $refused
            . $this->lines([...$report['warnings'], ...self::resolved($report), $end]);
    }

    /**
     * @param array<string, mixed> $report
     * @return list<string>
     */
    private static function resolved(array $report): array
    {
        $count = $report['resolved_alerts'];

        return $count === 0 ? [] : [Text::count($count, 'open alert', 'open alerts') . ' closed.'];
    }

    /** @param array<string, mixed> $report */
    public function cleaned(array $report): string
    {
        $lines = [];
        foreach (['limits', 'sessions'] as $part) {
            if (isset($report[$part]['error'])) {
                $error = $report[$part]['error'];
                $lines[] = "{$part}: {$error['message']}" . ($error['hint'] === null ? '' : "; {$error['hint']}");
            }
        }
        if (!$this->quiet && isset($report['limits']['table'], $report['sessions']['removed'])) {
            $limits = $report['limits'];
            $sessions = Text::count($report['sessions']['removed'], 'session', 'sessions');
            $buckets = Text::count($limits['table']['removed'], 'limit', 'limits');
            $lines[] = "{$sessions} removed, {$report['sessions']['open']} open; "
                . "{$buckets} removed, {$limits['table']['kept']} in use.";
        }
        if (isset($report['limits']['legacy']['problem'])) {
            $lines[] = "{$report['limits']['legacy']['path']}: {$report['limits']['legacy']['problem']}";
        }

        return $this->lines([...$lines, ...($report['sessions']['warnings'] ?? [])]);
    }

    /** @param array<string, mixed> $report */
    public function archived(array $report): string
    {
        $table = new Table(['archive', 'lines', 'bytes']);
        foreach ($report['archived'] as $one) {
            $table->add([$one['file'], $one['lines'], $one['bytes']]);
        }
        $end = Text::count(count($report['archived']), 'archive', 'archives') . ' made, ' . count($report['removed'])
            . ' removed as too old.';
        $text = $table->isEmpty() || $this->quiet ? '' : $table->text($this->console);

        return $text . $this->lines([...$report['warnings'], ...($this->quiet ? [] : [$end])]);
    }

    /** @param array<string, mixed> $report */
    public function verified(array $report): string
    {
        $break = $report['first_break'];
        $lines = [];
        if ($break !== null) {
            $lines[] = self::place($break);
            $lines[] = Text::count($report['breaks'], 'break', 'breaks') . ' in the chain of events'
                . ($report['acknowledged'] > 0 ? ", {$report['acknowledged']} of them acknowledged." : '.');
        }
        if ($report['aside'] !== null) {
            $lines[] = "Only looked: {$report['aside']}.";
        }
        if (!$this->quiet) {
            $archives = Text::count($report['archives'], 'archive', 'archives');
            $lines[] = "{$report['events']} events and {$report['others']} lines of the site's pages checked, "
                . "in the log and {$archives}.";
            $first = $report['first_unheld'];
            if ($first !== null) {
                $unheld = Text::count($report['unheld'], 'line', 'lines');
                $lines[] = "{$unheld} of the site's pages, the first of them {$first['file']}, line {$first['line']}, "
                    . 'can only be proved from the next event on, or not at all: '
                    . 'look whether they are what the pages wrote.';
            }
        }

        return $this->lines($lines);
    }

    /** @param array<string, mixed> $break */
    public static function place(array $break): string
    {
        return "{$break['file']}, line {$break['line']}, event {$break['seq']}: {$break['reason']}";
    }

    /** @param array<string, mixed> $report */
    public function keys(string $word, array $report): string
    {
        if ($word === 'list') {
            $table = new Table(['id', 'user', 'name', 'permissions', 'state', 'last used', 'uses at least', 'expires']);
            foreach ($report['keys'] as $key) {
                $replaced = $key['replaced_until'] === null ? null : "{$key['replaced_until']} (replaced)";
                $table->add([
                    $key['id'],
                    is_scalar($key['user_id']) ? (string) $key['user_id'] : json_encode($key['user_id']),
                    $key['name'],
                    implode(', ', $key['permissions']),
                    $key['state'],
                    $key['last_used_at'] ?? 'never',
                    $key['usage_count'],
                    $replaced ?? $key['expires_at'] ?? 'never',
                ], $key['state'] === 'active' ? Colour::Good : Colour::Faint);
            }

            return ($table->isEmpty() ? "There are no keys.\n" : $table->text($this->console))
                . $this->lines($report['warnings']);
        }
        $lines = match ($word) {
            'revoke' => ["{$report['id']} " . ($report['revoked'] ? 'is revoked.' : 'did not count any more.')],
            'rotate' => [
                $report['key'],
                "{$report['id']} is shown this once; {$report['replaces']} counts until {$report['replaced_until']}.",
            ],
            default => [$report['key'], "{$report['id']} is shown this once; only its digest is kept."],
        };

        return $this->lines([...$lines, ...$report['warnings'] ?? []]);
    }

    /** @param list<array<string, mixed>> $findings */
    private function findings(array $findings): string
    {
        $table = new Table(['severity', 'what', 'path', 'changes', 'because']);
        foreach ($findings as $one) {
            $because = trim((isset($one['from']) ? "from {$one['from']} " : '') . ($one['reason'] ?? ''));
            $colour = $one['severity'] === 'CRITICAL' ? Colour::Bad : Colour::Look;
            $table->add([$one['severity'], $one['kind'], $one['path'], self::changes($one), $because], $colour);
        }

        return $table->isEmpty() ? '' : $table->text($this->console);
    }

    /**
     * What changed, with what it was and is where a few letters say that; of what is new, what it is.
     *
     * @param array<string, mixed> $finding
     */
    public static function changes(array $finding): string
    {
        $value = static fn (mixed $value): string => is_bool($value) ? ($value ? 'yes' : 'no') : (string) $value;
        $words = array_map(static function (string $change) use ($finding, $value): string {
            $was = $finding['before'][$change] ?? null;
            $is = $finding['after'][$change] ?? null;
            $isLong = in_array($change, ['mtime', 'ctime', 'inode'], true) || ($was === null && $is === null);

            return $isLong ? $change : "{$change} " . $value($was ?? 'none') . ' -> ' . $value($is ?? 'none');
        }, $finding['changes']);
        if ($finding['kind'] === 'added' && isset($finding['after'])) {
            $new = $finding['after'];
            $size = isset($new['size']) ? [Text::count($new['size'], 'byte', 'bytes')] : [];
            $words = [$new['type'], "mode {$new['mode']}", ...$size];
        }

        return implode(', ', $words);
    }

    /** @param list<string> $lines */
    private function lines(array $lines): string
    {
        return implode('', array_map(static fn (string $line): string => Text::line($line) . "\n", $lines));
    }
}
