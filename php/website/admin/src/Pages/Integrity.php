<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\LastCheck;
use Cr0Sync\Admin\Library;
use Cr0Sync\Admin\ManyFindings;
use Cr0Sync\Admin\Notice;
use Cr0Sync\Admin\Operator;
use Cr0Sync\Admin\Outcome;
use Cr0Sync\Admin\Page;
use Cr0Sync\Admin\Pages\Overview\Files;
use Cr0Sync\Admin\Request;
use Cr0Sync\Admin\Ui;

/**
 * Whether the files of the site are as they were accepted, and who watches over them. Here a finding can be silenced;
 * what is right is said on the machine only.
 */
final class Integrity implements Page
{
    /** Whether to look is cheap enough to do it again and again. */
    private bool $isCheap = true;

    public function title(): string
    {
        return 'Integrity';
    }

    public function isLive(): bool
    {
        return $this->isCheap;
    }

    public function show(Request $request, Library $library, Forms $forms): Html
    {
        $operator = Operator::of($library, 'security_monitoring_script.php');
        $many = ManyFindings::of($library);
        if ($many !== null) {
            $this->isCheap = false;

            return $this->many($many, $library, $forms, $operator);
        }
        $status = $library->read('cr0_integrity_status');
        $last = LastCheck::of($status['last_check']);

        return Html::all(
            $this->figures($status, $last),
            $this->problems($status, $operator),
            Ui::section(
                'Findings',
                $last === null
                    ? Html::tag('p', [], 'Nothing was checked yet. Cron does it, or on the machine: ')
                    : (new IntegrityFindings($forms, $operator))->show($request, $last),
                $last === null ? Operator::shown($operator->command('check')) : null,
            ),
            $this->state($status, $last),
            $this->scope($status),
        );
    }

    public function act(Request $request, Library $library): Outcome
    {
        if ($request->field('action') !== 'silence') {
            return new Outcome(Notice::failed('Findings are only silenced here. They are accepted on the machine.'));
        }

        return IntegrityFindings::silence($request, $library);
    }

    private function many(ManyFindings $many, Library $library, Forms $forms, Operator $operator): Html
    {
        return Html::all(
            Ui::figures(
                Ui::figure('Integrity', 'needs you', 'bad'),
                Ui::figure('Findings', number_format($many->total), 'bad'),
                Ui::figure('Last check', Ui::time($many->at, 'unknown')),
            ),
            Ui::section('Too many findings to go through', $many->words($operator)),
            Ui::section('Newest findings', $many->newest($library, $forms)),
        );
    }

    /** @param array<string, mixed> $status */
    private function figures(array $status, ?LastCheck $last): Html
    {
        $silenced = $last?->silenced() ?? 0;
        $open = ($last?->count() ?? 0) - $silenced;
        // What the website could have written itself is no proof that all is well.
        $well = $last?->kind(0) ?? '';
        $watch = $status['watch'];

        return Ui::figures(
            Ui::figure('Integrity', $status['ok'] ? 'well' : 'needs you', $status['ok'] ? $well : 'bad'),
            Ui::figure('Open findings', number_format($open), $last?->kind($open) ?? ''),
            Ui::figure('Silenced', number_format($silenced), $silenced === 0 ? '' : 'warn'),
            Html::tag(
                'div',
                ['class' => 'figure'],
                Html::tag('dt', [], 'Last check'),
                Html::tag('dd', [], Ui::time($last?->at)),
            ),
            Ui::figure('Watcher', match (true) {
                $watch['stale'] => 'missed',
                $watch['running'] => 'at work',
                default => 'none',
            }, $watch['stale'] ? 'bad' : ''),
        );
    }

    /** @param array<string, mixed> $status */
    private function problems(array $status, Operator $operator): ?Html
    {
        $items = [];
        foreach ($status['problems'] as $one) {
            $items[] = Html::tag(
                'li',
                [],
                Html::tag('strong', [], Ui::sentence($one['problem'])),
                $one['first'] === null ? null : Html::tag('div', [], "First: {$one['first']}"),
                Html::tag(
                    'div',
                    [],
                    $one['first'] === null ? 'Next: ' : 'Then: ',
                    Operator::shown($operator->next($one['next'])),
                ),
            );
        }
        foreach ($status['warnings'] as $warning) {
            $items[] = Html::tag('li', [], Ui::sentence($warning));
        }

        return $items === [] ? null : Ui::section('What to do', Html::tag('ul', ['class' => 'problems'], $items));
    }

