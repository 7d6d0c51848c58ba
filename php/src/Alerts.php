<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

/**
 * Tells people of bad events, as the section `alerts` of the configuration says: by a program, a mail, or both.
 *
 * Which events are to be told, and how often, the library says. What it gives counts as told when everybody got it;
 * else the next run tries again. Nothing of an event is ever put onto a command line or into the head of a mail.
 */
final readonly class Alerts
{
    private const SECONDS = 30;

    /**
     * @param array<string, mixed> $options which configuration is meant
     * @return ?array{told: int, to: list<string>, waiting: int, problems: list<string>, warnings: list<string>} null
     *     where nobody is to be told; `to` is the program, the address, or both
     */
    public static function deliver(array $options): ?array
    {
        $config = cr0_call('cr0_config', [$options])['report']['config']['alerts'] ?? null;
        if (($config['command'] ?? $config['mail'] ?? null) === null) {
            return null;
        }
        $to = array_values(array_filter([$config['command'][0] ?? null, $config['mail'] ?? null]));
        ['report' => $due, 'json' => $json] = cr0_call('cr0_alerts', [$options]);
        if (isset($due['error'])) {
            $problem = "nobody is told of events: {$due['error']['message']}";

            return ['told' => 0, 'to' => $to, 'waiting' => 0, 'problems' => [$problem], 'warnings' => []];
        }
        // What is wrong with the log keeps nobody from being told.
        $warnings = array_map(static fn (string $one): string => "events that are told: {$one}", $due['problems']);
        $problems = [];
        $told = 0;
        if ($due['token'] !== null) {
            $failed = array_filter([
                $config['command'] === null ? null : Program::run($config['command'], "{$json}\n", self::SECONDS),
                $config['mail'] === null ? null : self::mail($config['mail'], $due),
            ], static fn (?Program $ran): bool => $ran?->problem() !== null);
            foreach ($failed as $ran) {
                $problems[] = "events were not told, and are told by a later run: {$ran->problem()}";
            }
            $answer = $failed === [] ? cr0_call('cr0_alerts_told', [$due['token'], $options])['report'] : [];
            $told = $answer['told'] ?? 0;
            if (isset($answer['error'])) {
                $problems[] = "events were told, and are told again: {$answer['error']['message']}";
            }
        }

        $left = ['waiting' => $due['waiting'], 'problems' => $problems, 'warnings' => $warnings];

        return ['told' => $told, 'to' => $to] + $left;
    }

    /**
     * How many events were told, and to whom; null where there were none.
     *
     * @param ?array<string, mixed> $alerts what was delivered
     */
    public static function told(?array $alerts): ?string
    {
        if (($alerts['told'] ?? 0) === 0) {
            return null;
        }
        $waiting = $alerts['waiting'] === 0 ? '' : ", {$alerts['waiting']} wait for a later run";

        $to = implode(' and ', $alerts['to']);

        return Text::count($alerts['told'], 'event', 'events') . " told to {$to}{$waiting}";
    }

    /** @param array<string, mixed> $due */
    private static function mail(string $address, array $due): Program
    {
        $host = (string) preg_replace('/[^A-Za-z0-9.-]/', '', (string) gethostname());
        $count = count($due['events']) + $due['left_out'];
        $what = Text::count($count, "event of severity {$due['severity']}", "events of severity {$due['severity']}");
        $lines = [
            "To: {$address}",
            "Subject: cr0sync: {$what} or more on {$host}",
            'Auto-Submitted: auto-generated',
            'MIME-Version: 1.0',
            'Content-Type: text/plain; charset=us-ascii',
            '',
        ];
        foreach ($due['events'] as $event) {
            $flags = JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE;
            // No line of a mail may be longer than 998 bytes.
            $lines[] = rtrim(chunk_split((string) json_encode($event, $flags), 900, "\n"), "\n");
        }
        if ($due['left_out'] > 0 || $due['more']) {
            $more = $due['more'] ? ', or even more' : '';
            $lines[] = "and {$due['left_out']} more{$more}, which the next ones tell of";
        }

        return Program::run(self::mailer(), implode("\n", $lines) . "\n", self::SECONDS);
    }

    /**
     * What PHP itself would call to send a mail, taken apart without a shell.
     *
     * @return non-empty-list<string>
     */
    public static function mailer(): array
    {
        $program = preg_split('/\s+/', trim((string) ini_get('sendmail_path')), -1, PREG_SPLIT_NO_EMPTY) ?: [];

        return $program === [] ? ['/usr/sbin/sendmail', '-t', '-i'] : $program;
    }
}
