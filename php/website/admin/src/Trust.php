<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

use UnexpectedValueException;

/**
 * Whether settings.php says what an administrator wrote: whoever takes over the website could let himself in by a file
 * that its user may write or exchange. Such a file is not even run.
 *
 * Where one user is everything, as where somebody develops, there is nobody to tell apart, and only others matter. Who
 * that is must not be said by a file that he could have written: neither by the settings nor by a configuration.
 */
final class Trust
{
    /** Of an installation whose root nobody has named to PHP. */
    private const ROOT = '/data/cr0_system';

    /** @throws UnexpectedValueException when others than root or an administrator could have written it */
    public static function demand(string $file): void
    {
        $why = self::refusal($file, self::pages(), self::installation(...));
        if ($why !== null) {
            throw new UnexpectedValueException($why);
        }
    }

    /**
     * Why the file is not believed, if it is not.
     *
     * @param ?int $pages the user that the pages run as
     * @param callable(): ?int $installation the one whose the installation is; null where there is none
     */
    public static function refusal(string $file, ?int $pages, callable $installation): ?string
    {
        $real = (string) realpath($file);
        foreach (array_unique([$real, dirname($real), dirname($file)]) as $path) {
            $why = self::problem($path, $pages);
            if ($why !== null && ($why['isOfAll'] || $pages === null || $installation() !== $pages)) {
                return "{$path} {$why['words']}, and so whoever takes over the website could let himself in. As root: "
                    . "{$why['command']} {$path}" . (is_file($path) ? '' : ', or keep the file elsewhere, and let the '
                    . 'server name it: CR0SYNC_ADMIN_SETTINGS') . ($why['isOfAll'] ? '' : '. Where one user is '
                    . 'everything, let PHP know the root that is his: the ini setting cr0sync.root');
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

    /**
     * Whose the installation is: the owner of the root that PHP is told, by php.ini, the web server, or a .user.ini or
     * .htaccess above the pages. No page can say another one as it runs. Who may write those two could name a root of
     * his own; he needs no settings for what he wants, as PHP runs what they name before every page.
     */
    private static function installation(): ?int
    {
        $named = (string) ini_get('cr0sync.root');
        $root = $named === '' ? self::ROOT : $named;
        $owner = is_dir($root) ? fileowner($root) : false;

        return $owner === false ? null : $owner;
    }
}
