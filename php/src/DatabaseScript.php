<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

use Throwable;

/**
 * `database_sync_script.php`: reads the command line, calls the extension once, prints what it says.
 *
 * What is done with databases, and what a run ends with, is decided by the library alone.
 */
final readonly class DatabaseScript
{
    private Console $console;

    public function __construct(private string $name)
    {
        $this->console = new Console();
    }

    /**
     * @param list<string> $words the command line without the name of the script
     * @return int the exit code
     */
    public function run(array $words): int
    {
        $json = in_array('--json', $words, true);
        try {
            return $this->obey(CommandLine::parse($words, self::commands(), self::common()));
        } catch (Failure $failure) {
            $this->fail($failure, $json);

            return $failure->exit->value;
        } catch (Throwable $error) {
            $failure = Failure::internal(get_class($error) . ': ' . $error->getMessage());
            $this->fail($failure, $json);

            return $failure->exit->value;
        }
    }

    private function obey(CommandLine $line): int
    {
        if ($line->has('help')) {
            $this->console->write((new Help($this->name))->text($line->command, self::commands(), self::common()));

            return ExitCode::Done->value;
        }
        if ($line->command === null) {
            throw Failure::usage('no command is given', '--help lists them');
        }
        if (!function_exists('cr0_call')) {
            throw Failure::unavailable('the PHP extension cr0sync is not loaded', $this->how());
        }
        $answer = $this->call($line, $line->command);
        if ($line->has('json')) {
            $this->console->write($answer['json'] . "\n");
        } elseif (isset($answer['report']['error'])) {
            // Cron's next run will do; nobody needs a mail about it.
            $silent = $line->has('quiet') && $answer['exit_code'] === ExitCode::Locked->value;
            $this->complain($answer['report']['error'], $silent);
        } else {
            $this->tell($line, $answer);
        }

        return $answer['exit_code'];
    }

    /**
     * Calls the extension, with a bar for what takes long.
     *
     * @return array{exit_code: int, json: string, report: array<string, mixed>}
     */
    private function call(CommandLine $line, Command $command): array
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

    /** @param array{exit_code: int, json: string, report: array<string, mixed>} $answer */
    private function tell(CommandLine $line, array $answer): void
    {
        $text = new DatabaseText($this->console);
        ['report' => $report, 'json' => $json] = $answer;
        $dry = $line->has('dry-run');
        $this->console->write(match ($line->command?->function) {
            'cr0_db_status' => $text->status($report),
            'cr0_db_conflicts' => $text->conflicts($report, $line->has('all')),
            'cr0_db_acknowledge' => $text->acknowledged($report, $dry),
            'cr0_db_history' => $text->history($report),
            'cr0_config' => $text->config($json),
            default => $text->run($report, $this->found($line, $report), $dry, $line->has('quiet')),
        });
    }

    /**
     * The conflicts that a run found.
     *
     * @param array<string, mixed> $run
     * @return list<array<string, mixed>>
     */
    private function found(CommandLine $line, array $run): array
    {
        if ($run['conflicts'] === 0 || $run['run'] === '') {
            return [];
        }
        $options = self::options($line, ['config', 'root']);
        $report = cr0_call('cr0_db_conflicts', [$options + ['show_secrets' => $line->has('show-secrets')]])['report'];
        $ofRun = static fn (array $conflict): bool => $conflict['run'] === $run['run'];

        return array_values(array_filter($report['conflicts'] ?? [], $ofRun));
    }

    private function fail(Failure $failure, bool $json): void
    {
        if ($json) {
            $this->console->write($failure->json() . "\n");
        } else {
            $this->complain(['message' => $failure->getMessage(), 'hint' => $failure->hint], false);
        }
    }

    /** @param array{message: string, hint: ?string} $error */
    private function complain(array $error, bool $silent): void
    {
        if (!$silent) {
            $this->console->talk("{$this->name}: {$error['message']}");
            if ($error['hint'] !== null) {
                $this->console->talk("  {$error['hint']}");
            }
        }
    }

    /** How to enable the extension. */
    private function how(): string
    {
        $built = dirname(__DIR__, 2) . '/build/cr0sync.so';

        return is_file($built)
            ? "run php -d extension={$built} {$this->name} ..., or sudo make install to enable it for good"
            : 'in its source, make build and sudo make install put it into PHP; php --ini lists what enables it';
    }

    /**
     * The options of a function.
     *
     * @param list<string> $names as on the command line
     * @return array<string, mixed>
     */
    private static function options(CommandLine $line, array $names): array
    {
        $options = [];
        foreach ($names as $name) {
            $value = match ($name) {
                'config', 'root' => $line->value($name),
                'database' => $line->values($name),
                default => $line->has($name),
            };
            $options[strtr($name, '-', '_')] = $value;
        }

        return $options;
    }

    /** @return list<Option> */
    private static function common(): array
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

    /** @return list<Command> */
    private static function commands(): array
    {
        $read = ['config', 'root', 'database'];
        $change = [...$read, 'dry-run', 'force'];
        $from = static fn (CommandLine $line, string $side): array => [$side, self::options($line, $change)];

        return [
            new Command(
                'status', '', 0, 0, 'how each database and each side is', 'cr0_db_status',
                static fn (CommandLine $line): array => [self::options($line, [...$read, 'explain'])],
                [Option::switch('explain', 'also how every table is matched and merged')],
                ['status', 'status --explain --database users'],
            ),
            new Command(
                'bidirectional', '', 0, 0, 'merges all sides', 'cr0_db_sync',
                static fn (CommandLine $line): array => [self::options($line, $change)],
                [],
                ['bidirectional', 'bidirectional --dry-run', "bidirectional --database '*_bot' --quiet"],
            ),
            new Command(
                'sync-from', 'SIDE', 1, 1,
                'makes the hub equal to one side, deletes included, after an emergency backup', 'cr0_db_force_sync',
                static fn (CommandLine $line): array => $from($line, $line->operands[0]),
                [],
                ['sync-from website --database users --dry-run', 'sync-from website --database users'],
            ),
            new Command(
                'sync-from-bot', '', 0, 0, 'the same as sync-from bot', 'cr0_db_force_sync',
                static fn (CommandLine $line): array => $from($line, 'bot'),
                [],
                ['sync-from-bot --dry-run'],
            ),
            new Command(
                'conflicts', '', 0, 0, 'lists the conflicts on record, with what each side had', 'cr0_db_conflicts',
                static fn (CommandLine $line): array => [self::options($line, [...$read, 'show-secrets'])],
                [Option::switch('all', 'also those that are acknowledged or resolved (as --json always does)')],
                ['conflicts', 'conflicts --all --database rizon_bot'],
            ),
            new Command(
                'resolve', 'ID --take SIDE|base|both', 1, 1,
                'decides a conflict differently; refused when the row has changed since', 'cr0_db_resolve',
                static fn (CommandLine $line): array => [
                    $line->operands[0],
                    $line->value('take') ?? throw Failure::usage(
                        'resolve does not know what to take',
                        'add --take with a side, base or both; conflicts lists the choices',
                    ),
                    self::options($line, ['config', 'root', 'dry-run', 'force']),
                ],
                [Option::value('take', 'SIDE|base|both', "a side's values, those of before, or both rows")],
                ['resolve 12 --take website', 'resolve 12 --take base --dry-run'],
            ),
            new Command(
                'acknowledge', 'ID...', 1, PHP_INT_MAX, 'marks conflicts as seen', 'cr0_db_acknowledge',
                static fn (CommandLine $line): array => [
                    $line->operands,
                    self::options($line, ['config', 'root', 'dry-run']),
                ],
                [],
                ['acknowledge 12', 'acknowledge 12 13 14'],
            ),
            new Command(
                'history', '', 0, 0, 'the runs that did something', 'cr0_db_history',
                static fn (CommandLine $line): array => [
                    ['limit' => self::count($line, 'limit')] + self::options($line, $read),
                ],
                [Option::value('limit', 'N', 'at most so many runs, the newest; 50 unless given')],
                ['history', 'history --database users --limit 5'],
            ),
            new Command(
                'config', '', 0, 0, 'the configuration in force', 'cr0_config',
                static fn (CommandLine $line): array => [self::options($line, ['config', 'root'])],
                [],
                ['config', 'config --root /srv/cr0'],
            ),
        ];
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
