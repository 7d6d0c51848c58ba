<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Logs;

use Cr0Sync\Admin\Library;

/**
 * Which files may be looked at: those that the library tells of, and the logs that cron and the website write below the
 * root. Whatever an address names is looked up here, and nothing else is opened.
 */
final readonly class Catalogue
{
    /** Logs of fixed names, below the root. */
    private const OWN = [
        'logs/cron_database_sync.log' => 'cron: databases',
        'logs/cron_log_sync.log' => 'cron: logs',
        'logs/cron_security.log' => 'cron: security',
        'logs/security/security.log' => 'website: security',
        'logs/api/api_access.log' => 'website: API',
        'logs/file_access/file_access.log' => 'website: file access',
    ];

    /** @var array<string, mixed> */
    private array $config;

    public function __construct(private Library $library)
    {
        $this->config = $library->read('cr0_config')['config'];
    }

    /** @return ?array<string, mixed> what the library tells of a log; null where there is none of this name */
    public function report(string $log): ?array
    {
        // A name could be taken for a pattern.
        return isset($this->config['logs'][$log])
            ? $this->library->read('cr0_log_status', ['logs' => $log])['logs'][$log] ?? null
            : null;
    }

    /**
     * @param array<string, mixed> $report of a log
     * @return list<Copy>
     */
    public function copies(array $report): array
    {
        $copies = [];
        foreach ($report['sides'] as $side => $one) {
            $copies[] = new Copy("side:{$side}", (string) $side, $one['path']);
            if ($one['merged'] !== null) {
                $copies[] = new Copy("merged:{$side}", "{$side}, what others wrote", $one['merged']);
            }
        }
        foreach (array_reverse($report['rotated']) as $one) {
            $name = basename($one['path']);
            $copies[] = new Copy("rotated:{$name}", $name, $one['path'], true);
        }

        return $copies;
    }

    /** @return list<Copy> the logs of cron and of the website that are there */
    public function own(): array
    {
        $copies = [];
        foreach (self::OWN as $name => $label) {
            $path = "{$this->config['root']}/{$name}";
            // Whatever lies there: whether it may be opened is decided when it is.
            if (@lstat($path) !== false) {
                $copies[] = new Copy("own:{$name}", $label, $path);
            }
        }

        return $copies;
    }

    /** @throws Unreadable */
    public function open(Copy $copy): Bytes
    {
        $databases = [];
        foreach ($this->config['databases'] as $database) {
            array_push($databases, ...array_values($database['replicas']));
        }
        $file = LogFile::open($copy->path, $databases);

        return $copy->isPacked() ? new PackedLog($file) : $file;
    }
}
