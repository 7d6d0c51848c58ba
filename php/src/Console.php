<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

/**
 * Where output goes: data to standard output, talk to standard error; colours only on a terminal.
 */
final readonly class Console
{
    /** What is said where a report says that something failed. */
    public const NOT_WELL = 'Not everything went well.';

    private bool $colours;

    public function __construct()
    {
        $plain = getenv('NO_COLOR') !== false || getenv('TERM') === 'dumb';
        $this->colours = !$plain && stream_isatty(STDOUT);
    }

    /** Whoever reads no further, as `head`, has what he wanted: nothing is to be said of it. */
    public function write(string $text): void
    {
        @fwrite(STDOUT, $text);
    }

    public function talk(string $text): void
    {
        @fwrite(STDERR, Text::line($text) . "\n");
    }

    public function paint(string $text, Colour $colour): string
    {
        return $this->colours ? "\e[{$colour->value}m{$text}\e[0m" : $text;
    }

    /** One line about a whole run. */
    public function verdict(string $line, bool $ok, string $otherwise = self::NOT_WELL): string
    {
        return ($ok ? $line : $this->paint("{$line} {$otherwise}", Colour::Bad)) . "\n";
    }
}
