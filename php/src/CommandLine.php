<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

/**
 * A command line that made sense: a command, its operands, and options before or after it.
 *
 * Knows how options are written, not what they mean.
 */
final readonly class CommandLine
{
    /**
     * @param list<string> $operands
     * @param array<string, string|true|list<string>> $options
     */
    private function __construct(public ?Command $command, public array $operands, private array $options)
    {
    }

    /**
     * @param list<string> $words without the name of the script
     * @param list<Command> $commands
     * @param list<Option> $common options that every command knows
     */
    public static function parse(array $words, array $commands, array $common): self
    {
        $known = [];
        foreach ([$common, ...array_map(static fn (Command $one): array => $one->options, $commands)] as $options) {
            foreach ($options as $option) {
                $known[$option->name] = $option;
            }
        }
        $operands = [];
        $given = [];
        while ($words !== []) {
            $word = array_shift($words);
            if ($word === '--') {
                array_push($operands, ...$words);
                break;
            }
            $word = match ($word) {
                '-h' => '--help',
                '-q' => '--quiet',
                default => $word,
            };
            if ($word === '-' || !str_starts_with($word, '-')) {
                $operands[] = $word;
                continue;
            }
            [$name, $value] = [...explode('=', ltrim($word, '-'), 2), null];
            $option = str_starts_with($word, '--') ? $known[$name] ?? null : null;
            if ($option === null) {
                $nearest = self::nearest($name, array_keys($known));
                throw Failure::usage(
                    'unknown option ' . explode('=', $word, 2)[0],
                    $nearest === null ? '--help lists them all' : "did you mean --{$nearest}?",
                );
            }
            if ($option->value === null && $value !== null) {
                throw Failure::usage("--{$name} takes no value", "leave out ={$value}");
            }
            if ($option->value !== null) {
                // What looks like an option is one: its value would be forgotten, and a directory of that name made.
                $value ??= str_starts_with($words[0] ?? '', '--') ? null : array_shift($words);
                if ($value === null || $value === '') {
                    throw Failure::usage("--{$name} needs a value", "write {$option->usage()}");
                }
            }
            if (isset($given[$name]) && $option->value !== null && !$option->repeatable) {
                throw Failure::usage("--{$name} is given twice", 'leave one of them out');
            }
            if ($option->repeatable) {
                $given[$name][] = $value;
            } else {
                $given[$name] = $value ?? true;
            }
        }
        $command = self::command(array_shift($operands), $commands);
        $line = new self($command, $operands, $given);
        if ($command !== null && !$line->has('help')) {
            $line->check($command, $common);
        }

        return $line;
    }

    public function has(string $option): bool
    {
        return isset($this->options[$option]);
    }

    public function value(string $option): ?string
    {
        $value = $this->options[$option] ?? null;

        return is_string($value) ? $value : null;
    }

    /** @return list<string> */
    public function values(string $option): array
    {
        $values = $this->options[$option] ?? [];

        return is_array($values) ? $values : [];
    }

    /** @param list<Command> $commands */
    private static function command(?string $name, array $commands): ?Command
    {
        foreach ($commands as $command) {
            if ($command->name === $name) {
                return $command;
            }
        }
        if ($name === null) {
            return null;
        }
        $names = array_map(static fn (Command $one): string => $one->name, $commands);
        $nearest = self::nearest($name, $names);
        throw Failure::usage(
            "unknown command {$name}",
            $nearest === null ? 'commands are: ' . implode(', ', $names) : "did you mean {$nearest}?",
        );
    }

    /** @param list<Option> $common */
    private function check(Command $command, array $common): void
    {
        $names = array_map(static fn (Option $one): string => $one->name, $common);
        foreach (array_keys($this->options) as $name) {
            if (!in_array($name, $names, true) && !$command->knows($name)) {
                throw Failure::usage("{$command->name} has no option --{$name}", "see {$command->name} --help");
            }
        }
        $count = count($this->operands);
        if ($count < $command->least || $count > $command->most) {
            $what = $count < $command->least
                ? 'is not complete'
                : "does not know what to do with {$this->operands[$command->most]}";
            throw Failure::usage("{$command->name} {$what}", "write {$command->usage()}");
        }
    }

    /** @param list<string> $names */
    private static function nearest(string $name, array $names): ?string
    {
        $best = null;
        $least = 1 + intdiv(strlen($name), 3);
        foreach ($names as $one) {
            $distance = levenshtein($name, $one);
            $starts = strlen($name) > 2 && str_starts_with($one, $name);
            if ($starts || $distance <= $least) {
                $least = $starts ? 0 : $distance;
                $best = $one;
            }
        }

        return $best;
    }
}
