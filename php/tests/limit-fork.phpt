--TEST--
Children of fork share the buckets of their parent, and of each other
--EXTENSIONS--
pcntl
--FILE--
<?php
declare(strict_types=1);
require 'limits.inc';
$limits = new Limits(['many' => ['limit' => 1000, 'period_seconds' => 604800]]);
$limits->ask('a', 'many');
$children = [];
for ($i = 0; $i < 16; ++$i) {
    $child = pcntl_fork();
    if ($child === 0) {
        $in = 0;
        for ($j = 0; $j < 2000; ++$j) {
            $in += $limits->ask('a', 'many')['allowed'] ? 1 : 0;
        }
        file_put_contents("{$limits->ground->root}/{$i}.count", (string) $in);
        // Nothing of the parent's ends here.
        posix_kill(posix_getpid(), SIGKILL);
    }
    $children[] = $child;
}
foreach ($children as $child) {
    pcntl_waitpid($child, $status);
}
$counts = array_map(static fn (string $file): int => (int) file_get_contents($file), glob("{$limits->ground->root}/*.count"));
echo count($counts), ' ', 1 + array_sum($counts), "\n";
echo said($limits->ask('a', 'many', ['cost' => 0])), "\n";
?>
--EXPECTF--
16 1000
no 0 of 1000, wait %d, reset %d
