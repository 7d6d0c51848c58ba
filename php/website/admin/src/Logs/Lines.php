<?php

declare(strict_types=1);

namespace Cr0Sync\Admin\Logs;

use Cr0Sync\Admin\Secrets;
use Cr0Sync\Admin\Ui;

/**
 * What the lines of logs say: when, how bad, and which lines belong to the one before.
 */
final class Lines
{
    /** A line that begins with a time, as the bots and the cron jobs write, or an object of JSON. */
    public const HEAD = '/^(?:\d{4}-\d\d-\d\d[ T]\d\d:\d\d|\{"|\[\d{4}-)/';
    /** From harmless to bad, with the words that other programs have for the same. */
    public const LEVELS = [
        'DEBUG' => ['DEBUG'],
        'INFO' => ['INFO', 'LOW', 'NOTICE'],
        'WARNING' => ['WARNING', 'WARN', 'MEDIUM'],
        'ERROR' => ['ERROR', 'HIGH'],
        'CRITICAL' => ['CRITICAL', 'FATAL'],
    ];
    private const BOT = '/^(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\S*(?: [A-Z]{1,5})?) - (.{0,200}?) - ([A-Z]{1,20}) - /';
    private const JSON = '/"severity" ?: ?"([A-Z]{1,20})"/';
    private const OTHER = '/\b(DEBUG|INFO|NOTICE|WARNING|WARN|ERROR|CRITICAL|FATAL)\b/';
    /** Of a longer line so much is shown (bytes). */
    public const LONGEST = 4096;
    /** More lines of a traceback are not shown. */
    private const MOST_MORE = 100;

    /**
     * Whole entries of a piece of a log.
     *
     * @return list<Entry> oldest first
     */
    public static function entries(string $data, int $at): array
    {
        $entries = [];
        $head = null;
        $more = [];
        $left = 0;
        foreach (self::split($data, $at) as [$position, $line]) {
            if ($head !== null && $head[2] && preg_match(self::HEAD, substr($line, 0, 64)) !== 1) {
                if (count($more) < self::MOST_MORE) {
                    $more[] = self::cut($line);
                } else {
                    $left++;
                }
                continue;
            }
            if ($head !== null) {
                $entries[] = self::entry($head[0], $head[1], $more, $left);
            }
            $head = [$position, $line, preg_match(self::HEAD, substr($line, 0, 64)) === 1];
            $more = [];
            $left = 0;
        }
        if ($head !== null) {
            $entries[] = self::entry($head[0], $head[1], $more, $left);
        }

        return $entries;
    }

    /** How bad a line says it is, in the words of LEVELS. */
    public static function level(string $line): ?string
    {
        $start = substr($line, 0, self::LONGEST);
        $word = match (true) {
            preg_match(self::BOT, $start, $found) === 1 => $found[3],
            preg_match(self::JSON, $start, $found) === 1 => $found[1],
            preg_match(self::OTHER, substr($start, 0, 120), $found) === 1 => $found[1],
            default => null,
        };
        foreach ($word === null ? [] : self::LEVELS as $level => $words) {
            if (in_array($word, $words, true)) {
                return $level;
            }
        }

        return null;
    }

    /**
     * A level and all that are worse.
     *
     * @return list<string>
     */
    public static function atLeast(string $level): array
    {
        $levels = array_keys(self::LEVELS);
        $from = array_search($level, $levels, true);

        return $from === false ? [] : array_slice($levels, $from);
    }

    /**
     * What finds the words of some levels.
     *
     * @param list<string> $levels
     */
    public static function words(array $levels): string
    {
        $words = array_merge(...array_map(static fn (string $level): array => self::LEVELS[$level], $levels));

        return '/\b(?:' . implode('|', $words) . ')\b/';
    }

    /** @param list<string> $more */
    private static function entry(int $at, string $line, array $more, int $left): Entry
    {
        $level = self::level($line);
        if (preg_match(self::BOT, substr($line, 0, self::LONGEST), $found) === 1) {
            $text = self::cut(substr($line, strlen($found[0])));

            return new Entry($at, $found[1], $level, $text, $more, $left, self::cut($found[2]));
        }

        return new Entry($at, null, $level, self::cut($line), $more, $left);
    }

    /** @return iterable<array{int, string}> */
    private static function split(string $data, int $at): iterable
    {
        $length = strlen($data);
        for ($from = 0; $from < $length; $from = $to + 1) {
            $to = strpos($data, "\n", $from);
            $to = $to === false ? $length : $to;
            yield [$at + $from, rtrim(substr($data, $from, $to - $from), "\r")];
        }
    }

    private static function cut(string $line): string
    {
        $length = strlen($line);
        if ($length > self::LONGEST) {
            $line = substr($line, 0, self::LONGEST);
            // Not within a character, as then the whole line would be no text.
            $line = (string) preg_replace('/[\xc0-\xff][\x80-\xbf]{0,2}$/D', '', $line);
        }
        $line = Secrets::hide($line);

        return $length > self::LONGEST
            ? $line . ' (cut: the line has ' . Ui::bytes($length) . ' or more)'
            : $line;
    }
}
