<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

/**
 * What came of something that was asked for: told once, at the top of the next page.
 */
final readonly class Notice
{
    private function __construct(public string $kind, public string $text, public ?string $secret)
    {
    }

    public static function done(string $text): self
    {
        return new self('done', $text, null);
    }

    public static function failed(string $text): self
    {
        return new self('failed', $text, null);
    }

    /** Something that is shown this once and never again, as a key that was issued. */
    public static function secret(string $text, string $secret): self
    {
        return new self('secret', $text, $secret);
    }

    /** @return array{string, string, ?string} */
    public function stored(): array
    {
        return [$this->kind, $this->text, $this->secret];
    }

    public static function of(mixed $stored): ?self
    {
        return is_array($stored) && count($stored) === 3 ? new self(...array_values($stored)) : null;
    }
}
