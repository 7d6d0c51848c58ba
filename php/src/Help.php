<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

/**
 * The help of a script and of each of its commands, made from their definitions.
 */
final readonly class Help
{
    /**
     * @param string $name of the script
     * @param string $what it does
     * @param list<string> $examples
     * @param array<int|string, string> $exitCodes
     */
    public function __construct(
        private string $name,
        private string $what,
        private array $examples,
        private array $exitCodes,
    ) {
    }

    /**
     * @param list<Command> $commands
     * @param list<Option> $common
     */
    public function text(?Command $command, array $commands, array $common): string
    {
        if ($command !== null) {
            return "usage: php {$this->name} {$command->usage()} [OPTION...]\n\n{$command->summary}\n"
                . ($command->more === '' ? '' : "\n{$command->more}\n")
                . $this->options("options of {$command->name}", $command->options)
                . $this->options('options of every command', $common)
                . $this->examples($command->examples);
        }
        $lines = [];
        foreach ($commands as $one) {
            $lines[$one->usage()] = $one->summary;
        }

        return "usage: php {$this->name} COMMAND [OPTION...]\n\n{$this->what}\n"
            . "\ncommands:\n" . self::columns($lines)
            . $this->options('options', $common)
            . $this->examples($this->examples)
            . "\nexit codes:\n" . self::columns($this->exitCodes)
            . "\nThe configuration is looked for in --config, the environment variable CR0SYNC_CONFIG,\n"
            . "the ini setting cr0sync.config, and cr0sync.json below the root. COMMAND --help tells more.\n";
    }

    /** @param list<Option> $options */
    private function options(string $title, array $options): string
    {
        $lines = [];
        foreach ($options as $option) {
            $lines[$option->usage()] = $option->help;
        }

        return $lines === [] ? '' : "\n{$title}:\n" . self::columns($lines);
    }

    /** @param list<string> $examples */
    private function examples(array $examples): string
    {
        $lines = array_map(fn (string $example): string => "  php {$this->name} {$example}\n", $examples);

        return $lines === [] ? '' : "\nexamples:\n" . implode('', $lines);
    }

    /** @param array<int|string, string> $lines */
    private static function columns(array $lines): string
    {
        $width = max(array_map(static fn (int|string $left): int => strlen((string) $left), array_keys($lines)));
        $text = '';
        foreach ($lines as $left => $right) {
            $text .= '  ' . str_pad((string) $left, $width) . "  {$right}\n";
        }

        return $text;
    }
}
