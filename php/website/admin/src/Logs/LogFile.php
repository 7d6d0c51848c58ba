<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Logs;

/**
 * A log that lies there as it is, opened for reading.
 *
 * Invariants: only a regular file with one name is opened, and what is read is the file that was looked at: a link, a
 * pipe or another file that is put in its place is refused, and nothing waits for it. No database is ever opened, as
 * closing it would take the locks away that this process has on it.
 */
final readonly class LogFile implements Bytes
{
    private const TYPE = 0170000;
    private const REGULAR = 0100000;
    /** How a database of SQLite begins. */
    private const DATABASE = "SQLite format 3\0";

    /** @param resource $handle */
    private function __construct(private mixed $handle)
    {
    }

    /**
     * @param list<string> $databases files that are not to be opened, under no name
     * @throws Unreadable
     */
    public static function open(string $path, array $databases): self
    {
        clearstatcache(true, $path);
        $seen = @lstat($path);
        if ($seen === false) {
            throw new Unreadable('This file is not there now.');
        }
        if (($seen['mode'] & self::TYPE) !== self::REGULAR) {
            throw new Unreadable('This is no regular file, so it is not opened.');
        }
        if ($seen['nlink'] !== 1) {
            throw new Unreadable('This file has another name too, so it is not opened.');
        }
        foreach ($databases as $database) {
            foreach (['', '-wal', '-shm', '-journal'] as $suffix) {
                $other = @stat($database . $suffix);
                if ($other !== false && self::isSame($other, $seen)) {
                    throw new Unreadable('This is a database, so it is not opened.');
                }
            }
        }
        // `n` does not wait for the other end of a pipe that was put there meanwhile.
        $handle = @fopen($path, 'rbn');
        if ($handle === false) {
            throw new Unreadable('PHP may not read this file here: see who owns it, and its mode.');
        }
        $opened = fstat($handle);
        if ($opened === false || !self::isSame($opened, $seen)) {
            throw new Unreadable('This file was replaced at this very moment: load the page again.');
        }
        stream_set_read_buffer($handle, 0);
        $file = new self($handle);
        if ($file->read(0, strlen(self::DATABASE)) === self::DATABASE) {
            throw new Unreadable('This is a database, and no log.');
        }

        return $file;
    }

    public function read(int $at, int $length): string
    {
        $text = '';
        if ($length > 0 && fseek($this->handle, $at) === 0) {
            while (strlen($text) < $length) {
                $piece = fread($this->handle, $length - strlen($text));
                if ($piece === false || $piece === '') {
                    break;
                }
                $text .= $piece;
            }
        }

        return $text;
    }

    public function end(): int
    {
        return fstat($this->handle)['size'] ?? 0;
    }

    public function goesBack(): bool
    {
        return true;
    }

    public function limit(): ?string
    {
        return null;
    }

    /**
     * @param array<int|string, int> $one
     * @param array<int|string, int> $other
     */
    private static function isSame(array $one, array $other): bool
    {
        return $one['dev'] === $other['dev'] && $one['ino'] === $other['ino'];
    }
}
