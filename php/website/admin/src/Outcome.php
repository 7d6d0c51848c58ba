<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

/**
 * What a form led to: what to tell, and the values of the address of the same page that is shown next. Without anything
 * to tell, that page is to look at what no link looks at.
 */
final readonly class Outcome
{
    /** @param array<string, string|int> $query without the name of the page */
    public function __construct(public ?Notice $notice, public array $query = [])
    {
    }
}
