<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\LastCheck;
use Cr0Sync\Admin\Library;
use Cr0Sync\Admin\Notice;
use Cr0Sync\Admin\Operator;
use Cr0Sync\Admin\Outcome;
use Cr0Sync\Admin\Request;
use Cr0Sync\Admin\Ui;
use Cr0Sync\Script\Text;

/**
 * The findings of the last check: chosen, paged, silenced, and how each is accepted.
 */
final readonly class IntegrityFindings
{
    private const PER_PAGE = 50;
    private const KINDS = ['added', 'removed', 'modified', 'moved', 'unreadable', 'unstable', 'baseline'];

    public function __construct(private Forms $forms, private Operator $operator)
    {
    }

    public function show(Request $request, LastCheck $last): Html
    {
        $findings = $last->findings;
        if ($findings === []) {
            return $last->trouble() ?? Html::tag('p', [], $last->isPrivate
                ? 'There is none: every watched file is as it was accepted.'
                : 'The report tells of none. The website could have written it too: whoever wants to be sure checks on '
                    . 'the machine.');
        }
        $query = self::query($request->text(...));
        $chosen = self::chosen($findings, $query);
        usort($chosen, static fn (array $one, array $other): int => self::rank($other) <=> self::rank($one));
        $skip = $request->number('skip', 0);
        $shown = array_slice($chosen, $skip, self::PER_PAGE);
        $pager = Ui::pager($this->forms, 'integrity', $query, $skip, self::PER_PAGE, count($chosen));

        return Html::all(
            $last->trouble(),
            Html::tag(
                'p',
                [],
                'Silencing says that somebody has seen a finding: its alert is closed, and it stays a finding. The '
                    . 'website can never accept one, as whoever took over the website could accept his own changes. '
                    . 'To accept, run the command of the finding on the machine; with ',
                Html::tag('code', [], '--dry-run'),
                ' it only shows what it would accept, and a directory in place of the file accepts all below it.',
            ),
            $this->filter($query),
            $chosen === []
                ? Html::tag('p', ['class' => 'none'], 'No finding fits.')
                : $this->form($query, $shown, $chosen, self::seen($last, $chosen)),
            $pager,
        );
    }

    public static function silence(Request $request, Library $library): Outcome
    {
        $last = LastCheck::of($library->read('cr0_integrity_status')['last_check']);
        $findings = $last->findings ?? [];
        $query = self::query($request->field(...));
        $ticked = $request->fields('paths');
        $isAll = $request->field('all') === 'yes';
        $fit = self::chosen($findings, $query);
        if ($isAll && $last !== null && !hash_equals(self::seen($last, $fit), $request->field('seen'))) {
            $words = 'New findings came, or others went, since this page was shown: nothing is silenced. Look at what '
                . 'there is now.';

            return new Outcome(Notice::failed($words), $query);
        }
        // Only what the last check found; a form cannot name anything else.
        $chosen = $isAll
            ? array_filter($fit, static fn (array $one): bool => !($one['silenced'] ?? false))
            : array_filter($findings, static fn (array $one): bool => in_array(FindingRows::name($one), $ticked, true));
        $paths = array_values(array_unique(array_map(self::path(...), $chosen)));
        if ($paths === []) {
            $words = $ticked === []
                ? 'Nothing was ticked, so nothing is silenced.'
                : 'What was ticked is no finding any more, so nothing is silenced.';

            return new Outcome(Notice::failed($words), $query);
        }
        $by = ['by' => $library->by()];
        $details = ['findings' => count($paths), 'first' => $paths[0]];
        $report = $library->write('ADMIN_SILENCED', $details, 'cr0_integrity_silence', $by, $paths);
        $words = Text::count(count($report['silenced']), 'finding is', 'findings are') . ' silenced. '
            . ($report['unknown'] === [] ? '' : 'Of ' . Text::count(count($report['unknown']), 'other', 'others')
                . ' no alert is open. ')
            . implode(' ', $report['warnings'] ?? []);

        return new Outcome(Notice::done(trim($words)), $query);
    }

    /**
     * @param array<string, string> $query
     * @param list<array<string, mixed>> $shown
     * @param list<array<string, mixed>> $chosen
     */
    private function form(array $query, array $shown, array $chosen, string $seen): Html
    {
        $kept = [Forms::hidden('seen', $seen)];
        foreach ($query as $name => $value) {
            $kept[] = Forms::hidden($name, $value);
        }
        $open = count(array_filter($chosen, static fn (array $one): bool => !($one['silenced'] ?? false)));
        $all = ['type' => 'submit', 'name' => 'all', 'value' => 'yes', 'class' => 'plain'];

        return $this->forms->post(
            'silence',
            $kept,
            Ui::table(
                'Findings',
                ['Tick', 'Severity', 'What', 'File', 'Changes', 'State'],
                (new FindingRows($this->operator))->rows($shown),
            ),
            $open === 0 ? null : Html::tag(
                'div',
                ['class' => 'actions'],
                Forms::button('Silence what is ticked', 'main'),
                $open > 1 ? Html::tag('button', $all, "Silence all {$open} that fit the filter") : null,
            ),
        );
    }

    /** @param array<string, string> $query */
    private function filter(array $query): Html
    {
        $severities = ['' => 'any'];
        foreach (LastCheck::SEVERITIES as $one) {
            $severities[$one] = $one === 'CRITICAL' ? $one : "{$one} and worse";
        }
        $kinds = ['' => 'any'] + array_combine(self::KINDS, self::KINDS);
        $states = ['' => 'any', 'open' => 'open', 'silenced' => 'silenced'];

        return $this->forms->search(
            Forms::select('Severity', 'severity', $severities, $query['severity'] ?? ''),
            Forms::select('What', 'kind', $kinds, $query['kind'] ?? ''),
            Forms::select('State', 'state', $states, $query['state'] ?? ''),
            Forms::input('In the path', 'in', ['type' => 'search', 'value' => $query['in'] ?? '']),
            Forms::button('Show'),
        );
    }

    /**
     * @param callable(string): string $ask
     * @return array<string, string> what was chosen by, without what was left open
     */
    private static function query(callable $ask): array
    {
        $query = [];
        foreach (['severity', 'kind', 'state', 'in'] as $name) {
            $query[$name] = $ask($name);
        }

        return array_filter($query, static fn (string $one): bool => $one !== '');
    }

    /**
     * @param list<array<string, mixed>> $findings
     * @param array<string, string> $query
     * @return list<array<string, mixed>>
     */
    private static function chosen(array $findings, array $query): array
    {
        $least = (int) array_search($query['severity'] ?? 'LOW', LastCheck::SEVERITIES, true);

        return array_values(array_filter($findings, static fn (array $one): bool =>
            self::rank($one) >= $least
            && ($query['kind'] ?? $one['kind']) === $one['kind']
            && (!isset($query['state']) || ($query['state'] === 'silenced') === ($one['silenced'] ?? false))
            && (!isset($query['in']) || stripos($one['path'], $query['in']) !== false)));
    }

    /**
     * Names what somebody saw: of which check, and which findings. What came later is not in it, and is not silenced by
     * who could not know of it.
     *
     * @param list<array<string, mixed>> $chosen
     */
    private static function seen(LastCheck $last, array $chosen): string
    {
        // In the order of the report, however the page sorts them.
        $digests = array_map(static fn (array $one): string => hash('sha256', serialize($one)), $chosen);
        sort($digests);

        return hash('sha256', implode(' ', [(string) $last->at, ...$digests]));
    }

    /** @param array<string, mixed> $finding */
    private static function rank(array $finding): int
    {
        return (int) array_search($finding['severity'], LastCheck::SEVERITIES, true);
    }

    /** @param array<string, mixed> $finding */
    private static function path(array $finding): string
    {
        return isset($finding['path_b64']) ? (string) base64_decode($finding['path_b64'], true) : $finding['path'];
    }
}
