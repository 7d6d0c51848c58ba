--TEST--
A check tells what is otherwise than it was accepted, and accepting ends it
--FILE--
<?php
declare(strict_types=1);
require 'integrity.inc';
$site = new Site();
$check = static fn(array $more = []): array => cr0_integrity_check($site->options($more));
echo $site->lines($check());
$made = cr0_integrity_baseline($site->options());
echo "generation {$made['generation']}, {$made['entries']} entries\n", $site->lines($check());
$time = filemtime("{$site->web}/auth.php");
$site->write('auth.php', '<?php // me!!');
touch("{$site->web}/auth.php", $time);
unlink("{$site->web}/index.html");
mkdir("{$site->web}/uploads");
$site->write('uploads/new.php', 'x');
$site->write("odd\n\xff", 'x');
$report = $check(['full' => true]);
echo $site->lines($report), "bits {$report['exit_bits']}\n";
foreach ($report['findings'] as $finding) {
    if (isset($finding['path_b64'])) {
        var_dump(base64_decode($finding['path_b64']) === "{$site->web}/odd\n\xff");
    }
}
var_dump(cr0_call('cr0_integrity_check', [$site->options(['budget_ms' => 5000])])['exit_code']);
echo count($check(['paths' => ["{$site->web}/uploads"]])['findings']), " below uploads\n";
$paths = ["{$site->web}/odd\n\xff", "{$site->web}/auth.php", "{$site->web}/uploads", "{$site->web}/index.html"];
$shown = cr0_integrity_accept($paths, $site->options(['dry_run' => true]));
echo count($shown['accepted']), " would be accepted, generation {$shown['generation']}\n";
$done = cr0_integrity_accept($paths, $site->options());
echo count($done['accepted']), " are, generation {$done['generation']}\n", $site->lines($check());
cr0_security_run($site->options());
var_dump(cr0_call('cr0_integrity_check', [$site->options()])['exit_code'], cr0_integrity_status($site->options())['ok']);
?>
--EXPECT--
baseline ROOT/sync_state/integrity/baseline missing CRITICAL
generation 1, 4 entries
nothing
modified ROOT/web/auth.php content,mtime,ctime CRITICAL
removed ROOT/web/index.html  HIGH
added ROOT/web/odd\x0a\xff  MEDIUM
added ROOT/web/uploads  MEDIUM
added ROOT/web/uploads/new.php  CRITICAL
bits 7
bool(true)
int(1)
2 below uploads
5 would be accepted, generation 1
5 are, generation 2
nothing
int(0)
bool(true)
