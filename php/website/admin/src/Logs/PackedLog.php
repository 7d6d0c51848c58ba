<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Logs;

use InflateContext;

/**
 * A log that was packed with gzip, by positions in what is packed. It is unpacked as it is read, and kept nowhere.
 *
 * Going back begins at its start again, so it is read only up to a bound; a few bytes that unpack to very many do no
 * harm either.
 */
final class PackedLog implements Bytes
{
    /** Nothing behind this is read (bytes, unpacked). */
    public const MOST = 512 << 20;
    /** So much is unpacked at once; it can become a thousand times as much. */
    private const STEP = 2048;

    private ?InflateContext $context = null;
    private int $packedAt = 0;
    /** The position of the first byte of what waits to be read. */
    private int $at = 0;
    private string $waiting = '';
    private bool $isOver = false;
    private float $until = 0.0;
    private bool $isLate = false;
    /** Whether there is more behind what was called its end. */
    private bool $isCut = false;

    /**
     * @param float $seconds so long is unpacked at once
     * @throws Unreadable
     */
    public function __construct(
        private readonly LogFile $file,
        private readonly float $seconds = Search::MOST_SECONDS,
    ) {
        if (!function_exists('inflate_init')) {
            throw new Unreadable('PHP has no zlib here, so packed logs cannot be read.');
        }
        if ($file->read(0, 2) !== "\x1f\x8b") {
            throw new Unreadable('This file is not packed with gzip, as its name says.');
        }
    }

    /** @throws Unreadable when that takes too long */
    public function read(int $at, int $length): string
    {
        // Its end was found in this time, and is to be reached again.
        $this->start(2 * $this->seconds);
        if ($at < $this->at) {
            $this->begin();
        }
        $this->forward($at);
        while (strlen($this->waiting) < $length && $this->unpack()) {
            continue;
        }
        if ($this->isLate) {
            throw new Unreadable('This packed log takes too long to unpack up to there: look at it on the machine with '
                . 'zcat.');
        }
        $text = substr($this->waiting, 0, max(0, min($length, self::MOST - $this->at)));
        // It stays, as what follows often begins within it.
        return $this->at === $at ? $text : '';
    }

    public function end(): int
    {
        $this->start($this->seconds);
        $this->forward(self::MOST);
        $this->isCut = $this->isCut || $this->isLate;

        return min(self::MOST, $this->at + strlen($this->waiting));
    }

    public function goesBack(): bool
    {
        return false;
    }

    public function limit(): ?string
    {
        return match (true) {
            $this->isCut => 'Unpacking it takes longer than a page may: its beginning is shown here; zcat shows the '
                . 'rest.',
            $this->at + strlen($this->waiting) < self::MOST => null,
            default => 'Of packed logs the first 512 MiB are shown here; zcat shows the rest.',
        };
    }

    /** Lets go of what is before this position. */
    private function forward(int $at): void
    {
        do {
            $gone = min($at - $this->at, strlen($this->waiting));
            $this->waiting = $gone > 0 ? substr($this->waiting, $gone) : $this->waiting;
            $this->at += max(0, $gone);
        } while ($this->at < $at && $this->unpack());
    }

    private function unpack(): bool
    {
        $this->isLate = $this->isLate || microtime(true) > $this->until;
        if ($this->isLate) {
            return false;
        }
        $packed = $this->isOver ? '' : $this->file->read($this->packedAt, self::STEP);
        if ($packed === '' || $this->at + strlen($this->waiting) >= self::MOST) {
            $this->isOver = $this->isOver || $packed === '';

            return false;
        }
        $this->context ??= inflate_init(ZLIB_ENCODING_GZIP) ?: null;
        $before = $this->context === null ? 0 : inflate_get_read_len($this->context);
        $text = $this->context === null ? false : @inflate_add($this->context, $packed);
        if ($text === false || $this->context === null) {
            // What is damaged, or no gzip any more, ends it; what came before is shown.
            $this->isOver = true;

            return false;
        }
        $this->waiting .= $text;
        $isEnd = inflate_get_status($this->context) === ZLIB_STREAM_END;
        // Several packed files may follow each other in one.
        $this->packedAt += $isEnd ? inflate_get_read_len($this->context) - $before : strlen($packed);
        $this->context = $isEnd ? null : $this->context;

        return true;
    }

    private function start(float $seconds): void
    {
        $this->until = microtime(true) + $seconds;
        $this->isLate = false;
    }

    private function begin(): void
    {
        $this->context = null;
        $this->packedAt = $this->at = 0;
        $this->waiting = '';
        $this->isOver = false;
    }
}
