<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Library;
use Cr0Sync\Admin\Notice;
use Cr0Sync\Admin\Outcome;
use Cr0Sync\Admin\Page;
use Cr0Sync\Admin\Request;
use Cr0Sync\Admin\Ui;
use Cr0Sync\Script\Text;

/**
 * The sessions of the API: who is in, from where, until when. One of them can be closed, or all of one user.
 */
final readonly class Sessions implements Page
{
    private const LIMIT = 50;
    /** So many are looked at in one call where all of a user are wanted. */
    private const MANY = 1000;
    /** So many are closed by one request: each writes the file anew, and other requests of the visitor wait. */
    private const AT_ONCE = 100;

    public function title(): string
    {
        return 'Sessions';
    }

    public function isLive(): bool
    {
        return false;
    }

    public function show(Request $request, Library $library, Forms $forms): Html
    {
        $all = $request->text('close_all');
        if ($all !== '') {
            return $this->confirm($all, $this->openOf($library, $all), $forms);
        }
        $user = $request->text('user');
        $skip = $request->number('skip', 0);
        $options = ['user_id' => $user === '' ? null : $user, 'skip' => $skip, 'limit' => self::LIMIT];
        $report = $library->read('cr0_session_list', $options);
        $query = $user === '' ? [] : ['user' => $user];

        return Html::all(
            Ui::figures(Ui::figure($user === '' ? 'Sessions' : "Sessions of {$user}", number_format($report['total']))),
            Html::tag('p', [], 'Each is somebody, or a program, that logged in to the API of the website and holds a '
                . 'token. '
                . 'Until its end the token does what the session may; to close it ends that at once. What expired lets '
                . 'nobody in, and cron takes it away within the hour. Who is in on these pages is not listed here.'),
            array_map(Ui::trouble(...), $report['warnings']),
            $forms->search(Forms::input('User', 'user', ['value' => $user]), Forms::button('Show')),
            $report['total'] === 0 ? $this->nothing($user) : $this->table($report['sessions'], $forms),
            Ui::pager($forms, 'sessions', $query, $skip, self::LIMIT, $report['total']),
        );
    }

    public function act(Request $request, Library $library): Outcome
    {
        return match ($request->field('action')) {
            'close' => $this->close($request->field('id'), $library),
            'close_all' => $this->closeAll($request->field('user'), $library),
            default => new Outcome(Notice::failed('Nothing of this name is done here.')),
        };
    }

    private function close(string $id, Library $library): Outcome
    {
        if ($id === '') {
            return new Outcome(Notice::failed('No session was named; nothing was closed.'));
        }
        $report = $library->write('ADMIN_SESSION_CLOSE', ['id' => $id], 'cr0_session_close', [], $id);
        $told = static fn (string $words): string => implode(' ', [$words, ...$report['warnings']]);

        return new Outcome($report['closed']
            ? Notice::done($told("The session {$report['id']} is closed: its token is refused from now on."))
            : Notice::failed($told('There is no such session any more; nothing was closed.')));
    }

    private function closeAll(string $user, Library $library): Outcome
    {
        $open = $user === '' ? [] : $this->openOf($library, $user);
        if ($open === []) {
            return new Outcome(Notice::failed('No session is open of this user; nothing was closed.'));
        }
        $now = array_slice($open, 0, self::AT_ONCE);
        $library->record('ADMIN_SESSIONS_CLOSE', ['of' => $user, 'sessions' => count($now)]);
        $closed = 0;
        $warnings = [];
        foreach ($now as $id) {
            $report = $library->read('cr0_session_close', [], $id);
            $closed += (int) $report['closed'];
            array_push($warnings, ...$report['warnings']);
        }
        $words = Text::count($closed, 'session', 'sessions') . " of user {$user} closed.";
        $left = count($open) - count($now);
        if ($left > 0) {
            $words .= ' ' . Text::count($left, 'is', 'are') . ' open still: close the next ones here.';
        }
        $notice = $closed > 0 ? Notice::done(...) : Notice::failed(...);

        return new Outcome(
            $notice(implode(' ', [$words, ...array_unique($warnings)])),
            $left > 0 ? ['close_all' => $user] : [],
        );
    }

    /** @return list<string> the ids of all sessions of a user that are open */
    private function openOf(Library $library, string $user): array
    {
        $ids = [];
        $skip = 0;
        do {
            $options = ['user_id' => $user, 'skip' => $skip, 'limit' => self::MANY];
            $sessions = $library->read('cr0_session_list', $options)['sessions'];
            foreach ($sessions as $session) {
                if ($session['state'] === 'open') {
                    $ids[] = $session['id'];
                }
            }
            $skip += self::MANY;
        } while (count($sessions) === self::MANY);

        return $ids;
    }

    /** @param list<string> $open */
    private function confirm(string $user, array $open, Forms $forms): Html
    {
        $back = Html::tag('p', [], $forms->link('sessions', [], 'Back to the sessions'));
        if ($open === []) {
            return Html::all(Ui::trouble("No session is open of user {$user}."), $back);
        }
        $number = count($open);
        $words = match (true) {
            $number === 1 => 'Close it',
            $number > self::AT_ONCE => 'Close the first ' . self::AT_ONCE,
            default => "Close all {$number}",
        };

        return Ui::section(
            "Close all sessions of user {$user}?",
            Html::tag('p', [], $number === 1 ? 'One is open.' : "{$number} are open.", ' Their tokens are refused from '
                . 'the next call on. Who has a key or a password can come in again: to keep somebody out, revoke the '
                . 'keys of this user too.'),
            $forms->post(
                'close_all',
                Forms::hidden('user', $user),
                Forms::button($words, 'danger'),
            ),
            Html::tag('p', [], $forms->link('keys', ['user' => $user], 'Keys of this user')),
            $back,
        );
    }

    private function nothing(string $user): Html
    {
        return Html::tag('p', ['class' => 'none'], $user === ''
            ? 'There is no session. One is listed here when the website calls cr0_session_open for somebody who '
                . 'logged in, '
                . 'until it ends or is closed.'
            : "There is no session of user {$user}.");
    }

    /** @param list<array<string, mixed>> $sessions */
    private function table(array $sessions, Forms $forms): Html
    {
        $rows = [];
        foreach ($sessions as $session) {
            $isOpen = $session['state'] === 'open';
            $user = $session['user_id'];
            $isNamed = (is_string($user) && $user !== '') || is_int($user);
            $rows[] = [
                Html::tag('code', [], $session['id']),
                Ui::value($user),
                implode(', ', $session['permissions']),
                $isOpen ? Html::tag('span', ['class' => 'state good'], 'open') : Ui::state($session['state']),
                Ui::moment($session['created_at'], 'unknown'),
                Ui::until($session['expires_at'], 'unknown'),
                Html::all(
                    $session['ip'] ?? 'unknown',
                    ' ',
                    Html::tag('span', ['class' => 'quiet'], $session['user_agent']),
                ),
                Html::all(
                    $isOpen
                        ? $forms->post('close', Forms::hidden('id', $session['id']), Forms::button('Close'))
                        : null,
                    ' ',
                    $isNamed ? $forms->link('sessions', ['close_all' => $user], 'All of this user') : null,
                ),
            ];
        }
        $columns = ['Session', 'User', 'May', 'State', 'Opened', 'Ends', 'From', 'Close'];

        return Ui::table('Sessions of the API, the newest first', $columns, $rows);
    }
}
