--TEST--
A run tells its progress: a documented array, each phase in turn
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = new Playground();
$playground->sql(null, 'CREATE TABLE note (name TEXT PRIMARY KEY, text TEXT)', "INSERT INTO note VALUES ('a', 'b')");
$phases = static function (array $options = [], ?string $from = null) use ($playground): string {
    $told = [];
    $options['progress'] = static function (array $progress) use (&$told): void {
        if (end($told) !== $progress['phase']) {
            $told[] = $progress['phase'];
        }
    };
    $options = $playground->options($options);
    $from === null ? cr0_db_sync($options) : cr0_db_force_sync($from, $options);

    return implode(' ', $told) . "\n";
};
cr0_db_sync($playground->options(['progress' => static function (array $progress): void {
    if ($progress['phase'] === 'comparing') {
        var_dump($progress);
    }
}]));
$playground->sql('website', "UPDATE note SET text = 'c'");
echo $phases(['dry_run' => true]), $phases(), $phases([], 'website');
echo thrown(static fn () => cr0_db_sync(['progress' => 'no such function'])), "\n";
echo thrown(static fn () => cr0_db_status(['progress' => 'strlen'])), "\n";
final class Told
{
    public static int $calls = 0;
    public static function hear(array $progress): ?bool
    {
        self::$calls++;

        return null;
    }
}
$playground->sql('website', "UPDATE note SET text = 'd'");
cr0_db_sync($playground->options(['progress' => 'Told::hear']));
cr0_call('cr0_db_sync', [$playground->options(['progress' => [new Told(), 'hear']])]);
var_dump(Told::$calls >= 5);
?>
--EXPECT--
array(8) {
  ["database"]=>
  string(5) "notes"
  ["number"]=>
  int(1)
  ["databases"]=>
  int(1)
  ["phase"]=>
  string(9) "comparing"
  ["side"]=>
  NULL
  ["table"]=>
  string(4) "note"
  ["rows"]=>
  int(0)
  ["of"]=>
  int(1)
}
looking comparing planning
looking comparing planning writing
looking copying comparing planning
TypeError: cr0_db_sync(): Option "progress" must be of type callable, string given
ValueError: cr0_db_status(): Argument #1 ($options) has no key "progress", only: config, root, database, explain
bool(true)
