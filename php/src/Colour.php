<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

/**
 * The few colours in use, by what they mean.
 */
enum Colour: string
{
    case Good = '32';
    case Look = '33';
    case Bad = '31';
    case Heading = '1';
    case Faint = '2';

    public static function ofState(string $state): self
    {
        return match ($state) {
            'synced', 'restored', 'done', 'merged', 'rotated', 'ok' => self::Good,
            'failed', 'quarantined', 'problem', 'bad' => self::Bad,
            'held', 'skipped', 'open', 'pending' => self::Look,
            default => self::Faint,
        };
    }
}
