<?php

declare(strict_types=1);

namespace Cr0Sync\Tests;

use Logs;
use PHPUnit\Framework\TestCase;
use Playground;
use Site;

/**
 * What the scripts say with `--line`, which the logs of cron are made of.
 */
final class LineTest extends TestCase
{
    public function testARunThatDoesNothingSaysNothing(): void
    {
        $ground = new Playground();
        $ground->sql(null, 'CREATE TABLE t (id INTEGER PRIMARY KEY, x)');
        Scripts::on($ground, Scripts::DATABASES, 'bidirectional')->endedWith(0);
        $said = Scripts::on($ground, Scripts::DATABASES, 'bidirectional', '--line')->endedWith(0)->quietly();
        self::assertSame('', $said->out);
        $said = Scripts::on($ground, Scripts::DATABASES, 'clean-backups', '--line')->endedWith(0)->quietly();
        self::assertSame('', $said->out);
    }

    public function testADatabaseThatNobodyHasIsNoNews(): void
    {
        $ground = new Playground();
        foreach (['--line', '--quiet'] as $option) {
            $said = Scripts::on($ground, Scripts::DATABASES, 'bidirectional', $option)->endedWith(0)->quietly();
            self::assertSame('', $said->out);
        }
        $said = Scripts::on($ground, Scripts::DATABASES, 'bidirectional')->endedWith(0)->quietly();
        self::assertStringContainsString('no side has a database yet', $said->out);
    }

    public function testARunIsOneLine(): void
    {
        $ground = new Playground();
        $ground->sql(null, 'CREATE TABLE t (id INTEGER PRIMARY KEY, x)', "INSERT INTO t VALUES (1, 'a'), (2, 'b')");
        Scripts::on($ground, Scripts::DATABASES, 'bidirectional')->endedWith(0);
        $ground->sql('website', "INSERT INTO t VALUES (3, 'c'), (4, 'd')", "UPDATE t SET x = 'A' WHERE id = 1");
        $ground->sql('central', 'DELETE FROM t WHERE id = 2');
        $line = '1 of 1 database %s: 2 inserted, 1 updated, 1 deleted; 0 ms';
        foreach (
            [
                'would be synced' => ['--dry-run', ' (dry run, nothing was changed)'],
                'synced' => [null, ''],
            ] as $word => [$option, $end]
        ) {
            $words = array_filter(['bidirectional', '--line', $option]);
            $said = Scripts::on($ground, Scripts::DATABASES, ...$words)->endedWith(0)->quietly();
            $found = preg_replace('/\d+ ms/', '0 ms', $said->out);
            self::assertSame(sprintf($line, $word) . "{$end}\n", $found);
        }
    }

    public function testANewConflictIsALineWithAllThatDecidesIt(): void
    {
        $ground = new Playground();
        $ground->sql(null, 'CREATE TABLE note (name TEXT PRIMARY KEY, text TEXT)');
        $ground->sql(null, "INSERT INTO note VALUES ('a', 'x')");
        Scripts::on($ground, Scripts::DATABASES, 'bidirectional')->endedWith(0);
        $ground->sql('central', "UPDATE note SET text = 'from central'");
        $ground->sql('website', "UPDATE note SET text = 'from website'");
        $said = Scripts::on($ground, Scripts::DATABASES, 'bidirectional', '--line')->endedWith(1)->quietly();
        $lines = explode("\n", rtrim($said->out, "\n"));
        self::assertMatchesRegularExpression('/^1 of 1 database synced: .*; 1 new conflict; \d+ ms$/', $lines[0]);
        self::assertMatchesRegularExpression(
            '/^  conflict 1: notes\.\w+ .*; before: .*; central: .*; website: .*; because: .*; '
                . 'decide: resolve 1 --take \S+, or acknowledge 1$/',
            $lines[1],
        );
        self::assertCount(2, $lines);
        $again = Scripts::on($ground, Scripts::DATABASES, 'bidirectional', '--line')->endedWith(0)->quietly();
        self::assertSame('', $again->out, 'it is not new any more');
        $status = Scripts::on($ground, Scripts::DATABASES, 'status', '--line')->endedWith(0)->quietly();
        self::assertSame("attention: 1 database, 1 synced, 1 open conflict\n", $status->out);
    }

