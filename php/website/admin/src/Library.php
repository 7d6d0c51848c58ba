<?php

declare(strict_types=1);

namespace Cr0Sync\Admin;

use Cr0Sync\Cr0SyncException;

/**
 * The library as the pages use it: reads at once, and writes only on behalf of somebody, who is put on record first.
 */
final readonly class Library
{
    public function __construct(
        private Settings $settings,
        private string $user,
        private string $ip,
        private string $mark,
    ) {
    }

    /**
     * Asks for a report, which changes nothing.
     *
     * @param array<string, mixed> $options
     * @return array<string, mixed>
     * @throws Cr0SyncException
     */
    public function read(string $function, array $options = [], mixed ...$before): array
    {
        return $function(...[...$before, $options + $this->places()]);
    }

    /**
     * Numbers of the installation that stand alone, by their names. They cost no memory, however much they count.
     *
     * @return array<string, float>
     * @throws Cr0SyncException
     */
    public function metrics(): array
    {
        preg_match_all('~^(\w+) (\S+)$~m', cr0_metrics($this->places()), $found);

        return array_map(floatval(...), array_combine($found[1], $found[2]));
    }

    /**
     * Asks the cron user for something; its next run does it.
     *
     * @param 'resolve'|'acknowledge'|'restore'|'force'|'sync-from'|'backup'|'clean-backups'|'verify'|'undo' $action
     * @param array<string, mixed> $arguments
     * @throws Cr0SyncException
     */
    public function ask(string $action, array $arguments): Notice
    {
        $this->record('ADMIN_REQUESTED', ['action' => $action] + $arguments);
        cr0_db_enqueue($action, $arguments, ['by' => $this->by()] + $this->places());

        return Notice::done(Requests::sentence($action, $arguments) . ' is asked for; cron does it within a minute.');
    }

    /**
     * Does something at once that the website itself may do, as issuing a key.
     *
     * @param array<string, mixed> $details what the event log is to say of it; no secrets
     * @param array<string, mixed> $options
     * @return array<string, mixed>
     * @throws Cr0SyncException
     */
    public function write(string $type, array $details, string $function, array $options, mixed ...$before): array
    {
        $this->record($type, $details);

        return $this->read($function, $options, ...$before);
    }

    /**
     * Puts on record what somebody does here. Nothing is done that cannot be put on record.
     *
     * @param array<string, mixed> $details
     * @throws Cr0SyncException
     */
    public function record(string $type, array $details, string $severity = 'LOW'): void
    {
        cr0_event($type, ['user' => $this->user] + $details, $severity, $this->ip, $this->mark, $this->places());
    }

    /**
     * Puts on record what happened already or is refused, as far as that is possible. Where it is not, the server's log
     * says why.
     *
     * @param array<string, mixed> $details
     * @return ?string why it is not on record
     */
    public function recordIfPossible(string $type, array $details, string $severity): ?string
    {
        try {
            $this->record($type, $details, $severity);
        } catch (Cr0SyncException $error) {
            error_log("cr0sync admin: {$type} is not on record: {$error->getMessage()}");

            return App::words($error);
        }

        return null;
    }

    /**
     * The same, once in a quarter of an hour for an address: whoever tries on and on must not fill the log.
     *
     * @param array<string, mixed> $details
     */
    public function recordSometimes(string $type, array $details, string $severity): void
    {
        $policy = ['limit' => 1, 'period_seconds' => 900];
        $key = "{$this->ip}_" . strtolower($type) . '_told';
        try {
            $isNews = $this->read('cr0_rate_limit', ['policy' => $policy], $key, 'default')['allowed'];
        } catch (Cr0SyncException $error) {
            error_log("cr0sync admin: {$type} is not on record: {$error->getMessage()}");

            return;
        }
        if ($isNews) {
            $this->recordIfPossible($type, $details, $severity);
        }
    }

    /** Who asks, as the library puts it on record. */
    public function by(): string
    {
        return "admin page: {$this->user}";
    }

    /** @return array{config: ?string, root: ?string} */
    public function places(): array
    {
        return ['config' => $this->settings->config, 'root' => $this->settings->root];
    }
}
