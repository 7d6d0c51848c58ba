<?php

declare(strict_types=1);

namespace Cr0Sync\Tests;

/**
 * The commands that the text of a document names beside its blocks, for somebody to type as they stand there.
 */
final class Prose
{
    /** What the stories of the document can type as well; a dot or two at the end stands for words of the reader's. */
    private const COMMAND = '/`((?:db|logs|security|php|df) [^`]*(?<!\.))`/';
    /** What shells end with where there is no such command, and one that hangs. */
    private const NOT_THERE = [-1, 126, 127];
    /** What our scripts say of words that they do not know. What such a word is about may well not be there. */
    private const UNKNOWN = '/: unknown (?:command|option) |: \S+ does not know what to do with /';

    /** @return list<string> each once */
    public static function commands(string $document): array
    {
        $text = preg_replace(['/^```.*?^```$/ms', '/<!--.*?-->/s'], '', $document);
        preg_match_all(self::COMMAND, $text, $found);

        return array_values(array_unique($found[1]));
    }

    /** What is wrong with that command; null where it is understood, whatever comes of it here. */
    public static function problem(string $command, string $root, Story $story): ?string
    {
        $said = $story->begin($root, Stage::Plain);
        [$code, $out, $err] = $said === '' ? $story->typed($command) : [-1, '', $said];
        $story->end();
        $isUnderstood = !in_array($code, self::NOT_THERE, true) && preg_match(self::UNKNOWN, $err) === 0;

        return $isUnderstood
            ? null
            : "`{$command}` of the text ended with {$code} and said\n{$out}{$err}";
    }
}
