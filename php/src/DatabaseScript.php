<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

/**
 * `database_sync_script.php`: its commands, and how their reports are shown.
 *
 * What is done with databases, and what a run ends with, is decided by the library alone.
 */
final readonly class DatabaseScript extends Script
{
    protected function call(CommandLine $line, Command $command): array
    {
        return $line->has('queue') ? self::ask($line) : $this->callWithBar($line, $command);
    }

    /**
     * Puts into the queue what the command would do.
     *
     * @return array{exit_code: int, json: string, report: array<string, mixed>}
     */
    private static function ask(CommandLine $line): array
    {
        if ($line->has('dry-run')) {
            throw Failure::usage('--queue and --dry-run exclude each other', 'leave one of them out');
        }
        // To see that the command is complete.
        ($line->command->arguments)($line);
        [$action, $arguments] = ($line->command->request)($line);
        $options = self::options($line, ['config', 'root']) + ['by' => getenv('LOGNAME') ?: 'command line'];

        return cr0_call('cr0_db_enqueue', [$action, $arguments, $options]);
    }

    /**
     * Calls the extension, with a bar for what takes long.
     *
     * @return array{exit_code: int, json: string, report: array<string, mixed>}
     */
    private function callWithBar(CommandLine $line, Command $command): array
    {
        $arguments = ($command->arguments)($line);
        $long = in_array($command->function, ['cr0_db_sync', 'cr0_db_force_sync'], true);
        $bar = $long && !$line->has('quiet') ? Bar::onTerminal() : null;
        if ($bar !== null) {
            // The options come last.
            $arguments[array_key_last($arguments)]['progress'] = $bar->show(...);
        }
        try {
            return cr0_call($command->function, $arguments);
        } finally {
            $bar?->remove();
        }
    }

    protected function words(CommandLine $line, array $answer): string
    {
        $text = new DatabaseText($this->console);
        ['report' => $report, 'json' => $json] = $answer;
        $dry = $line->has('dry-run');
        if ($line->has('line')) {
            return $this->line($line, $report, $text);
        }
        $function = $line->has('queue') ? 'cr0_db_enqueue' : $line->command?->function;

        return match ($function) {
            'cr0_db_status' => $text->status($report, $line->has('quiet')),
            'cr0_db_conflicts' => $text->conflicts($report, $line->has('all')),
            'cr0_db_acknowledge' => $text->acknowledged($report, $dry, $line->has('quiet')),
            'cr0_db_history' => $text->history($report),
            'cr0_db_backup' => $text->backup($report, $dry, $line->has('quiet')),
            'cr0_db_backups' => $text->backups($report),
            'cr0_db_clean_backups' => $text->cleaned($report, $dry, $line->has('quiet')),
            'cr0_db_verify' => $text->verified($report, $line->has('quiet')),
            'cr0_db_enqueue' => $text->queued($report),
            'cr0_db_queue' => $text->queue($report, $line->has('quiet')),
            'cr0_config' => $text->config($json),
            default => $text->run($report, $this->found($line, $report), $dry, $line->has('quiet')),
        };
    }

    /** @param array<string, mixed> $report */
    private function line(CommandLine $line, array $report, DatabaseText $text): string
    {
        $short = new LineText($line->has('dry-run'));

        return match ($line->command?->name) {
            'status' => $short->databaseStatus($report),
            'clean-backups' => $short->backups($report),
            default => $short->databases($report, array_map($text->conflictLine(...), $this->found($line, $report))),
        };
    }

    /**
     * The conflicts that a run found, and those of what it did on request.
     *
     * @param array<string, mixed> $run
     * @return list<array<string, mixed>>
     */
    private function found(CommandLine $line, array $run): array
    {
        $requests = array_column(array_column($run['requests'] ?? [], 'result'), 'run');
        $runs = array_filter([$run['run'], ...$requests], static fn (string $one): bool => $one !== '');
        if ($run['conflicts'] === 0 || $runs === []) {
            return [];
        }
        $options = self::options($line, ['config', 'root']);
        $report = cr0_call('cr0_db_conflicts', [$options + ['show_secrets' => $line->has('show-secrets')]])['report'];
        $ofRun = static fn (array $conflict): bool => in_array($conflict['run'], $runs, true);

        return array_values(array_filter($report['conflicts'] ?? [], $ofRun));
    }

    protected function help(): Help
    {
        return new Help(
            $this->name,
            'Keeps SQLite databases equal on several sides.',
            ['bidirectional --dry-run', 'conflicts', 'resolve 12 --take website'],
            [
                '0' => 'done; a side that is busy, or whose directory is not there, keeps 0',
                '1' => 'done, with new conflicts, with what is held, or with a side left out until somebody mends it',
                '2' => 'failed',
                '64' => 'wrong command, option or configuration',
                '69' => 'the extension is missing, or no database could be looked at',
                '75' => 'another run is at work',
            ],
        );
    }

    protected function common(): array
    {
        return [
            Option::value('config', 'FILE', 'the configuration file'),
            Option::value('root', 'DIRECTORY', 'where relative paths begin, and cr0sync.json is looked for'),
            Option::values('database', 'NAME', 'only this database; * and ? are understood; may be repeated'),
            Option::switch('dry-run', 'shows the plan and changes nothing'),
            Option::switch('force', 'goes on where a guard waits for a person'),
            Option::switch('json', 'one JSON document on standard output'),
            Option::switch('quiet', 'tells only of what a person should look at'),
            Option::switch('show-secrets', 'shows passwords, hashes and tokens, which are hidden otherwise'),
            Option::switch('help', 'help; after a command, the help of that command'),
        ];
    }

    protected function commands(): array
    {
        $read = ['config', 'root', 'database'];
        $change = [...$read, 'dry-run', 'force'];
        $from = static fn (CommandLine $line, string $side): array => [$side, self::options($line, $change)];
        $queue = Option::switch('queue', 'asks the next run to do it, as web pages do, instead of doing it');
        $fromQueue = static fn (CommandLine $line, string $side): array => [
            'sync-from',
            ['side' => $side, 'database' => self::only($line), 'force' => $line->has('force')],
        ];

        return [
            new Command(
                'status',
                '',
                0,
                0,
                'how each database and each side is',
                'cr0_db_status',
                static fn (CommandLine $line): array => [self::options($line, [...$read, 'explain'])],
                [
                    Option::switch('explain', 'also how every table is matched and merged'),
                    Option::line(),
                    self::metrics(),
                ],
                ['status', 'status --explain --database users'],
            ),
            new Command(
                'bidirectional',
                '',
                0,
                0,
                'merges all sides',
                'cr0_db_sync',
                static fn (CommandLine $line): array => [self::options($line, [...$change, 'verify'])],
                [
                    Option::switch('verify', 'also compares all rows, as is done once a day anyway'),
                    Option::line(),
                    self::metrics(),
                ],
                ['bidirectional', 'bidirectional --dry-run', "bidirectional --database '*_bot' --quiet"],
            ),
            new Command(
                'sync-from',
                'SIDE',
                1,
                1,
                'makes the hub equal to one side, deletes included, after an emergency backup',
                'cr0_db_force_sync',
                static fn (CommandLine $line): array => $from($line, $line->operands[0]),
                [$queue],
                ['sync-from website --database users --dry-run', 'sync-from website --database users'],
                static fn (CommandLine $line): array => $fromQueue($line, $line->operands[0]),
            ),
            new Command(
                'sync-from-bot',
                '',
                0,
                0,
                'the same as sync-from bot',
                'cr0_db_force_sync',
                static fn (CommandLine $line): array => $from($line, 'bot'),
                [$queue],
                ['sync-from-bot --dry-run'],
                static fn (CommandLine $line): array => $fromQueue($line, 'bot'),
            ),
            new Command(
                'conflicts',
                '',
                0,
                0,
                'lists the conflicts on record, with what each side had',
                'cr0_db_conflicts',
                static fn (CommandLine $line): array => [self::options($line, [...$read, 'show-secrets'])],
                [Option::switch('all', 'also those that are acknowledged or resolved (as --json always does)')],
                ['conflicts', 'conflicts --all --database rizon_bot'],
            ),
            new Command(
                'resolve',
                'ID --take SIDE|base|both',
                1,
                1,
                'decides a conflict differently; refused when the row has changed since',
                'cr0_db_resolve',
                static fn (CommandLine $line): array => [
                    $line->operands[0],
                    $line->value('take') ?? throw Failure::usage(
                        'resolve does not know what to take',
                        'add --take with a side, base or both; conflicts lists the choices',
                    ),
                    self::options($line, ['config', 'root', 'dry-run', 'force']),
                ],
                [Option::value('take', 'SIDE|base|both', "a side's values, those of before, or both rows"), $queue],
                ['resolve 12 --take website', 'resolve 12 --take base --dry-run', 'resolve 12 --take website --queue'],
                static fn (CommandLine $line): array => ['resolve', [
                    'conflict' => $line->operands[0],
                    'take' => $line->value('take'),
                    'force' => $line->has('force'),
                ]],
            ),
            new Command(
                'acknowledge',
                'ID...',
                1,
                PHP_INT_MAX,
                'marks conflicts as seen',
                'cr0_db_acknowledge',
                static fn (CommandLine $line): array => [
                    $line->operands,
                    self::options($line, ['config', 'root', 'dry-run']),
                ],
                [$queue],
                ['acknowledge 12', 'acknowledge 12 13 14'],
                static fn (CommandLine $line): array => ['acknowledge', ['conflicts' => $line->operands]],
            ),
            new Command(
                'history',
                '',
                0,
                0,
                'the runs that did something',
                'cr0_db_history',
                static fn (CommandLine $line): array => [
                    ['limit' => self::count($line, 'limit')] + self::options($line, $read),
                ],
                [Option::value('limit', 'N', 'at most so many runs, the newest; 50 unless given')],
                ['history', 'history --database users --limit 5'],
            ),
            new Command(
                'undo',
                'RUN',
                1,
                1,
                'takes a run back on every side; rows that have changed since stay',
                'cr0_db_undo',
                static fn (CommandLine $line): array => [
                    $line->operands[0],
                    self::options($line, [...$read, 'dry-run']),
                ],
                [],
                ['undo 12 --dry-run', 'undo 12 --database users'],
            ),
            new Command(
                'backup',
                '',
                0,
                0,
                'makes a verified backup of every side',
                'cr0_db_backup',
                static fn (CommandLine $line): array => [self::options($line, [...$read, 'dry-run'])],
                [],
                ['backup', 'backup --database users'],
            ),
            new Command(
                'backups',
                '',
                0,
                0,
                'lists the backups, and why each is kept',
                'cr0_db_backups',
                static fn (CommandLine $line): array => [self::options($line, $read)],
                [],
                ['backups', 'backups --database users --json'],
            ),
            new Command(
                'verify',
                '',
                0,
                0,
                'checks backups, sides and state, and that they agree',
                'cr0_db_verify',
                static fn (CommandLine $line): array => [self::options($line, [...$read, 'dry-run'])],
                [],
                ['verify', 'verify --database users --quiet'],
            ),
            new Command(
                'clean-backups',
                '',
                0,
                0,
                'removes backups that no rule keeps',
                'cr0_db_clean_backups',
                static fn (CommandLine $line): array => [self::options($line, [...$read, 'dry-run'])],
                [Option::line()],
                ['clean-backups --dry-run', 'clean-backups --quiet'],
            ),
            new Command(
                'restore',
                'BACKUP',
                1,
                1,
                'writes a backup into the live file of its side; the next run brings it to the others',
                'cr0_db_restore',
                static fn (CommandLine $line): array => [
                    $line->operands[0],
                    self::options($line, [...$change, ...self::into($line)]),
                ],
                [
                    Option::value('side', 'SIDE', 'into this side, instead of the one that the backup is of'),
                    Option::switch('all-sides', 'into every side that can be reached'),
                    $queue,
                ],
                [
                    'restore users:website:2025-07-14_09-31-02 --dry-run',
                    'restore users:website:2025-07-14_09-31-02 --all-sides',
                    'restore /mnt/old/users.db --database users --side central',
                ],
                static fn (CommandLine $line): array => ['restore', [
                    'backup' => $line->operands[0],
                    'side' => $line->value('side'),
                    'all_sides' => $line->has('all-sides'),
                    'force' => $line->has('force'),
                ]],
            ),
            new Command(
                'queue',
                '',
                0,
                0,
                'what web pages asked for, and what came of it',
                'cr0_db_queue',
                static fn (CommandLine $line): array => [self::options($line, ['config', 'root'])],
                [],
                ['queue', 'queue --quiet'],
            ),
            new Command(
                'config',
                '',
                0,
                0,
                'the configuration in force',
                'cr0_config',
                static fn (CommandLine $line): array => [self::options($line, ['config', 'root'])],
                [],
                ['config', 'config --root /srv/cr0'],
            ),
            Doctor::command(),
        ];
    }

    /** @return list<string> */
    private static function into(CommandLine $line): array
    {
        if ($line->has('side') && $line->has('all-sides')) {
            throw Failure::usage('--side and --all-sides exclude each other', 'leave one of them out');
        }

        return ['side', 'all-sides'];
    }

    /** The one database that a request can be about. */
    private static function only(CommandLine $line): ?string
    {
        $names = $line->values('database');
        if (count($names) > 1) {
            throw Failure::usage('a request is about one database, or all', 'leave out all but one --database');
        }

        return $names[0] ?? null;
    }

    private static function count(CommandLine $line, string $option): ?int
    {
        $value = $line->value($option);
        if ($value !== null && preg_match('/^\d{1,9}$/', $value) !== 1) {
            throw Failure::usage("--{$option} needs a number, not {$value}", "write --{$option} 10");
        }

        return $value === null ? null : (int) $value;
    }
}
