<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages\Conflicts;

use Cr0Sync\Admin\Forms;
use Cr0Sync\Admin\Html;
use Cr0Sync\Admin\Library;
use Cr0Sync\Admin\Ui;
use Cr0Sync\Cr0SyncException;

/**
 * What was decided of a conflict, by whom and when.
 *
 * The library keeps that it is resolved, and the queue keeps for a week what was asked for. Of what is older the event
 * log knows who asked. Whoever decides by the command line is in neither.
 */
final readonly class Decision
{
    private function __construct(
        /** A side, `base` or `both`; null where it was only seen. */
        public ?string $take,
        private string $by,
        private ?string $askedAt,
        private ?string $doneAt,
        /** The run that did it, where that is known. */
        public ?string $run,
    ) {
    }

    /**
     * Of the requests that were made of a conflict, the newest first.
     *
     * @param list<array<string, mixed>> $requests
     * @param 'resolve'|'acknowledge' $action
     */
    public static function ofRequests(array $requests, string $action): ?self
    {
        $done = array_filter($requests, static fn (array $one): bool =>
            $one['state'] === 'done' && $one['action'] === $action);
        // One that came second, or was carried out again after a crash, found it resolved, and has no report of a run.
        $with = array_filter($done, static fn (array $one): bool => is_string($one['result']['run'] ?? null));
        $request = array_values($with)[0] ?? array_values(array_reverse($done))[0] ?? null;
        if ($request === null) {
            return null;
        }
        $take = $request['arguments']['take'] ?? null;

        return new self(
            is_string($take) ? $take : null,
            $request['by'],
            $request['at'],
            $request['finished_at'],
            $request['result']['run'] ?? null,
        );
    }

    /** Of the event log, whose oldest events may be in archives: for one conflict, not for many. */
    public static function ofEvents(Library $library, string $id): ?self
    {
        $filter = ['type' => 'ADMIN_REQUESTED', 'text' => "\"conflict\":\"{$id}\"", 'limit' => 20];
        try {
            $events = $library->read('cr0_event_query', [], $filter)['events'];
        } catch (Cr0SyncException) {
            return null;
        }
        foreach ($events as $event) {
            $details = is_array($event['details'] ?? null) ? $event['details'] : [];
            ['action' => $action, 'conflict' => $conflict, 'take' => $take, 'user' => $user] = $details
                + ['action' => null, 'conflict' => null, 'take' => null, 'user' => null];
            $at = $event['timestamp'] ?? null;
            // Pages of the site write events too, so that a field can be anything.
            if ($action === 'resolve' && $conflict === $id && is_string($take) && is_string($user)) {
                return new self($take, "admin page: {$user}", is_string($at) ? $at : null, null, null);
            }
        }

        return null;
    }

    /**
     * @param array<string, mixed> $conflict
     * @param ?Html $since what became of the run since, where somebody has looked
     */
    public function html(array $conflict, Forms $forms, ?Html $since = null): Html
    {
        $asked = $this->askedAt === null ? null : [' ', Ui::when($this->askedAt)];
        $done = $this->doneAt === null ? null : [', done ', Ui::when($this->doneAt)];
        $run = $this->run === null
            ? null
            : [' by ', $forms->link('history', ['run' => $this->run], "run {$this->run}")];

        return Html::tag(
            'p',
            ['class' => 'decided'],
            Html::tag('strong', [], $this->take === null ? 'Acknowledged' : "Decided: {$this->words($conflict)}"),
            ", asked for by {$this->by}",
            $asked,
            $done,
            $run,
            '.',
            $since === null ? null : [' ', $since],
        );
    }

    /** That it is settled, where nobody knows how. */
    public static function unknown(?Html $further): Html
    {
        return Html::tag(
            'p',
            ['class' => 'decided'],
            Html::tag('strong', [], 'Settled'),
            ': by the command resolve on the machine, because the sides came to agree, or more than a week ago. ',
            $further,
        );
    }

    /** @param array<string, mixed> $conflict */
    private function words(array $conflict): string
    {
        $row = $this->take === 'base' ? $conflict['base'] : $conflict['values'][$this->take] ?? null;
        $words = match ($this->take) {
            'both' => 'both rows were kept',
            'base' => 'what was before was taken',
            default => "{$this->take} was taken",
        };

        return $words . ($row === null && $this->take !== 'both' ? ', so the row was deleted' : '');
    }
}
