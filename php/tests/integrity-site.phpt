--TEST--
The site's own pages read what we write about files, and we read what they write
--FILE--
<?php
declare(strict_types=1);
require 'integrity.inc';
$site = new Site(['legacy_md5' => true]);
cr0_integrity_baseline($site->options());
$path = "{$site->root}/shared_storage/file_hashes.json";

// What the site's pages do with the list: compare it with the files.
$compare = static function () use ($path): array {
    $list = json_decode(file_get_contents($path), true);
    $found = [];
    foreach ($list['hashes'] as $file => $known) {
        if (!file_exists($file)) {
            $found[] = 'missing ' . basename($file);
            continue;
        }
        $changes = [
            'content' => hash_file('sha256', $file) !== $known['sha256'] || hash_file('md5', $file) !== $known['md5'],
            'size' => filesize($file) !== $known['size'],
            'time' => filemtime($file) !== $known['modified'],
            'mode' => substr(sprintf('%o', fileperms($file)), -3) !== $known['permissions'],
        ];
        foreach (array_keys(array_filter($changes)) as $change) {
            $found[] = "{$change} " . basename($file);
        }
    }
    return [$list['files_count'] === count($list['hashes']), strtotime($list['created']) !== false, $found];
};
echo json_encode($compare()), "\n";
if (function_exists('sodium_crypto_sign_verify_detached')) {
    $key = base64_decode(trim(file_get_contents("{$site->root}/sync_state/integrity/public_key")));
    $signature = base64_decode(trim(file_get_contents("{$path}.sig")));
    if (!sodium_crypto_sign_verify_detached($signature, file_get_contents($path), $key)) {
        echo "the signature is wrong\n";
    }
}
$site->write('a.php', 'x');
// The pages know whole seconds.
touch("{$site->web}/a.php", 1_752_485_462);
chmod("{$site->web}/auth.php", 0600);
clearstatcache();
echo json_encode($compare()), "\n";
cr0_integrity_check($site->options());

// What they do with alerts: show those that are open, and close one.
$alerts = "{$site->root}/logs/integrity/integrity_alerts.json";
$all = json_decode(file_get_contents($alerts), true);
foreach ($all as $alert) {
    $changes = implode(',', array_keys(array_filter($alert['details']['changes'])));
    echo "{$alert['status']} {$alert['type']} {$alert['severity']} ", basename($alert['file']), " {$changes}\n";
}
$all[0]['status'] = 'resolved';
$all[] = ['id' => 'integrity_theirs', 'status' => 'open', 'details' => ['changes' => []]];
file_put_contents($alerts, json_encode($all, JSON_PRETTY_PRINT));
$site->write('index.html', 'x');
cr0_integrity_check($site->options());
foreach (json_decode(file_get_contents($alerts), true) as $alert) {
    echo $alert['status'], ' ', basename($alert['file'] ?? $alert['id']), "\n";
}

// What they do when a new baseline is asked for: write the list anew.
$hashes = [];
foreach (glob("{$site->web}/*") as $file) {
    $hashes[$file] = [
        'sha256' => hash_file('sha256', $file),
        'md5' => hash_file('md5', $file),
        'size' => filesize($file),
        'modified' => filemtime($file),
        'permissions' => substr(sprintf('%o', fileperms($file)), -3),
        'calculated_at' => date('Y-m-d H:i:s'),
    ];
}
$list = ['created' => date('Y-m-d H:i:s'), 'files_count' => count($hashes), 'hashes' => $hashes];
file_put_contents($path, json_encode($list, JSON_PRETTY_PRINT));
$report = cr0_integrity_check($site->options());
echo $report['findings'][0]['kind'], ' ', basename($report['findings'][0]['path']), "\n";
$made = cr0_integrity_baseline($site->options(['import' => $path]));
echo "{$made['imported']} were taken over\n", $site->lines(cr0_integrity_check($site->options()));
?>
--EXPECT--
[true,true,[]]
[true,true,["content a.php","size a.php","time a.php","mode auth.php"]]
open FILE_MODIFIED HIGH a.php content_modified,size_changed,timestamp_changed
open FILE_MODIFIED CRITICAL auth.php permissions_changed
resolved a.php
open auth.php
open integrity_theirs
open index.html
baseline file_hashes.json
3 were taken over
nothing
