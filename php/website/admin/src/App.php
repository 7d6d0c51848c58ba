<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

use Cr0Sync\Cr0SyncException;
use Throwable;

/**
 * From a request to an answer: who is it, may that be, and which page does it.
 *
 * Invariants: nobody gets in whom settings.php does not let in; nothing is changed but by a POST whose token is right;
 * those outside are told nothing but that they are outside.
 */
final readonly class App
{
    /** @var array<string, class-string<Page>> in the order of the navigation */
    public const PAGES = [
        'overview' => Pages\Overview::class,
        'conflicts' => Pages\Conflicts::class,
        'history' => Pages\History::class,
        'backups' => Pages\Backups::class,
        'logs' => Pages\Logs::class,
        'integrity' => Pages\Integrity::class,
        'events' => Pages\Events::class,
        'keys' => Pages\Keys::class,
        'sessions' => Pages\Sessions::class,
        'limits' => Pages\Limits::class,
        'settings' => Pages\InForce::class,
    ];

    private const LONGEST_NAME = 150;

    public function __construct(private string $directory)
    {
    }

    public function answer(): Response
    {
        // What goes wrong is for the server's log, not for a visitor.
        ini_set('display_errors', '0');
        try {
            return $this->decide(Request::current());
        } catch (Throwable $error) {
            error_log("cr0sync admin: {$error}");

            return Response::refusal(500, 'This page does not work. The error log of the server says why.');
        }
    }

    private function decide(?Request $request): Response
    {
        if ($request === null) {
            return Response::refusal(404, 'There is no page at this address.');
        }
        if (!in_array($request->method, ['GET', 'HEAD', 'POST'], true)) {
            return Response::refusal(405, 'Only GET and POST are known here.');
        }
        if (!$request->isText()) {
            return Response::refusal(400, 'What was sent is no text in UTF-8: write it again.');
        }
        // Its ini settings say whose the installation is.
        if (!function_exists('cr0_call')) {
            return Response::refusal(503, 'The PHP extension cr0sync is not loaded here.');
        }
        $settings = Settings::read($this->directory);
        if (!$settings->isOpenToSomebody()) {
            return Response::refusal(403, 'Nobody may come in here, as no settings.php says who may.');
        }
        // The website's session is opened by the website, where it is asked.
        $user = $settings->admin === null ? null : ($settings->admin)();
        if ($user === false) {
            return Layout::notAllowed($settings);
        }
        if ($settings->admin !== null && $user === null) {
            return $settings->loginUrl !== null && !$request->isPost()
                ? Response::seeOther($settings->loginUrl)
                : Layout::nothingDone(
                    $settings,
                    'You are not logged in to the website',
                    'Log in there first',
                    $settings->loginUrl,
                );
        }
        if ($user !== null && !self::isName($user)) {
            error_log('cr0sync admin: the function admin of the settings returns what is no name of a user; a name is '
                . 'text in UTF-8 of 1 to ' . self::LONGEST_NAME . ' bytes without control characters');

            return Response::refusal(403, 'The website does not say who you are; the error log says why.');
        }
        $session = Session::open($request, $user);
        try {
            $user ??= $session->user($settings, $request);

            return $user === null
                ? (new Login($settings, $session))->answer($request)
                : $this->inside($request, $settings, $session, $user);
        } finally {
            $session->close();
        }
    }

    private function inside(Request $request, Settings $settings, Session $session, string $user): Response
    {
        $asked = $request->text('page', 'overview');
        if ($asked === 'login' && !$request->isPost()) {
            return Response::seeOther((new Forms($request->self, 'login', ''))->address('overview'));
        }
        $name = isset(self::PAGES[$asked]) ? $asked : array_key_first(self::PAGES);
        $library = new Library($settings, $user, $request->ip, $session->mark());
        $page = $name === $asked || $request->isPost() ? new (self::PAGES[$name])() : new Pages\Nowhere();
        if (!$request->isPost()) {
            $notice = $session->told($request);
            $request = $session->takesLook($request) ? $request->looking() : $request;
            $token = $session->token();
            // From here on it only reads, and other requests of the same visitor need not wait.
            $session->close();
            $layout = new Layout($settings, $user, $asked, new Forms($request->self, $name, $token));

            return $layout->response($page, $request, $library, $notice);
        }
        $forms = new Forms($request->self, $name, '');
        if (!$session->accepts($request->field('csrf'))) {
            $library->recordIfPossible('ADMIN_REFUSED', ['why' => 'csrf', 'page' => $name], 'MEDIUM');

            $title = 'This form is too old';

            return Layout::nothingDone($settings, $title, 'Load the page again', $forms->address($name));
        }
        if ($request->field('action') === 'log_out') {
            $session->renew();
            if ($library->recordIfPossible('ADMIN_LOGGED_OUT', [], 'INFO') !== null) {
                // Who is out is not told why.
                $session->tell(Notice::failed('You are logged out. That could not be put on record; the error log of '
                    . 'the server says why.'));
            }

            return Response::seeOther($forms->address('overview'));
        }
        try {
            $outcome = $page->act($request, $library);
        } catch (Cr0SyncException $refused) {
            $outcome = new Outcome(Notice::failed(self::words($refused)));
        }
        $query = $outcome->query;
        if ($outcome->notice === null) {
            $query['look'] = $session->allowLook();
        } else {
            $session->tell($outcome->notice);
        }

        return Response::seeOther($forms->address($name, $query));
    }

    /** Whether it can stand in events and in what is asked for, whatever the website takes for a name. */
    private static function isName(mixed $user): bool
    {
        return is_string($user) && strlen($user) <= self::LONGEST_NAME && preg_match('~^\P{Cc}+$~Du', $user) === 1;
    }

    /** What went wrong, and what to do. */
    public static function words(Cr0SyncException $error): string
    {
        $hint = $error->hint ?? null;

        return $error->getMessage() . ($hint === null || $hint === '' ? '' : ". {$hint}");
    }
}
