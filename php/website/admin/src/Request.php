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
    /** Paths that mean the same in links, in headers and in a cookie; `//host` would lead elsewhere. */
    private const PATH = '~^/(?!/)[\w./\~%-]*$~D';

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
        /** Whether a page loads itself again, and nobody did anything. */
        public bool $isLive,
        /** Whether a form asked to look at what takes a while. */
        public bool $isLook = false,
    ) {
    }

    public function looking(): self
    {
        return new self(
            $this->method,
            $this->self,
            $this->query,
            $this->form,
            $this->ip,
            $this->isSecure,
            $this->isLive,
            true,
        );
    }

    /**
     * Null where the address is none of the pages. Where the pages are is said by the server; of the address that the
     * visitor wrote nothing may come into a header.
     */
    public static function current(): ?self
    {
        $self = (string) ($_SERVER['SCRIPT_NAME'] ?? '');
        if (($_SERVER['PATH_INFO'] ?? '') !== '' || preg_match(self::PATH, $self) !== 1) {
            return null;
        }

        return new self(
            (string) ($_SERVER['REQUEST_METHOD'] ?? 'GET'),
            $self,
            $_GET,
            $_POST,
            (string) ($_SERVER['REMOTE_ADDR'] ?? ''),
            !in_array($_SERVER['HTTPS'] ?? '', ['', 'off'], true),
            ($_SERVER['HTTP_X_LIVE'] ?? '') === '1',
        );
    }

    /** Whether all that was sent is text in UTF-8: the library knows nothing else, and pages rely on it. */
    public function isText(): bool
    {
        return self::isUtf8($this->query) && self::isUtf8($this->form);
    }

    /** Whether somebody asks for a page to read it. */
    public function isReading(): bool
    {
        return $this->method === 'GET' && !$this->isLive;
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
        if (!is_string($value)) {
            return $otherwise;
        }
        $text = strtr($value, ["\0" => '']);
        $cut = substr($text, 0, self::LONGEST);

        // No character is cut in two.
        return $cut === $text ? $cut : (string) preg_replace('~[\xC0-\xFF][\x80-\xBF]*$~D', '', $cut);
    }

    /** @param array<mixed> $all */
    private static function isUtf8(array $all): bool
    {
        foreach ($all as $name => $value) {
            $isText = is_array($value) ? self::isUtf8($value) : preg_match('//u', (string) $value) === 1;
            if (!$isText || preg_match('//u', (string) $name) !== 1) {
                return false;
            }
        }

        return true;
    }
}
