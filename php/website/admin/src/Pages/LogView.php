<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Logs\Bytes;
use Cr0Sync\Admin\Logs\Catalogue;
use Cr0Sync\Admin\Logs\Copy;
use Cr0Sync\Admin\Logs\Lines;
use Cr0Sync\Admin\Logs\Pager;
use Cr0Sync\Admin\Logs\Unreadable;
use Cr0Sync\Admin\Request;
use Cr0Sync\Admin\Ui;

/**
 * A look into one copy of a log: its end, pages by position, and a search. An address names the log and the copy, and
 * the file is the one that the library says.
 */
final readonly class LogView
{
    public function __construct(private Catalogue $catalogue, private Forms $forms)
    {
    }

    /** Whether it shows the end, which changes. */
    public function isTail(Request $request): bool
    {
        return $request->text('at') . $request->text('to') . $request->text('q') . $request->text('level') === ''
            && !str_ends_with($request->text('copy'), '.gz');
    }

    public function show(Request $request): Html
    {
        $log = $request->text('log');
        $report = $log === '' ? null : $this->catalogue->report($log);
        $copies = $report === null ? $this->catalogue->own() : $this->catalogue->copies($report);
        $copy = null;
        foreach ($copies as $one) {
            $copy = $one->key === $request->text('copy') ? $one : $copy;
        }
        $back = Html::tag('p', [], $this->forms->link('logs', [], 'Back to all logs'));
        if ($copy === null || ($log !== '' && $report === null)) {
            return Html::all($back, Ui::trouble('There is no such log or copy; it may have been rotated away.'));
        }
        $query = ($log === '' ? [] : ['log' => $log]) + ['copy' => $copy->key];
        try {
            if ($this->isSearch($request)) {
                $at = $request->text('at') === '' ? null : $request->number('at', 0);
                [$copy, $content] = (new LogSearch($this->catalogue, $this->forms, $copies, $log, $request))
                    ->show($copy, $at);
            } else {
                $content = $this->piece($request, $this->catalogue->open($copy), $query);
            }
        } catch (Unreadable $why) {
            $content = Ui::trouble($why->getMessage());
        }

        return Html::all(
            $back,
            Ui::section(
                $log === '' ? $copy->label : $log,
                $log === '' ? null : $this->choices($copies, $copy, $log),
                Html::tag('p', ['class' => 'quiet'], Html::tag('code', [], $copy->path)),
                $this->form($request, $copy, $log),
            ),
            $content,
        );
    }

    private function isSearch(Request $request): bool
    {
        return $request->text('q') !== '' || isset(Lines::LEVELS[$request->text('level')]);
    }

    /** @param array<string, string> $query */
    private function piece(Request $request, Bytes $bytes, array $query): Html
    {
        $pager = new Pager($bytes);
        $isEnd = $request->text('to') === 'end';
        $isTail = $this->isTail($request);
        $piece = match (true) {
            $isEnd, $isTail => $pager->before($bytes->end()),
            $request->text('to') !== '' => $pager->before($this->within($bytes, $request->number('to', 0))),
            default => $pager->after($pager->start($this->within($bytes, $request->number('at', 0)))),
        };
        // Of a packed log nobody knows the end, without reading all of it.
        $end = $bytes->goesBack() || $isEnd ? $bytes->end() : null;
        $isLast = $piece->isEnd || ($end !== null && $piece->to >= $end);
        $of = $end === null ? '' : ' of ' . number_format($end);
        $words = 'bytes ' . number_format($piece->from) . ' to ' . number_format($piece->to) . $of;
        $links = Html::tag(
            'nav',
            ['class' => 'pager', 'aria-label' => 'Pages of the log'],
            $piece->from > 0 ? $this->forms->link('logs', $query + ['at' => 0], 'Beginning') : null,
            $piece->from > 0 ? $this->forms->link('logs', $query + ['to' => $piece->from], 'Older') : null,
            Html::tag('span', [], $words),
            $isLast ? null : $this->forms->link('logs', $query + ['at' => $piece->to], 'Newer'),
            $isTail ? Ui::mark('live', 'good')
                : $this->forms->link('logs', $query + ($bytes->goesBack() ? [] : ['to' => 'end']), 'End'),
        );
        $lines = $piece->entries === []
            ? Html::tag('p', [], $end === 0 ? 'The file is empty: nothing was written yet.' : 'Nothing is here.')
            : (new LogLines($this->forms, ''))->list($piece->entries, [], $isTail);

        return Html::all($links, $lines, $this->limit($bytes));
    }

    private function within(Bytes $bytes, int $at): int
    {
        return $bytes->goesBack() ? min($at, $bytes->end()) : $at;
    }

    private function limit(Bytes $bytes): ?Html
    {
        $limit = $bytes->limit();

        return $limit === null ? null : Html::tag('p', ['class' => 'quiet'], $limit);
    }

    /** @param list<Copy> $copies */
    private function choices(array $copies, Copy $chosen, string $log): Html
    {
        $live = $old = [];
        foreach ($copies as $copy) {
            $address = $this->forms->address('logs', ['log' => $log, 'copy' => $copy->key]);
            $here = $copy === $chosen ? 'true' : null;
            $link = Html::tag('a', ['href' => $address, 'class' => 'button', 'aria-current' => $here], $copy->label);
            if ($copy->isOld) {
                $old[] = Html::tag('li', [], $link);
            } else {
                $live[] = Html::tag('li', [], $link);
            }
        }
        $rotated = $old === [] ? null : Html::tag(
            'details',
            ['open' => $chosen->isOld],
            Html::tag('summary', [], count($old) . ' rotated'),
            Html::tag('ul', ['class' => 'choices'], $old),
        );

        return Html::all(Html::tag('ul', ['class' => 'choices'], $live), $rotated);
    }

    private function form(Request $request, Copy $copy, string $log): Html
    {
        $levels = ['' => 'any'];
        foreach (array_keys(Lines::LEVELS) as $level) {
            $levels[$level] = $level === 'CRITICAL' ? $level : "{$level} and worse";
        }
        $text = ['type' => 'search', 'maxlength' => LogSearch::LONGEST_TEXT, 'value' => $request->text('q')];
        $cases = ['' => 'capitals are alike', 'exact' => 'exactly so'];
        $orders = ['' => 'newest first', 'oldest' => 'oldest first'];

        return $this->forms->search(
            $log === '' ? null : Forms::hidden('log', $log),
            Forms::hidden('copy', $copy->key),
            Forms::input('Text', 'q', $text),
            Forms::select('Letters', 'case', $cases, $request->text('case')),
            Forms::select('Level', 'level', $levels, $request->text('level')),
            // A packed log can only be read from its beginning.
            $copy->isPacked() ? null : Forms::select('Order', 'order', $orders, $request->text('order')),
            Forms::button('Search', 'main'),
        );
    }
}
