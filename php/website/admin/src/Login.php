<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

/**
 * The way in with a password. Guessing is slow: an address has five tries, and one more each three minutes.
 *
 * A try is counted before it is looked at, so that many at once are not more than five.
 */
final readonly class Login
{
    /** What the tries of an address are counted under, after the address: of IPv6 its first 64 bits count. */
    public const KEY = '_admin_login';
    public const TRIES = ['limit' => 5, 'period_seconds' => 900, 'burst' => 5];

    public function __construct(private Settings $settings, private Session $session)
    {
    }

    public function answer(Request $request): Response
    {
        $forms = new Forms($request->self, 'login', $this->session->token());
        if (!$request->isPost()) {
            return $request->text('page') === 'login'
                ? $this->form($forms)
                : Response::seeOther($forms->address('login'));
        }
        if ($request->field('action') !== 'log_in') {
            return Response::refusal(403, 'Log in first.');
        }
        $library = new Library($this->settings, 'nobody', $request->ip, $this->session->mark());
        if (!$this->session->accepts($request->field('csrf'))) {
            $library->record('ADMIN_REFUSED', ['why' => 'csrf', 'page' => 'login'], 'MEDIUM');

            return Response::refusal(403, 'This form is too old: load the page again, then log in.');
        }
        $tries = $library->read('cr0_rate_limit', ['policy' => self::TRIES], $request->ip . self::KEY, 'default');
        if (!$tries['allowed']) {
            return $this->lockedOut($request, $library, (int) ceil(($tries['retry_after_ms'] ?? 60_000) / 1000));
        }
        if (!password_verify($request->field('password'), (string) $this->settings->passwordHash)) {
            $library->record('ADMIN_LOGIN_FAILED', ['tries_left' => $tries['remaining']], 'MEDIUM');
            $left = $tries['remaining'] === 1 ? 'one more try' : "{$tries['remaining']} more tries";
            $this->session->tell(Notice::failed("That is not the password; you have {$left}."));

            return Response::seeOther($forms->address('login'));
        }
        (new Library($this->settings, 'admin', $request->ip, $this->session->mark()))
            ->record('ADMIN_LOGGED_IN', [], 'INFO');
        $this->session->logIn($this->settings);

        return Response::seeOther($forms->address('overview'));
    }

    private function lockedOut(Request $request, Library $library, int $seconds): Response
    {
        // Told once for each time that somebody is shut out, not for each try: whoever tries on must not fill the log.
        $policy = ['limit' => 1, 'period_seconds' => 900];
        $told = $library->read('cr0_rate_limit', ['policy' => $policy], "{$request->ip}_admin_lockout_told", 'default');
        if ($told['allowed']) {
            $library->record('ADMIN_LOCKED_OUT', ['seconds' => $seconds], 'HIGH');
        }
        $minutes = (int) ceil($seconds / 60);
        $why = "Too many tries from your address. Wait {$minutes} min, then try again.";

        return Response::refusal(429, $why, $seconds);
    }

    private function form(Forms $forms): Response
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

        return Layout::outside($this->settings, 'Log in', $this->session->told(), $form);
    }
}
