<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

use Cr0Sync\Cr0SyncException;
use UnexpectedValueException;

/**
 * Whether settings.php says what an administrator wrote: whoever takes over the website could let himself in by a file
 * that its user may write or exchange.
 *
 * Where one user is everything, as where somebody develops, there is nobody to tell apart, and only others matter.
 */
final class Trust
{
    /** @throws UnexpectedValueException when others than root or an administrator could have written it */
    public static function demand(string $file, Library $library): void
    {
        $why = self::refusal($file, self::pages(), static fn (): ?int => self::cron($library));
        if ($why !== null) {
            throw new UnexpectedValueException($why);
        }
    }

    /**
     * The same of what everybody on the machine may write, which is not even run.
     *
     * @throws UnexpectedValueException
     */
    public static function beforeItRuns(string $file): void
    {
        $why = self::refusal($file, self::pages(), static fn (): ?int => self::pages());
        if ($why !== null) {
            throw new UnexpectedValueException($why);
        }
    }

    /**
     * Why the file is not believed, if it is not.
     *
     * @param ?int $pages the user that the pages run as
     * @param callable(): ?int $cron the one that cron runs as; null where that is not known
     */
    public static function refusal(string $file, ?int $pages, callable $cron): ?string
    {
        $real = (string) realpath($file);
        foreach (array_unique([$real, dirname($real), dirname($file)]) as $path) {
            $why = self::problem($path, $pages);
            // To look at the configuration is left for where it matters.
            if ($why !== null && ($why['isOfAll'] || $pages === null || $cron() !== $pages)) {
                return "{$path} {$why['words']}, and so whoever takes over the website could let himself in. As root: "
                    . "{$why['command']} {$path}" . (is_file($path) ? '' : ', or keep the file elsewhere, and let the '
                    . 'server name it: CR0SYNC_ADMIN_SETTINGS');
            }
        }

        return null;
    }

    /** @return ?array{words: string, command: string, isOfAll: bool} */
    private static function problem(string $path, ?int $pages): ?array
    {
        [$mode, $owner] = [fileperms($path), fileowner($path)];
        if ($mode === false || $owner === false) {
            return ['words' => 'cannot be looked at', 'command' => 'ls -ld', 'isOfAll' => true];
        }
        // In a sticky directory nobody exchanges what is not his.
        $isWritable = is_file($path) || ($mode & 01000) === 0;
        $command = 'chmod g-w,o-w';

        return match (true) {
            $isWritable && ($mode & 02) !== 0 =>
                ['words' => 'may be written by everybody', 'command' => $command, 'isOfAll' => true],
            $isWritable && ($mode & 020) !== 0 =>
                ['words' => 'may be written by its group', 'command' => $command, 'isOfAll' => false],
            $pages === null || $owner === $pages =>
                ['words' => 'belongs to the user of the pages', 'command' => 'chown -h root', 'isOfAll' => false],
            default => null,
        };
    }

    private static function pages(): ?int
    {
        if (function_exists('posix_geteuid')) {
            return posix_geteuid();
        }
        $file = tmpfile();

        return $file === false ? null : fstat($file)['uid'] ?? null;
    }

    private static function cron(Library $library): ?int
    {
        try {
            $name = $library->read('cr0_config')['config']['ownership']['user'];
        } catch (Cr0SyncException) {
            return null;
        }

        if (function_exists('posix_getpwnam')) {
            return (posix_getpwnam($name) ?: [])['uid'] ?? null;
        }
        // Not each PHP has that extension.
        $users = is_readable('/etc/passwd') ? (string) file_get_contents('/etc/passwd') : '';

        $line = '~^' . preg_quote($name, '~') . ':[^:]*:(\d+):~m';

        return preg_match($line, $users, $found) === 1 ? (int) $found[1] : null;
    }
}
