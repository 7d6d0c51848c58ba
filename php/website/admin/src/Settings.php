<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

use Closure;
use UnexpectedValueException;

/**
 * What settings.php says: who may come in, and to which installation. What it does not say lets nobody in.
 */
final readonly class Settings
{
    private const KNOWN = ['admin', 'login_url', 'password_hash', 'config', 'root', 'idle_minutes', 'title'];

    private function __construct(
        /** @var null|Closure(): (string|false|null) who it is; false: somebody who may not come in; null: nobody */
        public ?Closure $admin,
        public ?string $loginUrl,
        public ?string $passwordHash,
        public ?string $config,
        public ?string $root,
        /** After so many minutes without a request one has to log in again. */
        public int $idleMinutes,
        public string $title,
    ) {
    }

    /**
     * Reads settings.php of the directory, or the file that the server names as CR0SYNC_ADMIN_SETTINGS.
     *
     * @throws UnexpectedValueException when it makes no sense, as a misspelled setting must not open a door, or when
     *     others could have written it
     */
    public static function read(string $directory): self
    {
        $named = $_SERVER['CR0SYNC_ADMIN_SETTINGS'] ?? getenv('CR0SYNC_ADMIN_SETTINGS');
        $file = is_string($named) && $named !== '' ? $named : "{$directory}/settings.php";
        if (is_file($file)) {
            Trust::demand($file);
        }
        $given = is_file($file) ? require $file : [];
        if (!is_array($given)) {
            throw new UnexpectedValueException("{$file} returns no array");
        }
        $unknown = array_diff(array_keys($given), self::KNOWN);
        if ($unknown !== []) {
            throw new UnexpectedValueException("{$file}: unknown setting " . implode(', ', $unknown));
        }
        $admin = $given['admin'] ?? null;
        if ($admin !== null && !$admin instanceof Closure) {
            throw new UnexpectedValueException("{$file}: admin is no function");
        }
        foreach (['login_url', 'password_hash', 'config', 'root', 'title'] as $name) {
            if (!is_string($given[$name] ?? '')) {
                throw new UnexpectedValueException("{$file}: {$name} is no string");
            }
        }
        $hash = $given['password_hash'] ?? null;
        if ($hash !== null && (password_get_info($hash)['algo'] ?? null) === null) {
            throw new UnexpectedValueException("{$file}: password_hash is no hash that password_hash() makes");
        }
        if ($hash !== null && $admin !== null) {
            throw new UnexpectedValueException("{$file}: admin and password_hash exclude each other");
        }
        $minutes = $given['idle_minutes'] ?? 20;
        if (!is_int($minutes) || $minutes < 1 || $minutes > 720) {
            throw new UnexpectedValueException("{$file}: idle_minutes is no number from 1 to 720");
        }

        return new self(
            $admin,
            $given['login_url'] ?? null,
            $hash,
            $given['config'] ?? null,
            $given['root'] ?? null,
            $minutes,
            $given['title'] ?? 'cr0sync',
        );
    }

    public function isOpenToSomebody(): bool
    {
        return $this->admin !== null || $this->passwordHash !== null;
    }
}
