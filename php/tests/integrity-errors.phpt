--TEST--
What a check cannot do is an exception, and its arguments are those of any function
--FILE--
<?php
declare(strict_types=1);
require 'integrity.inc';
$site = new Site();
$try = static function (callable $call) use ($site): void {
    try {
        $call();
        echo "no exception\n";
    } catch (Throwable $thrown) {
        echo $thrown::class, ': ', str_replace($site->root, 'ROOT', $thrown->getMessage()), "\n";
    }
};
$try(static fn() => cr0_integrity_accept(["{$site->web}/a.php"], $site->options()));
cr0_integrity_baseline($site->options());
$try(static fn() => cr0_integrity_accept([], $site->options()));
$try(static fn() => cr0_integrity_accept(['/etc/passwd'], $site->options()));
$try(static fn() => cr0_integrity_accept(["a\0b"], $site->options()));
$try(static fn() => cr0_integrity_accept([[]], $site->options()));
$try(static fn() => cr0_integrity_accept('a', $site->options()));
$try(static fn() => cr0_integrity_check($site->options(['paths' => [1.5, new stdClass()]])));
$try(static fn() => cr0_integrity_check($site->options(['budget_ms' => -1])));
$try(static fn() => cr0_integrity_check($site->options(['import' => 'a'])));
$try(static fn() => cr0_integrity_baseline($site->options(['import' => "{$site->web}/a.php"])));
file_put_contents("{$site->root}/shared_storage/integrity_config.json", '{"monitored_files": 1}');
$try(static fn() => cr0_integrity_check($site->options()));
?>
--EXPECT--
Cr0Sync\CorruptException: nothing can be accepted, as there is no baseline, make one: ROOT/sync_state/integrity/baseline
Cr0Sync\UsageException: nothing was named that is to be accepted
Cr0Sync\UsageException: this path is not watched: /etc/passwd
ValueError: cr0_integrity_accept(): Argument #1 ($paths) must not contain any null bytes
TypeError: cr0_integrity_accept(): Argument #1 ($paths) must be a list of strings
TypeError: cr0_integrity_accept(): Argument #1 ($paths) must be of type array, string given
TypeError: cr0_integrity_check(): Option "paths" must be of type string, stdClass given
ValueError: cr0_integrity_check(): Option "budget_ms" must be greater than or equal to 0
ValueError: cr0_integrity_check(): Argument #1 ($options) has no key "import", only: config, root, full, budget_ms, paths
Cr0Sync\CorruptException: it is no list of hashes, expected value at line 1 column 1: ROOT/web/a.php
Cr0Sync\ConfigException: the list of what to watch is wrong, monitored_files is no list: ROOT/shared_storage/integrity_config.json
