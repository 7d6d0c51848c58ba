<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

use Throwable;

/**
 * What the scripts have in common: reads the command line, calls the extension, prints what it says.
 *
 * Knows nothing of what a command is about. What a run ends with is decided by the library alone.
 */
abstract readonly class Script
{
    /** So many bytes of what a process was called with are shown. */
    private const LONGEST_COMMAND = 200;

    protected Console $console;

    public function __construct(protected string $name)
    {
        $this->console = new Console();
    }

    /** @return list<Command> */
    abstract protected function commands(): array;

    /** @return list<Option> options that every command knows */
    abstract protected function common(): array;

    abstract protected function help(): Help;

    /**
     * A report as people read it.
     *
     * @param array{exit_code: int, json: string, report: array<string, mixed>} $answer
     */
    abstract protected function words(CommandLine $line, array $answer): string;

    /**
     * Calls the extension.
     *
     * @return array{exit_code: int, json: string, report: array<string, mixed>}
     */
    protected function call(CommandLine $line, Command $command): array
    {
        return cr0_call($command->function, ($command->arguments)($line));
    }

    /**
     * @param list<string> $words the command line without the name of the script
     * @return int the exit code
     */
    public function run(array $words): int
    {
        $json = in_array('--json', $words, true);
        try {
            return $this->obey(CommandLine::parse($words, $this->commands(), $this->common()));
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
            $this->console->write($this->help()->text($line->command, $this->commands(), $this->common()));

            return ExitCode::Done->value;
        }
        if ($line->command === null) {
            throw Failure::usage('no command is given', '--help lists them');
        }
        if ($line->has('metrics') && $line->has('dry-run')) {
            throw Failure::usage('--metrics and --dry-run exclude each other', 'leave one of them out');
        }
        if (!function_exists('cr0_call')) {
            throw Failure::unavailable('the PHP extension cr0sync is not loaded', $this->how());
        }
        if ($line->has('line') && $line->has('json')) {
            throw Failure::usage('--line and --json exclude each other', 'leave one of them out');
        }
        $answer = $line->command->function === Doctor::FUNCTION
            ? Doctor::call($line, $line->command)
            : $this->call($line, $line->command);
        $unwritten = $this->writeMetrics($line);
        if ($line->has('json')) {
            $json = $line->command->function === Doctor::FUNCTION
                ? Doctor::json($answer, $line->has('quiet'))
                : $answer['json'];
            $this->console->write("{$json}\n");
        } elseif (isset($answer['report']['error'])) {
            // Cron's next run will do; nobody needs a mail about it.
            $isLocked = $answer['exit_code'] === ExitCode::Locked->value;
            $silent = $line->has('quiet') && $isLocked;
            $error = $answer['report']['error'];
            if ($isLocked && !$silent) {
                $error['hint'] = self::holder($line, (string) $error['path']) . $error['hint'];
            }
            $this->complain($error, $silent);
        } elseif ($line->command->function === Doctor::FUNCTION) {
            $words = Doctor::words($this->console, $answer['report'], $line->has('quiet'), $line->has('line'));
            $this->console->write($words);
        } else {
            $this->console->write($this->words($line, $answer));
        }
        if ($unwritten !== null) {
            $this->complain($unwritten, false);
        }

        return $unwritten === null ? $answer['exit_code'] : max($answer['exit_code'], ExitCode::Failed->value);
    }

    /** For the commands that do something, and for those that tell how it is. */
    protected static function metrics(): Option
    {
        return Option::value('metrics', 'FILE', 'writes how it is then into this file, for Prometheus');
    }

    /**
     * Writes how it is now, where that is asked for; also after work that failed.
     *
     * @return ?array{message: string, hint: ?string} why that did not work
     */
    private function writeMetrics(CommandLine $line): ?array
    {
        $file = $line->value('metrics');
        if ($file === null) {
            return null;
        }
        $answer = cr0_call('cr0_metrics', [['file' => $file] + self::options($line, ['config', 'root'])]);

        return is_array($answer['report']) ? $answer['report']['error'] : null;
    }

    private function fail(Failure $failure, bool $json): void
    {
        if ($json) {
            $this->console->write($failure->json() . "\n");
        } else {
            $this->complain(['message' => $failure->getMessage(), 'hint' => $failure->hint], false);
        }
    }

    /**
     * Who holds a lock, where that is known, for the one whom it keeps waiting.
     */
    private static function holder(CommandLine $line, string $path): string
    {
        $places = ['config' => $line->value('config'), 'root' => $line->value('root')];
        foreach (cr0_call('cr0_integrity_status', [$places])['report']['locks'] ?? [] as $lock) {
            if ($lock['path'] === $path && $lock['process'] !== null) {
                $words = (string) @file_get_contents("/proc/{$lock['process']}/cmdline", length: self::LONGEST_COMMAND);
                $command = trim(strtr($words, "\0", ' '));

                return "process {$lock['process']} holds it" . ($command === '' ? '' : ": {$command}") . '; ';
            }
        }

        return '';
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
     * The options of a function, as they are called on the command line, with what was given for each: a word, a list
     * of words where it may be repeated, else whether it was given at all.
     *
     * @param list<string> $names
     * @return array<string, mixed>
     */
    protected static function options(CommandLine $line, array $names): array
    {
        $root = $line->value('root');
        if ($root !== null && !is_dir($root)) {
            // It would be made, and what is there would not be looked at.
            throw Failure::usage("there is no directory {$root}", 'make it, or name another with --root');
        }
        $options = [];
        foreach ($names as $name) {
            $value = match ($name) {
                'config', 'root', 'side' => $line->value($name),
                'database', 'log' => $line->values($name),
                default => $line->has($name),
            };
            $options[$name === 'log' ? 'logs' : strtr($name, '-', '_')] = $value;
        }

        return $options;
    }
}
