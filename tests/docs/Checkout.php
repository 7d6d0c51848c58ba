<?php

declare(strict_types=1);

namespace Cr0Sync\Tests;

use ExampleWorld;
use Playground;

/**
 * A checkout as a reader has it, beside a small infrastructure: with a php that has nothing but the extension, and a
 * `make` that says whether it could.
 */
final readonly class Checkout
{
    public ExampleWorld $world;
    public string $place;

    public function __construct(string $root, public Stage $stage = Stage::Plain)
    {
        $this->world = new ExampleWorld();
        $this->place = "{$this->world->ground->root}/checkout";
        mkdir("{$this->place}/bin", recursive: true);
        foreach (scandir($root) as $name) {
            if (!in_array($name, ['.', '..', '.git', 'build', 'target'], true)) {
                symlink("{$root}/{$name}", "{$this->place}/{$name}");
            }
        }
        mkdir("{$this->place}/build");
        symlink((string) getenv('CR0SYNC_EXTENSION'), "{$this->place}/build/cr0sync.so");
        if (is_file("{$root}/build/library/cr0sync.pc")) {
            $this->library("{$root}/build/library");
        }
        $config = json_decode((string) file_get_contents($this->world->ground->config), true);
        $config['root'] = $this->world->ground->root;
        file_put_contents("{$this->place}/FILE", json_encode($config));
        $this->installed();
        symlink($this->world->ground->root, "{$this->place}/ROOT");
        // What it does is a test of its own, and takes its time; sudo would only do it to this machine.
        $this->program('make', 'exec /usr/bin/make --dry-run "$@" >/dev/null');
        $this->program('sudo', 'exec "$@"');
        $this->program('runuser', $stage->runuser($this->place));
        $this->program('usermod', $stage->usermod($this->place));
        // Where the command names no extension, PHP has it: it is installed.
        $this->program('php', sprintf(
            'case " $* " in *" extension="*) ;; *) set -- -d extension=%s "$@" ;; esac; exec %s -n "$@"',
            (string) getenv('CR0SYNC_EXTENSION'),
            PHP_BINARY,
        ));
        $stage->own($this->world->ground);
    }

    /** The C library, found by pkg-config where it was built. */
    private function library(string $built): void
    {
        symlink($built, "{$this->place}/build/library");
        mkdir("{$this->place}/pkgconfig");
        $description = (string) file_get_contents("{$built}/cr0sync.pc");
        $description = preg_replace('/^(libdir|includedir)=.*$/m', "$1={$this->place}/build/library", $description);
        file_put_contents("{$this->place}/pkgconfig/cr0sync.pc", $description);
    }

    public function write(string $name, string $text): void
    {
        file_put_contents("{$this->place}/{$name}", $text);
    }

    /** The scripts, where a website has them. */
    private function installed(): void
    {
        $web = "{$this->world->ground->root}/web";
        mkdir("{$web}/cr0sync");
        foreach (glob(getenv('CR0SYNC_PHP') . '/website/*.php') as $file) {
            copy($file, "{$web}/" . basename($file));
        }
        foreach (glob(getenv('CR0SYNC_PHP') . '/src/*.php') as $file) {
            copy($file, "{$web}/cr0sync/" . basename($file));
        }
        cr0_integrity_baseline($this->world->ground->options());
    }

    private function program(string $name, string $commands): void
    {
        file_put_contents("{$this->place}/bin/{$name}", "#!/bin/sh\n{$commands}\n");
        chmod("{$this->place}/bin/{$name}", 0755);
    }

    /** @return array{int, string, string} exit code, standard output, standard error */
    public function shell(string $text): array
    {
        $out = tmpfile();
        $err = tmpfile();
        $pipes = [];
        $process = proc_open(
            ['sh', '-eu', '-c', self::places($text, $this->world->ground)],
            [0 => ['file', '/dev/null', 'r'], 1 => $out, 2 => $err],
            $pipes,
            $this->place,
            $this->environment(),
        );
        $code = proc_close($process);
        rewind($out);
        rewind($err);

        return [$code, (string) stream_get_contents($out), (string) stream_get_contents($err)];
    }

    /** @return array<string, string> */
    public function environment(): array
    {
        return [
            'CR0SYNC_CONFIG' => $this->world->ground->config,
            'LD_LIBRARY_PATH' => "{$this->place}/build/library",
            'LIBCR0SYNC' => 'libcr0sync.so.0',
            'PATH' => "{$this->place}/bin:" . getenv('PATH'),
            'PKG_CONFIG_PATH' => "{$this->place}/pkgconfig",
            'TZ' => 'UTC',
        ] + getenv();
    }

    /** The places of a document in an infrastructure. */
    public static function places(string $text, Playground $ground): string
    {
        return strtr($text, [
            '/etc/cr0sync.json' => $ground->config,
            '/opt/cr0sync' => "{$ground->root}/checkout",
            '/data/cr0_system' => $ground->root,
            '/srv/site' => $ground->root,
            '/var/www/html' => "{$ground->root}/web",
        ]);
    }

    /** What is typed here. */
    public function typed(string $text): string
    {
        return $this->stage->typed(self::places($text, $this->world->ground));
    }

    /** What was printed, below /srv/site, by a php that needs no words of ours. */
    public function told(string $out): string
    {
        $root = $this->world->ground->root;

        return $this->stage->told(strtr($out, [
            PHP_BINARY . ' -n -d extension=' . getenv('CR0SYNC_EXTENSION') => 'php',
            "{$root}/web/" => '/var/www/html/',
            $root => '/srv/site',
        ]));
    }

    /** What was printed or is shown, without what is another each time: times, and how long something took. */
    public static function same(string $text): string
    {
        $patterns = [
            '/\d{4}-\d\d-\d\d(?:T[\d:.]+Z| [\d:]+ UTC)/' => 'TIME',
            // Names of backups, and of files that were rotated or set aside.
            '/\d{4}-\d\d-\d\d(?:_\d\d-\d\d-\d\d)?/' => 'DAY',
            '/\d+ ms\b/' => 'N ms',
            // Our own scripts, of which there will be more, are among those that are watched.
            '/\b\d+ files (?=checked|accepted|\()/' => 'N files ',
            // Processes, as the scripts and ps tell them.
            '/\bprocess \d+/' => 'process N',
            '/^ *\d+ (\w+) +(\w)\S* +[\d:-]+ (?=\S)/m' => 'N $1 $2 N ',
            // The columns `locked ms` of a run, and `ms` of the history.
            '/^((?:\w+)? +\w+(?: +\w+)? +\d+ +\d+ +\d+ +\d+) +\d+$/m' => '$1 N',
            '/(TIME +[a-z-]+) +\d+/' => '$1 N',
            '/ +/' => ' ',
        ];

        return preg_replace(array_keys($patterns), $patterns, $text);
    }
}
