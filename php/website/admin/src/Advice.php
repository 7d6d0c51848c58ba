<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

/**
 * What the library advises, with the commands in it as they are to be entered here: each on a line of its own, whole,
 * to be copied.
 */
final readonly class Advice
{
    private const QUOTED = "'(?:[^']|'\\\\'')*'";
    private const WORD = '(?:' . self::QUOTED . '|[^\s;,\'"()])+';
    /** A command of ours ends with the installation that it is for. */
    private const OURS = '(?:(?:sudo|runuser) -u \S+ (?:-- )?)?php (?:\S*/)?(?<script>\w+_script\.php)'
        . '(?<words>(?: ' . self::WORD . ')*?(?: --config ' . self::WORD . ')? --root ' . self::WORD . ')';
    /** What begins no sentence; it goes on to the next mark. */
    private const OTHERS = '(?:(?:sh|usermod|chgrp|chown|chmod|setpriv|runuser|ln|install) (?:-|/|' . self::QUOTED
        . ')|chmod [ugoa]*[+-]|grep [A-Z-])(?:' . self::WORD . '|[ ](?!shows\b|says\b|where\b|and\b|or\b))*';
    private const DOCTOR = '(?<!\w)run doctor\b';

    public function __construct(private Operator $security, private Operator $databases)
    {
    }

    public function html(string $words): Html
    {
        $ours = self::OURS;
        $others = self::OTHERS;
        $doctor = self::DOCTOR;
        $all = "~(?J)(?<ours>{$ours})|(?<doctor>{$doctor})|(?<![\\w/-])(?<others>{$others})~";
        $parts = [];
        $end = 0;
        preg_match_all($all, $words, $found, PREG_SET_ORDER | PREG_OFFSET_CAPTURE | PREG_UNMATCHED_AS_NULL);
        foreach ($found as $one) {
            [$text, $at] = $one[0];
            $isRoot = str_ends_with(substr($words, 0, $at), 'as root: ');
            $command = match (true) {
                $one['ours'][0] !== null => $this->whole($text, (string) $one['script'][0]),
                $one['doctor'][0] !== null => $this->doctor($isRoot),
                default => rtrim($text, ' .:'),
            };
            $parts[] = self::text(substr($words, $end, $at - $end));
            $parts[] = Operator::shown($command);
            $end = $at + strlen($one['others'][0] !== null ? rtrim($text, ' .:') : $text);
        }

        return Html::all($parts, self::text(substr($words, $end)));
    }

    /** The script by its path; as whom and for which installation is there already. */
    private function whole(string $command, string $script): string
    {
        return preg_replace_callback(
            '~php (?:\S*/)?' . preg_quote($script, '~') . '~',
            static fn (): string => 'php ' . Operator::script($script),
            $command,
            1,
        ) ?? $command;
    }

    private function doctor(bool $isRoot): string
    {
        $command = $this->databases->command('doctor');

        return $isRoot ? (string) preg_replace('~^sudo -u \S+ ~', 'sudo ', $command) : $command;
    }

    /** A command that is words already, as the library tells what comes next. */
    public function next(string $words): Html
    {
        return Operator::shown($this->security->next($words));
    }

    private static function text(string $words): ?Html
    {
        $words = trim($words, ' ');
        // What is left between two commands may be a mark alone.
        return $words === '' || preg_match('~^[.,;:]+$~D', $words) === 1
            ? null
            : Html::tag('div', [], Ui::sentence(ltrim($words, ',; ')));
    }
}
