<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

/**
 * What scripts end with where no run says so. The codes of runs and of errors come from the library.
 */
enum ExitCode: int
{
    case Done = 0;
    case Failed = 2;
    case Usage = 64;
    case Unavailable = 69;
    case Locked = 75;
}
