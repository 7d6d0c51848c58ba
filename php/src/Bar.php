<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

/**
 * How far a run is, in one line on a terminal that is taken away again; nothing for work that is done in a second.
 *
 * Only where standard error is a terminal: a log or a pipe never sees it.
 */
final class Bar
{
    /** From then on it is shown, in nanoseconds. */
    private const PATIENCE = 1_000_000_000;
    private const WIDTH = 20;

    private readonly int $began;
    private bool $shown = false;

    /** @param resource $terminal */
    private function __construct(private $terminal)
    {
        $this->began = hrtime(true);
    }

    /** A bar on standard error; null where nobody could see it. */
    public static function onTerminal(): ?self
    {
        return stream_isatty(STDERR) && getenv('TERM') !== 'dumb' ? new self(STDERR) : null;
    }

    /**
     * Shows how far a run is.
     *
     * @param array{database: string, number: int, databases: int, phase: string, side: ?string, table: ?string,
     *     rows: int, of: ?int} $progress
     */
    public function show(array $progress): void
    {
        if (hrtime(true) - $this->began < self::PATIENCE) {
            return;
        }
        $this->shown = true;
        fwrite($this->terminal, "\r" . self::line($progress) . "\e[K");
    }

    /** Takes it away. */
    public function remove(): void
    {
        if ($this->shown) {
            fwrite($this->terminal, "\r\e[K");
            $this->shown = false;
        }
    }

    /**
     * @param array{database: string, number: int, databases: int, phase: string, side: ?string, table: ?string,
     *     rows: int, of: ?int} $progress
     */
    private static function line(array $progress): string
    {
        ['rows' => $rows, 'of' => $of] = $progress;
        // Databases that are done, and of the one at work what is read of the table at work.
        $part = $of === null || $of === 0 ? 0.0 : min(1.0, $rows / $of);
        $full = $progress['databases'] > 1 ? ($progress['number'] - 1) / $progress['databases'] : $part;
        $done = (int) floor($full * self::WIDTH);
        $words = [
            '[' . str_repeat('#', $done) . str_repeat('.', self::WIDTH - $done) . ']',
            "{$progress['number']}/{$progress['databases']}",
            $progress['database'],
            $progress['phase'],
            $progress['table'] ?? $progress['side'] ?? '',
            $rows > 0 ? number_format($rows) . ($of === null ? '' : ' of ' . number_format($of)) : '',
        ];
        // One line, whatever a table is called and however narrow the terminal is.
        $width = max(20, (int) (getenv('COLUMNS') ?: 80)) - 1;

        preg_match("/^.{0,{$width}}/us", Text::line(rtrim(implode(' ', $words))), $fits);

        return $fits[0] ?? '';
    }
}
