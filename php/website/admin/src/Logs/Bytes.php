<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Logs;

/**
 * The bytes of a log by their position, whether it is packed or not.
 */
interface Bytes
{
    /** What is there from this position on; shorter only at the end, or where it may not be read any further. */
    public function read(int $at, int $length): string;

    /** Up to where it can be read. */
    public function end(): int;

    /** Whether going back is as cheap as going on. */
    public function goesBack(): bool;

    /** Why there is more than can be read here; null where there is not. */
    public function limit(): ?string;
}
