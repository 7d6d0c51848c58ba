<?php

declare(strict_types=1);

namespace Cr0Sync\Tests;

use Cr0Sync\Script\Colour;
use Cr0Sync\Script\Console;
use Cr0Sync\Script\DatabaseText;
use Cr0Sync\Script\Failure;
use Cr0Sync\Script\Table;
use Cr0Sync\Script\Text;
use PHPUnit\Framework\TestCase;

/**
 * What is shown of values and words that come from anywhere.
 */
final class TextTest extends TestCase
{
    /** @return array<string, array{string, string}> */
    public static function lines(): array
    {
        return [
            'plain' => ['a b', 'a b'],
            'letters of any language' => ["\u{e9}\u{4e2d}\u{1f600}", "\u{e9}\u{4e2d}\u{1f600}"],
            'ends of lines' => ["a\r\nb\tc", 'a\r\nb\tc'],
            'what speaks to the terminal' => ["\e[2J\x07", '\u001b[2J\u0007'],
            'what turns letters around' => ["a\u{202e}b", 'a\u202eb'],
            'what counts as an end of a line' => ["a\u{2028}b\u{85}c", 'a\u2028b\u0085c'],
            'no UTF-8' => ["a\xff\e", 'a\xff\u001b'],
            'nothing' => ['', ''],
        ];
    }

    /** @dataProvider lines */
    public function testALineIsSafe(string $text, string $shown): void
    {
        self::assertSame($shown, Text::line($text));
    }

    /** @return array<string, array{mixed, string}> */
    public static function values(): array
    {
        return [
            'nothing' => [null, 'NULL'],
            'text' => ['a"b', '"a\"b"'],
            'a number' => [9007199254740993, '9007199254740993'],
            'a number with a fraction' => [1.0, '1.0'],
            'what is hidden' => [['redacted' => true], '(hidden)'],
            'what is not quite that' => [['redacted' => 1], '{"redacted":1}'],
            'a path' => ['/a/b', '"/a/b"'],
            'long' => [str_repeat("\u{e9}", 300), '"' . str_repeat("\u{e9}", 239) . '...'],
        ];
    }

    /** @dataProvider values */
    public function testAValue(mixed $value, string $shown): void
    {
        self::assertSame($shown, Text::value($value));
    }

    public function testARowAndNumbers(): void
    {
        self::assertSame('id=1 na\nme="x"', Text::row(['id' => 1, "na\nme" => 'x']));
        self::assertSame('1 file, 0 files', Text::count(1, 'file', 'files') . ', ' . Text::count(0, 'file', 'files'));
        self::assertSame("a\n\\u001bb\n", Text::lines(['a', "\eb"]));
    }

    public function testATableKeepsItsColumns(): void
    {
        $table = new Table(['name', 'rows', 'what']);
        self::assertTrue($table->isEmpty());
        // One letter of two code points is one column wide, and a number goes to the right.
        $table->add(["e\u{301}", 1000, "a\nb"], Colour::Bad);
        $table->add(['long name', 7, '']);
        self::assertFalse($table->isEmpty());
        $console = new Console();
        self::assertSame(
            "name       rows  what\ne\u{301}          1000  a\\nb\nlong name     7\n",
            preg_replace('/\e\[\d*m/', '', $table->text($console)),
        );
    }

    public function testAFailureIsTheDocumentOfAnError(): void
    {
        self::assertSame(
            '{"schema":1,"ok":false,"error":{"kind":"usage","message":"no /x","path":null,"hint":"a \ufffd"}}',
            str_replace("\u{fffd}", '\ufffd', Failure::usage('no /x', "a \xff")->json()),
        );
    }

    /** A run that is on record for what it said alone takes a place in the history, so it has a line. */
    public function testARunThatChangedNothingHasItsLine(): void
    {
        $unchanged = ['state' => 'unchanged', 'conflicts' => 0, 'sides' => []];
        $run = ['run' => '7', 'at' => 'then', 'kind' => 'sync', 'duration_ms' => 3];
        $databases = ['notes' => $unchanged, 'users' => $unchanged];
        $text = (new DatabaseText(new Console()))->history(['runs' => [[...$run, 'databases' => $databases]]]);
        self::assertMatchesRegularExpression('/^7 +then +sync +3 +unchanged( +0){5} *$/m', $text);
        $databases['users']['state'] = 'synced';
        $text = (new DatabaseText(new Console()))->history(['runs' => [[...$run, 'databases' => $databases]]]);
        self::assertMatchesRegularExpression('/^7 +then +sync +3 +users +synced( +0){5} *$/m', $text);
        self::assertStringNotContainsString('unchanged', $text);
    }
}
