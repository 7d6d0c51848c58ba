<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

use Cr0Sync\Script\Text;

/**
 * Values of rows, which may be anything: cut where they are long, with the whole behind a click.
 */
final class Values
{
    /** Longer ones are cut (bytes). */
    private const SHORT = 160;

    /**
     * A value as the library tells it.
     *
     * @param int $most so many bytes of it are on the page; a page of many values stays small by this
     * @param ?Html $more where the rest is, for a value that is even longer
     */
    public static function shown(mixed $value, int $most, ?Html $more = null): Html
    {
        if ($value === '') {
            return Html::tag('span', ['class' => 'quiet'], 'empty text');
        }
        $text = self::text($value);
        if ($text === null) {
            return Ui::value($value);
        }
        $start = self::cut($text, self::SHORT);
        if ($start === $text) {
            return Html::tag('code', [], $text);
        }
        $size = Ui::bytes(strlen($text));
        $shown = strlen($text) > $most ? self::cut($text, $most) : $text;
        $rest = $shown === $text
            ? null
            : Html::tag('p', ['class' => 'quiet'], 'The first ', Ui::bytes(strlen($shown)), " of {$size}. ", $more);
        $summary = Html::tag('summary', [], Html::tag('code', [], "{$start}..."), " all {$size}");

        return Html::tag('details', ['class' => 'value'], $summary, Html::tag('code', [], $shown), $rest);
    }

    /** Says what it is, where two values look alike and are not the same. */
    public static function kind(mixed $value): string
    {
        return match (true) {
            $value === null => 'NULL',
            is_string($value) => 'text',
            is_array($value) => isset($value['blob_base64']) ? 'binary' : 'text',
            default => 'number',
        };
    }

    private static function text(mixed $value): ?string
    {
        return match (true) {
            is_string($value) => $value,
            // Text that is no UTF-8; what is wrong in it is shown as an escape.
            is_string($value['text_base64'] ?? null) => (string) base64_decode($value['text_base64'], true),
            is_string($value['blob_base64'] ?? null) =>
                "x'" . bin2hex((string) base64_decode($value['blob_base64'], true)) . "'",
            default => null,
        };
    }

    /** The beginning of a text, of at most so many bytes, with no character cut in two. */
    private static function cut(string $text, int $most): string
    {
        if (strlen($text) <= $most) {
            return $text;
        }
        $start = substr($text, 0, $most);
        // A character is four bytes at most. What is no UTF-8 at all stays as it is.
        foreach ([0, 1, 2, 3] as $lost) {
            $whole = substr($start, 0, $most - $lost);
            if (preg_match('//u', $whole) === 1) {
                return $whole;
            }
        }

        return $start;
    }
}
