<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

use Cr0Sync\Script\Text;

/**
 * Markup that is safe to send: text becomes markup here and nowhere else, and it is escaped on its way.
 *
 * What others wrote (nicknames, log lines, file names, values of conflicts) may hold any bytes. What could end a line,
 * turns the direction of writing or is no UTF-8 is shown as an escape that people can read, so that nothing looks like
 * what it is not.
 */
final readonly class Html
{
    /** Elements that have no end. */
    private const VOID = ['br', 'hr', 'img', 'input', 'link', 'meta', 'col', 'wbr'];
    /** Attributes whose values are addresses: only our own pages, and what is set by settings. */
    private const ADDRESSES = ['href', 'action', 'src'];
    private const HARMLESS = '~^(?:[?#]|/(?![/\\\\])|https://|data:,$)~D';

    private function __construct(public string $markup)
    {
    }

    /**
     * An element. Attributes: null and false leave one out, true is one without a value. Children: text, numbers,
     * markup, lists of these; null is nothing.
     *
     * @param array<string, string|int|float|bool|null> $attributes
     */
    public static function tag(string $name, array $attributes = [], mixed ...$children): self
    {
        $markup = "<{$name}";
        foreach ($attributes as $key => $value) {
            if ($value === null || $value === false) {
                continue;
            }
            if (in_array($key, self::ADDRESSES, true)) {
                // Judged as it is written: browsers take a backslash for a slash, also that of an escape.
                $value = preg_match(self::HARMLESS, Text::line((string) $value)) === 1 ? $value : '#';
            }
            $markup .= $value === true ? " {$key}" : " {$key}=\"" . self::escaped((string) $value) . '"';
        }
        if (in_array($name, self::VOID, true)) {
            return new self("{$markup}>");
        }

        return new self("{$markup}>" . self::all($children)->markup . "</{$name}>");
    }

    /** Several things, one after the other. */
    public static function all(mixed ...$children): self
    {
        $markup = '';
        array_walk_recursive($children, static function (mixed $child) use (&$markup): void {
            $markup .= match (true) {
                $child instanceof self => $child->markup,
                $child === null => '',
                default => self::escaped((string) $child),
            };
        });

        return new self($markup);
    }

    /** What a program of ours wrote as markup: the style and the script of the pages. Never anything from elsewhere. */
    public static function own(string $markup): self
    {
        return new self($markup);
    }

    private static function escaped(string $text): string
    {
        return htmlspecialchars(Text::line($text), ENT_QUOTES | ENT_SUBSTITUTE | ENT_HTML5, 'UTF-8');
    }
}
