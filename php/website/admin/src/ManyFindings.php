<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

use Cr0Sync\Cr0SyncException;

/**
 * What can be told of the files where so much was found that no page could hold it: after a deployment nobody
 * accepted, or in a directory where programs write. The library gives all findings or none, so that they are counted
 * first, and only read where the memory of a page bears them.
 */
final readonly class ManyFindings
{
    /** No page reads more. One takes 4 KiB or so of PHP's memory, which is 128 MiB as a rule. */
    public const MOST = 5_000;
    /** So many are shown of those that are not read. */
    private const SHOWN = 50;
    /** How the event log calls what was found. */
    private const TYPES = ['NEW_FILE_DETECTED', 'FILE_MISSING', 'FILE_MODIFIED'];

    private function __construct(
        public int $total,
        /** When files were last checked, as far as that can be told. */
        public ?string $at,
        /** Whether the chain of events is known to be broken. */
        public bool $isBroken,
    ) {
    }

    /**
     * Null where there are not too many.
     *
     * @throws Cr0SyncException
     */
    public static function of(Library $library): ?self
    {
        $numbers = $library->metrics();
        $total = (int) ($numbers['cr0sync_integrity_findings_open'] ?? 0);
        $at = $numbers['cr0sync_integrity_last_check_timestamp_seconds'] ?? null;
        $isBroken = ($numbers['cr0sync_events_chain_whole'] ?? 1) < 1;

        return $total > self::MOST
            ? new self($total, $at === null ? null : gmdate('c', (int) $at), $isBroken)
            : null;
    }

    /** What there is and what to do: they are not gone through one by one. */
    public function words(Operator $operator): Html
    {
        return Html::all(
            Ui::trouble(number_format($this->total) . ' findings in the last check. These pages list '
                . number_format(self::MOST) . ' at most: none is lost, and none can be silenced here.'),
            Html::tag('p', [], 'So many mean one cause, as an upgrade of the site that nobody accepted, or a directory '
                . 'where programs write. On the machine, see all of them:'),
            Operator::shown($operator->command('check', '--json')),
            Html::tag('p', [], 'If a whole directory is as you want it, accept it at once (with ', Html::tag(
                'code',
                [],
                '--dry-run',
            ), ' it only shows what it would accept):'),
            Operator::shown($operator->command('accept', '/DIRECTORY')),
            Html::tag('p', [], 'If programs write there, leave it out, in ignore_patterns of integrity_config.json.'),
        );
    }

    /** The newest of them, as the event log tells them. */
    public function newest(Library $library, Forms $forms): Html
    {
        $rows = [];
        $filter = ['type' => self::TYPES, 'limit' => self::SHOWN];
        foreach ($library->read('cr0_event_query', [], $filter)['events'] as $event) {
            $details = is_array($event['details'] ?? null) ? $event['details'] : [];
            // Where there were many at once, one event tells of several.
            foreach (is_array($details['files'] ?? null) ? $details['files'] : [$details] as $file) {
                if (is_string($file['file'] ?? null) && count($rows) < self::SHOWN) {
                    $rows[] = [
                        Ui::state(is_string($event['severity'] ?? null) ? $event['severity'] : 'unknown'),
                        is_string($file['kind'] ?? null) ? $file['kind'] : 'unknown',
                        Html::tag('code', [], Secrets::hide($file['file'])),
                        Ui::time(is_string($event['timestamp'] ?? null) ? $event['timestamp'] : null, 'unknown'),
                    ];
                }
            }
        }
        $shown = count($rows);
        $words = "{$shown} of " . number_format($this->total) . ' findings: the newest that the event log tells of. '
            . 'Some '
            . 'of them may be mended or accepted since.';

        return Html::all(
            $rows === [] ? null : Html::tag('p', [], $words),
            Ui::table('Newest findings', ['Severity', 'What', 'File', 'Told'], $rows),
            Html::tag('p', [], $forms->link('events', ['type' => self::TYPES[2]], 'All events of changed files')),
        );
    }
}
