<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Ui;

/**
 * What is asked before a key is issued, rotated or revoked.
 */
final readonly class KeyForms
{
    /** @var array<string, string> */
    public const PERMISSIONS = [
        'read' => 'read',
        'write' => 'write',
        'admin' => 'admin: may read and write too',
        'system' => 'system: may do everything',
    ];
    /** @var array<int|string, string> days */
    public const LIFETIMES = ['30' => '30 days', '90' => '90 days', '365' => 'a year', '' => 'until it is revoked'];
    /** @var array<int|string, string> seconds */
    public const GRACES = ['86400' => 'a day', '3600' => 'an hour', '604800' => 'a week', '0' => 'no longer'];

    public function __construct(private Forms $forms)
    {
    }

    /**
     * What a key may do, as a sentence.
     *
     * @param list<string> $permissions
     */
    public static function may(array $permissions): string
    {
        return match (true) {
            $permissions === [] => 'It may do nothing.',
            in_array('system', $permissions, true) => 'It may do everything (system).',
            default => 'It may ' . implode(' and ', array_map(
                static fn (string $one): string => $one === 'admin' ? 'do what administrators do, read and '
                    . 'write' : $one,
                $permissions,
            )) . '.',
        };
    }

    public function issue(): Html
    {
        $boxes = [];
        foreach (self::PERMISSIONS as $name => $words) {
            $box = ['type' => 'checkbox', 'name' => 'permissions[]', 'value' => $name, 'checked' => $name === 'read'];
            $boxes[] = Html::tag('label', ['class' => 'check'], Html::tag('input', $box), $words);
        }

        $text = ['required' => true, 'maxlength' => 255, 'autocomplete' => 'off'];

        return Ui::section(
            'Issue a key',
            Html::tag('p', [], 'The key is shown once, on the next page, and is to be copied there. What is kept of '
                . 'it cannot be turned back into '
                . 'the key.'),
            $this->forms->post(
                'issue',
                Forms::input('User', 'user', $text),
                Forms::input('What it is for', 'name', $text),
                Html::tag('fieldset', [], Html::tag('legend', [], 'It may'), $boxes),
                Forms::select('It counts for', 'days', self::LIFETIMES, '90'),
                Forms::button('Issue the key', 'main'),
            ),
        );
    }

    /**
     * Says in full what will happen, and holds the form that does it.
     *
     * @param ?array<string, mixed> $key
     */
    public function confirm(string $action, string $id, ?array $key): Html
    {
        $back = $this->forms->link('keys', [], 'Back to the keys');
        if ($key === null) {
            return Html::all(Ui::trouble("There is no key {$id}."), Html::tag('p', [], $back));
        }
        if ($key['state'] !== 'active') {
            return Html::all(
                Ui::trouble("The key {$id} is {$key['state']}: there is nothing to {$action}."),
                Html::tag('p', [], $back),
            );
        }
        $facts = Ui::table('The key', ['Name', 'Id', 'User', 'May', 'Expires', 'Last used', 'Times used'], [[
            $key['name'],
            Html::tag('code', [], $key['id']),
            Ui::value($key['user_id']),
            implode(', ', $key['permissions']),
            $key['expires_at'] === null ? 'never' : Ui::until($key['expires_at']),
            Ui::moment($key['last_used_at'], 'never used'),
            number_format($key['usage_count']),
        ]]);
        $field = Forms::hidden('id', $key['id']);

        return $action === 'revoke'
            ? Ui::section(
                'Revoke this key?',
                $facts,
                Html::tag('p', [], 'Whoever sends it is refused from the next call on, in every process. This cannot '
                    . 'be taken back: a program that still needs access needs a new key.'),
                $this->forms->post('revoke', $field, Forms::button('Revoke the key', 'danger')),
                Html::tag('p', [], $back),
            )
            : Ui::section(
                'Rotate this key?',
                $facts,
                Html::tag('p', [], 'A new key is issued, with the same user, name and permissions, and is shown once. '
                    . 'The old one counts for as long as you choose, so that its program can be given the new one.'),
                $this->forms->post(
                    'rotate',
                    $field,
                    Forms::select('The old key counts for', 'grace', self::GRACES, '86400'),
                    Forms::button('Rotate the key', 'main'),
                ),
                Html::tag('p', [], $back),
            );
    }
}
