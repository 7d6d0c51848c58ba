<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages\Overview;

use Cr0Sync\Admin\Advice;
use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\LastCheck;
use Cr0Sync\Admin\Ui;
use Cr0Sync\Script\Text;

/**
 * What needs a person, the worst first, with what to do and where: the first thing that is read here. A sentence says
 * how much there is, or that all is well.
 */
final class Needs
{
    /** Where what a check finds is mended: a page, or a part of this one. The rest is mended on the machine. */
    private const PLACES = [
        'databases' => ['overview', '#databases', 'The databases, below'],
        'queue' => ['overview', '#asked', 'What was asked for, below'],
        'locks' => ['overview', '#locks', 'The locks, below'],
        'conflicts' => ['conflicts', '', 'Conflicts'],
        'backups' => ['backups', '', 'Backups'],
        'logs' => ['logs', '', 'Logs'],
        'security' => ['integrity', '', 'Integrity'],
        'cron' => ['overview', '#cron', 'The jobs of cron, below'],
        'alerts' => ['settings', '', 'Settings'],
    ];
    private const KINDS = ['problem' => 'bad', 'warning' => 'warn'];
    /** What the website may not look at is no work for anybody; it says so in these words. */
    private const UNSEEN = '~ not looked at$~D';

    /** How the library begins to tell of what the last check found. */
    private const FOUND = '~^[\d,]+ findings? (?=in the last check)~';

    public function __construct(private readonly Forms $forms, private readonly Advice $advice)
    {
    }

    /**
     * @param array<string, mixed> $status what cr0_status tells
     * @param ?array<string, mixed> $report what cr0_doctor tells; null where it cannot
     * @param ?string $why it cannot
     */
    public function section(array $status, ?array $report, ?string $why): Html
    {
        $needs = self::all($status, self::unsilenced($status, $report), $why);
        $number = count($needs);
        $well = count(array_filter($report['findings'] ?? [], static fn (array $one): bool => $one['state'] === 'ok'));
        $rest = Html::tag('p', ['class' => 'none'], Text::count($well, 'thing was', 'things were') . ' looked at and '
            . ($well === 1 ? 'is' : 'are') . ' well. The website sees less than the commands on the machine do.');
        if ($needs === []) {
            return Ui::section('All is well', Html::tag('p', [], 'Nothing needs you.'), $rest);
        }
        $rows = array_map(fn (array $one): array => [
            Ui::mark($one['state'] === 'problem' ? 'critical' : 'warning', self::KINDS[$one['state']]),
            $one['check'],
            self::lines($one['what']),
            Html::all($one['do'] === null ? null : $this->advice->html($one['do']), $this->place($one)),
        ], $needs);

        return Ui::section(
            Text::count($number, 'thing needs', 'things need') . ' you',
            Html::tag('div', ['class' => 'needs'], Ui::table(
                'What needs you, the worst first',
                ['How bad', 'About', 'What', 'What to do, and where'],
                $rows,
            )),
            $rest,
        );
    }

    /**
     * The report without findings in files that somebody has silenced: they need nobody.
     *
     * @param array<string, mixed> $status
     * @param ?array<string, mixed> $report
     * @return ?array<string, mixed>
     */
    private static function unsilenced(array $status, ?array $report): ?array
    {
        $last = LastCheck::of($status['security']['last_check'] ?? null);
        $silenced = $last?->silenced() ?? 0;
        if ($report === null || $last === null || $silenced === 0) {
            return $report;
        }
        $number = Text::count($last->count(), 'finding', 'findings');
        $all = [];
        foreach ($report['findings'] as $one) {
            $what = preg_replace(self::FOUND, "{$number} ({$silenced} silenced) ", $one['what'], 1, $isIt);
            if ($isIt === 0) {
                $all[] = $one;
            } elseif ($silenced < $last->count()) {
                $all[] = ['what' => $what] + $one;
            }
        }

        return ['findings' => $all] + $report;
    }

    /**
     * What is mended by the same is one thing.
     *
     * @param array<string, mixed> $status
     * @param ?array<string, mixed> $report
     * @return list<array{state: string, check: string, what: list<array{string, ?string}>, do: ?string,
     *     query: array<string, string>}>
     */
    private static function all(array $status, ?array $report, ?string $why): array
    {
        $needs = [];
        foreach ([...$status['problems'], ...($why === null ? [] : [$why])] as $problem) {
            $needs[] = self::need('problem', 'status', $problem, null, null);
        }
        foreach ($report['findings'] ?? [] as $one) {
            if ($one['state'] === 'ok' || preg_match(self::UNSEEN, $one['what']) === 1) {
                continue;
            }
            $key = $one['do'] === null ? count($needs) : "{$one['state']} {$one['check']} {$one['do']}";
            if (isset($needs[$key])) {
                $needs[$key]['what'][] = [$one['what'], $one['where']];
            } else {
                $needs[$key] = self::need($one['state'], $one['check'], $one['what'], $one['where'], $one['do']);
            }
        }
        foreach ($status['databases']['databases'] ?? [] as $name => $database) {
            $open = $database['open_conflicts'];
            if ($open > 0) {
                $words = number_format($open) . ($open === 1 ? ' conflict' : ' conflicts') . " of {$name} "
                    . ($open === 1 ? 'is' : 'are') . ' open: two sides changed the same.';
                $do = 'See what was kept, and say whether that is right.';
                $query = ['database' => (string) $name];
                $needs[] = ['query' => $query] + self::need('warning', 'conflicts', $words, null, $do);
            }
        }
        // The sort keeps the order among what is equally bad.
        usort($needs, static fn (array $one, array $other): int =>
            ($other['state'] === 'problem') <=> ($one['state'] === 'problem'));

        return $needs;
    }

    /** @return array{state: string, check: string, what: list<array{string, ?string}>, do: ?string, query: array{}} */
    private static function need(string $state, string $check, string $what, ?string $where, ?string $do): array
    {
        return ['state' => $state, 'check' => $check, 'what' => [[$what, $where]], 'do' => $do, 'query' => []];
    }

    /** @param list<array{string, ?string}> $all */
    private static function lines(array $all): Html
    {
        return Html::all(array_map(static fn (array $one): Html => Html::tag(
            'div',
            [],
            Ui::sentence($one[0]),
            $one[1] === null ? null : [' ', Html::tag('code', [], $one[1])],
        ), $all));
    }

    /** @param array<string, mixed> $need */
    private function place(array $need): Html
    {
        [$page, $part, $words] = self::PLACES[$need['check']] ?? ['', '', ''];
        if ($words === '') {
            return Html::tag('div', ['class' => 'quiet'], 'That is mended on the machine.');
        }
        $address = $this->forms->address($page, $need['query']) . $part;

        return Html::tag('div', [], 'Go to: ', Html::tag('a', ['href' => $part === '' ? $address : $part], $words));
    }
}
