<?php

declare(strict_types=1);

namespace Cr0Sync\Tests;

use PHPUnit\Framework\TestCase;
use Playground;

/**
 * `database_sync_script.php` on two sides of one database.
 */
final class DatabaseScriptTest extends TestCase
{
    private Playground $ground;

    protected function setUp(): void
    {
        $this->ground = new Playground();
        $this->ground->sql(null, 'CREATE TABLE note (name TEXT PRIMARY KEY, text TEXT)');
        $this->ground->sql('central', "INSERT INTO note VALUES ('a', 'old')");
    }

    private function said(string ...$words): Said
    {
        return Scripts::on($this->ground, Scripts::DATABASES, ...$words);
    }

    /** Both sides change one cell. */
    private function inConflict(): void
    {
        $this->said('bidirectional')->endedWith(0);
        $this->ground->sql('central', "UPDATE note SET text = 'from central'");
        $this->ground->sql('website', "UPDATE note SET text = 'from website'");
    }

    private function text(string $side): string
    {
        return implode(' ', array_merge(...$this->ground->rows($side, 'SELECT text FROM note ORDER BY name')));
    }

    public function testMergesOnceAndThenHasNothingToDo(): void
    {
        $said = $this->said('bidirectional')->endedWith(0)->quietly();
        self::assertStringStartsWith('notes synced central 0 0 0 0 ', $said->row('notes '));
        self::assertStringStartsWith(' website 1 0 0 0 ', $said->row(' website '));
        self::assertMatchesRegularExpression('/^Run 1, \d+ ms, 0 new conflicts\.$/m', $said->out);
        self::assertSame('old', $this->text('website'));

        $said = $this->said('bidirectional')->endedWith(0)->quietly();
        self::assertSame('notes unchanged', $said->row('notes '));
        self::assertMatchesRegularExpression('/^Nothing to do, \d+ ms, 0 new conflicts\.$/m', $said->out);
        self::assertSame('', $this->said('bidirectional', '--quiet')->endedWith(0)->quietly()->out);
    }

    public function testADryRunShowsThePlanAndChangesNothing(): void
    {
        $before = $this->ground->fingerprint();
        $said = $this->said('bidirectional', '--dry-run')->endedWith(0)->quietly();
        self::assertStringStartsWith(' website 1 ', $said->row(' website '));
        self::assertMatchesRegularExpression('/^Dry run, .* Nothing was changed\.$/m', $said->out);
        self::assertSame($before, $this->ground->fingerprint());
    }

    public function testANewConflictEndsWithOneAndIsDecidedDifferently(): void
    {
        $this->inConflict();
        $said = $this->said('bidirectional')->endedWith(1)->quietly();
        $decide = '  decide   resolve 1 --take central|website|base, or acknowledge 1';
        self::assertStringContainsString($decide, $said->out);
        self::assertSame('from central', $this->text('website'));
        $this->said('bidirectional')->endedWith(0);

        $said = $this->said('conflicts')->endedWith(0)->quietly();
        self::assertStringStartsWith('1 notes.note name="a" update_update central open ', $said->row('1 '));
        $this->said('resolve', '1')->endedWith(64)->complained('resolve does not know what to take', 'add --take');
        $this->said('resolve', '1', '--take', 'bot')->endedWith(64);
        $this->said('resolve', '1', '--take', 'website')->endedWith(0)->quietly();
        self::assertSame(['from website', 'from website'], [$this->text('central'), $this->text('website')]);
        self::assertStringStartsWith('No conflicts wait for anyone.', $this->said('conflicts')->endedWith(0)->out);
        self::assertStringContainsString(' resolved ', $this->said('conflicts', '--all')->row('1 '));
    }