    /** @param array<string, mixed> $status */
    private function state(array $status, ?LastCheck $last): Html
    {
        $baseline = $status['baseline'];
        $watch = $status['watch'];
        $files = "{$baseline['entries']} files, generation {$baseline['generation']}, accepted ";
        $rows = [
            ['Baseline', $baseline['ok']
                ? Html::all(Ui::state('ok'), ' ', $files, Ui::time($baseline['created']))
                : Html::all(Ui::state('problem'), ' ', Ui::sentence($baseline['problem']))],
            ['Last check', $last === null ? 'never' : Html::all(
                Ui::time($last->at),
                $last->checked === null ? null : ", {$last->checked} files",
                $last->isComplete ? null : [' ', Ui::mark('not complete', 'warn')],
                $last->isPrivate ? null : ' (as the website could have written it too)',
            )],
            ['Guarantee', Ui::sentence($last?->guarantee ?? 'none yet')],
            ['Watcher', Html::all(
                match (true) {
                    $watch['stale'] => Ui::mark('missed', 'bad'),
                    $watch['running'] => Ui::mark('at work', 'good'),
                    default => Ui::mark('none', 'quiet'),
                },
                $watch['heartbeat'] === null ? null : [' heard ', Ui::time($watch['heartbeat'])],
                isset($watch['problem']) ? Ui::sentence(" {$watch['problem']}") : null,
            )],
            ['Chain of events', self::chain($status)],
        ];
        foreach ($status['locks'] as $lock) {
            $who = $lock['process'] === null ? 'another process' : "process {$lock['process']}";
            $since = Ui::time($lock['since'], 'unknown');
            $rows[] = ["Lock {$lock['name']}", Html::all("held by {$who}, since ", $since)];
        }
        if ($status['locks'] === []) {
            $rows[] = ['Locks', 'none is held'];
        }
        foreach ($status['last_runs'] as $job => $at) {
            if ($at !== null) {
                $rows[] = [Files::JOBS[$job] ?? $job, Html::all('last run ', Ui::time($at))];
            }
        }

        return Ui::section('State', Ui::table('How the watch over files and events stands', ['What', 'How it '
            . 'is'], $rows));
    }

    /**
     * What is known of the chain of events, however much was found in files.
     *
     * @return array<string, mixed>
     */
    public static function chainOf(Library $library): array
    {
        $many = ManyFindings::of($library);

        return $many === null
            ? $library->read('cr0_integrity_status')
            : ['chain' => $many->isBroken ? 'broken' : null, 'last_runs' => []];
    }

    /**
     * What the last look at the chain of events came to.
     *
     * @param array<string, mixed> $status
     */
    public static function chain(array $status): Html
    {
        return Html::all(
            match ($status['chain']) {
                null => Ui::mark('not known', 'quiet'),
                'acknowledged' => Ui::mark('broken where people know of it', 'warn'),
                default => Ui::state($status['chain']),
            },
            ' verified ',
            Ui::time($status['last_runs']['verify_events'] ?? null),
        );
    }

    /** @param array<string, mixed> $status */
    private function scope(array $status): Html
    {
        $roots = array_map(
            static fn (string $one): Html => Html::tag('li', [], Html::tag('code', [], $one)),
            $status['roots'],
        );
        $left = array_map(
            static fn (array $one): array => [Html::tag('code', [], $one['path']), $one['reason']],
            $status['excluded'],
        );

        return Ui::section(
            'What is watched',
            Html::tag('ul', [], $roots),
            Html::tag(
                'details',
                [],
                Html::tag('summary', [], count($left) . ' kinds of files are left out'),
                Ui::table('Files that are not watched', ['Files', 'Why'], $left),
            ),
        );
    }
}
