<?php

declare(strict_types=1);

/*
 * Every block of code in the documents does what it should: php -d extension=cr0sync.so tests/docs/docs.php
 *
 * Each runs in a small infrastructure of its own, where /var/www/html, /etc/cr0sync.json and FILE are files of that.
 * By the language after the fence:
 *
 *   sh       runs, and says nothing on standard error; of `make` only whether it knows the target, as other tests do
 *            what these do. merge.c is the program in C of the document, ROOT the root
 *   crontab  a line of cron, which is run
 *   php      runs; what its last comments say, if there are any, is what it prints
 *   c        is compiled with the C library, and runs; so does python, beside tests/abi/bot.py
 *   json     is JSON, or members of an object; where it has a version it is a configuration
 *   ini      is an ini file, and ours are settings of ours
 *   text     is none of these. With <!-- prints --> before it, it is what the sh before it prints, whatever the times
 *
 * <!-- begins --> and <!-- goes on --> make one story of several blocks of sh, typed into one shell: each has what
 * those before it left. What a command ends with is told by what it prints then: 0 or 1, and nothing on standard error.
 * With "begins, ends with 75" it is just that, and what is printed has standard error too, as in a terminal. After
 * "begins: " or "goes on: " is what happens before, which nobody reads: somebody makes the trouble of the story.
 * <!-- always: --> is a block that each story of the document begins with. In a document that has one, each command in
 * the text beside the blocks that such a story can type, as `db clean-backups`, is typed too, and must be understood.
 *
 * "begins as root" needs users: cr0, whom no machine has to have, is played by another, and www-data is itself; else
 * both are whoever runs the tests. "begins with cron" has a table of cron for each as well, and no cron. "begins with
 * disks" may mount some. Where that cannot be, the story is passed over, which is counted.
 *
 * src/docs/formats.md names every file that is there when everything was used once.
 *
 * <!-- before: CODE --> before the fence is run first, as a page has its variables; <!-- not run: WHY --> is for what
 * cannot be run here.
 */

require __DIR__ . '/../../php/tests/examples.inc';
require __DIR__ . '/Block.php';
require __DIR__ . '/Checkout.php';
require __DIR__ . '/Files.php';
require __DIR__ . '/Prose.php';
require __DIR__ . '/Shell.php';
require __DIR__ . '/Stage.php';
require __DIR__ . '/Story.php';

$root = dirname(__DIR__, 2);
putenv('CR0SYNC_PHP=' . $root . '/php');
putenv('CR0SYNC_EXTENSION=' . realpath($argv[1] ?? "{$root}/build/cr0sync.so"));
putenv('CR0SYNC_CONFIG');

$counts = [];
$problems = [];
$passedOver = 0;
foreach (['README.md', 'php/README.md', 'src/docs/*.md'] as $pattern) {
    foreach (glob("{$root}/{$pattern}") as $file) {
        $name = substr($file, strlen($root) + 1);
        $story = new Cr0Sync\Tests\Story();
        $document = (string) file_get_contents($file);
        foreach (Cr0Sync\Tests\Block::all($document) as $block) {
            $counts[$block->kind()] = ($counts[$block->kind()] ?? 0) + 1;
            $problem = $block->problem($root, $story);
            if ($problem !== null) {
                $problems[] = "{$name}:{$block->line}: {$problem}";
            }
        }
        $story->end();
        foreach ($story->hasBeginning() ? Cr0Sync\Tests\Prose::commands($document) : [] as $command) {
            $counts['commands in text'] = ($counts['commands in text'] ?? 0) + 1;
            $problem = Cr0Sync\Tests\Prose::problem($command, $root, $story);
            if ($problem !== null) {
                $problems[] = "{$name}: {$problem}";
            }
        }
        $passedOver += $story->passedOver;
    }
}
if ($passedOver > 0) {
    $counts['stories that need root'] = $passedOver;
}
foreach (['sh', 'php', 'json', 'commands in text'] as $needed) {
    if (($counts[$needed] ?? 0) === 0) {
        $problems[] = "no block of {$needed} was found; the documents are not read as they should be";
    }
}
$unnamed = Cr0Sync\Tests\Files::unnamed((string) file_get_contents("{$root}/src/docs/formats.md"));
foreach ($unnamed as $path) {
    $problems[] = "src/docs/formats.md: does not say what {$path} is";
}
if ($problems !== []) {
    echo implode("\n", $problems), "\n";
    exit(1);
}
ksort($counts);
$told = array_map(static fn (string $kind, int $count): string => "{$count} {$kind}", array_keys($counts), $counts);
echo 'documents: ' . implode(', ', $told) . "\n";
