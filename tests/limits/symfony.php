<?php

declare(strict_types=1);

/*
 * What Symfony's rate limiters say to the traces on standard input (JSON), by the clock of the traces.
 *
 * A storage of its own keeps what a limiter saves as bytes, as every real one does: what it does not save is forgotten.
 */

namespace Symfony\Component\RateLimiter\Policy {
    function microtime(bool $float = false): float
    {
        return $GLOBALS['now'];
    }

    function time(): int
    {
        return (int) $GLOBALS['now'];
    }
}

namespace {
    use Symfony\Component\RateLimiter\LimiterStateInterface;
    use Symfony\Component\RateLimiter\Policy\FixedWindowLimiter;
    use Symfony\Component\RateLimiter\Policy\Rate;
    use Symfony\Component\RateLimiter\Policy\SlidingWindowLimiter;
    use Symfony\Component\RateLimiter\Policy\TokenBucketLimiter;
    use Symfony\Component\RateLimiter\Storage\StorageInterface;

    require 'Symfony/Component/RateLimiter/autoload.php';

    final class Bytes implements StorageInterface
    {
        /** @var array<string, string> */
        private array $states = [];

        public function save(LimiterStateInterface $limiterState): void
        {
            $this->states[$limiterState->getId()] = serialize($limiterState);
        }

        public function fetch(string $limiterStateId): ?LimiterStateInterface
        {
            return isset($this->states[$limiterStateId]) ? unserialize($this->states[$limiterStateId]) : null;
        }

        public function delete(string $limiterStateId): void
        {
            unset($this->states[$limiterStateId]);
        }
    }

    $answers = [];
    foreach (json_decode(stream_get_contents(STDIN), true, 512, JSON_THROW_ON_ERROR) as $trace) {
        $interval = new DateInterval("PT{$trace['seconds']}S");
        $limiter = match ($trace['policy']) {
            'token_bucket' => new TokenBucketLimiter('a', $trace['limit'], new Rate($interval, 1), new Bytes()),
            'fixed_window' => new FixedWindowLimiter('a', $trace['limit'], $interval, new Bytes()),
            'sliding_window' => new SlidingWindowLimiter('a', $trace['limit'], $interval, new Bytes()),
        };
        $answer = [];
        foreach ($trace['requests'] as [$eighths, $cost]) {
            $GLOBALS['now'] = 1_000_000 + $eighths / 8;
            $said = $limiter->consume($cost);
            $answer[] = [$said->isAccepted(), $said->getRemainingTokens()];
        }
        $answers[] = $answer;
    }
    echo json_encode($answers, JSON_THROW_ON_ERROR);
}
