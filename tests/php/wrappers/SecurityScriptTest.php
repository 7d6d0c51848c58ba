<?php

declare(strict_types=1);

namespace Cr0Sync\Tests;

use Site;
use PHPUnit\Framework\TestCase;

/**
 * `security_monitoring_script.php` on a small website.
 */
final class SecurityScriptTest extends TestCase
{
    private Site $site;

    protected function setUp(): void
    {
        $this->site = new Site();
    }

    private function said(string ...$words): Said
    {
        return Scripts::on($this->site->ground, Scripts::SECURITY, ...$words);
    }

    public function testWithoutABaselineNothingIsBelieved(): void
    {
        $said = $this->said('check')->endedWith(1)->quietly();
        self::assertStringStartsWith('CRITICAL baseline ', $said->row('CRITICAL '));
        $said = $this->said('status')->endedWith(0);
        self::assertMatchesRegularExpression('#next: php \S*/security_monitoring_script\.php baseline#', $said->out);
        self::assertFalse($this->said('status', '--json')->endedWith(0)->document()['ok']);
    }

    public function testWhatChangedIsFoundUntilItIsAccepted(): void
    {
        self::assertStringContainsString('4 files accepted', $this->said('baseline')->endedWith(0)->quietly()->out);
        self::assertSame('', $this->said('check', '--quiet')->endedWith(0)->quietly()->out);

        $this->site->write('auth.php', '<?php // defaced');
        $said = $this->said('check', '--quiet')->endedWith(1)->quietly();
        self::assertStringContainsString('content', $said->row('CRITICAL modified '));
        $document = $this->said('check', '--json')->endedWith(1)->document();
        self::assertSame(4, $document['exit_bits']);
        self::assertSame("{$this->site->web}/auth.php", $document['findings'][0]['path']);
        $this->said('check', "{$this->site->web}/index.html")->endedWith(0);
        $this->said('check', '/nowhere/at/all')->endedWith(64);

        $this->said('accept')->endedWith(64)->complained('accept is not complete', 'write accept PATH...');
        $path = "{$this->site->web}/auth.php";
        $said = $this->said('accept', '--dry-run', $path)->endedWith(0)->quietly();
        self::assertStringContainsString('1 finding would be accepted.', $said->out);
        $this->said('check', '--quiet')->endedWith(1);
        $this->said('accept', '--path-b64', base64_encode($path))->endedWith(0);
        $this->said('accept', '--path-b64', '***')->endedWith(64)->complained('--path-b64 needs base64', 'path_b64');
        self::assertSame('', $this->said('check', '--quiet')->endedWith(0)->out);
    }

    public function testRunTellsWhatIsNewOnce(): void
    {
        $this->said('baseline')->endedWith(0);
        self::assertSame('', $this->said('run', '--quiet')->endedWith(0)->quietly()->out);
        $said = $this->said('run')->endedWith(0)->quietly();
        self::assertStringContainsString('not due', $said->row('check '));
        $run = $this->said('run', '--json')->endedWith(0)->document();
        self::assertSame('not_due', $run['jobs']['check']['state']);
    }

    public function testAnotherCheckEndsWithSeventyFive(): void
    {
        $this->said('baseline')->endedWith(0);
        $lock = fopen("{$this->site->root}/sync_state/locks/integrity.lock", 'r+');
        flock($lock, LOCK_EX);
        $said = $this->said('check')->endedWith(75);
        self::assertStringContainsString('holds the lock', $said->err);
        self::assertSame('', $this->said('check', '--quiet')->endedWith(75)->quietly()->out);
        self::assertSame('locked', $this->said('check', '--json')->endedWith(75)->document()['error']['kind']);
        flock($lock, LOCK_UN);
        $this->said('check')->endedWith(0);
    }

