<?php

declare(strict_types=1);

namespace Cr0Sync\Tests;

use PHPUnit\Framework\TestCase;
use Playground;

/**
 * What all scripts have in common: help, refusals, one JSON document, and nothing for visitors of a website.
 */
final class EveryScriptTest extends TestCase
{
    /** @return array<string, array{string}> */
    public static function scripts(): array
    {
        return array_combine(Scripts::ALL, array_map(static fn (string $script): array => [$script], Scripts::ALL));
    }

    /** @return array<string, array{string, list<string>}> */
    public static function commands(): array
    {
        return Scripts::commands();
    }

    /** @dataProvider scripts */
    public function testHelpNamesTheCommandsAndTheExitCodes(string $script): void
    {
        $said = Scripts::run($script, ['--help'])->endedWith(0)->quietly();
        self::assertStringStartsWith("usage: php {$script} COMMAND [OPTION...]\n", $said->out);
        foreach (Scripts::commands() as [$of, $words]) {
            if ($of === $script) {
                self::assertMatchesRegularExpression("/^  {$words[0]}\\b.*  \\S/m", $said->out);
            }
        }
        foreach ([0, 2, 64, 69, 75] as $code) {
            self::assertMatchesRegularExpression("/^  {$code} +\\S/m", $said->out);
        }
        self::assertSame($said->out, Scripts::run($script, ['-h'])->out);
        self::assertSame($said->out, Scripts::withoutExtension($script, ['--help'])->out, 'help needs no extension');
    }

    /** @dataProvider commands */
    public function testHelpOfACommandHasExamplesThatAreUnderstood(string $script, array $words): void
    {
        $said = Scripts::run($script, [$words[0], '--help'])->endedWith(0)->quietly();
        self::assertStringStartsWith("usage: php {$script} {$words[0]}", $said->out);
        $all = Scripts::run($script, ['--help']);
        preg_match_all("/^  php {$script} (.*)$/m", $said->out . $all->out, $examples);
        self::assertNotEmpty($examples[1]);
        foreach ($examples[1] as $example) {
            // What is understood goes on to the extension, which is not there.
            Scripts::withoutExtension($script, str_getcsv($example, ' ', "'", '\\'))->endedWith(69);
        }
    }

    /** @dataProvider commands */
    public function testWithoutTheExtension(string $script, array $words): void
    {
        $said = Scripts::withoutExtension($script, $words)->endedWith(69);
        $said->complained('the PHP extension cr0sync is not loaded', 'make install');
        $document = Scripts::withoutExtension($script, [...$words, '--json'])->endedWith(69)->document();
        self::assertFalse($document['ok']);
        self::assertSame('unavailable', $document['error']['kind']);
    }

    /** @dataProvider commands */
    public function testARootThatIsNotThereIsNotMade(string $script, array $words): void
    {
        $root = sys_get_temp_dir() . '/cr0sync-not-there-' . bin2hex(random_bytes(4));
        $said = Scripts::run($script, [...$words, '--root', $root])->endedWith(64);
        $said->complained("there is no directory {$root}", 'make it, or name another with --root');
        $document = Scripts::run($script, [...$words, "--root={$root}", '--json'])->endedWith(64)->document();
        self::assertSame("there is no directory {$root}", $document['error']['message']);
        self::assertDirectoryDoesNotExist($root);
    }

    /** @dataProvider commands */
    public function testAConfigurationThatIsNotThere(string $script, array $words): void
    {
        $file = sys_get_temp_dir() . '/cr0sync-not-there.json';
        $said = Scripts::run($script, [...$words, '--config', $file, '--json'])->endedWith(64);
        // The two halves of a cleanup each say it.
        $document = $said->document();
        $error = $document['error'] ?? $document['limits']['error'];
        self::assertSame('config', $error['kind']);
        self::assertStringContainsString($file, $error['message'] . $error['path']);
    }

    /** @dataProvider scripts */
    public function testAConfigurationThatMakesNoSense(string $script): void
    {
        $ground = new Playground();
        file_put_contents($ground->config, '{"version": 1, "hub": 7}');
        $said = Scripts::on($ground, $script, 'status')->endedWith(64);
        self::assertSame('', $said->out);
        self::assertStringContainsString('hub', $said->err);
        file_put_contents($ground->config, '{"version": 1');
        $said = Scripts::on($ground, $script, 'status')->endedWith(64);
        self::assertStringContainsString($ground->config, $said->err);
    }

    /** @dataProvider scripts */
    public function testACommandLineThatMakesNoSense(string $script): void
    {
        Scripts::run($script, [])->endedWith(64)->complained('no command is given', '--help lists them');
        Scripts::run($script, ['statsu'])->endedWith(64)->complained('unknown command statsu', 'did you mean status?');
        Scripts::run($script, ['status', '--jsn'])->endedWith(64)
            ->complained('unknown option --jsn', 'did you mean --json?');
        Scripts::run($script, ['status', 'x'])->endedWith(64)
            ->complained('status does not know what to do with x', 'write status');
        $document = Scripts::run($script, ['statsu', '--json'])->endedWith(64)->document();
        self::assertSame(
            ['usage', 'unknown command statsu', null, 'did you mean status?'],
            array_values($document['error']),
        );
    }

    /** @dataProvider scripts */
    public function testAVisitorOfTheWebsiteGetsNothing(string $script): void
    {
        $pipes = [];
        $server = proc_open(
            [
                PHP_BINARY,
                '-n',
                '-d',
                'extension=' . getenv('CR0SYNC_EXTENSION'),
                '-S',
                '127.0.0.1:0',
                '-t',
                getenv('CR0SYNC_PHP') . '/website',
            ],
            [0 => ['file', '/dev/null', 'r'], 1 => ['file', '/dev/null', 'w'], 2 => ['pipe', 'w']],
            $pipes,
        );
        try {
            // It says where it listens, once it does.
            $line = (string) fgets($pipes[2]);
            self::assertSame(1, preg_match('~(http://127\.0\.0\.1:\d+)~', $line, $address), $line);
            $plain = stream_context_create(['http' => ['ignore_errors' => true]]);
            $page = file_get_contents("{$address[1]}/{$script}?status", false, $plain);
            self::assertSame('', $page);
            self::assertStringContainsString(' 403 ', $http_response_header[0]);
        } finally {
            proc_terminate($server);
            proc_close($server);
        }
    }
}
