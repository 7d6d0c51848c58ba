<?php

declare(strict_types=1);

namespace Cr0Sync\Tests;

/**
 * What went before in a document: the commands of a story, and what the last ones printed.
 */
final class Story
{
    public string $before = '';
    public string $printed = '';
}
