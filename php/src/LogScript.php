<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

/**
 * `log_sync_script.php`: its commands, and how their reports are shown.
 *
 * What is done with logs, and what a run ends with, is decided by the library alone.
 */
final readonly class LogScript extends Script
{
    protected function call(CommandLine $line, Command $command): array
    {
        $arguments = ($command->arguments)($line);
        $long = in_array($command->function, ['cr0_log_merge', 'cr0_log_rotate'], true);
        $bar = $long && !$line->has('quiet') ? Bar::onTerminal() : null;
        if ($bar !== null) {
            $arguments[0]['progress'] = static fn (array $at) => $bar->show([
                'database' => $at['log'],
                'number' => $at['number'],
                'databases' => $at['logs'],
                'phase' => $at['phase'],
                'side' => null,
                'table' => null,
                'rows' => 0,
                'of' => null,
            ]);
        }
        try {
            return cr0_call($command->function, $arguments);
        } finally {
            $bar?->remove();
        }
    }

    protected function words(CommandLine $line, array $answer): string
    {
        $text = new LogText($this->console, $line->has('quiet'), $line->has('dry-run'));
        $report = $answer['report'];

        if ($line->has('line')) {
            return self::line($line, $report);
        }

        return match ($line->command?->function) {
            'cr0_log_status' => $text->status($report),
            'cr0_log_rotate' => $text->rotated($report),
            'cr0_log_clean' => $text->cleaned($report),
            'cr0_log_verify' => $text->verified($report),
            default => $text->run($report),
        };
    }

    /** @param array<string, mixed> $report */
    private static function line(CommandLine $line, array $report): string
    {
        $short = new LineText($line->has('dry-run'));

        return match ($line->command?->name) {
            'status' => $short->logStatus($report),
            'rotate' => $short->rotated($report),
            'clean' => $short->cleaned($report),
            default => $short->logs($report),
        };
    }

    protected function help(): Help
    {
        return new Help(
            $this->name,
            'Merges logs of several sides, and rotates their archives; no line is lost, none comes twice.',
            ['bidirectional', 'status --log rizon_bot', 'rotate --dry-run'],
            [
                '0' => 'done; a side or a log that was skipped keeps 0',
                '2' => 'failed, or an archive is not what was merged',
                '64' => 'wrong command, option or configuration',
                '69' => 'the extension is missing, or no log could be looked at',
                '75' => 'another run is at work',
            ],
        );
    }

    protected function common(): array
    {
        return [
            Option::value('config', 'FILE', 'the configuration file'),
            Option::value('root', 'DIRECTORY', 'where relative paths begin, and cr0sync.json is looked for'),
            Option::values('log', 'NAME', 'only this log; * and ? are understood; may be repeated'),
            Option::switch('dry-run', 'shows what would be done and changes nothing'),
            Option::switch('json', 'one JSON document on standard output'),
            Option::switch('quiet', 'tells only of what a person should look at'),
            Option::switch('help', 'help; after a command, the help of that command'),
        ];
    }

    protected function commands(): array
    {
        $read = ['config', 'root', 'log'];
        $change = [...$read, 'dry-run'];

        return [
            new Command(
                'status',
                '',
                0,
                0,
                'how far each copy of each log is',
                'cr0_log_status',
                static fn (CommandLine $line): array => [self::options($line, $read)],
                [Option::line(), self::metrics()],
                ['status', "status --log 'rizon_*' --json"],
            ),
            new Command(
                'bidirectional',
                '',
                0,
                0,
                'brings new lines of every copy to all others',
                'cr0_log_merge',
                static fn (CommandLine $line): array => [self::options($line, $change)],
                [Option::line(), self::metrics()],
                ['bidirectional', 'bidirectional --dry-run', "bidirectional --log '*_errors' --quiet"],
            ),
            new Command(
                'sync-all',
                '',
                0,
                0,
                'does what bidirectional does, and opens every copy, changed or not',
                'cr0_log_merge',
                static fn (CommandLine $line): array => [self::options($line, $change) + ['force' => true]],
                [Option::line(), self::metrics()],
                ['sync-all', 'sync-all --log rizon_bot'],
                more: <<<'TEXT'
                    bidirectional passes over a log whose files have the size and times that they had after
                    the last run. sync-all opens them all the same, and proves by their content up to where
                    each was read. What it merges, and how, is no different. Use it after files were put
                    back or copied with their old times, or where a ledger was lost. It takes longer, and
                    does no harm.
                    TEXT,
            ),
            new Command(
                'rotate',
                '',
                0,
                0,
                'merges, rotates the archives that are large, and packs what was rotated',
                'cr0_log_rotate',
                static fn (CommandLine $line): array => [self::options($line, [...$change, 'force'])],
                [Option::switch('force', 'rotates archives of any size'), Option::line()],
                ['rotate', 'rotate --dry-run', 'rotate --force --log rizon_bot'],
            ),
            new Command(
                'clean',
                '',
                0,
                0,
                'removes rotated files that are old and that every copy has got',
                'cr0_log_clean',
                static fn (CommandLine $line): array => [self::options($line, $change)],
                [Option::line()],
                ['clean --dry-run', 'clean --quiet'],
            ),
            new Command(
                'verify',
                '',
                0,
                0,
                'proves that the archives are what was merged',
                'cr0_log_verify',
                static fn (CommandLine $line): array => [self::options($line, $read)],
                [],
                ['verify', 'verify --log rizon_bot'],
            ),
            Doctor::command(),
        ];
    }
}
