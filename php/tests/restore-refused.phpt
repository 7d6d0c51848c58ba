--TEST--
What cannot be restored is said, and changes nothing
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
$playground->sql(null, 'CREATE TABLE note (name TEXT PRIMARY KEY)');
$backup = cr0_db_backup($playground->options())['backups'][0];
$before = $playground->rows('central', 'SELECT count(*) FROM note');
$options = static fn (array $more = []): array => $playground->options($more);
echo thrown(static fn () => cr0_db_restore('none', $options())), "\n";
echo thrown(static fn () => cr0_db_restore($backup['id'], $options(['side' => 'moon']))), "\n";
echo thrown(static fn () => cr0_db_restore($backup['id'], $options(['side' => 'central', 'all_sides' => true]))), "\n";
echo thrown(static fn () => cr0_db_restore($backup['id'], $options(['side' => []]))), "\n";
file_put_contents($backup['path'], str_repeat('x', 5000));
try {
    cr0_db_restore($backup['id'], $options());
} catch (Cr0Sync\CorruptException $error) {
    echo $error->getMessage() === "the backup is not sound (file is not a database): {$backup['path']}" ? "not sound\n" : $error->getMessage();
    echo $error->hint, "\n";
}
$verified = cr0_call('cr0_db_verify', [$options()]);
echo $verified['exit_code'], ' ', $verified['report']['checked'][0]['problem'], "\n";
echo $before === $playground->rows('central', 'SELECT count(*) FROM note') ? 'the same' : 'changed', "\n";
?>
--EXPECT--
Cr0Sync\UsageException: there is no backup none
Cr0Sync\UsageException: notes has no side moon
ValueError: cr0_db_restore(): Argument #2 ($options) must not have both "side" and "all_sides"
TypeError: cr0_db_restore(): Option "side" must be of type string, array given
not sound
nothing was changed; `backups` lists others, and `verify` says which of them are sound
2 file is not a database
the same
