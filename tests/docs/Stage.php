<?php

declare(strict_types=1);

namespace Cr0Sync\Tests;

/**
 * What a story needs of the machine on which it is tried. `cr0`, the user of the cron jobs, is nobody whom it has.
 */
enum Stage: string
{
    /** Nothing: whoever runs the tests is all users. */
    case Plain = '';
    /** `cr0` is played by another account, and `www-data` is itself. */
    case Users = ' as root';
    /** The same, and a table of cron for each, which nobody else sees, and which goes with the story. Cron itself does not run. */
    case Cron = ' with cron';
    /** Disks can be mounted, which nobody else sees, and which go with the story. */
    case Disks = ' with disks';

    /** An account that owns nothing. */
    private const CR0 = 'daemon';
    private const TABLES = 'gid=$(getent group crontab | cut -d: -f3)'
        . ' && mount -t tmpfs -o mode=1730,gid="$gid" none /var/spool/cron/crontabs';

    public function canBe(): bool
    {
        return match ($this) {
            self::Plain => true,
            self::Users => posix_geteuid() === 0 && posix_getpwnam(self::CR0) !== false
                && posix_getpwnam('www-data') !== false,
            self::Cron => self::Users->canBe() && self::Disks->canBe() && exec('command -v crontab') !== '',
            self::Disks => exec('unshare -m mount -t tmpfs none /mnt 2>/dev/null && echo yes') === 'yes',
        };
    }

    /** @return list<string> the shell in which it is typed */
    public function shell(): array
    {
        return match ($this) {
            self::Cron => ['setsid', 'unshare', '-m', 'sh', '-c', self::TABLES . ' && exec sh -u'],
            self::Disks => ['setsid', 'unshare', '-m', 'sh', '-u'],
            default => ['setsid', 'sh', '-u'],
        };
    }

    private function hasUsers(): bool
    {
        return $this === self::Users || $this === self::Cron;
    }

    /** Users as a command calls them here. */
    public function typed(string $text): string
    {
        return $this->hasUsers() ? preg_replace('/\bcr0(?=:www-data\b|[ "]|$)/m', self::CR0, $text) : $text;
    }

    /** Users as the document calls them. */
    public function told(string $text): string
    {
        if (!$this->hasUsers()) {
            return $text;
        }
        $number = posix_getpwnam(self::CR0)['uid'];

        return preg_replace(["/\\(user {$number}\\b/", '/\b' . self::CR0 . '\b/'], ['(user 1000', 'cr0'], $text);
    }

    /** `runuser` of the document: `cr0` is in the group www-data unless there is a file `alone`. */
    public function runuser(string $place): string
    {
        return $this->hasUsers()
            ? 'user=$2; shift 3; groups=$user; '
                . "[ -e {$place}/alone ] || groups=\$user,www-data; "
                . 'exec setpriv --reuid="$user" --regid="$user" --groups="$groups" -- "$@"'
            : 'shift 3; exec "$@"';
    }

    /** `usermod -aG www-data cr0` of the document. */
    public function usermod(string $place): string
    {
        return "[ \"$*\" = '" . $this->typed('-aG www-data cr0') . "' ] && rm -f {$place}/alone";
    }

    /** Gives the whole infrastructure to the user of the cron jobs. */
    public function own(\Playground $ground): void
    {
        if ($this->hasUsers()) {
            $config = json_decode((string) file_get_contents($ground->config), true);
            $config['ownership'] = ['user' => self::CR0, 'group' => 'www-data'];
            file_put_contents($ground->config, json_encode($config));
            exec('chown -Rh ' . self::CR0 . ':www-data ' . escapeshellarg($ground->root));
        }
    }
}
