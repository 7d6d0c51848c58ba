<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages;

use Cr0Sync\Admin\App;
use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Library;
use Cr0Sync\Admin\Notice;
use Cr0Sync\Admin\Operator;
use Cr0Sync\Admin\Outcome;
use Cr0Sync\Admin\Page;
use Cr0Sync\Admin\Request;
use Cr0Sync\Admin\Secrets;
use Cr0Sync\Admin\Ui;
use Cr0Sync\Cr0SyncException;
use Cr0Sync\UsageException;

/**
 * What happened, newest first, in the log of events and its archives, and whether the chain of events is whole.
 */
final readonly class Events implements Page
{
    private const PER_PAGE = 50;
    private const SEVERITIES = ['INFO', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'];
    private const FILTERS = ['type', 'severity', 'since', 'until', 'ip', 'text'];

    public function title(): string
    {
        return 'Events';
    }

    public function isLive(): bool
    {
        return false;
    }

    public function show(Request $request, Library $library, Forms $forms): Html
    {
        $query = [];
        foreach (self::FILTERS as $name) {
            $query[$name] = trim($request->text($name));
        }
        $query['severity'] = in_array($query['severity'], self::SEVERITIES, true) ? $query['severity'] : '';
        $query = array_filter($query, static fn (string $one): bool => $one !== '');
        $skip = $request->number('skip', 0, 0, 10_000_000);

        try {
            $status = Integrity::chainOf($library);
            $state = Integrity::chain($status);
        } catch (Cr0SyncException $wrong) {
            $status = null;
            $state = Ui::trouble(App::words($wrong));
        }

        return Html::all(
            $this->problem($status),
            Ui::section(
                'What happened',
                $this->filter($forms, $query),
                $this->events($library, $forms, $query, $skip),
            ),
            $this->chain($state, $library),
        );
    }

    public function act(Request $request, Library $library): Outcome
    {
        return new Outcome(Notice::failed('Events are only read here.'));
    }

    /**
     * What has to be known before anything else is read here.
     *
     * @param ?array<string, mixed> $status
     */
    private function problem(?array $status): ?Html
    {
        $isBroken = ($status['chain'] ?? null) === 'broken';

        return $isBroken ? Ui::trouble('The chain of events is broken: what is here may not be all, or not as it was '
            . 'written. The page of integrity says what to do.') : null;
    }

    private function chain(Html $state, Library $library): Html
    {
        $operator = Operator::of($library, 'security_monitoring_script.php');

        return Ui::section(
            'The chain of events',
            Html::tag('p', [], $state),
            Html::tag(
                'p',
                [],
                'Each event holds the digest of what was written before it, so that lines which are changed or taken '
                    . 'out are found. The user of the cron jobs verifies that each day, as the website could not prove '
                    . 'anything about itself. To do it now, run on the machine:',
            ),
            Operator::shown($operator->command('verify-events')),
        );
    }

    /** @param array<string, string> $query */
    private function filter(Forms $forms, array $query): Html
    {
        $severities = ['' => 'any'];
        foreach (self::SEVERITIES as $one) {
            $severities[$one] = $one === 'CRITICAL' ? $one : "{$one} and worse";
        }
        $day = ['placeholder' => gmdate('Y-m-d'), 'size' => 20];

        return $forms->search(
            Forms::input('Type, exactly', 'type', ['value' => $query['type'] ?? '', 'size' => 18]),
            Forms::select('Severity', 'severity', $severities, $query['severity'] ?? ''),
            Forms::input('Since (UTC)', 'since', $day + ['value' => $query['since'] ?? '']),
            Forms::input('Until (UTC)', 'until', $day + ['value' => $query['until'] ?? '']),
            Forms::input('Address', 'ip', ['value' => $query['ip'] ?? '', 'size' => 16]),
            Forms::input('Text anywhere in it', 'text', ['type' => 'search', 'value' => $query['text'] ?? '']),
            Forms::button('Show', 'main'),
        );
    }

    /** @param array<string, string> $query */
    private function events(Library $library, Forms $forms, array $query, int $skip): Html
    {
        $filter = $query + ['skip' => $skip, 'limit' => self::PER_PAGE];
        try {
            $report = $library->read('cr0_event_query', [], $filter);
        } catch (UsageException $wrong) {
            return Ui::trouble(App::words($wrong));
        }
        $caption = 'Events of the log and its archives, the newest first';
        $columns = ['When', 'Severity', 'Type', 'Address', 'Details'];
        $count = count($report['events']);

        return Html::all(
            array_map(Ui::trouble(...), $report['problems']),
            $count === 0
                ? $this->none($library, $forms, $query, $skip)
                : Ui::table($caption, $columns, $this->rows($report['events'])),
            $this->pager($forms, $query, $skip, $count, $report['more']),
        );
    }

    /**
     * Says why there is none, and which filter to leave out.
     *
     * @param array<string, string> $query
     */
    private function none(Library $library, Forms $forms, array $query, int $skip): Html
    {
        return match (true) {
            $skip > 0 => Html::tag('p', [], 'There are no older ones.'),
            $query !== [] => (new EventsLooser($library, $forms))->html($query),
            default => Html::tag('p', [], 'Nothing was put on record yet. Checks, logins and what is asked for on '
                . 'these pages will be.'),
        };
    }

    /**
     * @param list<array<string, mixed>> $events
     * @return iterable<list<mixed>>
     */
    private function rows(array $events): iterable
    {
        $details = new EventDetails();
        foreach ($events as $event) {
            // Pages of the site write here too, so that a field can be anything.
            $time = is_string($event['timestamp'] ?? null) ? $event['timestamp'] : null;
            yield [
                Ui::moment($time, 'unknown'),
                self::word($event['severity'] ?? '') === '' ? '' : Ui::state(self::word($event['severity'])),
                self::word($event['type'] ?? ''),
                self::word($event['ip'] ?? ''),
                $details->show($event),
            ];
        }
    }

    /** @param array<string, string> $query */
    private function pager(Forms $forms, array $query, int $skip, int $count, bool $isMore): ?Html
    {
        if ($skip === 0 && !$isMore) {
            return null;
        }
        $before = max(0, $skip - self::PER_PAGE);

        return Html::tag(
            'nav',
            ['class' => 'pager', 'aria-label' => 'More'],
            $skip > 0 ? $forms->link('events', $query + ['skip' => $before], 'Newer') : null,
            $count === 0 ? null : Html::tag('span', [], ($skip + 1) . ' to ' . ($skip + $count)),
            $isMore ? $forms->link('events', $query + ['skip' => $skip + $count], 'Older') : null,
        );
    }

    private static function word(mixed $value): string
    {
        return is_scalar($value) ? substr(Secrets::hide((string) $value), 0, 200) : '(no word)';
    }
}
