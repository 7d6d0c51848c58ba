<?php

declare(strict_types=1);

namespace Cr0Sync\Tests;

/**
 * One block of code of a document, and whether it does what it should.
 */
final readonly class Block
{
    /** How a block belongs to a story. */
    private const TOLD = '/^(?<part>always|begins|goes on)(?<stage> as root| with cron| with disks)?'
        . '(?:, ends with (?<code>\d+))?(?::\s(?<hidden>.*))?$/s';

    private function __construct(
        public int $line,
        private string $language,
        private string $text,
        private string $marker,
        /** The program in C that the document shows. */
        private ?string $beside,
    ) {
    }

    /** @return list<self> */
    public static function all(string $document): array
    {
        $blocks = [];
        $pattern = '/^(?:<!-- ((?:(?!-->).)*?) -->\n)?```([^\n]*)\n(.*?)^```$/ms';
        preg_match_all($pattern, $document, $found, PREG_SET_ORDER | PREG_OFFSET_CAPTURE);
        $inC = null;
        foreach ($found as [, , $language, $text]) {
            $inC ??= $language[0] === 'c' ? $text[0] : null;
        }
        foreach ($found as [$whole, $marker, $language, $text]) {
            $line = 1 + substr_count($document, "\n", 0, $whole[1]);
            $blocks[] = new self($line, $language[0], $text[0], $marker[0], $inC);
        }

        $fences = preg_match_all('/^ *(```|~~~)/m', $document);
        if ($fences !== 2 * count($blocks)) {
            throw new \UnexpectedValueException("{$fences} fences, but " . count($blocks) . ' blocks');
        }

        return $blocks;
    }

    public function kind(): string
    {
        return str_starts_with($this->marker, 'not run: ') ? 'not run' : $this->language;
    }

    /** Where it is the text that the sh before it prints, the same with what it printed this time; else as it is. */
    public function printedNow(Story $story): string
    {
        return $this->isPrinted() ? $story->printed : $this->text;
    }

    private function isPrinted(): bool
    {
        return $this->language === 'text' && $this->marker === 'prints';
    }

    /**
     * What is wrong with it; null where nothing is.
     */
    public function problem(string $root, Story $story): ?string
    {
        if ($this->kind() === 'not run') {
            return null;
        }

        return match ($this->language) {
            'sh' => $this->commands($this->text, $root, $story),
            'crontab' => $this->cron($root),
            'php' => $this->code(),
            'c' => $this->program($root, 'cc -Wall -Wextra -Werror example.c $(pkg-config --cflags --libs cr0sync) '
                . '-o example && ./example >example.out'),
            'python' => $this->program($root, 'PYTHONPATH=tests/abi python3 -B example.python'),
            'json' => $this->json($root),
            'ini' => $this->ini(),
            'text' => $this->isPrinted() && !$story->isPassedOver ? $this->same($story->printed) : null,
            default => "a block is sh, crontab, php, c, python, json, ini or text, not '{$this->language}'",
        };
    }

    private function commands(string $text, string $root, Story $story): ?string
    {
        if (preg_match(self::TOLD, $this->marker, $told, PREG_UNMATCHED_AS_NULL) === 1) {
            return $this->told($told, $root, $story);
        }
        if ($this->marker !== '') {
            return "there is no marker '{$this->marker}' for sh";
        }
        $checkout = new Checkout($root);
        if ($this->beside !== null) {
            $checkout->write('merge.c', $this->beside);
        }
        [$code, $out, $err] = $checkout->shell($text);
        $story->end();
        $story->printed = $checkout->told($out);

        return $err === '' && $code === 0 ? null : "ended with {$code} and said\n{$out}{$err}";
    }

    /** @param array<int|string, ?string> $how as TOLD finds it */
    private function told(array $how, string $root, Story $story): ?string
    {
        $said = '';
        if ($how['part'] === 'always') {
            $story->always("{$this->text}\n{$how['hidden']}\n");

            return null;
        }
        if ($how['part'] === 'begins') {
            $said = $story->begin($root, Stage::from((string) $how['stage']));
        }
        if ($story->isPassedOver) {
            return null;
        }
        $said .= $story->quietly((string) $how['hidden']);
        if ($said !== '') {
            return "what went before said\n{$said}";
        }

        return $story->goOn($this->text, $how['code'] === null ? null : (int) $how['code']);
    }

    /** A program that needs the C library; no matter what it prints. */
    private function program(string $root, string $command): ?string
    {
        $checkout = new Checkout($root);
        $checkout->write("example.{$this->language}", $this->before() . $this->text);
        [$code, $out, $err] = $checkout->shell($command);

        return $code === 0 && $err === '' ? null : "ended with {$code} and said\n{$out}{$err}";
    }

    private function before(): string
    {
        return str_starts_with($this->marker, 'before: ') ? substr($this->marker, strlen('before: ')) . "\n" : '';
    }

    private function cron(string $root): ?string
    {
        foreach (explode("\n", trim($this->text)) as $line) {
            if (preg_match('/^(?:[\d*,\/-]+ +){5}(\S.*)$/', $line, $parts) !== 1) {
                return "is no line of cron: {$line}";
            }
            $problem = $this->commands("{$parts[1]}\n", $root, new Story());
            if ($problem !== null) {
                return $problem;
            }
        }

        return null;
    }

    private function code(): ?string
    {
        $world = new \ExampleWorld();
        preg_match('/^(?:<\?php\n)?(\s*declare\(strict_types=1\);)?(.*)$/s', $this->text, $parts);
        [, $first, $code] = $parts;
        [$exit, $out, $err] = $world->run("{$first}{$this->before()}" . Checkout::places($code, $world->ground));
        $promised = promised($code);

        return $exit === 0 && $err === '' && !preg_match('/^(Warning|Fatal error|Notice|Deprecated|PHP )/m', $out)
            && ($promised === '' || $out === $promised)
            ? null
            : "ended with {$exit} and printed\n{$out}{$err}" . ($promised === '' ? '' : "instead of\n{$promised}");
    }

    private function json(string $root): ?string
    {
        $value = json_decode($this->text, true) ?? json_decode("{{$this->text}}", true);
        if (!is_array($value)) {
            return 'is no JSON';
        }
        if (!isset($value['version'])) {
            return null;
        }
        $checkout = new Checkout($root);
        file_put_contents($checkout->world->ground->config, $this->text);
        [$code, $out, $err] = $checkout->shell('php php/website/database_sync_script.php config --json');

        return $code === 0 ? null : "is no configuration: {$out}{$err}";
    }

    private function ini(): ?string
    {
        $settings = @parse_ini_string($this->text);
        if ($settings === false) {
            return 'is no ini file';
        }
        foreach (array_keys($settings) as $name) {
            if (str_starts_with($name, 'cr0sync.') && ini_get($name) === false) {
                return "there is no setting {$name}";
            }
        }

        return null;
    }

    private function same(string $printed): ?string
    {
        return Checkout::same($this->text) === Checkout::same($printed) ? null : "is not what is printed:\n{$printed}";
    }
}
