--TEST--
The settings are for php.ini, the web server and -d: ini_set cannot change them, and says so
--INI--
cr0sync.config=/from/ini.json
--FILE--
<?php
declare(strict_types=1);
foreach (['cr0sync.config', 'cr0sync.root'] as $name) {
    var_dump(ini_set($name, '/elsewhere'));
}
var_dump(ini_get('cr0sync.config'), ini_get('cr0sync.root'), ini_get_all('cr0sync')['cr0sync.config']['access'] === (INI_SYSTEM | INI_PERDIR));
?>
--EXPECT--
bool(false)
bool(false)
string(14) "/from/ini.json"
string(0) ""
bool(true)