    public function testAKeyIsShownOnceAndCountsUntilItIsRevoked(): void
    {
        $permissions = ['--permission', 'read', '--permission', 'write'];
        $said = $this->said('keys', 'issue', '--user', '7', '--name', 'my bot', ...$permissions)->endedWith(0);
        preg_match('/^(crk_\S+)\n(key_\w+) is shown this once/', $said->out, $new);
        self::assertCount(3, $new, $said->out);
        [, $key, $id] = $new;
        self::assertSame('let in', $this->verified($key, 'write'));
        self::assertSame('forbidden', $this->verified($key, 'admin'));

        $list = $this->said('keys', 'list')->endedWith(0);
        self::assertStringStartsWith("{$id} 7 my bot read, write active ", $list->row($id));
        self::assertStringNotContainsString($key, $list->out);
        self::assertSame("There are no keys.\n", $this->said('keys', 'list', '--user', '8')->endedWith(0)->out);

        $said = $this->said('keys', 'rotate', $id, '--grace', '3600')->endedWith(0);
        $next = (string) strtok($said->out, "\n");
        self::assertSame(['let in', 'let in'], [$this->verified($key, 'read'), $this->verified($next, 'read')]);
        $said = $this->said('keys', 'revoke', $id)->endedWith(0);
        self::assertStringStartsWith("{$id} is revoked.\nkey_", $said->out);
        self::assertStringContainsString("was issued in place of {$id}, and still counts", $said->out);
        self::assertSame(['revoked', 'let in'], [$this->verified($key, 'read'), $this->verified($next, 'read')]);
        $this->said('keys', 'revoke', 'key_nothing')->endedWith(64);
    }

    /** @return array<string, array{string, string, string}> */
    public static function keysThatMakeNoSense(): array
    {
        return [
            'no word' => ['keys', 'keys is not complete', 'write keys issue|list|revoke ID|rotate ID'],
            'an unknown word' => ['keys fly', 'keys does not know fly', 'write keys issue, list, revoke, rotate'],
            'no id' => ['keys revoke', 'keys revoke is not complete', 'write keys revoke ID'],
            'an id for nothing' => ['keys list x', 'keys list does not know what to do with x', 'write keys list'],
            'an option of another word' => ['keys list --grace 5', 'keys list does not know --grace', 'see keys'],
            'nobody' => ['keys issue --name x', 'keys issue needs --user', 'see keys --help'],
            'no number' => ['keys rotate x --grace soon', '--grace needs a number', 'write --grace 60'],
            'a negative number' => ['check --budget-ms -5', '--budget-ms needs a number', 'write --budget-ms 60'],
        ];
    }

    /** @dataProvider keysThatMakeNoSense */
    public function testWhatMakesNoSenseIsRefused(string $words, string $message, string $hint): void
    {
        $this->said(...explode(' ', $words))->endedWith(64)->complained($message, $hint);
    }

    public function testAWatcherEndsInOrder(): void
    {
        $this->said('baseline')->endedWith(0);
        $said = $this->said('watch', '--seconds', '1', '--json')->endedWith(0);
        $document = json_decode($said->out, true, 512, JSON_THROW_ON_ERROR);
        self::assertSame(['time', 0], [$document['ended'], $document['new_findings']]);
        self::assertFalse($this->said('status', '--json')->document()['watch']['stale']);
    }

    public function testEventsAreProvedAndCleanedUp(): void
    {
        $this->said('keys', 'issue', '--user', '7', '--name', 'x', '--permission', 'read')->endedWith(0);
        $this->said('keys', 'issue', '--user', '7', '--name', 'y', '--permission', 'read')->endedWith(0);
        self::assertStringStartsWith('2 events ', $this->said('verify-events')->endedWith(0)->out);
        self::assertSame("0 archives made, 0 removed as too old.\n", $this->said('archive')->endedWith(0)->out);
        self::assertTrue($this->said('cleanup', '--json')->endedWith(0)->document()['ok']);

        $log = "{$this->site->root}/logs/security/security_events.json";
        file_put_contents($log, str_replace('"y"', '"z"', file_get_contents($log)));
        $said = $this->said('verify-events', '--quiet')->endedWith(1);
        self::assertStringContainsString('event 2', $said->out);
        self::assertNotNull($this->said('verify-events', '--json')->endedWith(1)->document()['first_break']);
    }

    /** What the extension says of a key, as a page would ask it. */
    private function verified(string $key, string $permission): string
    {
        [$code, $out, $err] = process([
            '-d',
            'extension=' . getenv('CR0SYNC_EXTENSION'),
            '-d',
            "cr0sync.config={$this->site->ground->config}",
            '-r',
            'echo cr0_api_key_verify($argv[1], $argv[2])["reason"] ?? "let in";',
            $key,
            $permission,
        ]);
        self::assertSame([0, ''], [$code, $err]);

        return $out;
    }
}
