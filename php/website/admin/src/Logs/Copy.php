<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Logs;

/**
 * A file that can be looked at: the copy of a side, a part of an archive, or a log of our own.
 */
final readonly class Copy
{
    public function __construct(
        /** What names it in an address; never a path. */
        public string $key,
        public string $label,
        public string $path,
        public bool $isOld = false,
    ) {
    }

    public function isPacked(): bool
    {
        return str_ends_with($this->path, '.gz');
    }
}
