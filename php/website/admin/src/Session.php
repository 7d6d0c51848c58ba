<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

/**
 * What is remembered of a visitor between two requests: who it is, the token of the forms, and what to tell on the next
 * page. Lies in a PHP session: the website's where that is open already, else one of its own.
 */
final class Session
{
    private const NAME = 'cr0sync_admin';
    /** After so long everybody logs in again (seconds). */
    private const LONGEST = 12 * 3600;

    /** @param array<string, mixed> $data */
    private function __construct(private array $data)
    {
    }

    /**
     * Opens it, and holds its lock until close(). What it knows of somebody else than the user whom the website names
     * is forgotten: one session of a website may see several people, each after the other.
     */
    public static function open(Request $request, ?string $user): self
    {
        if (session_status() !== PHP_SESSION_ACTIVE) {
            ini_set('session.use_strict_mode', '1');
            ini_set('session.use_only_cookies', '1');
            ini_set('session.cache_limiter', '');
            session_name(self::NAME);
            session_set_cookie_params([
                'lifetime' => 0,
                'path' => preg_replace('~[^/]*$~', '', $request->self),
                'secure' => $request->isSecure,
                'httponly' => true,
                'samesite' => 'Strict',
            ]);
            session_start();
        }
        $data = $_SESSION[self::NAME] ?? null;
        $session = new self(is_array($data) && ($data['user'] ?? null) === $user ? $data : ['user' => $user]);
        $session->data['csrf'] ??= bin2hex(random_bytes(32));

        return $session;
    }

    /** Whoever logged in here with the password that is in force; null where that is too long ago. */
    public function user(Settings $settings, Request $request): ?string
    {
        $now = time();
        $isOf = ($this->data['password'] ?? null) === self::digest($settings);
        $isFresh = ($this->data['seen'] ?? 0) > $now - $settings->idleMinutes * 60
            && ($this->data['since'] ?? 0) > $now - self::LONGEST;
        if (!$isOf || !$isFresh) {
            return null;
        }
        // A page that loads itself again keeps nobody in who went away.
        if (!$request->isLive) {
            $this->data['seen'] = $now;
        }

        return 'admin';
    }

    /** From here on it is another session, which nobody else can know, and in which nobody is logged in. */
    public function renew(): void
    {
        session_regenerate_id(true);
        $this->data = ['user' => $this->data['user'] ?? null, 'csrf' => bin2hex(random_bytes(32))];
    }

    /** To be renewed before. */
    public function logIn(Settings $settings): void
    {
        $this->data['password'] = self::digest($settings);
        $this->data['since'] = $this->data['seen'] = time();
    }

    public function token(): string
    {
        return $this->data['csrf'];
    }

    public function accepts(string $token): bool
    {
        return hash_equals($this->data['csrf'], $token);
    }

    /** To be told on the next page. */
    public function tell(Notice $notice): void
    {
        $this->data['notice'] = $notice->stored();
    }

    /** What is to be told, once, to somebody who reads it. */
    public function told(Request $request): ?Notice
    {
        if (!$request->isReading()) {
            return null;
        }
        $stored = $this->data['notice'] ?? null;
        unset($this->data['notice']);

        return Notice::of($stored);
    }

    /** Lets the next page look, once, at what no link looks at; what its address has to have as `look`. */
    public function allowLook(): string
    {
        return $this->data['look'] = bin2hex(random_bytes(8));
    }

    /** Whether it may. */
    public function takesLook(Request $request): bool
    {
        $allowed = $this->data['look'] ?? null;
        $isIt = $request->isReading() && is_string($allowed) && hash_equals($allowed, $request->text('look'));
        if ($isIt) {
            unset($this->data['look']);
        }

        return $isIt;
    }

    /** Names the session in the event log, and lets nobody in. */
    public function mark(): string
    {
        return substr(hash('sha256', 'cr0sync event ' . session_id()), 0, 16);
    }

    /** Writes it and lets go of its lock, so that other requests of the visitor need not wait. */
    public function close(): void
    {
        $_SESSION[self::NAME] = $this->data;
        session_write_close();
    }

    private static function digest(Settings $settings): string
    {
        return hash('sha256', (string) $settings->passwordHash);
    }
}
