--TEST--
Paths on the command line: as they were printed, exactly, or nowhere
--FILE--
<?php
declare(strict_types=1);
require 'integrity.inc';
$site = new Site();
function run(Site $site, string ...$words): string
{
    [$code, $out, $err] = script($words, ['CR0SYNC_CONFIG' => $site->ground->config], null, 'security_monitoring_script.php');
    $patterns = ['/ +$|(?<=\S)  +/m', '/mode 0\d+/', '/^\d+ files checked.*\n/m'];
    $told = "{$code}\n" . preg_replace($patterns, ['  ', 'mode M', ''], str_replace($site->root, 'ROOT', $out . $err));
    echo $told;

    return $out;
}
cr0_integrity_baseline($site->options());
run($site, 'check', "{$site->web}/autch.php");
run($site, 'accept', 'index.html');
foreach (["odd\n\x1b[2J", "more\xff"] as $name) {
    $site->write($name, 'x');
}
chmod("{$site->web}/auth.php", 04755);
$report = json_decode(script(['check', '--json', '--config', $site->ground->config], [], null, 'security_monitoring_script.php')[1], true);
[$auth, $more, $odd] = $report['findings'];
echo json_encode([$auth['before']['mode'], $auth['after']['mode']]), "\n";
run($site, 'accept', $odd['path']);
run($site, 'accept', '--path-b64', $more['path_b64']);
run($site, 'accept', '--path-b64', '=');
run($site, 'check', '--quiet');
?>
--EXPECT--
64
security_monitoring_script.php: there is no such file, and none was accepted: ROOT/web/autch.php
  did you mean ROOT/web/auth.php?
64
security_monitoring_script.php: there is no such file, and none was accepted: index.html
  a relative path begins at ROOT, so this one is ROOT/index.html
["0644","4755"]
0
severity  what  path  changes  because
MEDIUM  added  ROOT/web/odd\x0a\x1b[2J  file, mode M, 1 byte
1 open alert closed.
1 finding accepted (generation 2).
0
severity  what  path  changes  because
MEDIUM  added  ROOT/web/more\xff  file, mode M, 1 byte
1 open alert closed.
1 finding accepted (generation 3).
64
security_monitoring_script.php: --path-b64 needs base64
  copy the path_b64 of a finding, as check --json shows it
1
severity  what  path  changes  because
CRITICAL  modified  ROOT/web/auth.php  mode M -> 4755, ctime
