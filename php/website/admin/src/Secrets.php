<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

/**
 * Hides what lets somebody in, in text that others wrote: lines of logs, and events of the site's own pages. The
 * library hides it in what it writes itself.
 *
 * Of a key or a token of ours its id stays, which says whose it was, as the library leaves it too.
 */
final class Secrets
{
    public const HIDDEN = '(hidden)';

    /** Parts of names under which there are secrets, in small letters and digits only. */
    private const NAMES = '/pass|pwd|token|secret|apikey|privatekey|authori[sz]ation|bearer|cookie|csrf|hash|2fa|otp/';
    private const PATTERNS = [
        // What stands behind this word in a header is a secret of whatever shape, but no word.
        '~\b(bearer[\s"\':=]{1,8})(?=\S*\d)[0-9a-z._\~+/=-]{16,}~i' => '$1' . self::HIDDEN,
        '/(cr[ks]_[0-9A-Za-z]{16})[0-9A-Za-z_-]+/' => '$1' . self::HIDDEN,
        // Keys of old are 64 hexadecimal digits, as digests of files are: only the word before tells them apart.
        '/((?:key|bearer|token|secret|authori[sz]ation|cookie|session)[^0-9a-z]{1,8}(?:bearer\s+)?)[0-9a-f]{64,}/i'
            => '$1' . self::HIDDEN,
    ];

    /** A text without them. */
    public static function hide(string $text): string
    {
        return preg_replace(array_keys(self::PATTERNS), array_values(self::PATTERNS), $text) ?? self::HIDDEN;
    }

    /** Whether a name says that a secret is under it, whatever it is. */
    public static function isNamed(int|string $name): bool
    {
        $letters = preg_replace('/[^a-z0-9]/', '', strtolower((string) $name));

        return preg_match(self::NAMES, (string) $letters) === 1;
    }
}
