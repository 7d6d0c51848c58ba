<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages\History;

/**
 * The time that the charts are about, in pieces that begin at full hours or days (UTC).
 */
final readonly class Span
{
    private const DAY = 86_400;
    /** Name, words, length and piece in seconds, and how a piece is written. */
    public const ALL = [
        'day' => ['24 hours', self::DAY, 3600, 'H:i'],
        'week' => ['7 days', 7 * self::DAY, 6 * 3600, 'M j H:i'],
        'month' => ['30 days', 30 * self::DAY, self::DAY, 'M j'],
    ];

    public string $words;
    /** Where the first piece begins. */
    public int $start;
    public int $pieces;
    private int $piece;
    private string $format;

    public function __construct(public string $name, int $now)
    {
        [$this->words, $length, $this->piece, $this->format] = self::ALL[$name];
        $this->pieces = intdiv($length, $this->piece);
        $this->start = ($now - $now % $this->piece) - ($this->pieces - 1) * $this->piece;
    }

    /** In which piece a time is, or null outside. */
    public function at(string $rfc3339): ?int
    {
        $time = strtotime($rfc3339);
        $at = $time === false ? -1 : intdiv($time - $this->start, $this->piece);

        return $time < $this->start || $at >= $this->pieces ? null : $at;
    }

    /** @return list<string> */
    public function labels(): array
    {
        return array_map(
            fn (int $at): string => gmdate($this->format, $this->start + $at * $this->piece),
            range(0, $this->pieces - 1),
        );
    }

    /**
     * What stands below the charts: every fourth hour, every day, or every fifth day.
     *
     * @return array<int, string> by piece
     */
    public function ticks(): array
    {
        [$every, $format] = match ($this->name) {
            'day' => [4 * 3600, 'H:i'],
            'week' => [self::DAY, 'M j'],
            default => [5 * self::DAY, 'M j'],
        };
        $ticks = [];
        for ($at = 0; $at < $this->pieces; $at++) {
            $time = $this->start + $at * $this->piece;
            if ($time % $every === 0) {
                $ticks[$at] = gmdate($format, $time);
            }
        }

        return $ticks;
    }

    public function each(): string
    {
        return match ($this->piece) {
            3600 => 'hour',
            self::DAY => 'day',
            default => intdiv($this->piece, 3600) . ' hours',
        };
    }
}
