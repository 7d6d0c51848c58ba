<?php

declare(strict_types=1);

namespace Cr0Sync\Tests;

use PHPUnit\Framework\Assert;

/**
 * What a script said, and how it ended.
 */
final readonly class Said
{
    /** @param array{int, string, string} $answer exit code, standard output, standard error */
    public static function of(array $answer): self
    {
        return new self(...$answer);
    }

    private function __construct(public int $code, public string $out, public string $err)
    {
    }

    /** It ended like this, and all of its talk was on the right side. */
    public function endedWith(int $code): self
    {
        Assert::assertSame($code, $this->code, "{$this->out}{$this->err}");
        Assert::assertDoesNotMatchRegularExpression(
            '/Warning|Notice|Deprecated|Fatal|Stack trace|mistake in the script/',
            $this->out . $this->err,
        );

        return $this;
    }

    /** Data only: nothing on standard error. */
    public function quietly(): self
    {
        Assert::assertSame('', $this->err, 'standard error');

        return $this;
    }

    /** It was refused, on standard error only, in a line that says what, and one that says what to do. */
    public function complained(string $what, string $hint): void
    {
        Assert::assertSame('', $this->out, 'standard output');
        $lines = explode("\n", rtrim($this->err, "\n"));
        Assert::assertCount(2, $lines, $this->err);
        Assert::assertMatchesRegularExpression('/^\w+_script\.php: /', $lines[0]);
        Assert::assertStringEndsWith($what, $lines[0]);
        Assert::assertStringStartsWith('  ', $lines[1]);
        Assert::assertStringContainsString($hint, $lines[1]);
    }

    /**
     * The one document that it printed, and nothing else.
     *
     * @return array<string, mixed>
     */
    public function document(): array
    {
        $this->quietly();
        Assert::assertSame(1, substr_count($this->out, "\n"), 'one document on one line');
        Assert::assertStringEndsWith("\n", $this->out);
        $document = json_decode($this->out, true, 512, JSON_THROW_ON_ERROR);
        Assert::assertSame(1, $document['schema'] ?? null);

        return $document;
    }

    /** The row of a table that begins with these words, with one space between cells. */
    public function row(string $begins): string
    {
        foreach (explode("\n", $this->out) as $line) {
            $line = (string) preg_replace('/ +/', ' ', $line);
            if (str_starts_with($line, $begins)) {
                return $line;
            }
        }
        Assert::fail("no row begins with {$begins}:\n{$this->out}");
    }
}
