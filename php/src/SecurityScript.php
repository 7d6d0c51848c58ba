<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

/**
 * `security_monitoring_script.php`: its commands, and how their reports are shown.
 *
 * What is found, and what a command ends with, is decided by the library alone.
 */
final readonly class SecurityScript extends Script
{
    /** What is done with a key, by the word after `keys`: the function, how many words follow, and its options. */
    private const KEYS = [
        'issue' => ['cr0_api_key_issue', 0, ['user', 'name', 'permission', 'expires-in']],
        'list' => ['cr0_api_key_list', 0, ['user']],
        'revoke' => ['cr0_api_key_revoke', 1, []],
        'rotate' => ['cr0_api_key_rotate', 1, ['expires-in', 'grace']],
    ];
    private const KEY_OPTIONS = ['user', 'name', 'permission', 'expires-in', 'grace'];

    protected function call(CommandLine $line, Command $command): array
    {
        return match ($command->name) {
            'cleanup' => $this->cleanUp($line),
            'run' => $this->runAndTell($line, $command),
            'keys' => $this->keys($line),
            'watch' => $this->watch($line, $command),
            default => parent::call($line, $command),
        };
    }

    protected function words(CommandLine $line, array $answer): string
    {
        $text = new SecurityText($this->console, $line->has('quiet'));
        $report = $answer['report'];
        if ($line->has('line')) {
            $short = new LineText(false);

            return $line->command?->name === 'status'
                ? $short->securityStatus($report)
                : $short->ran($report, SecurityText::summary($report));
        }

        return match ($line->command?->name) {
            'status' => $text->status($report, self::called($this->name), self::again($line)),
            'check' => $text->checked($report),
            'run' => $text->ran($report),
            'watch' => $text->watched($report),
            'baseline' => $text->baseline($report),
            'accept' => $text->accepted($report),
            'cleanup' => $text->cleaned($report),
            'archive' => $text->archived($report),
            'verify-events' => $text->verified($report),
            default => $text->keys($line->operands[0], $report),
        };
    }

    /** The script as a word of a shell, in the way in which it was called. */
    private static function called(string $name): string
    {
        return self::word($_SERVER['argv'][0] ?? $name);
    }

    /** Where it was told to look, as it is told again. */
    private static function again(CommandLine $line): string
    {
        $options = '';
        foreach (['config', 'root'] as $name) {
            $value = $line->value($name);
            $options .= $value === null ? '' : " --{$name} " . self::word($value);
        }

        return $options;
    }

    private static function word(string $text): string
    {
        return preg_match('#^[\w/.+,@%-]+$#D', $text) === 1 ? $text : escapeshellarg($text);
    }

    protected function help(): Help
    {
        return new Help(
            $this->name,
            'Watches over files, security events and API keys.',
            [
                'run --quiet',
                'check',
                'accept /var/www/html/index.html',
                'keys issue --user 7 --name uploader --permission write',
            ],
            [
                '0' => 'done, and nothing was found',
                '1' => 'something was found (of run: something new): files that are not as they were accepted, a break '
                    . 'in the chain of events, a watcher that is missed',
                '2' => 'failed',
                '64' => 'wrong command, option or configuration',
                '69' => 'the extension is missing',
                '75' => 'another check, run or watcher is at work',
            ],
        );
    }

    protected function common(): array
    {
        return [
            Option::value('config', 'FILE', 'the configuration file'),
            Option::value('root', 'DIRECTORY', 'where relative paths begin, and cr0sync.json is looked for'),
            Option::switch('json', 'one JSON document on standard output'),
            Option::switch('quiet', 'tells only of what a person should look at'),
            Option::switch('help', 'help; after a command, the help of that command'),
        ];
    }

    protected function commands(): array
    {
        $common = static fn (CommandLine $line): array => self::options($line, ['config', 'root']);
        $alone = static fn (CommandLine $line): array => [$common($line)];

        return [
            new Command(
                'run',
                '',
                0,
                0,
                'does what is due: for cron, each minute',
                'cr0_security_run',
                $alone,
                [Option::line(), self::metrics()],
                ['run --quiet', 'run --json'],
            ),
            new Command(
                'status',
                '',
                0,
                0,
                'whether the baseline can be believed, and what the last check found',
                'cr0_integrity_status',
                $alone,
                [Option::line(), self::metrics()],
                ['status', 'status --json'],
            ),
            new Command(
                'check',
                '[PATH...]',
                0,
                PHP_INT_MAX,
                'compares watched files with the baseline',
                'cr0_integrity_check',
                static fn (CommandLine $line): array => [array_filter([
                    'full' => $line->has('full') ?: null,
                    'budget_ms' => self::number($line, 'budget-ms'),
                    'paths' => self::paths($line) ?: null,
                ], static fn (mixed $value): bool => $value !== null) + $common($line)],
                [
                    Option::switch('full', 'reads every file again, whatever its times say'),
                    Option::value('budget-ms', 'N', 'stops reading after so many milliseconds; the next check goes on'),
                    self::exact(),
                ],
                ['check', 'check --full', 'check /var/www/html/core --quiet'],
            ),
            new Command(
                'watch',
                '',
                0,
                0,
                'checks at once what changes, until it is told to stop',
                'cr0_integrity_watch',
                static fn (CommandLine $line): array => [
                    ['seconds' => self::number($line, 'seconds')] + $common($line),
                ],
                [Option::value('seconds', 'N', 'ends after so long')],
                ['watch', 'watch --seconds 3600 --quiet'],
            ),
            new Command(
                'baseline',
                '',
                0,
                0,
                'accepts all watched files as they are, and signs that',
                'cr0_integrity_baseline',
                static fn (CommandLine $line): array => [['import' => $line->value('import')] + $common($line)],
                [Option::value('import', 'FILE', 'accepts files as this list says, which the pages of the site wrote')],
                ['baseline', 'baseline --import shared_storage/file_hashes.json'],
            ),
            new Command(
                'accept',
                'PATH...',
                0,
                PHP_INT_MAX,
                'accepts what is under these paths as it is now, and signs that',
                'cr0_integrity_accept',
                static fn (CommandLine $line): array => [
                    self::paths($line) ?: throw Failure::usage('accept is not complete', 'write accept PATH...'),
                    ['dry_run' => $line->has('dry-run')] + $common($line),
                ],
                [Option::switch('dry-run', 'shows what would be accepted and changes nothing'), self::exact()],
                ['accept --dry-run /var/www/html/core', 'accept /var/www/html/core/login.php'],
            ),
            new Command(
                'cleanup',
                '',
                0,
                0,
                'takes away expired sessions, and rate limits that nobody needs any more',
                '',
                $alone,
                [],
                ['cleanup --quiet'],
            ),
            new Command(
                'archive',
                '',
                0,
                0,
                'moves the events of past days into archives',
                'cr0_event_archive',
                $alone,
                [],
                ['archive'],
            ),
            new Command(
                'verify-events',
                '',
                0,
                0,
                'proves that events are as they were written, and none is missing',
                'cr0_event_verify',
                static fn (CommandLine $line): array => [
                    ['acknowledge' => $line->has('acknowledge')] + $common($line),
                ],
                [Option::switch('acknowledge', 'what is wrong is known: it stays, and is no news any more')],
                ['verify-events --json', 'verify-events --acknowledge'],
            ),
            new Command(
                'keys',
                'issue|list|revoke ID|rotate ID',
                1,
                2,
                'API keys; a new one is shown once',
                '',
                $alone,
                [
                    Option::value('user', 'ID', 'whose key it is (issue), or whose keys are listed (list)'),
                    Option::value('name', 'NAME', 'what it is called (issue)'),
                    Option::values('permission', 'WORD', 'read, write, admin or system; may be repeated (issue)'),
                    Option::value('expires-in', 'SECONDS', 'how long it counts (issue, rotate)'),
                    Option::value('grace', 'SECONDS', 'how long the old one counts still, a day unless told (rotate)'),
                ],
                [
                    'keys list',
                    'keys issue --user 7 --name uploader --permission read --permission write',
                    'keys revoke key_1',
                ],
            ),
            Doctor::command(),
        ];
    }

    /**
     * Does what is due, then tells people of bad events, where somebody is to be told.
     *
     * @return array{exit_code: int, json: string, report: array<string, mixed>}
     */
    private function runAndTell(CommandLine $line, Command $command): array
    {
        $answer = cr0_call($command->function, ($command->arguments)($line));
        $error = $answer['report']['error'] ?? null;
        if ($error !== null) {
            // What keeps the jobs from their work is an event as well, and bad enough to be told.
            if (!in_array($error['kind'], ['usage', 'config'], true)) {
                $alerts = Alerts::deliver(self::options($line, ['config', 'root']));
                $told = Alerts::told($alerts);
                if ($told !== null) {
                    $this->console->talk($told);
                }
                foreach ($alerts['problems'] ?? [] as $one) {
                    $this->console->talk("{$this->name}: {$one}");
                }
            }

            return $answer;
        }
        $alerts = Alerts::deliver(self::options($line, ['config', 'root']));
        if ($alerts === null) {
            return $answer;
        }
        $flags = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE | JSON_THROW_ON_ERROR;
        $member = ',"alerts":' . json_encode($alerts, $flags) . '}';

        return [
            'exit_code' => $alerts['problems'] === [] ? $answer['exit_code'] : ExitCode::Failed->value,
            // Put in as text, so that what is there stays exact.
            'json' => substr($answer['json'], 0, -1) . $member,
            'report' => $answer['report'] + ['alerts' => $alerts],
        ];
    }

    /**
     * Tells what is found as soon as it is. SIGTERM and SIGINT end it in order, so that nobody misses it.
     *
     * @return array{exit_code: int, json: string, report: array<string, mixed>}
     */
    private function watch(CommandLine $line, Command $command): array
    {
        $isOver = false;
        if (function_exists('pcntl_async_signals')) {
            pcntl_async_signals(true);
            foreach ([SIGTERM, SIGINT] as $signal) {
                pcntl_signal($signal, static function () use (&$isOver): void {
                    $isOver = true;
                });
            }
        } elseif (!$line->has('quiet')) {
            $this->console->talk('PHP has no pcntl here: a signal ends the watcher at once, and then it is missed');
        }
        $text = new SecurityText($this->console, $line->has('quiet'));
        $arguments = ($command->arguments)($line);
        $arguments[0]['progress'] = function (array $news) use (&$isOver, $text, $line): bool {
            $words = $line->has('json') ? '' : $text->news($news);
            if ($words !== '') {
                $this->console->write($words);
            }

            return !$isOver;
        };

        return cr0_call($command->function, $arguments);
    }

    /**
     * Both at once: one that fails is told, and the other done.
     *
     * @return array{exit_code: int, json: string, report: array<string, mixed>}
     */
    private function cleanUp(CommandLine $line): array
    {
        $options = [self::options($line, ['config', 'root'])];
        $limits = cr0_call('cr0_rate_limit_cleanup', $options);
        $sessions = cr0_call('cr0_session_cleanup', $options);
        $exit = max($limits['exit_code'], $sessions['exit_code']);
        $both = ['limits' => $limits['report'], 'sessions' => $sessions['report']];
        $report = ['schema' => 1, 'ok' => $exit === 0] + $both;

        return ['exit_code' => $exit, 'json' => json_encode($report, JSON_THROW_ON_ERROR), 'report' => $report];
    }

    /** @return array{exit_code: int, json: string, report: array<string, mixed>} */
    private function keys(CommandLine $line): array
    {
        [$word, $id] = [...$line->operands, null];
        $words = implode(', ', array_keys(self::KEYS));
        [$function, $operands] = self::KEYS[$word]
            ?? throw Failure::usage("keys does not know {$word}", "write keys {$words}");
        if (($id === null) !== ($operands === 0)) {
            $what = $id === null ? 'is not complete' : "does not know what to do with {$id}";
            throw Failure::usage("keys {$word} {$what}", "write keys {$word}" . ($operands === 0 ? '' : ' ID'));
        }
        foreach (array_diff(self::KEY_OPTIONS, self::KEYS[$word][2]) as $option) {
            if ($line->value($option) !== null || $line->values($option) !== []) {
                throw Failure::usage("keys {$word} does not know --{$option}", 'see keys --help');
            }
        }
        $options = self::options($line, ['config', 'root']);
        $numbers = ['expires_in' => self::number($line, 'expires-in'), 'grace' => self::number($line, 'grace')];

        return cr0_call($function, match ($word) {
            'issue' => [
                self::needed($line, 'user'),
                self::needed($line, 'name'),
                $line->values('permission'),
                ['expires_in' => $numbers['expires_in']] + $options,
            ],
            'rotate' => [$id, $numbers + $options],
            'revoke' => [$id, $options],
            default => [['user_id' => $line->value('user')] + $options],
        });
    }

    private static function exact(): Option
    {
        return Option::values('path-b64', 'TEXT', 'a path by the path_b64 of its finding; may be repeated');
    }

    /** @return list<string> the paths that are named, by their names or exactly */
    private static function paths(CommandLine $line): array
    {
        $exact = array_map(static function (string $text): string {
            $path = base64_decode($text, true);
            $hint = 'copy the path_b64 of a finding, as check --json shows it';

            return is_string($path) && $path !== '' ? $path : throw Failure::usage('--path-b64 needs base64', $hint);
        }, $line->values('path-b64'));

        return [...$line->operands, ...$exact];
    }

    private static function needed(CommandLine $line, string $option): string
    {
        return $line->value($option) ?? throw Failure::usage("keys issue needs --{$option}", 'see keys --help');
    }

    private static function number(CommandLine $line, string $option): ?int
    {
        $value = $line->value($option);
        if ($value === null) {
            return null;
        }
        $number = filter_var($value, FILTER_VALIDATE_INT, ['options' => ['min_range' => 0]]);

        return is_int($number) ? $number : throw Failure::usage("--{$option} needs a number", "write --{$option} 60");
    }
}
