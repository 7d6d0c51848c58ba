--TEST--
The documents of rate limits have exactly the documented members
--FILE--
<?php
declare(strict_types=1);
require 'limits.inc';
$limits = new Limits();
foreach ([
    ['cr0_rate_limit', ['a', 'three', $limits->ground->options()]],
    ['cr0_rate_limit', ['a', 'closed', $limits->ground->options(['also' => [['tier' => 'three']]])]],
    ['cr0_rate_limit_cleanup', [$limits->ground->options()]],
    ['cr0_rate_limit_status', [$limits->ground->options()]],
] as [$function, $arguments]) {
    $answer = cr0_call($function, $arguments);
    echo $function, ' ', $answer['exit_code'], ' ', shape(json_decode($answer['json'])), "\n";
    if (json_decode($answer['json'], true) !== $answer['report']) {
        echo "the array is not what the JSON says\n";
    }
}
// A call makes its array without a document; it is the same one.
$also = $limits->ground->options(['cost' => 0, 'also' => [['cost' => 0]]]);
var_dump(cr0_rate_limit('b', 'three', $also) === cr0_call('cr0_rate_limit', ['b', 'three', $also])['report']);
$closed = $limits->ground->options();
var_dump(cr0_rate_limit('b', 'closed', $closed) === cr0_call('cr0_rate_limit', ['b', 'closed', $closed])['report']);
?>
--EXPECT--
cr0_rate_limit 0 {
  schema: int
  allowed: bool
  limit: int
  remaining: int
  retry_after_ms: int
  reset: int
}
cr0_rate_limit 1 {
  schema: int
  allowed: bool
  limit: int
  remaining: int
  retry_after_ms: null
  reset: int
  limits: [{
    allowed: bool
    limit: int
    remaining: int
    retry_after_ms: null
    reset: int
  }]
}
cr0_rate_limit_cleanup 0 {
  schema: int
  ok: bool
  table: {
    path: string
    removed: int
    kept: int
    resized: bool
  }
  legacy: {
    path: string
    removed: int
    kept: int
    requests: int
    problem: null
  }
}
cr0_rate_limit_status 0 {
  schema: int
  table: {
    path: string
    exists: bool
    clients: int
    slots: int
    in_use: int
    problem: null
  }
  tiers: {
    admin: {
      limit: int
      period_seconds: int
      burst: int
    }
    authenticated: {
      limit: int
      period_seconds: int
      burst: int
    }
    closed: {
      limit: int
      period_seconds: int
      burst: int
    }
    critical: {
      limit: int
      period_seconds: int
      burst: int
    }
    default: {
      limit: int
      period_seconds: int
      burst: int
    }
    three: {
      limit: int
      period_seconds: int
      burst: int
    }
  }
  legacy: {
    path: string
    clients: []
    total: int
    problem: null
  }
}
bool(true)
bool(true)
