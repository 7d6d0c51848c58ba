<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Logs;

/**
 * What a search came to, and where it stopped.
 */
final readonly class Found
{
    /** @param list<Entry> $entries in the direction of the search */
    public function __construct(
        public array $entries,
        /** From where to go on; null where all was looked at. */
        public ?int $next,
        /** How many bytes were looked at. */
        public int $looked,
    ) {
    }
}
