<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Library;
use Cr0Sync\Admin\Notice;
use Cr0Sync\Admin\Outcome;
use Cr0Sync\Admin\Page;
use Cr0Sync\Admin\Pages\History\Charts;
use Cr0Sync\Admin\Pages\History\OneRun;
use Cr0Sync\Admin\Pages\History\Runs;
use Cr0Sync\Admin\Pages\History\Span;
use Cr0Sync\Admin\Pages\History\Undone;
use Cr0Sync\Admin\Preview;
use Cr0Sync\Admin\Request;
use Cr0Sync\Admin\Requests;
use Cr0Sync\Admin\RunView;
use Cr0Sync\Admin\Ui;
use Cr0Sync\Script\Text;

/**
 * What runs did: over time, and one by one. A run can be undone.
 */
final class History implements Page
{
    private const AT_ONCE = 50;

    /** It changes by itself only while something waits for the next run. */
    private bool $isWaiting = false;

    public function title(): string
    {
        return 'History';
    }

    public function isLive(): bool
    {
        return $this->isWaiting;
    }

    public function show(Request $request, Library $library, Forms $forms): Html
    {
        $this->isWaiting = Requests::isAnyWaiting($library);
        $one = new OneRun($library, $forms);

        return match (true) {
            $request->text('undo') !== '' => $one->undo($request->text('undo'), $request),
            $request->text('run') !== '' => $one->html($request->text('run')),
            default => self::all($request, $library, $forms),
        };
    }

    public function act(Request $request, Library $library): Outcome
    {
        if ($request->field('action') === 'look') {
            return Preview::ask($request, ['undo']);
        }
        if ($request->field('action') !== 'undo') {
            return new Outcome(Notice::failed('Nothing is asked for here.'));
        }
        $run = $request->field('run');
        $refusal = OneRun::refusal($library, $run) ?? Requests::waiting($library, 'undo', ['run' => $run]);

        return new Outcome(
            $refusal === null ? $library->ask('undo', ['run' => $run]) : Notice::failed($refusal),
        );
    }

    private static function all(Request $request, Library $library, Forms $forms): Html
    {
        $names = Runs::databases($library);
        $database = $request->choice('database', ['', ...$names]);
        $span = new Span($request->choice('span', array_keys(Span::ALL)), time());
        $source = new Runs($library, $names, $database);
        $skip = $request->number('skip', 0, 0, max(0, $source->most - self::AT_ONCE));
        // One more than is shown tells whether there is a next page.
        [$runs, $isAll] = $source->since($span->start, $skip + self::AT_ONCE + 1);
        $query = array_filter(['database' => $database, 'span' => $span->name === 'day' ? '' : $span->name]);
        $choices = ['' => 'all databases'] + array_combine($names, $names);
        $spans = array_map(static fn (array $one): string => $one[0], Span::ALL);
        $search = $forms->search(
            Forms::select('Database', 'database', $choices, $database),
            Forms::select('Time of the charts', 'span', $spans, $span->name),
            Forms::button('Show'),
        );
        // What waits is seen at once after it was asked for.
        $asked = Requests::section($library, ['undo']);
        if ($runs === []) {
            $none = 'No run has done anything yet. Runs are here as soon as cron has brought a row to another side.';

            return Html::all($search, $asked, Html::tag('p', ['class' => 'none'], $none));
        }
        $cut = count($runs) . ' runs are looked at, and older ones of that time are not in the charts. '
            . 'Choose one database to see further.';

        return Html::all(
            $search,
            $asked,
            Ui::section(
                "The last {$span->words}",
                $isAll ? null : Html::tag('p', ['class' => 'none'], $cut),
                Charts::of($runs, $span),
            ),
            self::runs($runs, $skip, $query, $forms, new OneRun($library, $forms)),
        );
    }

    /**
     * @param list<array<string, mixed>> $runs
     * @param array<string, string> $query
     */
    private static function runs(array $runs, int $skip, array $query, Forms $forms, OneRun $one): Html
    {
        $rows = [];
        $undone = Undone::among($runs);
        foreach (array_slice($runs, $skip, self::AT_ONCE) as $run) {
            $each = Runs::onSides($run);
            $states = array_diff(array_column($run['databases'], 'state'), Runs::WELL);
            $link = $forms->link('history', ['run' => $run['run']], "Run {$run['run']}");
            $rows[] = [
                Html::tag('span', ['class' => 'whole'], $link),
                Ui::moment($run['at']),
                $one->kind($run),
                self::databases($run),
                $each['inserted'],
                $each['updated'],
                $each['deleted'],
                number_format(Runs::conflicts($run)),
                number_format(Runs::sums($run)['lock_ms']),
                self::toLookAt($states, RunView::warnings($run['databases']), $one->mark($run, $undone)),
            ];
        }
        $columns = [
            'Run', 'When', 'Kind', 'Databases', 'Rows new', 'Rows changed', 'Rows deleted', 'New conflicts',
            'Longest lock (ms)', 'Look at',
        ];
        $pager = Ui::pager($forms, 'history', $query, $skip, self::AT_ONCE, count($runs));

        $caption = 'Runs that did something, the newest first; rows are counted on each side';

        return Ui::section('Runs', Html::tag('div', ['class' => 'runs'], Ui::table(
            $caption,
            $columns,
            $rows,
            [4, 5, 6, 7, 8],
        )), $pager);
    }

    /**
     * Those that it wrote by name; the rest is a number.
     *
     * @param array<string, mixed> $run
     */
    private static function databases(array $run): Html
    {
        [$written, $others] = Runs::written($run);
        $rest = $others === 0 ? null : Html::tag('div', ['class' => 'quiet'], "{$others} unchanged");

        return Html::all(implode(', ', $written), $rest);
    }

    /** @param array<string> $states those of databases that did not end well */
    private static function toLookAt(array $states, int $warnings, ?Html $mark): Html
    {
        $parts = array_map(Ui::state(...), array_values(array_unique($states)));
        if ($warnings > 0) {
            $parts[] = Html::tag('span', ['class' => 'whole'], Text::count($warnings, 'warning', 'warnings'));
        }
        if ($mark !== null) {
            $parts[] = $mark;
        }

        return Html::all($parts === [] ? '-' : array_map(static fn (Html $one): array => [$one, ' '], $parts));
    }
}
