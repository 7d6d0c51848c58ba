<?php

declare(strict_types=1);

namespace Cr0Sync\Tests;

/**
 * The terminal of one story: a shell that stays, with what was typed before, until the story is told. What still runs
 * then is ended with it.
 */
final class Shell
{
    private const LONGEST_SECONDS = 60;
    /** @var resource */
    private $process;
    /** @var array<int, resource> */
    private array $pipes = [];

    public function __construct(private readonly Checkout $checkout)
    {
        $this->process = proc_open(
            $checkout->stage->shell(),
            [0 => ['pipe', 'r'], 1 => ['file', '/dev/null', 'w'], 2 => ['file', '/dev/null', 'w'], 3 => ['pipe', 'w']],
            $this->pipes,
            $checkout->place,
            $checkout->environment(),
        );
    }

    public function __destruct()
    {
        posix_kill(-proc_get_status($this->process)['pid'], SIGKILL);
        array_map('fclose', $this->pipes);
        proc_close($this->process);
    }

    /**
     * @param string $errors where standard error goes, as the shell writes it: `2>&1` into what is printed
     * @return array{int, string, string} what it ended with, what was printed, and standard error
     */
    public function type(string $text, string $errors = '2>errors'): array
    {
        $this->checkout->write('typed', $this->checkout->typed($text));
        $this->checkout->write('errors', '');
        $place = $this->checkout->place;
        $errors = str_replace('errors', "{$place}/errors", $errors);
        fwrite($this->pipes[0], ". {$place}/typed >{$place}/printed {$errors} </dev/null 3>&-\necho $? >&3\n");
        $answers = [$this->pipes[3]];
        $others = null;
        $code = stream_select($answers, $others, $others, self::LONGEST_SECONDS) === 1 ? fgets($this->pipes[3]) : false;

        return [
            // It ended, or it hangs.
            $code === false ? -1 : (int) $code,
            (string) file_get_contents("{$place}/printed"),
            (string) file_get_contents("{$place}/errors"),
        ];
    }
}
