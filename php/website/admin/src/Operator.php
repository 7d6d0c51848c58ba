<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

use Cr0Sync\Cr0SyncException;

/**
 * Commands that a person runs on the machine, exactly as they are to be typed: of this installation, as the user of the
 * cron jobs.
 */
final readonly class Operator
{
    private function __construct(private string $before, private string $after)
    {
    }

    /** @throws Cr0SyncException when the configuration makes no sense */
    public static function of(Library $library, string $script): self
    {
        ['config' => $config, 'source' => $source] = $library->read('cr0_config');
        $root = $library->places()['root'];
        $places = ($source === null ? '' : ' --config ' . self::quoted($source))
            . ($source !== null && $root === null ? '' : ' --root ' . self::quoted($config['root']));

        $user = self::quoted($config['ownership']['user']);

        return new self("sudo -u {$user} php " . self::script($script), $places);
    }

    /** The path of a script, as it is to be typed. */
    public static function script(string $script): string
    {
        // The scripts lie beside these pages in the source, above them where they are installed.
        $beside = dirname(__DIR__, 2);

        return self::quoted((is_file("{$beside}/{$script}") ? $beside : dirname($beside)) . "/{$script}");
    }

    /** @param string ...$words of the command, of any bytes */
    public function command(string ...$words): string
    {
        return $this->before . ' ' . implode(' ', array_map(self::quoted(...), $words)) . $this->after;
    }

    /** A command that is words already, as the library tells what comes next. */
    public function next(string $words): string
    {
        return "{$this->before} {$words}{$this->after}";
    }

    public static function shown(string $command): Html
    {
        return Html::tag('code', ['class' => 'command', 'data-copy' => true], $command);
    }

    private static function quoted(string $word): string
    {
        return preg_match('~^[\w./:=@%+,-]+$~D', $word) === 1 ? $word : "'" . strtr($word, ["'" => "'\\''"]) . "'";
    }
}
