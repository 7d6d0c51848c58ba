<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Logs;

/**
 * What one page shows of a log: whole entries, from where to where.
 */
final readonly class Piece
{
    /** @param list<Entry> $entries oldest first */
    public function __construct(
        public array $entries,
        public int $from,
        public int $to,
        public bool $isEnd,
    ) {
    }
}
