--TEST--
Only the chosen logs are looked at, by name or by pattern
--FILE--
<?php
declare(strict_types=1);
require 'logs.inc';
$logs = new Logs(['rizon_bot' => [], 'rizon_errors' => [], 'libera_bot' => []]);
foreach (['*_bot', ['rizon_*', 'libera_b?t'], 'rizon_errors', [], null] as $names) {
    $options = $logs->options(['logs' => $names]);
    $of = array_map(
        static fn (string $function): string => implode(' ', array_keys($function($options)['logs'])),
        ['cr0_log_status', 'cr0_log_merge', 'cr0_log_rotate', 'cr0_log_clean', 'cr0_log_verify'],
    );
    echo implode(' / ', array_unique($of)), "\n";
}
try {
    cr0_log_status($logs->options(['logs' => 'rizon']));
} catch (Cr0Sync\UsageException $error) {
    echo $error->getMessage(), "\n", $error->hint, "\n";
}
echo $logs->script('status', '--json', '--log', 'libera*', '--log', '*errors')[1] === cr0_call('cr0_log_status', [$logs->options(['logs' => ['libera*', '*errors']])])['json'] . "\n" ? 'as the function' : 'otherwise', "\n";
?>
--EXPECT--
libera_bot rizon_bot
libera_bot rizon_bot rizon_errors
rizon_errors
libera_bot rizon_bot rizon_errors
libera_bot rizon_bot rizon_errors
no log is called rizon
logs are: libera_bot, rizon_bot, rizon_errors
as the function
