<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

use Closure;

/**
 * One command of a script: what may follow it, and which function of the extension it stands for.
 */
final readonly class Command
{
    /**
     * @param list<Option> $options the options that only this command knows
     * @param Closure(CommandLine): list<mixed> $arguments what the function is called with
     * @param list<string> $examples
     * @param null|Closure(CommandLine): array{string, array<string, mixed>} $request the action and arguments that
     *     stand for it in the queue
     * @param string $more what its own help says beside the summary, in lines that fit a terminal
     */
    public function __construct(
        public string $name,
        public string $operands,
        public int $least,
        public int $most,
        public string $summary,
        public string $function,
        public Closure $arguments,
        public array $options = [],
        public array $examples = [],
        public ?Closure $request = null,
        public string $more = '',
    ) {
    }

    public function usage(): string
    {
        return rtrim("{$this->name} {$this->operands}");
    }

    public function knows(string $option): bool
    {
        return in_array($option, array_map(static fn (Option $one): string => $one->name, $this->options), true);
    }
}
