--TEST--
The admin pages show every line of a log once, find all that fits, and open nothing but a log
--FILE--
<?php

declare(strict_types=1);

require getenv('CR0SYNC_PHP') . '/website/admin/src/autoload.php';

use Cr0Sync\Admin\Logs\Bytes;
use Cr0Sync\Admin\Logs\LogFile;
use Cr0Sync\Admin\Logs\PackedLog;
use Cr0Sync\Admin\Logs\Pager;
use Cr0Sync\Admin\Logs\Search;
use Cr0Sync\Admin\Logs\Unreadable;

$directory = sys_get_temp_dir() . '/cr0sync-admin-logs-' . getmypid();
mkdir($directory);

/** A log of every kind of line, the same for the same seed. */
function written(int $seed): string
{
    mt_srand($seed);
    $text = '';
    for ($line = mt_rand(0, 3000); $line > 0; $line--) {
        $level = ['INFO', 'ERROR'][mt_rand(0, 1)];
        $text .= match (mt_rand(0, 20)) {
            0 => '',
            1 => str_repeat('x', mt_rand(1, 100_000)),
            2, 3, 4 => "  a traceback {$line}",
            default => "2026-11-30 08:00:00 EST - bot - {$level} - message {$line}",
        } . "\n";
    }
    // A line that is longer than a page looks.
    $text .= $seed % 5 === 3 ? str_repeat('y', 9 << 20) . "\n2026-11-30 08:00:01 EST - bot - ERROR - message\n" : '';

    return $text . ($seed % 2 === 0 ? 'no end of a line' : '');
}

/** All pages, one after the other, from either end. */
function paged(Bytes $bytes, int $end, bool $isBack): string
{
    $pager = new Pager($bytes);
    $spans = [];
    for ($at = $isBack ? $end : 0; $isBack ? $at > 0 : $at < $end; $at = $isBack ? $piece->from : $piece->to) {
        $piece = $isBack ? $pager->before($at) : $pager->after($at);
        if ($piece->to <= $piece->from || ($isBack ? $piece->to : $piece->from) !== $at) {
            return "a page at {$at} leads nowhere";
        }
        $spans[] = $piece->to - $piece->from;
    }

    return array_sum($spans) === $end ? 'all' : 'not all';
}

/** @return list<int> where something was found, in all steps of a search */
function found(Bytes $bytes, int $end, bool $isBack): array
{
    $search = new Search($bytes, 'MESSAGE', false, 'ERROR');
    $at = $isBack ? $end : 0;
    $places = [];
    do {
        $found = $isBack ? $search->before($at) : $search->after($at);
        array_push($places, ...array_column($found->entries, 'at'));
        $at = $found->next;
    } while ($at !== null);

    return $places;
}

for ($seed = 0; $seed < 10; $seed++) {
    $text = written($seed);
    $end = strlen($text);
    preg_match_all('/^2.* - ERROR - message/m', $text, $wanted, PREG_OFFSET_CAPTURE);
    $wanted = array_column($wanted[0], 1);
    file_put_contents("{$directory}/plain", $text);
    $half = intdiv($end, 2);
    file_put_contents("{$directory}/packed", gzencode(substr($text, 0, $half), 1) . gzencode(substr($text, $half), 1));
    $plain = LogFile::open("{$directory}/plain", []);
    $packed = new PackedLog(LogFile::open("{$directory}/packed", []));
    $seen = [
        $plain->end() === $end,
        $packed->end() === $end,
        paged($plain, $end, false) === 'all',
        paged($plain, $end, true) === 'all',
        paged($packed, $end, false) === 'all',
        found($plain, $end, false) === $wanted,
        found($plain, $end, true) === array_reverse($wanted),
        found($packed, $end, false) === $wanted,
    ];
    if (in_array(false, $seen, true)) {
        echo "seed {$seed}: ", json_encode($seen), "\n";
    }
}

// A packed log that takes too long to unpack.
$slow = new PackedLog(LogFile::open("{$directory}/packed", []), -1.0);
echo $slow->end(), ' ', $slow->limit(), "\n";
try {
    echo strlen($slow->read(0, 1)), "\n";
} catch (Unreadable $why) {
    echo $why->getMessage(), "\n";
}

// What may lie in the place of a log.
symlink('/etc/passwd', "{$directory}/link");
posix_mkfifo("{$directory}/pipe", 0600);
mkdir("{$directory}/directory");
link("{$directory}/plain", "{$directory}/second");
file_put_contents("{$directory}/live.db", 'no log');
file_put_contents("{$directory}/copy", "SQLite format 3\0 and so on");
foreach (['link', 'pipe', 'directory', 'second', 'live.db', 'copy', 'nothing'] as $name) {
    try {
        LogFile::open("{$directory}/{$name}", ["{$directory}/live.db"]);
        echo "{$name}: opened\n";
    } catch (Unreadable $why) {
        echo "{$name}: {$why->getMessage()}\n";
    }
}

array_map(unlink(...), array_filter(glob("{$directory}/*"), static fn (string $one): bool => !is_dir($one)));
rmdir("{$directory}/directory");
rmdir($directory);
?>
--EXPECT--
0 Unpacking it takes longer than a page may: its beginning is shown here; zcat shows the rest.
This packed log takes too long to unpack up to there: look at it on the machine with zcat.
link: This is no regular file, so it is not opened.
pipe: This is no regular file, so it is not opened.
directory: This is no regular file, so it is not opened.
second: This file has another name too, so it is not opened.
live.db: This is a database, so it is not opened.
copy: This is a database, and no log.
nothing: This file is not there now.
