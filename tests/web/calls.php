<?php

// Every function of the extension, as it should be called and as it should not, for a run under valgrind. Prints how
// many calls there were.

declare(strict_types=1);

$root = dirname(ini_get('cr0sync.config'));
$sql = static function (string $side, string $statement) use ($root): void {
    $options = [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION];
    (new PDO("sqlite:{$root}/{$side}/site.db", null, null, $options))->exec($statement);
};
$calls = 0;
$call = static function (string $function, mixed ...$arguments) use (&$calls): mixed {
    $calls++;
    try {
        return $function(...$arguments);
    } catch (Throwable) {
        return null;
    }
};

$sql('website', "INSERT INTO visits VALUES ('valgrind', 1), ('valgrind', 2)");
$sql('central', "INSERT INTO visits VALUES ('valgrind', 3)");
$call('cr0_db_sync', ['dry_run' => true]);
$first = $call('cr0_db_sync', ['progress' => static fn (array $progress): bool => true]);
// Both sides write one cell, so there is a conflict.
foreach (['central', 'website'] as $side) {
    $sql($side, "CREATE TABLE pages(name TEXT PRIMARY KEY, text TEXT); INSERT INTO pages VALUES ('a', 'first')");
}
$call('cr0_db_sync');
foreach (['central', 'website'] as $side) {
    $sql($side, "UPDATE pages SET text = 'of {$side}'");
}
$call('cr0_db_sync');
foreach ($call('cr0_db_conflicts')['conflicts'] ?? [] as $conflict) {
    $call('cr0_db_acknowledge', [$conflict['id']]);
    $call('cr0_db_resolve', $conflict['id'], 'central');
}
$call('cr0_db_sync', ['progress' => static fn (array $progress): bool => false]);
$sql('website', "DELETE FROM visits WHERE n = 2");
$call('cr0_db_sync', ['progress' => static fn (array $progress) => throw new LogicException('stop')]);
$call('cr0_db_sync');
// Then all of them, without arguments, with wrong ones, and with more than they take.
$call('cr0_integrity_watch', ['seconds' => 1]);
// A watcher that is not told how long ends with the next signal.
$others = ['cr0_db_restore', 'cr0_integrity_watch'];
$functions = array_filter(
    get_extension_funcs('cr0sync'),
    static fn (string $name): bool => !in_array($name, $others, true),
);
foreach ($functions as $function) {
    $call($function);
    $call($function, ['no_such_option' => true]);
    $call($function, []);
    $call($function, "\0", INF, new stdClass(), 1, 2, 3, 4);
    $call($function, '1', ['config' => '/nowhere/cr0sync.json']);
}
if (($call('cr0_db_verify')['ok'] ?? null) !== true || ($first['databases']['site']['state'] ?? '') !== 'synced') {
    fwrite(STDERR, "the calls did not do what they should\n");
    exit(1);
}
echo $calls, "\n";
