<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

/**
 * The command `doctor`, which is the same in every script: what is wrong with the installation, and what to do.
 *
 * Only a shell can ask for a table of cron; that, and which PHP this is, is handed to the library, which judges.
 */
final readonly class Doctor
{
    public const FUNCTION = 'cr0_doctor';

    public static function command(): Command
    {
        return new Command(
            'doctor',
            '',
            0,
            0,
            'what is wrong with the installation, and what to do',
            self::FUNCTION,
            static fn (CommandLine $line): array => [array_filter([
                'config' => $line->value('config'),
                'root' => $line->value('root'),
                'program' => 'PHP ' . PHP_VERSION . ' (' . PHP_BINARY . ')',
                'script' => realpath(get_included_files()[0]) ?: null,
                'mailer' => Alerts::mailer()[0],
            ], static fn (?string $value): bool => $value !== null)],
            [Option::switch('line', 'one line about the whole, and one for each thing that is wrong')],
            ['doctor', 'doctor --json'],
            more: <<<'TEXT'
                Looks, mends nothing, and leaves nothing behind. Ends with 0 when all is well, with 1 when
                there are warnings, and with 2 when there are problems. Root asks for both users; ask as the
                cron user too.
                TEXT,
        );
    }

    /**
     * Calls the library, with the table of cron of the user who runs the jobs where it can be had.
     *
     * @return array{exit_code: int, json: string, report: array<string, mixed>}
     */
    public static function call(CommandLine $line, Command $command): array
    {
        [$options] = ($command->arguments)($line);
        $paths = array_intersect_key($options, ['config' => true, 'root' => true]);
        $config = cr0_call('cr0_config', [$paths]);
        if (isset($config['report']['error'])) {
            return $config;
        }
        $crontab = self::crontab($config['report']['config']['ownership']['user']);

        return cr0_call(self::FUNCTION, [$options + ($crontab === null ? [] : ['crontab' => $crontab])]);
    }

    /**
     * The document; where only what is wrong is asked for, without what is well.
     *
     * @param array{exit_code: int, json: string, report: array<string, mixed>} $answer
     */
    public static function json(array $answer, bool $quiet): string
    {
        if (!$quiet || isset($answer['report']['error'])) {
            return $answer['json'];
        }
        $findings = array_values(self::wrong($answer['report']['findings']));
        $flags = JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE;

        return json_encode(['findings' => $findings] + $answer['report'], $flags);
    }

    /**
     * @param list<array<string, mixed>> $findings
     * @return array<int, array<string, mixed>>
     */
    private static function wrong(array $findings): array
    {
        return array_filter($findings, static fn (array $one): bool => $one['state'] !== 'ok');
    }

    /** @param array<string, mixed> $report */
    public static function words(Console $console, array $report, bool $quiet, bool $short): string
    {
        $wrong = self::wrong($report['findings']);
        $well = count($report['findings']) - count($wrong);
        $counts = implode(', ', [
            Text::count($report['problems'], 'problem', 'problems'),
            Text::count($report['warnings'], 'warning', 'warnings'),
            Text::count($well, 'thing is well', 'things are well'),
        ]);
        if ($short) {
            $lines = array_map(static fn (array $one): string => '  ' . Text::line(self::line($one)), $wrong);

            return implode("\n", [($report['ok'] ? 'ok: ' : 'attention: ') . $counts, ...$lines]) . "\n";
        }
        if ($quiet && $report['ok']) {
            return '';
        }
        $text = '';
        foreach ($quiet ? $wrong : $report['findings'] as $one) {
            $colour = ['ok' => Colour::Good, 'warning' => Colour::Look, 'problem' => Colour::Bad][$one['state']];
            $place = $one['where'] === null ? '' : "{$one['where']}: ";
            $text .= $console->paint(str_pad($one['state'], 8), $colour)
                . Text::line("{$one['check']}: {$place}{$one['what']}") . "\n";
            $text .= $one['do'] === null ? '' : '        ' . Text::line($one['do']) . "\n";
        }

        return $text . $counts . "\n";
    }

    /** @param array<string, mixed> $one */
    private static function line(array $one): string
    {
        $place = $one['where'] === null ? '' : "{$one['where']}: ";
        $what = "{$one['state']}: {$one['check']}: {$place}{$one['what']}";

        return $one['do'] === null ? $what : "{$what}; {$one['do']}";
    }

    /** The table of cron of a user: empty where he has none, null where nobody can say. */
    private static function crontab(string $user): ?string
    {
        if (!function_exists('posix_geteuid')) {
            return null;
        }
        $self = posix_getpwuid(posix_geteuid());
        $command = match (true) {
            ($self['name'] ?? null) === $user => ['crontab', '-l'],
            posix_geteuid() === 0 && posix_getpwnam($user) !== false => ['crontab', '-u', $user, '-l'],
            default => null,
        };
        $ran = $command === null ? null : Program::run($command, '', 10);

        return match (true) {
            $ran === null || !$ran->started => null,
            $ran->exitCode === 0 => $ran->output,
            str_contains($ran->complaint, 'no crontab for') => '',
            default => null,
        };
    }
}
