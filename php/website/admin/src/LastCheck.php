<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

/**
 * What the last check found, of known shapes.
 *
 * Whoever may write as the website can write this report too, so that anything can be in it. What is no finding is left
 * out and counted, and that is said; and that nothing was found is only believed of what the cron user alone can write.
 */
final readonly class LastCheck
{
    public const SEVERITIES = ['LOW', 'MEDIUM', 'HIGH', 'CRITICAL'];

    /** @param list<array<string, mixed>> $findings */
    private function __construct(
        public ?string $at,
        public ?int $checked,
        public bool $isComplete,
        public ?string $guarantee,
        /** Whether nobody but the cron user can have written it. */
        public bool $isPrivate,
        public array $findings,
        /** So many more could not be read. */
        public int $odd,
    ) {
    }

    /** @param mixed $report `last_check`, as the library tells it; null where nothing was checked yet */
    public static function of(mixed $report): ?self
    {
        if (!is_array($report)) {
            return null;
        }
        $all = $report['findings'] ?? null;
        $findings = is_array($all) ? array_values(array_filter($all, self::isFinding(...))) : [];
        $text = static fn (string $name): ?string => is_string($report[$name] ?? null) ? $report[$name] : null;

        return new self(
            $text('at'),
            is_int($report['checked'] ?? null) ? $report['checked'] : null,
            ($report['complete'] ?? null) === true,
            $text('guarantee'),
            $text('source') === 'private',
            $findings,
            is_array($all) ? count($all) - count($findings) : 1,
        );
    }

    /** How many findings there are, with those that could not be read. */
    public function count(): int
    {
        return count($this->findings) + $this->odd;
    }

    /** How many of them somebody has seen and silenced: they wait for nobody. */
    public function silenced(): int
    {
        return count(array_filter($this->findings, static fn (array $one): bool => $one['silenced'] ?? false));
    }

    /** The colour of a number of findings. */
    public function kind(int $number): string
    {
        return match (true) {
            $number > 0 || $this->odd > 0 => 'bad',
            $this->isPrivate => 'good',
            default => '',
        };
    }

    /** What to say of what could not be read. */
    public function trouble(): ?Html
    {
        return $this->odd === 0 ? null : Ui::trouble('Of the report of the last check '
            . ($this->odd === 1 ? 'one part is' : "{$this->odd} parts are") . ' not readable: no check wrote it so. '
            . 'Check again on the machine, and see who else may write into the directory of the reports.');
    }

    private static function isFinding(mixed $one): bool
    {
        if (!is_array($one) || !in_array($one['severity'] ?? null, self::SEVERITIES, true)) {
            return false;
        }
        if (!is_string($one['kind'] ?? null) || !is_string($one['path'] ?? null)) {
            return false;
        }
        foreach (['path_b64', 'from', 'reason'] as $name) {
            if (!is_string($one[$name] ?? '')) {
                return false;
            }
        }
        $changes = $one['changes'] ?? null;
        $isAdded = $one['kind'] === 'added' && isset($one['after']);

        return is_array($changes) && array_filter($changes, is_string(...)) === $changes
            && self::isAttributes($one['before'] ?? []) && self::isAttributes($one['after'] ?? [])
            && (!$isAdded || isset($one['after']['type'], $one['after']['mode']))
            && is_int($one['after']['size'] ?? 0);
    }

    private static function isAttributes(mixed $all): bool
    {
        return is_array($all)
            && array_filter($all, static fn (mixed $one): bool => $one === null || is_scalar($one)) === $all;
    }
}
