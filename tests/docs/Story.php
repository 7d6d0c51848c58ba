<?php

declare(strict_types=1);

namespace Cr0Sync\Tests;

/**
 * What went before in a document: the terminal of a story, and what was printed there last.
 */
final class Story
{
    public string $printed = '';
    /** It needs what this machine does not have. */
    public bool $isPassedOver = false;
    public int $passedOver = 0;
    /** What every story of the document begins with. */
    private string $first = '';
    private ?Checkout $checkout = null;
    private ?Shell $shell = null;

    /** Another story, which has nothing of the one before. */
    public function begin(string $root, Stage $stage): string
    {
        $this->end();
        $this->isPassedOver = !$stage->canBe();
        if ($this->isPassedOver) {
            ++$this->passedOver;

            return '';
        }
        $this->checkout = new Checkout($root, $stage);
        $this->shell = new Shell($this->checkout);

        return $this->quietly($this->first);
    }

    /** That every story begins with this from now on. */
    public function always(string $text): void
    {
        $this->first .= $text;
    }

    public function end(): void
    {
        $this->shell = null;
        $this->checkout = null;
        $this->isPassedOver = false;
    }

    /** What nobody reads; what it says of what went wrong. */
    public function quietly(string $text): string
    {
        [, , $said] = $text === '' ? [0, '', ''] : $this->shell->type("{$text}\n");

        return $said;
    }

    /** @return array{int, string, string} what it ended with, what it printed, and standard error */
    public function typed(string $text): array
    {
        return $this->shell->type("{$text}\n");
    }

    /** Whether the document has a block that each story begins with. */
    public function hasBeginning(): bool
    {
        return $this->first !== '';
    }

    /** What is typed; what is wrong with that, or null. */
    public function goOn(string $text, ?int $expected): ?string
    {
        if ($this->shell === null) {
            return 'no story has begun';
        }
        [$code, $out, $err] = $this->shell->type($text, $expected === null ? '2>errors' : '2>&1');
        $this->printed = $this->checkout->told($out);
        $isWell = $expected === null ? $err === '' && in_array($code, [0, 1], true) : $code === $expected;

        return $isWell ? null : "ended with {$code} and said\n{$out}{$err}";
    }
}
