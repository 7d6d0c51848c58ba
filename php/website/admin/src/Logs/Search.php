<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Logs;

use Generator;

/**
 * Looks for a text or for bad lines in a log of any size: piece by piece, in bounded memory, and for a bounded time. It
 * tells where it stopped, and goes on from there when it is asked again.
 *
 * A piece begins and ends with whole entries, so that a traceback stays with its line, as long as they are no longer
 * than LOOK. Of a longer line, each piece is looked at by itself.
 */
final readonly class Search
{
    /** One request looks at so much at most (bytes), and for so long (seconds). */
    public const MOST_BYTES = 2 << 30;
    public const MOST_SECONDS = 1.5;
    /** And it finds so many entries at most. */
    public const MOST_FOUND = 100;
    private const PIECE = 1 << 20;
    /** So far the beginning of an entry is looked for. */
    private const LOOK = 64 << 10;

    /** @var list<string> the levels that are looked for, none for all */
    private array $levels;
    /** What finds a word that may be one of these levels. */
    private string $words;

    /** @param string $level at least so bad; empty for all */
    public function __construct(
        private Bytes $bytes,
        private string $text,
        private bool $isExact,
        string $level,
    ) {
        $this->levels = Lines::atLeast($level);
        $this->words = Lines::words($this->levels);
    }

    /** From a position to the end. */
    public function after(int $at): Found
    {
        $found = [];
        $begin = $at;
        $this->bytes->read($at, 1);
        $until = microtime(true) + self::MOST_SECONDS;
        do {
            $data = $this->bytes->read($at, self::PIECE);
            $isEnd = strlen($data) < self::PIECE;
            $data = $isEnd ? $data : substr($data, 0, $this->lastWhole($data));
            foreach ($this->spans($data) as [$from, $to]) {
                $found[] = $this->entry($data, $from, $to, $at);
                if (count($found) >= self::MOST_FOUND) {
                    return new Found($found, $at + $to, $at + $to - $begin);
                }
            }
            $at += strlen($data);
        } while (!$isEnd && microtime(true) < $until && $at - $begin < self::MOST_BYTES);

        return new Found($found, $isEnd ? null : $at, $at - $begin);
    }

    /** From a position back to the beginning. */
    public function before(int $at): Found
    {
        $found = [];
        $begin = $at;
        $until = microtime(true) + self::MOST_SECONDS;
        while ($at > 0 && microtime(true) < $until && $begin - $at < self::MOST_BYTES) {
            $from = max(0, $at - self::PIECE);
            $data = $this->bytes->read($from, $at - $from);
            if ($data === '') {
                // It has become shorter meanwhile.
                $at = min($from, $this->bytes->end());
                continue;
            }
            $skip = $from === 0 ? 0 : $this->firstWhole($data);
            $at = $from + $skip;
            $data = substr($data, $skip);
            foreach ($this->lastSpans($data) as [$start, $end]) {
                $found[] = $this->entry($data, $start, $end, $at);
                if (count($found) >= self::MOST_FOUND) {
                    return new Found($found, $at + $start > 0 ? $at + $start : null, $begin - $at - $start);
                }
            }
        }

        return new Found($found, $at > 0 ? $at : null, $begin - $at);
    }

    /** @return Generator<array{int, int}> from where to where the entries of a piece go that are looked for */
    private function spans(string $data): Generator
    {
        $searched = $this->isExact || $this->text === '' ? $data : strtolower($data);
        $text = $this->isExact ? $this->text : strtolower($this->text);
        $behind = 0;
        while (($hit = $this->hit($searched, $text, $behind)) !== null) {
            [$from, $to] = $this->around($data, $hit, $behind);
            if ($this->levels === [] || in_array($this->levelAt($data, $from), $this->levels, true)) {
                yield [$from, $to];
            }
            $behind = $to;
        }
    }

    /** @return list<array{int, int}> the last of them, the very last first */
    private function lastSpans(string $data): array
    {
        $last = [];
        $number = 0;
        foreach ($this->spans($data) as $span) {
            $last[$number++ % self::MOST_FOUND] = $span;
        }
        rsort($last);

        return $last;
    }

    private function entry(string $data, int $from, int $to, int $at): Entry
    {
        return Lines::entries(substr($data, $from, $to - $from), $at + $from)[0];
    }

    /** Where the next thing is that may be what is looked for. */
    private function hit(string $data, string $text, int $from): ?int
    {
        if ($from >= strlen($data)) {
            return null;
        }
        if ($text !== '') {
            $hit = strpos($data, $text, $from);

            return $hit === false ? null : $hit;
        }

        return preg_match($this->words, $data, $found, PREG_OFFSET_CAPTURE, $from) === 1 ? $found[0][1] : null;
    }

    /**
     * From where to where the entry goes that has this position in it.
     *
     * @return array{int, int}
     */
    private function around(string $data, int $hit, int $least): array
    {
        $start = $this->lineStart($data, $hit, $least);
        $head = $start;
        while ($head > $least && $hit - $head < self::LOOK && !$this->isHead($data, $head)) {
            $head = $this->lineStart($data, $head - 1, $least);
        }
        $from = $this->isHead($data, $head) ? $head : $start;
        $end = strpos($data, "\n", $hit);
        while ($end !== false && $end - $hit < self::LOOK && $this->isHead($data, $from)) {
            if ($end + 1 >= strlen($data) || $this->isHead($data, $end + 1)) {
                break;
            }
            $end = strpos($data, "\n", $end + 1);
        }

        return [$from, $end === false ? strlen($data) : $end + 1];
    }

    private function lineStart(string $data, int $at, int $least): int
    {
        $before = $at === 0 ? false : strrpos($data, "\n", $at - strlen($data) - 1);

        return $before === false ? $least : max($least, $before + 1);
    }

    private function isHead(string $data, int $at): bool
    {
        return preg_match(Lines::HEAD, substr($data, $at, 64)) === 1;
    }

    private function levelAt(string $data, int $at): ?string
    {
        $line = substr($data, $at, Lines::LONGEST);
        $end = strpos($line, "\n");

        return Lines::level($end === false ? $line : substr($line, 0, $end));
    }

    /** Where the last entry of a piece begins, which the next piece begins with. */
    private function lastWhole(string $data): int
    {
        $from = strlen($data) - self::LOOK;
        if (preg_match_all('/\n' . substr(Lines::HEAD, 2, -1) . '/', $data, $heads, PREG_OFFSET_CAPTURE, $from) > 0) {
            return end($heads[0])[1] + 1;
        }
        $last = strrpos($data, "\n");

        // A line without an end: what is looked for may lie across the border.
        return $last === false || $last === 0 ? strlen($data) - strlen($this->text) : $last + 1;
    }

    /** Where the first whole entry of a piece begins; what is before it belongs to the piece before. */
    private function firstWhole(string $data): int
    {
        $start = substr($data, 0, self::LOOK);
        if (preg_match('/\n' . substr(Lines::HEAD, 2, -1) . '/', $start, $head, PREG_OFFSET_CAPTURE) === 1) {
            return $head[0][1] + 1;
        }
        $first = strpos($data, "\n");
        $isLine = $first !== false && $first + 1 < strlen($data);

        return $isLine ? $first + 1 : min(strlen($this->text), strlen($data) - 1);
    }
}
