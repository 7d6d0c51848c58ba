<?php

declare(strict_types=1);

namespace Cr0Sync\Tests;

use Cr0Sync\Script\Command;
use Cr0Sync\Script\CommandLine;
use Cr0Sync\Script\ExitCode;
use Cr0Sync\Script\Failure;
use Cr0Sync\Script\Option;
use PHPUnit\Framework\TestCase;

/**
 * How a command line is read, and what is said of one that makes no sense.
 */
final class CommandLineTest extends TestCase
{
    /** @return array<string, array{string, ?string, list<string>, array<string, string|bool|list<string>>}> */
    public static function understood(): array
    {
        return [
            'nothing' => ['', null, [], []],
            'a command' => ['show', 'show', [], ['quiet' => false]],
            'an operand' => ['copy a', 'copy', ['a'], []],
            'several operands' => ['copy a b', 'copy', ['a', 'b'], []],
            'a switch after the command' => ['show --quiet', 'show', [], ['quiet' => true]],
            'a switch before the command' => ['--quiet show', 'show', [], ['quiet' => true]],
            'a short switch' => ['show -q', 'show', [], ['quiet' => true]],
            'a switch that is given twice' => ['show -q --quiet', 'show', [], ['quiet' => true]],
            'help alone' => ['-h', null, [], ['help' => true]],
            'help of what is not complete' => ['copy --help', 'copy', [], ['help' => true]],
            'a value' => ['show --config x', 'show', [], ['config' => 'x']],
            'a value behind =' => ['show --config=x', 'show', [], ['config' => 'x']],
            'a value with =' => ['show --config=x=y', 'show', [], ['config' => 'x=y']],
            'a value that begins with a dash' => ['show --config -x', 'show', [], ['config' => '-x']],
            'a value that looks like an option' => ['show --config=--quiet', 'show', [], ['config' => '--quiet']],
            'what may be repeated' => ['show --name a --name=b', 'show', [], ['name' => ['a', 'b']]],
            'what may be repeated, and is not there' => ['show', 'show', [], ['name' => []]],
            'an option of the command' => ['copy a --deep', 'copy', ['a'], ['deep' => true]],
            'a dash is an operand' => ['copy -', 'copy', ['-'], []],
            'operands behind --' => ['copy -- --quiet', 'copy', ['--quiet'], ['quiet' => false]],
        ];
    }

    /**
     * @dataProvider understood
     * @param list<string> $operands
     * @param array<string, string|bool|list<string>> $options
     */
    public function testIsUnderstood(string $words, ?string $command, array $operands, array $options): void
    {
        $line = self::parse($words);
        self::assertSame($command, $line->command?->name);
        self::assertSame($operands, $line->operands);
        foreach ($options as $name => $value) {
            self::assertSame($value, match (true) {
                is_bool($value) => $line->has($name),
                is_array($value) => $line->values($name),
                default => $line->value($name),
            }, $name);
        }
    }

    /** @return array<string, array{string, string, string}> */
    public static function refused(): array
    {
        return [
            'an unknown command' => ['fly', 'unknown command fly', 'commands are: show, copy'],
            'a command with a slip' => ['shwo', 'unknown command shwo', 'did you mean show?'],
            'the beginning of a command' => ['cop', 'unknown command cop', 'did you mean copy?'],
            'an unknown option' => ['show --zzzzzz', 'unknown option --zzzzzz', '--help lists them all'],
            'an option with a slip' => ['show --qiet', 'unknown option --qiet', 'did you mean --quiet?'],
            'an unknown option with a value' => ['show --confg=x', 'unknown option --confg', 'did you mean --config?'],
            'an unknown short option' => ['show -x', 'unknown option -x', '--help lists them all'],
            'one dash for two' => ['show -quiet', 'unknown option -quiet', 'did you mean --quiet?'],
            'a value for a switch' => ['show --quiet=1', '--quiet takes no value', 'leave out =1'],
            'no value' => ['show --config', '--config needs a value', 'write --config FILE'],
            'an empty value' => ['show --config=', '--config needs a value', 'write --config FILE'],
            'an option for a value' => ['show --config --quiet', '--config needs a value', 'write --config FILE'],
            'a value twice' => ['show --config a --config b', '--config is given twice', 'leave one of them out'],
            'an option of another command' => ['show --deep', 'show has no option --deep', 'see show --help'],
            'too few operands' => ['copy', 'copy is not complete', 'write copy FROM [TO]'],
            'too many operands' => ['copy a b c', 'copy does not know what to do with c', 'write copy FROM [TO]'],
            'an operand for nothing' => ['show x', 'show does not know what to do with x', 'write show'],
        ];
    }

    /** @dataProvider refused */
    public function testIsRefused(string $words, string $message, string $hint): void
    {
        try {
            self::parse($words);
        } catch (Failure $failure) {
            self::assertSame($message, $failure->getMessage());
            self::assertSame($hint, $failure->hint);
            self::assertSame(ExitCode::Usage, $failure->exit);

            return;
        }
        self::fail('it was understood');
    }

    private static function parse(string $words): CommandLine
    {
        $none = static fn (CommandLine $line): array => [];
        $commands = [
            new Command('show', '', 0, 0, 'shows', '', $none),
            new Command('copy', 'FROM [TO]', 1, 2, 'copies', '', $none, [Option::switch('deep', 'all of it')]),
        ];
        $common = [
            Option::value('config', 'FILE', 'a file'),
            Option::values('name', 'NAME', 'names'),
            Option::switch('quiet', 'says less'),
            Option::switch('help', 'help'),
        ];

        return CommandLine::parse($words === '' ? [] : explode(' ', $words), $commands, $common);
    }
}
