<?php

declare(strict_types=1);

namespace Cr0Sync\Tests;

use ExampleWorld;
use FilesystemIterator;
use RecursiveDirectoryIterator;
use RecursiveIteratorIterator;
use UnexpectedValueException;

/**
 * The files that are there when everything was used once, and whether a document names them.
 */
final class Files
{
    /** Each part of it, so that it leaves what it leaves. */
    private const EVERYTHING = <<<'PHP'
        cr0_db_enqueue('backup', []);
        cr0_db_sync();
        cr0_db_enqueue('backup', []);
        cr0_log_merge();
        cr0_rate_limit('192.0.2.7');
        cr0_api_key_revoke(cr0_api_key_issue('7', 'x', ['read'])['id']);
        cr0_session_close(cr0_session_open('7', ['read'])['id']);
        cr0_security_run();
        file_put_contents('web/new.php', 'x');
        cr0_integrity_check();
        // An event of a day that is over.
        $log = 'logs/security/security_events.json';
        $old = ['timestamp' => '2025-07-14T09:31:02+00:00', 'type' => 'LOGIN', 'severity' => 'INFO', 'details' => []];
        file_put_contents($log, json_encode($old) . "\n" . file_get_contents($log));
        cr0_event_archive();
        // It has its heartbeats while it is at work.
        cr0_integrity_watch(['seconds' => 60, 'progress' => static function (): bool {
            copy('sync_state/integrity/watch', 'sync_state/integrity/watch.while-it-ran');
            return false;
        }]);
        PHP;

    /** @return list<string> paths of no name that the document has */
    public static function unnamed(string $document): array
    {
        preg_match_all('/`((?:sync_state|shared_storage|logs)\/[^`]+)`/', $document, $names);
        $patterns = array_map(self::pattern(...), $names[1]);
        $world = new ExampleWorld();
        [$code, $out, $err] = $world->run(self::EVERYTHING);
        $found = self::found($world->ground->root);
        if ($code !== 0 || $out . $err !== '' || count($found) < 30) {
            throw new UnexpectedValueException("not everything was done: {$out}{$err}" . implode(' ', $found));
        }
        $isUnnamed = static function (string $path) use ($patterns): bool {
            foreach ($patterns as $pattern) {
                if (preg_match($pattern, $path) === 1) {
                    return false;
                }
            }

            return true;
        };

        return array_values(array_filter($found, $isUnnamed));
    }

    private static function pattern(string $name): string
    {
        return '~^' . preg_replace('/[A-Z]{2,}/', '[^/]+', preg_quote($name, '~')) . '$~';
    }

    /** @return list<string> */
    private static function found(string $root): array
    {
        $found = [];
        foreach (['sync_state', 'shared_storage', 'logs'] as $part) {
            $files = new RecursiveDirectoryIterator("{$root}/{$part}", FilesystemIterator::SKIP_DOTS);
            foreach (new RecursiveIteratorIterator($files) as $file) {
                $found[] = preg_replace('/\.while-it-ran$/', '', substr($file->getPathname(), strlen($root) + 1));
            }
        }
        sort($found);

        return $found;
    }
}
