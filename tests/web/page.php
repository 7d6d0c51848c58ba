<?php

// A page of the website in its test: what `do` says, on the databases of the configuration that php-fpm was given.

declare(strict_types=1);

const SIDES = ['central', 'website'];

$root = dirname(ini_get('cr0sync.config'));
$given = static fn (string $name, string $default = ''): string => (string) ($_GET[$name] ?? $default);
$connect = static function (string $side, int $seconds) use ($root): PDO {
    $options = [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_TIMEOUT => $seconds];

    return new PDO("sqlite:{$root}/{$side}/site.db", null, null, $options);
};
$answer = static function (array $document): void {
    header('Content-Type: application/json');
    echo json_encode($document + ['pid' => getmypid()], JSON_THROW_ON_ERROR);
};
// A run that finds another one at work says so, which is no failure of a page.
$call = static function (string $function): array {
    try {
        return $function();
    } catch (Cr0Sync\LockedException $locked) {
        return ['locked' => $locked->getMessage()];
    }
};

switch ($given('do')) {
    case 'hello':
        $answer([
            'sapi' => PHP_SAPI,
            'opcache' => function_exists('opcache_get_status') && opcache_get_status(false)['opcache_enabled'],
        ]);
        break;

    case 'call':
        $answer(['result' => $call($given('function'))]);
        break;

    case 'write':
        $database = $connect('website', 10);
        $write = $database->prepare('INSERT INTO visits(who, n) VALUES (?, ?)');
        $write->execute([$given('who'), (int) $given('n')]);
        $database->exec("UPDATE counters SET hits = hits + 1 WHERE name = 'page'");
        file_put_contents("{$root}/website/visits.log", "{$given('who')} {$given('n')}\n", FILE_APPEND);
        $answer(['written' => true]);
        break;

    // Every call of a page, many times. What it says of memory is PHP's; the kernel is asked from outside.
    case 'many':
        for ($n = (int) $given('n'); $n > 0; $n--) {
            $all = ['cr0_db_status', 'cr0_db_conflicts', 'cr0_db_sync', 'cr0_log_status', 'cr0_log_merge'];
            foreach ($all as $function) {
                $function();
            }
            try {
                cr0_db_sync(['no_such_option' => 1]);
            } catch (ValueError) {
            }
        }
        $answer(['memory' => memory_get_usage()]);
        break;

    // Ends inside the progress callable.
    case 'end':
        $connect('website', 10)->exec("INSERT INTO visits(who, n) VALUES ('end', " . random_int(0, PHP_INT_MAX) . ')');
        header('X-Pid: ' . getmypid());
        cr0_db_sync(['progress' => static function (array $progress) use ($given): void {
            if ($progress['phase'] !== $given('phase')) {
                return;
            }
            switch ($given('how')) {
                case 'exit':
                    exit;
                case 'exception':
                    throw new LogicException('from the callable');
                case 'fatal':
                    trigger_error('fatal', E_USER_ERROR);
                    break;
                case 'undefined':
                    no_such_function();
                    break;
                case 'memory':
                    for ($all = [];;) {
                        $all[] = str_repeat('x', 100_000);
                    }
                    // No break: it never comes here.
                case 'time':
                    set_time_limit(1);
                    while (true) {
                    }
                    // No break: it never comes here.
                case 'terminated':
                    // The pool ends a request that takes too long, together with its process.
                    set_time_limit(0);
                    while (true) {
                    }
                    // No break: it never comes here.
                case 'gone':
                    // The visitor leaves: PHP ends the script at the next output.
                    ignore_user_abort(false);
                    while (true) {
                        echo str_repeat('x', 65_536);
                        flush();
                    }
            }
        }]);
        echo 'not reached';
        break;

    // What a page after that finds: nobody holds anything, and what was begun can be ended.
    case 'free':
        foreach (SIDES as $side) {
            $database = $connect($side, 0);
            $database->exec('BEGIN IMMEDIATE');
            $database->exec('ROLLBACK');
        }
        $lock = fopen("{$root}/sync_state/lock", 'r+');
        $free = flock($lock, LOCK_EX | LOCK_NB);
        fclose($lock);
        $answer(['free' => $free, 'state' => cr0_db_sync()['databases']['site']['state']]);
        break;
}
