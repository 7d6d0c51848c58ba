<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Logs;

use RuntimeException;

/**
 * Why a log cannot be shown, in words for the page.
 */
final class Unreadable extends RuntimeException
{
}
