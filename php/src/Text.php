<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

/**
 * Values and words of any origin as text that is safe to show: nothing in it can end a line or speak to the terminal.
 */
final class Text
{
    /** Longer values are cut; `--json` has them whole. */
    private const LONGEST = 240;

    /** One line, whatever is in it. */
    public static function line(string $text): string
    {
        if (preg_match('//u', $text) !== 1) {
            $text = preg_replace_callback(
                '/[\x80-\xff]/',
                static fn (array $byte): string => sprintf('\x%02x', ord($byte[0])),
                $text,
            );
        }

        return (string) preg_replace_callback('/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u', static function (array $found): string {
            return match ($found[0]) {
                "\n" => '\n',
                "\r" => '\r',
                "\t" => '\t',
                default => trim((string) json_encode($found[0]), '"'),
            };
        }, (string) $text);
    }

    /** A value as JSON shows it, but for NULL and what is hidden. */
    public static function value(mixed $value): string
    {
        if ($value === null) {
            return 'NULL';
        }
        if ($value === ['redacted' => true]) {
            return '(hidden)';
        }
        $flags = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_PRESERVE_ZERO_FRACTION;
        $text = self::line((string) json_encode($value, $flags | JSON_INVALID_UTF8_SUBSTITUTE));
        if (self::width($text) <= self::LONGEST) {
            return $text;
        }
        preg_match('/^.{' . self::LONGEST . '}/us', $text, $start);

        return ($start[0] ?? '') . '...';
    }

    /**
     * Columns and their values.
     *
     * @param array<string, mixed> $row
     */
    public static function row(array $row): string
    {
        $cells = [];
        foreach ($row as $column => $value) {
            $cells[] = self::line((string) $column) . '=' . self::value($value);
        }

        return implode(' ', $cells);
    }

    /**
     * Each on a line of its own.
     *
     * @param list<string> $lines
     */
    public static function lines(array $lines): string
    {
        return implode('', array_map(static fn (string $line): string => self::line($line) . "\n", $lines));
    }

    /** A number of things. */
    public static function count(int $number, string $one, string $many): string
    {
        return "{$number} " . ($number === 1 ? $one : $many);
    }

    public static function width(string $text): int
    {
        return (int) preg_match_all('/\X/u', $text);
    }
}
