<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Logs;

/**
 * Pages through a log by positions. A page reads at most LOOK bytes, whatever is in the log; a line that is longer than
 * STEP is a page of its own.
 */
final readonly class Pager
{
    /** A page is at most so much (bytes), unless it is a single line. */
    private const STEP = 64 << 10;
    /** So far an end of a line is looked for. */
    private const LOOK = 4 << 20;
    /** A page has at most so many lines. */
    private const LINES = 200;

    public function __construct(private Bytes $bytes)
    {
    }

    /** The lines from a position on. */
    public function after(int $at): Piece
    {
        foreach ([self::STEP, self::LOOK] as $length) {
            $data = $this->bytes->read($at, $length);
            $isEnd = strlen($data) < $length;
            $last = strrpos($data, "\n");
            if ($isEnd || $last !== false) {
                break;
            }
        }
        if ($length === self::LOOK && !$isEnd) {
            // Only the one long line.
            $first = strpos($data, "\n");
            $data = $first === false ? $data : substr($data, 0, $first + 1);
        } elseif (!$isEnd && $last !== false) {
            $data = substr($data, 0, $last + 1);
        }
        for ($line = 0, $end = -1; $line < self::LINES; $line++) {
            $end = strpos($data, "\n", $end + 1);
            if ($end === false) {
                break;
            }
        }
        if ($end !== false && $end + 1 < strlen($data)) {
            $data = substr($data, 0, $end + 1);
            $isEnd = false;
        }

        return new Piece(Lines::entries($data, $at), $at, $at + strlen($data), $isEnd);
    }

    /** The lines before a position. */
    public function before(int $at): Piece
    {
        foreach ([self::STEP, self::LOOK] as $length) {
            $from = max(0, $at - $length);
            $data = $this->bytes->read($from, $at - $from);
            $first = strpos(substr($data, 0, -1), "\n");
            if ($from === 0 || $first !== false) {
                break;
            }
        }
        $start = match (true) {
            $length === self::LOOK => strrpos(substr($data, 0, -1), "\n"),
            $from > 0 => $first,
            default => false,
        };
        $skip = $start === false ? 0 : $start + 1;
        for ($line = 0, $position = strlen($data) - 1; $line < self::LINES && $position > $skip; $line++) {
            $found = strrpos(substr($data, 0, $position), "\n");
            $position = $found === false ? 0 : $found;
        }
        if ($line === self::LINES && $position > $skip) {
            $skip = $position + 1;
        }
        $data = substr($data, $skip);
        $from += $skip;

        return new Piece(Lines::entries($data, $from), $from, $from + strlen($data), false);
    }

    /** The first position of a line at or before this one, so that nobody begins within a line. */
    public function start(int $at): int
    {
        if ($at <= 0) {
            return 0;
        }
        $from = max(0, $at - self::STEP);
        $before = strrpos($this->bytes->read($from, $at - $from), "\n");

        return $before === false ? ($from === 0 ? 0 : $at) : $from + $before + 1;
    }
}
