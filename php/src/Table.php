<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

/**
 * A short table: a line of headings, columns as wide as they need to be, numbers to the right.
 */
final class Table
{
    /** @var list<array{list<string|int>, ?Colour}> */
    private array $rows = [];

    /** @param list<string> $headings */
    public function __construct(private readonly array $headings)
    {
    }

    /** @param list<string|int> $cells */
    public function add(array $cells, ?Colour $colour = null): void
    {
        $this->rows[] = [$cells, $colour];
    }

    public function isEmpty(): bool
    {
        return $this->rows === [];
    }

    public function text(Console $console): string
    {
        $widths = array_map(Text::width(...), $this->headings);
        $numeric = array_fill(0, count($widths), false);
        foreach ($this->rows as [$cells]) {
            foreach ($cells as $column => $cell) {
                $widths[$column] = max($widths[$column], Text::width(Text::line((string) $cell)));
                $numeric[$column] = $numeric[$column] || is_int($cell);
            }
        }
        $lines = [$this->format($this->headings, $widths, $numeric, $console, Colour::Heading)];
        foreach ($this->rows as [$cells, $colour]) {
            $lines[] = $this->format($cells, $widths, $numeric, $console, $colour);
        }

        return implode("\n", $lines) . "\n";
    }

    /**
     * @param list<string|int> $cells
     * @param list<int> $widths
     * @param list<bool> $numeric
     */
    private function format(array $cells, array $widths, array $numeric, Console $console, ?Colour $colour): string
    {
        $line = '';
        foreach ($cells as $column => $cell) {
            $text = Text::line((string) $cell);
            $space = str_repeat(' ', $widths[$column] - Text::width($text));
            $line .= ($numeric[$column] ? $space . $text : $text . $space) . '  ';
        }
        $line = rtrim($line);

        return $colour === null ? $line : $console->paint($line, $colour);
    }
}
