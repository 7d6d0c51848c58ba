<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

/**
 * What a browser asks for, as hostile as it can be: every value is text of a bounded length, a number within bounds or
 * one of the words that are allowed. No value of it is ever a path.
 */
final readonly class Request
{
    /** Longer values are cut (bytes). */
    private const LONGEST = 4096;

    /**
     * @param array<mixed> $query
     * @param array<mixed> $form
     */
    public function __construct(
        public string $method,
        /** The path of the entry, without its query. */
        public string $self,
        private array $query,
        private array $form,
        public string $ip,
        public bool $isSecure,
    ) {
    }

    public static function current(): self
    {
        $self = strtok((string) ($_SERVER['REQUEST_URI'] ?? '/'), '?');

        return new self(
            (string) ($_SERVER['REQUEST_METHOD'] ?? 'GET'),
            // `//host` would lead elsewhere.
            '/' . ltrim((string) $self, '/'),
            $_GET,
            $_POST,
            (string) ($_SERVER['REMOTE_ADDR'] ?? ''),
            !in_array($_SERVER['HTTPS'] ?? '', ['', 'off'], true),
        );
    }

    public function isPost(): bool
    {
        return $this->method === 'POST';
    }

    /** A value of the address. */
    public function text(string $name, string $otherwise = ''): string
    {
        return self::plain($this->query[$name] ?? null, $otherwise);
    }

    public function number(string $name, int $otherwise, int $least = 0, int $most = PHP_INT_MAX): int
    {
        $options = ['options' => ['min_range' => $least, 'max_range' => $most]];
        $number = filter_var($this->text($name), FILTER_VALIDATE_INT, $options);

        return is_int($number) ? $number : $otherwise;
    }

    /**
     * One of these words, else the first of them.
     *
     * @param non-empty-list<string> $words
     */
    public function choice(string $name, array $words): string
    {
        $text = $this->text($name);

        return in_array($text, $words, true) ? $text : $words[0];
    }

    /** A value of a form that was sent. */
    public function field(string $name, string $otherwise = ''): string
    {
        return self::plain($this->form[$name] ?? null, $otherwise);
    }

    /**
     * What was chosen of several, as `name[]`.
     *
     * @return list<string>
     */
    public function fields(string $name): array
    {
        $all = $this->form[$name] ?? [];
        $texts = is_array($all) ? array_map(static fn (mixed $one): string => self::plain($one, ''), $all) : [];

        return array_values(array_filter($texts, static fn (string $one): bool => $one !== ''));
    }

    private static function plain(mixed $value, string $otherwise): string
    {
        return is_string($value) ? substr(strtr($value, ["\0" => '']), 0, self::LONGEST) : $otherwise;
    }
}
