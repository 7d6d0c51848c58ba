<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

/**
 * One option of the command line, without its dashes.
 */
final readonly class Option
{
    private function __construct(
        public string $name,
        public string $help,
        /** What stands for the value in the help; none for a switch. */
        public ?string $value,
        public bool $repeatable,
    ) {
    }

    public static function switch(string $name, string $help): self
    {
        return new self($name, $help, null, false);
    }

    public static function value(string $name, string $value, string $help): self
    {
        return new self($name, $help, $value, false);
    }

    public static function values(string $name, string $value, string $help): self
    {
        return new self($name, $help, $value, true);
    }

    /** What cron writes into its logs. */
    public static function line(): self
    {
        return self::switch('line', 'one line about all of it, then one for each thing to look at; none for nothing');
    }

    public function usage(): string
    {
        return $this->value === null ? "--{$this->name}" : "--{$this->name} {$this->value}";
    }
}
