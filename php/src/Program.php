<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

/**
 * Another program, called without a shell: what it is told goes to its standard input and never onto its command line.
 */
final readonly class Program
{
    /** So much later it is killed that does not end when it is told to (seconds). */
    private const GRACE = 5;
    /** What `timeout` ends with where it has ended something or had to kill it, and where it could not start it. */
    private const ENDED = [124, 137];
    private const NOT_STARTED = [126, 127];
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
            !$this->started => "{$this->what} cannot be started",
            in_array($this->exitCode, self::NOT_STARTED, true) && str_starts_with($said, 'timeout: ')
                => "{$this->what} cannot be started",
            $this->exitCode === null, in_array($this->exitCode, self::ENDED, true)
                => "{$this->what} took too long and was ended",
            $this->exitCode !== 0 => "{$this->what} ended with {$this->exitCode}" . ($said === '' ? '' : ": {$said}"),
            default => null,
        };
    }

    /**
     * Runs it to its end, or ends it after so many seconds, with all that it has started: `timeout` of the system does
     * that, also when we are killed meanwhile.
     *
     * @param non-empty-list<string> $command
     */
    public static function run(array $command, string $input, int $seconds): self
    {
        $bounded = ['timeout', '-k', (string) self::GRACE, (string) $seconds, ...$command];
        // What it says goes into files, so that it never waits for us.
        [$out, $err] = [tmpfile(), tmpfile()];
        $process = $out === false || $err === false ? false : @proc_open($bounded, [['pipe', 'r'], $out, $err], $pipes);
        if ($process === false) {
            return new self(false, null, '', '', $command[0]);
        }
        stream_set_blocking($pipes[0], false);
        $end = hrtime(true) + ($seconds + 2 * self::GRACE) * 1_000_000_000;
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
