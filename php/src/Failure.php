<?php

declare(strict_types=1);

namespace Cr0Sync\Script;

use RuntimeException;

/**
 * Why a script cannot even ask the library: a command line that makes no sense, or no extension.
 */
final class Failure extends RuntimeException
{
    private function __construct(
        public readonly ExitCode $exit,
        public readonly string $kind,
        string $message,
        public readonly string $hint,
    ) {
        parent::__construct($message);
    }

    public static function usage(string $message, string $hint): self
    {
        return new self(ExitCode::Usage, 'usage', $message, $hint);
    }

    public static function unavailable(string $message, string $hint): self
    {
        return new self(ExitCode::Unavailable, 'unavailable', $message, $hint);
    }

    public static function internal(string $message): self
    {
        return new self(ExitCode::Failed, 'internal', $message, 'this is a mistake in the script; please report it');
    }

    /** The same document that an error of the library gives. */
    public function json(): string
    {
        $error = ['kind' => $this->kind, 'message' => $this->getMessage(), 'path' => null, 'hint' => $this->hint];
        $flags = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE | JSON_THROW_ON_ERROR;

        return json_encode(['schema' => 1, 'ok' => false, 'error' => $error], $flags);
    }
}
