<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

/**
 * The help of a script and of each of its commands, made from their definitions.
 */
final readonly class Help
{
    public function __construct(private string $name)
    {
    }

    /**
     * @param list<Command> $commands
     * @param list<Option> $common
     */
    public function text(?Command $command, array $commands, array $common): string
    {
        if ($command !== null) {
            return "usage: php {$this->name} {$command->usage()} [OPTION...]\n\n{$command->summary}\n"
                . $this->options("options of {$command->name}", $command->options)
                . $this->options('options of every command', $common)
                . $this->examples($command->examples);
        }
        $lines = [];
        foreach ($commands as $one) {
            $lines[$one->usage()] = $one->summary;
        }

        return "usage: php {$this->name} COMMAND [OPTION...]\n\nKeeps SQLite databases equal on several sides.\n"
            . "\ncommands:\n" . self::columns($lines)
            . $this->options('options', $common)
            . $this->examples(['bidirectional --dry-run', 'conflicts', 'resolve 12 --take website'])
            . "\nexit codes:\n" . self::columns([
                '0' => 'done; a side that was skipped keeps 0',
                '1' => 'done, with new conflicts, or with a database that is held',
                '2' => 'failed',
                '64' => 'wrong command, option or configuration',
                '69' => 'the extension is missing, or no database could be looked at',
                '75' => 'another run is at work',
            ])
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
