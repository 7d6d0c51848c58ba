<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

/**
 * What is sent back. Every answer has the same headers, which forbid browsers everything the pages do not need.
 */
final readonly class Response
{
    /** @param array<string, string> $headers */
    private function __construct(
        public int $status,
        public string $body,
        private array $headers,
    ) {
    }

    public static function page(int $status, string $body, string $nonce, ?int $retryAfter = null): self
    {
        $policy = "default-src 'none'; style-src 'nonce-{$nonce}'; script-src 'nonce-{$nonce}'; img-src data:; "
            . "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

        return new self($status, $body, [
            'Content-Type' => 'text/html; charset=UTF-8',
            'Content-Security-Policy' => $policy,
        ] + self::later($retryAfter));
    }

    /** Says in a word why there is no page, and nothing else. */
    public static function refusal(int $status, string $why, ?int $retryAfter = null): self
    {
        $headers = [
            'Content-Type' => 'text/plain; charset=UTF-8',
            'Content-Security-Policy' => "default-src 'none'; frame-ancestors 'none'",
        ];

        return new self($status, "{$why}\n", $headers + self::later($retryAfter));
    }

    /** @return array<string, string> */
    private static function later(?int $seconds): array
    {
        return $seconds === null ? [] : ['Retry-After' => (string) $seconds];
    }

    /** What was sent is done: the browser looks at a page, which it may load again without sending anything twice. */
    public static function seeOther(string $where): self
    {
        return new self(303, '', ['Location' => $where, 'Content-Security-Policy' => "default-src 'none'"]);
    }

    public function send(): void
    {
        http_response_code($this->status);
        header_remove('X-Powered-By');
        $common = [
            'Cache-Control' => 'no-store',
            'Cross-Origin-Opener-Policy' => 'same-origin',
            'Cross-Origin-Resource-Policy' => 'same-origin',
            'Permissions-Policy' => 'camera=(), geolocation=(), microphone=()',
            'Referrer-Policy' => 'no-referrer',
            'X-Content-Type-Options' => 'nosniff',
            'X-Frame-Options' => 'DENY',
        ];
        foreach ($common + $this->headers as $name => $value) {
            header("{$name}: {$value}");
        }
        echo $this->body;
    }
}