    public function testJsonSaysWhatTheWordsSay(): void
    {
        $this->inConflict();
        $run = $this->said('bidirectional', '--json')->endedWith(1)->document();
        self::assertSame([true, 1, 'synced'], [$run['ok'], $run['conflicts'], $run['databases']['notes']['state']]);
        [$conflict] = $this->said('conflicts', '--json')->endedWith(0)->document()['conflicts'];
        self::assertSame('from website', $conflict['values']['website']['text']);
        self::assertSame(['acknowledged' => ['1'], 'resolved' => []], array_slice(
            $this->said('acknowledge', '1', '--json')->endedWith(0)->document(),
            1,
        ));
        self::assertCount(2, $this->said('history', '--json')->endedWith(0)->document()['runs']);
        self::assertCount(1, $this->said('history', '--json', '--limit', '1')->endedWith(0)->document()['runs']);
        $config = $this->said('config', '--json')->endedWith(0)->document();
        self::assertSame([$this->ground->config, 'central'], [$config['source'], $config['config']['hub']]);
    }

    public function testThousandsOfConflictsAreMarkedInOneLine(): void
    {
        $numbers = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 21)';
        $this->ground->sql('central', "{$numbers} INSERT INTO note SELECT 'new ' || i, 'old' FROM n");
        $this->said('bidirectional')->endedWith(0);
        $this->ground->sql('central', "UPDATE note SET text = 'c' WHERE name LIKE 'new %'");
        $this->ground->sql('website', "UPDATE note SET text = 'w' WHERE name LIKE 'new %'");
        $this->said('bidirectional')->endedWith(1);
        $ids = array_map(strval(...), range(1, 21));
        self::assertSame(
            "Marked as seen: 2, 3.\n",
            $this->said('acknowledge', '2', '3')->endedWith(0)->quietly()->out,
        );
        self::assertSame(
            "Marked as seen: 21 conflicts, 1 to 21.\n",
            $this->said('acknowledge', ...$ids)->endedWith(0)->quietly()->out,
        );
        self::assertSame('', $this->said('acknowledge', '--quiet', ...$ids)->endedWith(0)->quietly()->out);
    }

    public function testARunThatFailsIsToldAndEndsWithTwo(): void
    {
        file_put_contents($this->ground->path('website'), str_repeat('not a database. ', 1000));
        $said = $this->said('bidirectional')->endedWith(2);
        self::assertStringStartsWith('notes quarantined', $said->row('notes '));
        self::assertMatchesRegularExpression('/^notes: website: .* is not a database/m', $said->out);
        self::assertStringContainsString('Not everything went well.', $said->out);
        self::assertNotSame('', $this->said('bidirectional', '--quiet')->endedWith(2)->out);
    }

    public function testNothingThatCanBeLookedAtEndsWithSixtyNine(): void
    {
        unlink($this->ground->path('central'));
        rename("{$this->ground->root}/central", "{$this->ground->root}/elsewhere");
        $said = $this->said('bidirectional')->endedWith(69);
        self::assertStringStartsWith('notes skipped', $said->row('notes '));
    }

    public function testWhatNoSideHasYetIsNoError(): void
    {
        unlink($this->ground->path('central'));
        unlink($this->ground->path('website'));
        $said = $this->said('bidirectional')->endedWith(0);
        self::assertStringStartsWith('notes absent', $said->row('notes '));
        self::assertStringContainsString('notes: no side has a database yet', $said->out);
    }

    public function testAnotherRunEndsWithSeventyFiveAndIsNoMail(): void
    {
        mkdir("{$this->ground->root}/sync_state");
        $lock = fopen("{$this->ground->root}/sync_state/lock", 'c');
        flock($lock, LOCK_EX);
        $said = $this->said('bidirectional')->endedWith(75);
        $said->complained("another run holds the lock {$this->ground->root}/sync_state/lock", 'wait for it to end');
        $holder = strtr((string) file_get_contents('/proc/self/cmdline', length: 20), "\0", ' ');
        self::assertStringContainsString('  process ' . getmypid() . " holds it: {$holder}", $said->err);
        $said = $this->said('bidirectional', '--quiet')->endedWith(75)->quietly();
        self::assertSame('', $said->out);
        $document = $this->said('bidirectional', '--json')->endedWith(75)->document();
        self::assertSame('locked', $document['error']['kind']);
        // Who only looks waits for nobody.
        $this->said('status')->endedWith(0);
        flock($lock, LOCK_UN);
        $this->said('bidirectional')->endedWith(0);
    }

    public function testOnlyTheChosenDatabase(): void
    {
        $this->said('bidirectional', '--database', 'nothing')->endedWith(64)
            ->complained('no database is called nothing', 'databases are: notes');
        $said = $this->said('bidirectional', '--database=n*', '--database', 'n?tes')->endedWith(0);
        self::assertStringStartsWith('notes synced ', $said->row('notes '));
    }

    public function testBackupsAndTheWayBack(): void
    {
        $this->said('bidirectional')->endedWith(0);
        self::assertStringContainsString('2 backups made.', $this->said('backup')->endedWith(0)->out);
        $ids = array_column($this->said('backups', '--json')->endedWith(0)->document()['backups'], 'id');
        [$id] = array_values(preg_grep('/^notes:central:/', $ids));
        $this->ground->sql('central', "DELETE FROM note");
        $before = $this->ground->fingerprint();
        $this->said('restore', $id, '--dry-run')->endedWith(0);
        self::assertSame($before, $this->ground->fingerprint());
        self::assertStringContainsString('restored', $this->said('restore', $id)->endedWith(0)->row('notes '));
        self::assertSame('old', $this->text('central'));
        $this->said('restore', 'notes:central:nothing')->endedWith(64);
        $this->said('restore', $id, '--side', 'central', '--all-sides')->endedWith(64)
            ->complained('--side and --all-sides exclude each other', 'leave one of them out');
        $this->said('verify')->endedWith(0);
        $this->said('clean-backups', '--dry-run')->endedWith(0);
    }

    public function testUndoAndSyncFromASide(): void
    {
        $this->said('bidirectional')->endedWith(0);
        $this->ground->sql('website', "UPDATE note SET text = 'mistake'");
        $this->said('bidirectional')->endedWith(0);
        $this->said('undo', '2')->endedWith(0);
        self::assertSame(['old', 'old'], [$this->text('central'), $this->text('website')]);
        $this->said('undo', '99')->endedWith(64);
        $this->ground->sql('website', "DELETE FROM note");
        $this->said('sync-from', 'website')->endedWith(0);
        self::assertSame('', $this->text('central'));
        $this->said('sync-from', 'central')->endedWith(64);
        $this->said('sync-from-bot')->endedWith(64);
    }

    public function testWhatIsAskedForIsDoneByTheNextRun(): void
    {
        $this->said('bidirectional')->endedWith(0);
        $id = $this->said('sync-from', 'website', '--queue', '--json')->endedWith(0)->document()['id'];
        [$request] = $this->said('queue', '--json')->endedWith(0)->document()['requests'];
        self::assertSame([$id, 'sync-from', 'pending'], [$request['id'], $request['action'], $request['state']]);
        $this->said('sync-from', 'website', '--queue', '--dry-run')->endedWith(64)
            ->complained('--queue and --dry-run exclude each other', 'leave one of them out');
        $this->said('bidirectional')->endedWith(0);
        self::assertSame('done', $this->said('queue', '--json')->document()['requests'][0]['state']);
    }

    public function testSecretsAreHiddenUnlessAskedFor(): void
    {
        $this->ground->sql(null, 'CREATE TABLE account (name TEXT PRIMARY KEY, password TEXT)');
        $this->ground->sql('central', "INSERT INTO account VALUES ('bob', 'x')");
        $this->said('bidirectional')->endedWith(0);
        $this->ground->sql('central', "UPDATE account SET password = 'swordfish'");
        $this->ground->sql('website', "UPDATE account SET password = 'password1'");
        $run = $this->said('bidirectional')->endedWith(1);
        foreach ([$run, $this->said('conflicts'), $this->said('conflicts', '--json')] as $said) {
            self::assertStringNotContainsString('swordfish', $said->out);
            self::assertStringNotContainsString('password1', $said->out);
        }
        self::assertStringContainsString('swordfish', $this->said('conflicts', '--show-secrets')->out);
    }
}
