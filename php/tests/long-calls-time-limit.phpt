--TEST--
A time limit that runs out within a long call ends it as PHP does, with nothing locked, and shutdown functions run
--FILE--
<?php
declare(strict_types=1);
require 'integrity.inc';
$site = new Site();
cr0_integrity_baseline($site->options());
// A hole costs nothing but reading it, which takes longer than a second.
$large = fopen("{$site->web}/large", 'x');
ftruncate($large, 15 << 30);
fclose($large);
$code = '
    $options = ["config" => $argv[1]];
    register_shutdown_function(static function () use ($options, $argv): void {
        set_time_limit(0);
        unlink(dirname($argv[1]) . "/web/large");
        echo "shutdown ", cr0_integrity_status($options)["baseline"]["generation"], " ";
        echo cr0_integrity_baseline($options)["generation"], "\n";
    });
    set_time_limit(1);
    cr0_integrity_baseline($options);
    echo "not reached\n";';
$command = ['-d', 'extension=' . getenv('CR0SYNC_EXTENSION'), '-d', 'display_errors=stderr', '-r', $code];
[$exit, $out, $err] = process([...$command, $site->ground->config]);
echo "{$exit} {$out}", preg_match('/Maximum execution time of 1 second exceeded/', $err), "\n";
?>
--EXPECT--
255 shutdown 1 2
1
