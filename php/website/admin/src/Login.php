<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

use Cr0Sync\Cr0SyncException;

/**
 * The way in with a password. Guessing is slow: an address has five wrong tries, and one more each three minutes.
 *
 * A right password costs nothing, and gives nothing back either: who shares an address with somebody that logs in has
 * no more tries by it. What a try comes to counts only where there was one left once it was looked at, and the table
 * puts all of them in an order: of many at once, no more than five are told whether they were right.
 */
final readonly class Login
{
    /** What the tries of an address are counted under, after the address: of IPv6 its first 64 bits count. */
    public const KEY = '_admin_login';
    public const TRIES = ['limit' => 5, 'period_seconds' => 900, 'burst' => 5];
    /** For whoever looks after the site. */
    private const HINT = 'to come in before that: come from another address, or put admin in place of password_hash, '
        . 'or a new hash, into settings.php; where all come from the address of a proxy, let the server set '
        . 'REMOTE_ADDR; see README.md, Locked out';

    public function __construct(private Settings $settings, private Session $session)
    {
    }

    public function answer(Request $request): Response
    {
        $forms = new Forms($request->self, 'login', $this->session->token());
        if (!$request->isPost()) {
            return $request->text('page') === 'login'
                ? $this->form($request, $forms)
                : Response::seeOther($forms->address('login'));
        }
        if ($request->field('action') !== 'log_in') {
            $title = 'You are not logged in';

            return Layout::nothingDone($this->settings, $title, 'Log in first', $forms->address('login'));
        }
        $library = new Library($this->settings, 'nobody', $request->ip, $this->session->mark());
        if (!$this->session->accepts($request->field('csrf'))) {
            $library->recordSometimes('ADMIN_REFUSED', ['why' => 'csrf', 'page' => 'login'], 'MEDIUM');

            $title = 'This form is too old';

            return Layout::nothingDone($this->settings, $title, 'Load the login again', $forms->address('login'));
        }
        $before = self::tries($library, $request, 0);
        if ($before === null && !self::isNextInLine()) {
            return $this->later($forms);
        }
        if ($before !== null && !$before['allowed']) {
            return $this->lockedOut($library, $forms, self::wait($before));
        }
        $isRight = password_verify($request->field('password'), (string) $this->settings->passwordHash);
        // Others may have used the last try meanwhile.
        $after = $before === null ? null : self::tries($library, $request, $isRight ? 0 : 1);
        if ($before !== null && $after === null) {
            return $this->later($forms);
        }

        return match (true) {
            $after !== null && !$after['allowed'] => $this->lockedOut($library, $forms, self::wait($after)),
            $isRight => $this->in($request, $forms),
            default => $this->wrong($library, $forms, $after['remaining'] ?? null),
        };
    }

    /**
     * Counts so many more wrong tries of an address; with none more, it tells whether there is one left. Null where
     * that cannot be done.
     *
     * @return ?array{allowed: bool, remaining: int, retry_after_ms: ?int}
     */
    private static function tries(Library $library, Request $request, int $more): ?array
    {
        $options = ['policy' => self::TRIES, 'cost' => $more];
        try {
            return $library->read('cr0_rate_limit', $options, $request->ip . self::KEY, 'default');
        } catch (Cr0SyncException $error) {
            error_log("cr0sync admin: tries to log in cannot be counted: {$error->getMessage()}");

            return null;
        }
    }

    /**
     * Seconds until there is a try again.
     *
     * @param array{retry_after_ms: ?int} $tries
     */
    private static function wait(array $tries): int
    {
        return max(1, (int) ceil(($tries['retry_after_ms'] ?? 60_000) / 1000));
    }

    private function later(Forms $forms): Response
    {
        $title = 'Somebody else is logging in';

        return Layout::nothingDone($this->settings, $title, 'Try again', $forms->address('login'), 429, 2);
    }

    private function wrong(Library $library, Forms $forms, ?int $left): Response
    {
        $library->recordIfPossible('ADMIN_LOGIN_FAILED', ['tries_left' => $left], 'MEDIUM');
        $words = match ($left) {
            null => '',
            0 => '. That was the last try for now; there is one more each three minutes',
            1 => '; you have one more try',
            default => "; you have {$left} more tries",
        };
        $this->session->tell(Notice::failed("That is not the password{$words}."));

        return Response::seeOther($forms->address('login'));
    }

    /** On record under the session that begins; who knows the password gets in to see what is wrong, also unrecorded. */
    private function in(Request $request, Forms $forms): Response
    {
        $this->session->renew();
        $why = (new Library($this->settings, 'admin', $request->ip, $this->session->mark()))
            ->recordIfPossible('ADMIN_LOGGED_IN', [], 'INFO');
        $this->session->logIn($this->settings);
        if ($why !== null) {
            $this->session->tell(Notice::failed("That you logged in could not be put on record: {$why}"));
        }

        return Response::seeOther($forms->address('overview'));
    }

    /** Where tries cannot be counted, there is one in a second, of all together. */
    private static function isNextInLine(): bool
    {
        static $line = null;
        // The lock is held until the request ends; the file is any that all of them can open.
        $line = fopen(__FILE__, 'r');
        $isNext = $line !== false && flock($line, LOCK_EX | LOCK_NB);
        if ($isNext) {
            sleep(1);
        }

        return $isNext;
    }

    /** A stranger reads how long to wait; what else can be done is for those who can read the events. */
    private function lockedOut(Library $library, Forms $forms, int $seconds): Response
    {
        // Told once for each time that somebody is shut out, not for each try.
        $library->recordSometimes('ADMIN_LOCKED_OUT', ['seconds' => $seconds, 'hint' => self::HINT], 'HIGH');
        $until = gmdate($seconds > 3600 ? 'Y-m-d H:i' : 'H:i:s', time() + $seconds) . ' UTC';

        return Layout::outside($this->settings, 'Too many tries', null, Html::all(
            Html::tag('p', [], 'The password was tried too often from your address. The next try counts in ', Html::tag(
                'strong',
                [],
                Ui::duration($seconds),
            ), ", at {$until}. What is sent before that is not looked at, also the right password."),
            Html::tag('p', [], Html::tag('a', ['href' => $forms->address('login')], 'Back to the login')),
        ), 429, $seconds);
    }

    private function form(Request $request, Forms $forms): Response
    {
        $password = [
            'type' => 'password',
            'required' => true,
            'autofocus' => true,
            'autocomplete' => 'current-password',
        ];
        $form = $forms->post(
            'log_in',
            Forms::input('Password', 'password', $password),
            Forms::button('Log in', 'main'),
        );

        return Layout::outside($this->settings, 'Log in', $this->session->told($request), $form);
    }
}
