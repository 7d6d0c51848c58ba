--TEST--
Whatever ends a script inside its progress callable leaves no lock, no transaction and nothing half done
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
// What each script does when it is told of a phase; a shutdown function shows that it can go on at once.
$code = '
    $options = ["config" => $argv[1]];
    register_shutdown_function(static function () use ($options, $argv): void {
        foreach (["central", "website"] as $side) {
            $database = new PDO("sqlite:" . dirname($argv[1]) . "/{$side}/notes.db", null, null, [PDO::ATTR_TIMEOUT => 0]);
            $database->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
            $database->exec("BEGIN IMMEDIATE");
            $database->exec("ROLLBACK");
        }
        $lock = fopen(dirname($argv[1]) . "/sync_state/lock", "r+");
        var_dump(flock($lock, LOCK_EX | LOCK_NB));
        fclose($lock);
        echo cr0_db_sync($options)["databases"]["notes"]["state"], "\n";
    });
    cr0_db_sync($options + ["progress" => static function (array $progress): void {
        if ($progress["phase"] === "PHASE") {
            END
        }
    }]);
    echo "not reached\n";';
$pdo = [];
foreach (['pdo', 'pdo_sqlite'] as $module) {
    if (!in_array($module, explode("\n", strtolower(shell_exec(PHP_BINARY . ' -n -m'))), true)) {
        array_push($pdo, '-d', "extension={$module}");
    }
}
$pdo = [...$pdo, '-d', 'extension_dir=' . ini_get('extension_dir')];
foreach ([
    'exit' => 'exit(3);',
    'exception' => 'throw new LogicException("from the callable");',
    'fatal' => 'trigger_error("fatal", E_USER_ERROR);',
    'memory' => '$a = []; ini_set("memory_limit", "8M"); while (true) { $a[] = str_repeat("x", 100000); }',
    'time' => 'set_time_limit(1); while (true) {}',
    'undefined' => 'no_such_function();',
] as $name => $end) {
    foreach (['looking', 'comparing', 'planning', 'writing'] as $phase) {
        $playground = new Playground();
        $playground->sql(null, 'CREATE TABLE note (name TEXT PRIMARY KEY, text TEXT)');
        cr0_db_sync($playground->options());
        $playground->sql('website', "INSERT INTO note VALUES ('a', 'b')");
        $extension = getenv('CR0SYNC_EXTENSION');
        [$exit, $out] = process([
            ...$pdo, '-d', "extension={$extension}", '-d', 'memory_limit=64M', '-d', 'display_errors=stderr',
            '-r', strtr($code, ['PHASE' => $phase, 'END' => $end]), $playground->config,
        ]);
        $rows = count($playground->rows('central', 'SELECT * FROM note'));
        echo "{$name} {$phase}: {$exit} ", strtr(trim($out), "\n", ' '), " {$rows}\n";
    }
}
?>
--EXPECT--
exit looking: 3 bool(true) synced 1
exit comparing: 3 bool(true) synced 1
exit planning: 3 bool(true) synced 1
exit writing: 3 bool(true) synced 1
exception looking: 255 bool(true) synced 1
exception comparing: 255 bool(true) synced 1
exception planning: 255 bool(true) synced 1
exception writing: 255 bool(true) synced 1
fatal looking: 255 bool(true) synced 1
fatal comparing: 255 bool(true) synced 1
fatal planning: 255 bool(true) synced 1
fatal writing: 255 bool(true) synced 1
memory looking: 255 bool(true) synced 1
memory comparing: 255 bool(true) synced 1
memory planning: 255 bool(true) synced 1
memory writing: 255 bool(true) synced 1
time looking: 255 bool(true) synced 1
time comparing: 255 bool(true) synced 1
time planning: 255 bool(true) synced 1
time writing: 255 bool(true) synced 1
undefined looking: 255 bool(true) synced 1
undefined comparing: 255 bool(true) synced 1
undefined planning: 255 bool(true) synced 1
undefined writing: 255 bool(true) synced 1
