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
                Ui::figure('clients counted now', $table['in_use']),
                Ui::figure('there is room for', $table['slots']),
                Ui::figure('full', "{$percent} %", $percent >= 90 ? 'warn' : ''),
            ),
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
            default => 'The next request is refused; the one after ' . self::seconds(intdiv($wait + 999, 1000))
                . ' is let in.',
        };

        return Html::all(
            Ui::figures(
                Ui::figure('remaining', $limit['remaining'], $isLetIn ? 'good' : 'bad'),
                Ui::figure('of', $limit['limit']),
                Ui::figure('all there again in', self::seconds($limit['reset'])),
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
                (string) $tier['limit'],
                self::seconds($tier['period_seconds']),
                (string) $tier['burst'],
            ];
        }

        return Ui::section(
            'Tiers in force',
            Ui::table('Tiers', ['Tier', 'Requests', 'In', 'At once after a rest'], $rows, [1, 3]),
            Html::tag('p', [], 'They are set in the configuration, at ', Html::tag('code', [], 'access.tiers'), '.'),
        );
    }

    /** @param array{path: string, clients: list<array<string, mixed>>, total: int, problem: ?string} $legacy */
    private function legacy(array $legacy, int $skip, Forms $forms): Html
    {
        $rows = [];
        foreach ($legacy['clients'] as $client) {
            $rows[] = [
                Html::tag('code', [], $client['key']),
                (string) $client['requests'],
                Ui::time($client['blocked_until'], 'not blocked'),
            ];
        }

        return Ui::section(
            'Clients of the older pages',
            Html::tag('p', [], 'Counted by older pages, in ', Html::tag('code', [], $legacy['path']), '.'),
            $legacy['problem'] === null ? null : Ui::trouble($legacy['problem']),
            Ui::table('Clients', ['Client', 'Requests', 'Blocked until'], $rows, [1]),
            Ui::pager($forms, 'limits', [], $skip, self::LIMIT, $legacy['total']),
        );
    }

    private static function seconds(int $seconds): string
    {
        return match (true) {
            $seconds < 120 => "{$seconds} s",
            $seconds < 7200 => round($seconds / 60) . ' min',
            default => round($seconds / 3600) . ' h',
        };
    }
}