    public function testWhatIsAsItWasBeginsWithNothing(): void
    {
        $ground = new Playground();
        $ground->sql(null, 'CREATE TABLE t (id INTEGER PRIMARY KEY, x)');
        Scripts::on($ground, Scripts::DATABASES, 'bidirectional')->endedWith(0);
        file_put_contents($ground->path('website'), str_repeat('no database ', 1000));
        Scripts::on($ground, Scripts::DATABASES, 'bidirectional', '--line')->endedWith(2)->quietly();
        $said = Scripts::on($ground, Scripts::DATABASES, 'bidirectional', '--line')->endedWith(2)->quietly();
        self::assertMatchesRegularExpression(
            '/^nothing synced of 1 database \(1 quarantined\); \d+ ms\n  warning: notes: .*\n/',
            $said->out,
        );
        $status = Scripts::on($ground, Scripts::DATABASES, 'status', '--line')->endedWith(0)->quietly();
        self::assertStringStartsWith('attention: 1 database, 1 problem: notes on website is quarantined', $status->out);
        self::assertSame(1, substr_count($status->out, "\n"));
    }

    public function testACauseIsSaidOnceWithAllThatItStops(): void
    {
        $side = array_fill_keys(['inserted', 'updated', 'deleted', 'rekeyed'], 0);
        $of = static fn (?string $reason, string ...$warnings): array
            => ['state' => 'skipped', 'reason' => $reason, 'warnings' => $warnings, 'sides' => ['central' => $side]];
        $report = ['run' => '7', 'conflicts' => 0, 'ok' => false, 'duration_ms' => 3, 'databases' => [
            'irc' => $of('no room: none', 'only here', 'only here'),
            'users' => $of('no room: none', 'seen: twice'),
            'notes' => $of('another'),
            'links' => $of('no room: none', 'seen: twice'),
        ]];
        $said = (new \Cr0Sync\Script\LineText(false))->databases($report, ['conflict 1: x', 'conflict 2: x']);
        self::assertSame([
            '0 of 4 databases synced: 0 inserted, 0 updated, 0 deleted (4 skipped); 3 ms',
            '  conflict 1: x',
            '  conflict 2: x',
            '  warning: 3 parts (irc, users, links): no room: none',
            '  warning: irc: only here',
            '  warning: 2 parts (users, links): seen: twice',
            '  warning: notes: another',
            '',
        ], explode("\n", $said));
    }

    public function testLogs(): void
    {
        $logs = new Logs();
        $logs->append('bot', "one\ntwo\n");
        $run = static fn (string ...$words): Said
            => Scripts::on($logs->ground, Scripts::LOGS, ...[...$words, '--line'])->endedWith(0)->quietly();
        self::assertSame("ok: 1 log, 8 bytes not merged yet\n", $run('status')->out);
        self::assertStringStartsWith('1 of 1 log would be merged: 8 bytes; ', $run('sync-all', '--dry-run')->out);
        self::assertMatchesRegularExpression(
            '/^1 of 1 log merged: 2 lines to archives, 2 to copies; \d+ ms$/m',
            $run('sync-all')->out,
        );
        self::assertSame('', $run('sync-all')->out);
        self::assertSame('', $run('bidirectional')->out);
        self::assertSame('', $run('rotate')->out);
        self::assertSame('', $run('clean')->out);
        self::assertMatchesRegularExpression(
            '/^1 of 1 log rotated: \d packed; \d+ ms\n  irc: rotated to /',
            $run('rotate', '--force')->out,
        );
        self::assertSame("ok: 1 log, 0 bytes not merged yet\n", $run('status')->out);
    }

    public function testSecurity(): void
    {
        $site = new Site();
        $run = static fn (int $code, string $word): string
            => Scripts::on($site->ground, Scripts::SECURITY, $word, '--line')->endedWith($code)->quietly()->out;
        self::assertStringStartsWith('attention: no baseline, nothing checked yet: ', $run(0, 'status'));
        self::assertStringContainsString('  CRITICAL, baseline: ', $run(1, 'run'));
        self::assertSame('', $run(0, 'run'), 'nothing was due');
        Scripts::on($site->ground, Scripts::SECURITY, 'baseline')->endedWith(0);
        Scripts::on($site->ground, Scripts::SECURITY, 'check')->endedWith(0);
        self::assertMatchesRegularExpression('/^ok: baseline of \d+ files, /', $run(0, 'status'));
    }

    public function testOnlyOneShapeAtATime(): void
    {
        $said = Scripts::run(Scripts::DATABASES, ['status', '--line', '--json']);
        self::assertSame(64, $said->code);
        self::assertSame('usage', json_decode($said->out, true)['error']['kind']);
        Scripts::run(Scripts::DATABASES, ['conflicts', '--line'])->endedWith(64)
            ->complained('conflicts has no option --line', 'conflicts --help');
    }
}
