<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Logs\Bytes;
use Cr0Sync\Admin\Logs\Catalogue;
use Cr0Sync\Admin\Logs\Copy;
use Cr0Sync\Admin\Logs\Found;
use Cr0Sync\Admin\Logs\Lines;
use Cr0Sync\Admin\Logs\Search;
use Cr0Sync\Admin\Logs\Unreadable;
use Cr0Sync\Admin\Request;
use Cr0Sync\Admin\Ui;

/**
 * A search in one copy of a log, that goes on into the rotated files, from the newest to the oldest, when somebody asks
 * for it: with the same words, past the files that have none of them, and never longer at once than a page may take.
 */
final class LogSearch
{
    /** Longer texts are not looked for (bytes). */
    public const LONGEST_TEXT = 200;

    private readonly string $text;
    private readonly string $level;
    private readonly bool $isExact;
    private readonly bool $isOldestFirst;
    /** Whether to go on into older files by itself where nothing is found. */
    private readonly bool $goesOn;

    /** @param list<Copy> $copies all of the log, the rotated files from the newest on */
    public function __construct(
        private readonly Catalogue $catalogue,
        private readonly Forms $forms,
        private readonly array $copies,
        private readonly string $log,
        Request $request,
    ) {
        $this->text = substr($request->text('q'), 0, self::LONGEST_TEXT);
        $this->level = isset(Lines::LEVELS[$request->text('level')]) ? $request->text('level') : '';
        $this->isExact = $request->text('case') === 'exact';
        $this->isOldestFirst = $request->text('order') === 'oldest';
        $this->goesOn = $request->text('further') === '1';
    }

    /**
     * What is found, and in which file: that of the address, or an older one.
     *
     * @param ?int $at where the search goes on; null where it begins
     * @return array{Copy, Html}
     */
    public function show(Copy $copy, ?int $at): array
    {
        $until = microtime(true) + Search::MOST_SECONDS;
        $passed = [];
        while (true) {
            $older = $this->older($copy);
            try {
                $bytes = $this->catalogue->open($copy);
                $found = $this->search($bytes, $at);
                $content = $this->found($copy, $bytes, $found);
                $isPassed = $found->entries === [] && $found->next === null && $bytes->limit() === null;
                $why = 'nothing was found';
            } catch (Unreadable $unreadable) {
                $why = $unreadable->getMessage();
                $content = Ui::trouble($why);
                $isPassed = true;
            }
            if (!$isPassed || !$this->goesOn || $older === null || microtime(true) > $until) {
                $further = $this->further($found->next ?? null, $older);

                return [$copy, Html::all($this->passed($passed), $content, $further, Html::tag(
                    'p',
                    ['class' => 'quiet'],
                    'One look ends after ' . Search::MOST_SECONDS . ' seconds, ' . Ui::bytes(Search::MOST_BYTES) . ' '
                        . 'or '
                        . Search::MOST_FOUND . ' lines, and goes on from there when you ask.',
                ))];
            }
            $passed[] = Html::tag('li', [], "{$copy->label}: {$why}");
            [$copy, $at, $found] = [$older, null, null];
        }
    }

    private function search(Bytes $bytes, ?int $at): Found
    {
        $search = new Search($bytes, $this->text, $this->isExact, $this->level);
        if ($this->isBack($bytes)) {
            $end = $bytes->end();

            return $search->before(min($at ?? $end, $end));
        }

        return $search->after($bytes->goesBack() ? min($at ?? 0, $bytes->end()) : $at ?? 0);
    }

    /** A packed log can only be read from its beginning. */
    private function isBack(Bytes $bytes): bool
    {
        return $bytes->goesBack() && !$this->isOldestFirst;
    }

    /** The next older file of the log. */
    private function older(Copy $copy): ?Copy
    {
        $old = array_values(array_filter($this->copies, static fn (Copy $one): bool => $one->isOld));
        $at = array_search($copy, $old, true);

        return $old[$at === false ? 0 : $at + 1] ?? null;
    }

    private function found(Copy $copy, Bytes $bytes, Found $found): Html
    {
        $isBack = $this->isBack($bytes);
        $count = count($found->entries);
        $words = "{$count} found in " . Ui::bytes($found->looked) . " of {$copy->label}"
            . ($isBack ? ', newest first.' : ', oldest first.');
        $more = $found->next === null
            ? Html::tag('p', [], 'That is all of it.', $count === 0 ? ' Nothing was found.' : '')
            : Html::tag(
                'p',
                [],
                $this->forms->link('logs', $this->query($copy) + ['at' => $found->next], 'Go on searching'),
                ', from byte ' . number_format($found->next) . ($isBack ? ' backwards' : ' on') . '.',
            );
        $limit = $bytes->limit();

        return Html::all(
            Html::tag('p', ['role' => 'status'], $words),
            $count === 0 ? null : (new LogLines($this->forms, $this->text))
                ->list($found->entries, array_intersect_key($this->query($copy), ['log' => 0, 'copy' => 0])),
            $more,
            $limit === null ? null : Html::tag('p', ['class' => 'quiet'], $limit),
        );
    }

    /** The way on into what is older, where all of a file was looked at. */
    private function further(?int $next, ?Copy $older): ?Html
    {
        if ($next !== null || $this->log === '') {
            return null;
        }
        if ($older === null) {
            return Html::tag('p', [], 'There is no older file of this log.');
        }
        $address = $this->forms->address('logs', $this->query($older) + ['further' => '1']);
        $link = ['href' => $address, 'class' => 'button'];

        return Html::tag('p', [], Html::tag('a', $link, "Go on in the older file {$older->label}"), ' and, where it '
            . 'has '
            . 'nothing, in those before it.');
    }

    /** @param list<Html> $passed */
    private function passed(array $passed): ?Html
    {
        return $passed === [] ? null : Html::tag(
            'details',
            [],
            Html::tag('summary', [], 'Looked through before: ' . count($passed) . (count($passed) === 1 ? ' file' : ' '
                . 'files')),
            Html::tag('ul', [], $passed),
        );
    }

    /** @return array<string, string> the same words in this file */
    private function query(Copy $copy): array
    {
        return array_filter([
            'log' => $this->log,
            'copy' => $copy->key,
            'q' => $this->text,
            'level' => $this->level,
            'case' => $this->isExact ? 'exact' : '',
            'order' => $this->isOldestFirst ? 'oldest' : '',
        ], static fn (string $one): bool => $one !== '');
    }
}
