--TEST--
The table is for the configured group: the website shares it with cron, and nobody else can
--EXTENSIONS--
pcntl
posix
--SKIPIF--
<?php
if (posix_geteuid() !== 0 || posix_getpwnam('www-data') === false || posix_getpwnam('nobody') === false) {
    echo 'skip needs root, and the users www-data and nobody';
}
?>
--FILE--
<?php
declare(strict_types=1);
require 'limits.inc';
$limits = new Limits();
$config = json_decode(file_get_contents($limits->ground->config), true);
$config['databases'] = new stdClass();
$config['ownership'] = ['user' => 'root', 'group' => 'www-data'];
file_put_contents($limits->ground->config, json_encode($config));
$as = static function (string $name, callable $do): void {
    $child = pcntl_fork();
    if ($child === 0) {
        $user = posix_getpwnam($name);
        posix_initgroups($name, $user['gid']);
        posix_setgid($user['gid']);
        posix_setuid($user['uid']);
        echo $name, ': ', $do(), "\n";
        posix_kill(posix_getpid(), SIGKILL);
    }
    pcntl_waitpid($child, $status);
};
$ask = static fn (): string => said($limits->ask('a'));
echo 'root: ', $ask(), "\n";
printf("%o %s\n", fileperms($limits->table()), posix_getgrgid(filegroup($limits->table()))['name']);
$as('www-data', $ask);
// What the parent has open stays open in a child, whoever it becomes; what is opened is looked at.
$fresh = new Limits();
unlink("{$fresh->ground->config}");
copy($limits->ground->config, $fresh->ground->config);
$elsewhere = static fn (): string => thrown(static fn () => $fresh->ask('a'));
echo 'root: ', said($fresh->ask('a')), "\n";
$limits->ask('b');
$as('nobody', static fn (): string => preg_replace('~ /.*~', ' ...', $elsewhere()));
$as('www-data', static fn (): string => said($fresh->ask('a')));
// The website cuts the table while cron has it open.
$as('www-data', static fn (): string => var_export(ftruncate(fopen($fresh->table(), 'r+'), 0), true));
echo 'root: ', said($fresh->ask('a')), "\n";
echo json_encode(array_slice(cr0_rate_limit_cleanup($fresh->ground->options())['table'], 1)), "\n";
// The website may make it, too, where it is gone.
unlink($fresh->table());
usleep(25_000);
$as('www-data', static fn (): string => said($fresh->ask('a')));
echo 'root: ', said($fresh->ask('a')), "\n";
printf("%s\n", posix_getgrgid(filegroup($fresh->table()))['name']);
?>
--EXPECT--
root: yes 2 of 3, wait 0, reset 12
100660 www-data
www-data: yes 1 of 3, wait 0, reset 24
root: yes 2 of 3, wait 0, reset 12
nobody: Cr0Sync\AccessException: cannot open the table of rate limits ...
www-data: yes 1 of 3, wait 0, reset 24
www-data: true
root: yes 2 of 3, wait 0, reset 12
{"removed":0,"kept":1,"resized":false}
www-data: yes 2 of 3, wait 0, reset 12
root: yes 1 of 3, wait 0, reset 24
www-data
