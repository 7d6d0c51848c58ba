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

/**
 * The API keys: who has which, and when it was last used. A key itself is shown once, when it is issued; what is kept
 * of it lets nobody in.
 */
final readonly class Keys implements Page
{
    private const LIMIT = 50;
    private const STATES = ['' => 'all', 'active' => 'active', 'expired' => 'expired', 'revoked' => 'revoked'];

    public function title(): string
    {
        return 'API keys';
    }

    public function isLive(): bool
    {
        return false;
    }

    public function show(Request $request, Library $library, Forms $forms): Html
    {
        $user = $request->text('user');
        $report = $library->read('cr0_api_key_list', ['user_id' => $user === '' ? null : $user]);
        foreach (['revoke', 'rotate'] as $action) {
            $id = $request->text($action);
            if ($id !== '') {
                return (new KeyForms($forms))->confirm($action, $id, self::find($report['keys'], $id));
            }
        }
        $state = $request->choice('state', array_keys(self::STATES));
        $keys = array_values(array_filter(
            array_reverse($report['keys']),
            static fn (array $key): bool => $state === '' || $key['state'] === $state,
        ));
        $total = count($keys);
        $skip = $request->number('skip', 0);
        $query = array_filter(['user' => $user, 'state' => $state], static fn (string $one): bool => $one !== '');

        return Html::all(
            $this->figures($report['keys']),
            array_map(Ui::trouble(...), $report['warnings']),
            $forms->search(
                Forms::input('User', 'user', ['value' => $user]),
                Forms::select('State', 'state', self::STATES, $state),
                Forms::button('Show'),
            ),
            $total === 0
                ? $this->nothing($query !== [])
                : $this->table(array_slice($keys, $skip, self::LIMIT), $forms),
            Ui::pager($forms, 'keys', $query, $skip, self::LIMIT, $total),
            (new KeyForms($forms))->issue(),
        );
    }

    public function act(Request $request, Library $library): Outcome
    {
        return match ($request->field('action')) {
            'issue' => $this->issue($request, $library),
            'revoke', 'rotate' => $this->change($request->field('action'), $request, $library),
            default => new Outcome(Notice::failed('Nothing of this name is done here.')),
        };
    }

    private function issue(Request $request, Library $library): Outcome
    {
        $user = trim($request->field('user'));
        $name = trim($request->field('name'));
        $known = array_keys(KeyForms::PERMISSIONS);
        $permissions = array_values(array_intersect($known, $request->fields('permissions')));
        $days = $request->field('days');
        $why = match (true) {
            $user === '' => 'Say whose key it is.',
            $name === '' => 'Give it a name, which says later what it is for.',
            $permissions === [] => 'Choose what it may do.',
            !isset(KeyForms::LIFETIMES[$days]) => 'Choose how long it counts.',
            default => null,
        };
        if ($why !== null) {
            return new Outcome(Notice::failed("No key was issued. {$why}"));
        }
        $details = ['for' => $user, 'name' => $name, 'permissions' => $permissions, 'days' => $days];
        $options = ['expires_in' => $days === '' ? null : (int) $days * 86_400];
        $new = $library->write(
            'ADMIN_KEY_ISSUE',
            $details,
            'cr0_api_key_issue',
            $options,
            $user,
            $name,
            $permissions,
        );

        return new Outcome(self::shown("The key {$new['id']} for user {$user} is issued.", $new, $library));
    }

    private function change(string $action, Request $request, Library $library): Outcome
    {
        $id = $request->field('id');
        $key = self::find($library->read('cr0_api_key_list')['keys'], $id);
        if ($key === null) {
            return new Outcome(Notice::failed('There is no key of this id; nothing was changed.'));
        }
        if ($action === 'revoke') {
            $report = $library->write('ADMIN_KEY_REVOKE', ['id' => $id], 'cr0_api_key_revoke', [], $id);
            $words = $report['revoked']
                ? "The key {$id} is revoked: from now on it is refused."
                : "The key {$id} did not count any more; it stays so.";

            return new Outcome(Notice::done(implode(' ', [$words, ...$report['warnings']])));
        }
        $grace = $request->field('grace');
        if (!isset(KeyForms::GRACES[$grace])) {
            return new Outcome(Notice::failed('Choose for how long the old key counts; nothing was changed.'));
        }
        $new = $library->write(
            'ADMIN_KEY_ROTATE',
            ['id' => $id, 'grace' => (int) $grace],
            'cr0_api_key_rotate',
            ['grace' => (int) $grace],
            $id,
        );
        $until = self::exact($new['replaced_until']);
        $words = "The key {$new['id']} is issued in place of {$id}, which counts until {$until}.";

        return new Outcome(self::shown($words, $new, $library));
    }

    /**
     * What it is, what it may do, and until when.
     *
     * @param array<string, mixed> $new
     */
    private static function shown(string $words, array $new, Library $library): Notice
    {
        $key = self::find($library->read('cr0_api_key_list')['keys'], $new['id']);
        $facts = $key === null ? [] : [
            KeyForms::may($key['permissions']),
            $key['expires_at'] === null
                ? 'It counts until it is revoked.'
                : 'It counts until ' . self::exact($key['expires_at']) . '.',
        ];

        return Notice::secret(implode(' ', [$words, ...$facts, ...$new['warnings']]), $new['key']);
    }

    private static function exact(string $rfc3339): string
    {
        $at = strtotime($rfc3339);

        return $at === false ? $rfc3339 : gmdate('Y-m-d H:i', $at) . ' UTC';
    }

    /**
     * @param list<array<string, mixed>> $keys
     * @return ?array<string, mixed>
     */
    private static function find(array $keys, string $id): ?array
    {
        foreach ($keys as $key) {
            if ($key['id'] === $id) {
                return $key;
            }
        }

        return null;
    }

    /** @param list<array<string, mixed>> $keys */
    private function figures(array $keys): Html
    {
        $counts = array_count_values(array_column($keys, 'state'));
        $active = array_filter($keys, static fn (array $key): bool => $key['state'] === 'active');
        $unused = array_filter($active, static fn (array $key): bool => $key['last_used_at'] === null);
        $strong = array_filter(
            $active,
            static fn (array $key): bool => array_intersect(['admin', 'system'], $key['permissions']) !== [],
        );

        return Ui::figures(
            Ui::figure('Active keys', $counts['active'] ?? 0),
            Ui::figure('Active, with admin or system', count($strong)),
            Ui::figure('Active, never used', count($unused)),
            Ui::figure('Expired', $counts['expired'] ?? 0),
            Ui::figure('Revoked', $counts['revoked'] ?? 0),
        );
    }

    private function nothing(bool $isFiltered): Html
    {
        return Html::tag('p', ['class' => 'none'], $isFiltered
            ? 'No key is of this user and in this state.'
            : 'There is no key yet. Issue one below; programs send it as the header X-API-Key.');
    }

    /** @param list<array<string, mixed>> $keys */
    private function table(array $keys, Forms $forms): Html
    {
        $rows = [];
        foreach ($keys as $key) {
            $isActive = $key['state'] === 'active';
            $rows[] = [
                Html::all(
                    Html::tag('strong', [], $key['name']),
                    Html::tag('div', [], Html::tag('code', [], $key['id'])),
                    Html::tag('div', ['class' => 'quiet'], 'issued ', Ui::time($key['created_at'], 'at an unknown '
                        . 'time')),
                ),
                Ui::value($key['user_id']),
                implode(', ', $key['permissions']),
                Html::all(Ui::state($key['state']), $this->since($key)),
                $key['expires_at'] === null ? 'never' : Ui::until($key['expires_at']),
                Ui::moment($key['last_used_at'], 'never used'),
                number_format($key['usage_count']),
                $isActive ? Html::all(
                    $forms->link('keys', ['rotate' => $key['id']], 'Rotate'),
                    ' ',
                    $forms->link('keys', ['revoke' => $key['id']], 'Revoke'),
                ) : null,
            ];
        }
        $columns = ['Key', 'User', 'May', 'State', 'Expires', 'Last used', 'Times used', 'Change'];

        return Ui::table('API keys, the newest first', $columns, $rows, [6]);
    }

    /** @param array<string, mixed> $key */
    private function since(array $key): ?Html
    {
        return match (true) {
            $key['state'] === 'revoked' && $key['revoked_at'] !== null => Ui::moment($key['revoked_at']),
            $key['replaced_until'] !== null && $key['state'] === 'active'
                => Html::tag('div', [], 'replaced by another; ends ', Ui::until($key['replaced_until'])),
            default => null,
        };
    }
}
