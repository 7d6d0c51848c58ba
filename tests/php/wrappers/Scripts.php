<?php

declare(strict_types=1);

namespace Cr0Sync\Tests;

use Playground;

/**
 * Runs scripts: with the extension, without it, and with what the command line of a person has.
 */
final class Scripts
{
    public const DATABASES = 'database_sync_script.php';
    public const LOGS = 'log_sync_script.php';
    public const SECURITY = 'security_monitoring_script.php';
    public const ALL = [self::DATABASES, self::LOGS, self::SECURITY];

    /**
     * @param list<string> $words
     * @param array<string, string> $environment
     */
    public static function run(string $script, array $words, array $environment = []): Said
    {
        return Said::of(script($words, $environment, name: $script));
    }

    /** @param list<string> $words */
    public static function withoutExtension(string $script, array $words): Said
    {
        return Said::of(process([getenv('CR0SYNC_PHP') . "/website/{$script}", ...$words]));
    }

    /** On the configuration of a small infrastructure. */
    public static function on(Playground $ground, string $script, string ...$words): Said
    {
        return self::run($script, $words, ['CR0SYNC_CONFIG' => $ground->config]);
    }

    /**
     * The commands of each script, with what must follow them.
     *
     * @return array<string, array{string, list<string>}>
     */
    public static function commands(): array
    {
        $all = [
            self::DATABASES => [
                'status', 'bidirectional', 'sync-from website', 'sync-from-bot', 'conflicts', 'resolve 1 --take base',
                'acknowledge 1', 'history', 'undo 1', 'backup', 'backups', 'verify', 'clean-backups', 'restore x',
                'queue', 'config',
            ],
            self::LOGS => ['status', 'bidirectional', 'sync-all', 'rotate', 'clean', 'verify'],
            self::SECURITY => [
                'run', 'status', 'check', 'watch --seconds 1', 'baseline', 'accept /x', 'cleanup', 'archive',
                'verify-events', 'keys list', 'keys issue --user 1 --name x --permission read', 'keys revoke key_1',
                'keys rotate key_1',
            ],
        ];
        $cases = [];
        foreach ($all as $script => $lines) {
            foreach ($lines as $line) {
                $cases["{$script} {$line}"] = [$script, explode(' ', $line)];
            }
        }

        return $cases;
    }
}
