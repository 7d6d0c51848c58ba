<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Pages\Conflicts;

use Cr0Sync\Admin\Request;

/**
 * Which conflicts are shown, and in which order. Values of a request are only taken where they are among ours.
 */
final readonly class Filter
{
    /** What people choose, and the states that it stands for. */
    public const STATES = [
        'waiting' => ['open', 'held'],
        'open' => ['open'],
        'held' => ['held'],
        'acknowledged' => ['acknowledged'],
        'resolved' => ['resolved'],
        'all' => [],
    ];

    /** @param list<string> $databases all that there are */
    private function __construct(
        public array $databases,
        public string $database,
        public string $status,
        public string $order,
        public int $skip,
    ) {
    }

    /** @param list<string> $databases */
    public static function ofAddress(Request $request, array $databases): self
    {
        return self::of($databases, $request->text(...));
    }

    /** @param list<string> $databases */
    public static function ofForm(Request $request, array $databases): self
    {
        return self::of($databases, $request->field(...));
    }

    /**
     * @param list<string> $databases
     * @param callable(string): string $value
     */
    private static function of(array $databases, callable $value): self
    {
        $skip = $value('skip');

        return new self(
            $databases,
            in_array($value('database'), $databases, true) ? $value('database') : '',
            array_key_exists($value('status'), self::STATES) ? $value('status') : 'waiting',
            $value('order') === 'newest' ? 'newest' : 'oldest',
            ctype_digit($skip) && strlen($skip) < 10 ? (int) $skip : 0,
        );
    }

    /**
     * As values of an address or of a form.
     *
     * @return array<string, string|int>
     */
    public function query(bool $hasSkip): array
    {
        return array_filter([
            'database' => $this->database,
            'status' => $this->status === 'waiting' ? '' : $this->status,
            'order' => $this->order === 'oldest' ? '' : $this->order,
            'skip' => $hasSkip ? $this->skip : 0,
        ]);
    }

    /** @return array<string, mixed> as options of the library */
    public function options(): array
    {
        return array_filter(['database' => $this->database, 'status' => self::STATES[$this->status]]);
    }
}
