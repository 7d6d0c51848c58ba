<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

/**
 * Another program, called without a shell: what it is told goes to its standard input and never onto its command line.
 */
final readonly class Program
{
    /** More of what it says is not kept. */
    private const MOST = 1 << 20;

    private function __construct(
        public bool $started,
        public ?int $exitCode,
        public string $output,
        public string $complaint,
        private string $what,
    ) {
    }

    /** Why it did not do what it should; null where it did. */
    public function problem(): ?string
    {
        $said = trim(substr($this->complaint, 0, 300));

        return match (true) {
            // What a child says that finds no such program.
            !$this->started, $this->exitCode === 127 && $said === '' => "{$this->what} cannot be started",
            $this->exitCode === null => "{$this->what} took too long and was ended",
            $this->exitCode !== 0 => "{$this->what} ended with {$this->exitCode}" . ($said === '' ? '' : ": {$said}"),
            default => null,
        };
    }

    /**
     * Runs it to its end, or ends it after so many seconds.
     *
     * @param non-empty-list<string> $command
     */
    public static function run(array $command, string $input, int $seconds): self
    {
        // What it says goes into files, so that it never waits for us.
        [$out, $err] = [tmpfile(), tmpfile()];
        $process = $out === false || $err === false ? false : @proc_open($command, [['pipe', 'r'], $out, $err], $pipes);
        if ($process === false) {
            return new self(false, null, '', '', $command[0]);
        }
        stream_set_blocking($pipes[0], false);
        $end = hrtime(true) + $seconds * 1_000_000_000;
        $code = null;
        $open = true;
        do {
            $status = proc_get_status($process);
            if (!$status['running']) {
                $code = $status['signaled'] ? 128 + $status['termsig'] : $status['exitcode'];
                break;
            }
            $open = $open && self::feed($pipes[0], $input);
            usleep($open && $input !== '' ? 1_000 : 10_000);
        } while (hrtime(true) < $end);
        if ($open) {
            fclose($pipes[0]);
        }
        if ($code === null) {
            proc_terminate($process, 9);
        }
        proc_close($process);
        $read = static fn ($file): string => rewind($file) ? (string) stream_get_contents($file, self::MOST) : '';

        return new self(true, $code, $read($out), $read($err), $command[0]);
    }

    /**
     * Gives it what it takes now, and closes the pipe when that was all, or when it wants no more.
     *
     * @param resource $pipe
     */
    private static function feed($pipe, string &$input): bool
    {
        $taken = $input === '' ? 0 : @fwrite($pipe, substr($input, 0, 65_536));
        if ($taken === false) {
            // A full pipe takes nothing now; one that nobody reads is over.
            $taken = str_contains(error_get_last()['message'] ?? '', 'errno=32') ? null : 0;
        }
        if ($taken !== null) {
            $input = substr($input, $taken);
        }
        if ($taken === null || $input === '') {
            fclose($pipe);

            return false;
        }

        return true;
    }
}
