<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Logs;

/**
 * A line of a log with the lines that belong to it, as those of a traceback.
 */
final readonly class Entry
{
    /** @param list<string> $more the lines that belong to it */
    public function __construct(
        public int $at,
        public ?string $time,
        public ?string $level,
        public string $text,
        public array $more,
        /** How many lines of it are not shown. */
        public int $left,
        /** The source and the like, between time and message. */
        public string $from = '',
    ) {
    }
}
