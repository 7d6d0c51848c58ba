<?php

declare(strict_types=1);

namespace Cr0Sync\Tests;

use Logs;
use PHPUnit\Framework\TestCase;

/**
 * `log_sync_script.php` on a bot that writes, an archive, and a mirror on the website.
 */
final class LogScriptTest extends TestCase
{
    private Logs $logs;

    protected function setUp(): void
    {
        $this->logs = new Logs(['irc' => [], 'errors' => []]);
        $this->logs->append('bot', "one\ntwo\nhal");
        $this->logs->append('bot', "trouble\n", 'errors');
    }

    private function said(string ...$words): Said
    {
        return Scripts::on($this->logs->ground, Scripts::LOGS, ...$words);
    }

    public function testBringsEveryLineToAllCopiesOnce(): void
    {
        $said = $this->said('bidirectional')->endedWith(0)->quietly();
        self::assertSame('irc merged bot 8 0 0 0', $said->row('irc '));
        self::assertMatchesRegularExpression('/^3 lines to archives, 3 to copies, \d+ ms\.$/m', $said->out);
        $this->logs->append('bot', "f\n");
        $this->said('bidirectional', '--quiet')->endedWith(0)->quietly();
        $said = $this->said('bidirectional')->endedWith(0)->quietly();
        self::assertMatchesRegularExpression('/^Nothing to do, \d+ ms\.$/m', $said->out);
        foreach (['central', 'website'] as $side) {
            self::assertSame("one\ntwo\nhalf\n", $this->logs->read($side));
        }
    }

    public function testADryRunSaysWhatWouldBeDone(): void
    {
        $before = $this->logs->ground->fingerprint();
        $said = $this->said('bidirectional', '--dry-run')->endedWith(0)->quietly();
        self::assertStringContainsString('merged', $said->row('irc '));
        self::assertStringContainsString('Nothing was changed', $said->out);
        self::assertSame($before, $this->logs->ground->fingerprint());
    }

    public function testStatusSaysHowFarEachCopyIs(): void
    {
        $said = $this->said('status', '--log', 'irc')->endedWith(0)->quietly();
        self::assertStringStartsWith('irc bot 11 0 ', $said->row('irc bot '));
        $this->said('bidirectional')->endedWith(0);
        $status = $this->said('status', '--log', 'i*', '--json')->endedWith(0)->document();
        self::assertSame(['irc'], array_keys($status['logs']));
        $bot = $status['logs']['irc']['sides']['bot'];
        self::assertSame([8, 3], [$bot['cursor'], $bot['unread_bytes']]);
        $this->said('status', '--log', 'nothing')->endedWith(64);
    }

    public function testRotatesAndProves(): void
    {
        $said = $this->said('rotate', '--force', '--log', 'irc')->endedWith(0)->quietly();
        self::assertStringStartsWith('irc rotated rename 8 ', $said->row('irc '));
        $said = $this->said('verify', '--json')->endedWith(0)->document();
        self::assertSame('ok', $said['logs']['irc']['state']);
        self::assertStringContainsString(' stays among the newest 5', $this->said('clean')->endedWith(0)->row('irc '));

        $this->said('bidirectional')->endedWith(0);
        file_put_contents($this->logs->path('central', 'errors'), 'TROUBLE' . "\n");
        $said = $this->said('verify')->endedWith(2);
        self::assertStringStartsWith('errors bad', $said->row('errors '));
        self::assertStringContainsString('Not all of them are what was merged.', $said->out);
    }

    public function testSyncAllOpensWhatSeemsUnchanged(): void
    {
        $this->said('bidirectional')->endedWith(0);
        self::assertStringContainsString('unchanged', $this->said('sync-all')->endedWith(0)->row('irc '));
        self::assertSame("one\ntwo\n", $this->logs->read('website'));
    }

    public function testOneThatFailsEndsWithTwoAndStopsNoOther(): void
    {
        mkdir($this->logs->path('central'));
        $said = $this->said('bidirectional')->endedWith(2);
        self::assertStringStartsWith('irc failed', $said->row('irc '));
        self::assertSame("trouble\n", $this->logs->read('website', 'errors'));
    }

    public function testNothingThatCanBeLookedAtEndsWithSixtyNine(): void
    {
        $this->said('bidirectional')->endedWith(0);
        // Somebody is writing a line there.
        $this->logs->append('central', 'hal');
        $this->logs->append('bot', "f\n");
        $said = $this->said('bidirectional', '--log', 'irc')->endedWith(69);
        self::assertStringStartsWith('irc skipped', $said->row('irc '));
        $this->said('bidirectional')->endedWith(0);
    }

    public function testAnotherRunEndsWithSeventyFiveAndIsNoMail(): void
    {
        mkdir("{$this->logs->root}/sync_state/logs", recursive: true);
        $lock = fopen("{$this->logs->root}/sync_state/logs/lock", 'c');
        flock($lock, LOCK_EX);
        foreach (['bidirectional', 'sync-all', 'rotate', 'clean', 'verify'] as $command) {
            $said = $this->said($command)->endedWith(75);
            $said->complained("another run holds the lock {$this->logs->root}/sync_state/logs/lock", 'wait for it');
            self::assertSame('', $this->said($command, '--quiet')->endedWith(75)->quietly()->out);
        }
        flock($lock, LOCK_UN);
        $this->said('bidirectional')->endedWith(0);
    }
}
