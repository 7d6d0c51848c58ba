<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

use RuntimeException;

/**
 * What somebody asks for is not there, as a page, run or conflict that no list has: said in the layout of the pages,
 * and with 404.
 */
final class NotThere extends RuntimeException
{
    public function __construct(string $why, public readonly Html $back)
    {
        parent::__construct($why);
    }
}
