<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Library;
use Cr0Sync\Admin\Login;
use Cr0Sync\Admin\Notice;
use Cr0Sync\Admin\Outcome;
use Cr0Sync\Admin\Page;
use Cr0Sync\Admin\Request;
use Cr0Sync\Admin\Ui;

/**
 * The rate limits: how full the table is, how much each tier lets in, and how one client stands. The table keeps
 * digests only, so that clients are not listed: one asks for one by name.
 */
final readonly class Limits implements Page
{
    private const LIMIT = 50;
    /** The limit of these pages' own login, beside the tiers of the configuration. No tier can have this name. */
    private const LOGIN = ' login of these pages';

    private const FULL = 'The table is nearly full: a new client takes the place of the one that would be free again '
        . 'first. Say more for access.clients in the configuration; the next cleanup makes the table larger.';

    public function title(): string
    {
        return 'Rate limits';
    }

    public function isLive(): bool
    {
        return false;
    }

    public function show(Request $request, Library $library, Forms $forms): Html
    {
        $skip = $request->number('skip', 0);
        $status = $library->read('cr0_rate_limit_status', ['skip' => $skip, 'limit' => self::LIMIT]);
        $table = $status['table'];
        $percent = $table['slots'] > 0 ? (int) round(100 * $table['in_use'] / $table['slots']) : 0;

        return Html::all(
            Ui::figures(
                Ui::figure('Clients counted now', number_format($table['in_use'])),
                Ui::figure('Room for', number_format($table['slots'])),
                Ui::figure('Full', "{$percent} %", $percent >= 90 ? 'warn' : ''),
            ),
            Html::tag('p', [], 'A client is what the website counts under one name, often an address with what it '
                . 'asks for. '
                . 'Each is counted until all of its requests are there again, and then forgotten.'),
            $table['problem'] === null ? null : Ui::trouble($table['problem']),
            $percent >= 90 ? Ui::trouble(self::FULL) : null,
            $this->client($request, $library, $forms, $status['tiers']),
            $this->tiers($status['tiers']),
            $this->legacy($status['legacy'], $skip, $forms),
            Html::tag(
                'p',
                ['class' => 'quiet'],
                $table['exists'] ? 'The table: ' : 'The first request makes the table: ',
                Html::tag('code', [], $table['path']),
            ),
        );
    }

    public function act(Request $request, Library $library): Outcome
    {
        return new Outcome(Notice::failed('Limits are changed in the configuration: access.tiers.'));
    }

    /** @param array<string, array<string, int>> $tiers */
    private function client(Request $request, Library $library, Forms $forms, array $tiers): Html
    {
        $names = array_map('strval', array_keys($tiers));
        $choices = array_combine($names, $names) + [self::LOGIN => 'the login of these pages'];
        $key = $request->text('key');
        $tier = $request->choice('tier', ['default', ...$names, self::LOGIN]);

        return Ui::section(
            'How a client stands',
            Html::tag(
                'p',
                [],
                'Name it as the pages of the website do, often an address and what is asked for: ',
                Html::tag('code', [], '192.0.2.7_search'),
                '. For the login of these pages it is the address alone. Looking counts nothing.',
            ),
            $forms->search(
                Forms::input('Client', 'key', ['value' => $key, 'required' => true, 'autocomplete' => 'off']),
                Forms::select('Tier', 'tier', $choices, $tier),
                Forms::button('Look'),
            ),
            $key === '' ? null : $this->standing($library, $key, $tier),
        );
    }

    private function standing(Library $library, string $key, string $tier): Html
    {
        $isLogin = $tier === self::LOGIN;
        // A cost of 0 counts nothing.
        $options = ['cost' => 0] + ($isLogin ? ['policy' => Login::TRIES] : []);
        $before = $isLogin ? [$key . Login::KEY, 'default'] : [$key, $tier];
        $limit = $library->read('cr0_rate_limit', $options, ...$before);
        $isLetIn = $limit['remaining'] > 0;
        $wait = $limit['retry_after_ms'];
        $words = match (true) {
            $isLetIn => 'The next request is let in.',
            $limit['limit'] === 0 => 'This tier lets nobody in.',
            $wait === null || $wait === 0 => 'The next request is refused; more come with each moment.',
            default => 'The next request is refused; one is let in again in ' . Ui::duration(intdiv($wait + 999, 1000))
                . '.',
        };

        return Html::all(
            Ui::figures(
                Ui::figure('Requests left', number_format($limit['remaining']), $isLetIn ? 'good' : 'bad'),
                Ui::figure('Of', number_format($limit['limit'])),
                Ui::figure('All there again', $limit['reset'] === 0 ? 'now' : 'in ' . Ui::duration($limit['reset'])),
            ),
            Html::tag('p', [], $words),
        );
    }

    /** @param array<string, array<string, int>> $tiers */
    private function tiers(array $tiers): Html
    {
        $rows = [];
        foreach ($tiers as $name => $tier) {
            $rows[] = [
                Html::tag('strong', [], $name),
                Ui::rate($tier['limit'], $tier['period_seconds']),
                number_format($tier['burst']),
                $tier['limit'] === 0
                    ? 'nobody is let in'
                    : 'one more each ' . self::each($tier['period_seconds'] / $tier['limit']),
            ];
        }

        return Ui::section(
            'Tiers in force',
            Ui::table(
                'How many requests a client of each tier may send',
                ['Tier', 'Requests', 'At once after a rest', 'Then'],
                $rows,
                [2],
            ),
            Html::tag('p', [], 'They are set in the configuration, at ', Html::tag('code', [], 'access.tiers'), '.'),
        );
    }

    private static function each(float $seconds): string
    {
        return $seconds < 10 ? rtrim(rtrim(number_format($seconds, 2), '0'), '.') . ' '
            . 'seconds' : Ui::duration((int) ceil($seconds));
    }

    /** @param array{path: string, clients: list<array<string, mixed>>, total: int, problem: ?string} $legacy */
    private function legacy(array $legacy, int $skip, Forms $forms): Html
    {
        $rows = [];
        foreach ($legacy['clients'] as $client) {
            $rows[] = [
                Html::tag('code', [], $client['key']),
                number_format($client['requests']),
                Ui::until($client['blocked_until'], 'not blocked'),
            ];
        }

        return Ui::section(
            'Clients that older pages count',
            Html::tag('p', [], 'Pages of the website that do not use cr0_rate_limit yet count in ', Html::tag(
                'code',
                [],
                $legacy['path'],
            ), '.'),
            $legacy['problem'] === null ? null : Ui::trouble($legacy['problem']),
            Ui::table(
                'Clients of older pages, those that are blocked first',
                ['Client', 'Requests of late', 'Blocked until'],
                $rows,
                [1],
                'No client is in that file. Whom an older page counts or blocks would be listed here.',
            ),
            Ui::pager($forms, 'limits', [], $skip, self::LIMIT, $legacy['total']),
        );
    }
}
