--TEST--
The documents of logs have exactly the documented members
--FILE--
<?php
declare(strict_types=1);
require 'logs.inc';
$logs = new Logs(['irc' => ['rotate' => ['rotate' => 0, 'maxage' => 1]]]);
$document = static function (string $function, mixed ...$arguments): void {
    $answer = cr0_call($function, $arguments);
    echo $function, ' ', $answer['exit_code'], ' ', shape(json_decode($answer['json'])), "\n";
    if (json_decode($answer['json'], true) !== $answer['report']) {
        echo "the array is not what the JSON says\n";
    }
};
$logs->append('bot', "one\n");
$document('cr0_log_merge', $logs->options());
$document('cr0_log_rotate', $logs->options(['force' => true]));
$document('cr0_log_status', $logs->options());
$document('cr0_log_clean', $logs->options());
$logs->append('bot', "two\n");
cr0_log_merge($logs->options());
file_put_contents($logs->path('central'), "two!\n");
$document('cr0_log_verify', $logs->options());
?>
--EXPECT--
cr0_log_merge 0 {
  schema: int
  ok: bool
  run: string
  duration_ms: int
  hub: string
  logs: {
    irc: {
      state: string
      reason: null
      sides: {
        bot: {
          read_bytes: int
          appended_bytes: int
          lines: int
          lag_bytes: int
          adopted: null
          known_bytes: int
        }
        central: {
          read_bytes: int
          appended_bytes: int
          lines: int
          lag_bytes: int
          adopted: null
          known_bytes: int
        }
        website: {
          read_bytes: int
          appended_bytes: int
          lines: int
          lag_bytes: int
          adopted: null
          known_bytes: int
        }
      }
      adopted: null
      rotated: null
      warnings: []
    }
  }
}
cr0_log_rotate 0 {
  schema: int
  ok: bool
  run: string
  duration_ms: int
  logs: {
    irc: {
      state: string
      reason: null
      file: string
      bytes: int
      method: string
      compressed: [string]
      warnings: []
    }
  }
}
cr0_log_status 0 {
  schema: int
  ok: bool
  logs: {
    irc: {
      last_merge: string
      unfinished: bool
      problems: []
      sides: {
        bot: {
          path: string
          mirror: bool
          exists: bool
          bytes: int
          cursor: int
          unread_bytes: int
          lag_bytes: int
          foreign_bytes: int
          weak: bool
          merged: null
          problem: null
        }
        central: {
          path: string
          mirror: bool
          exists: bool
          bytes: int
          cursor: int
          unread_bytes: int
          lag_bytes: int
          foreign_bytes: int
          weak: bool
          merged: null
          problem: null
        }
        website: {
          path: string
          mirror: bool
          exists: bool
          bytes: int
          cursor: int
          unread_bytes: int
          lag_bytes: int
          foreign_bytes: int
          weak: bool
          merged: null
          problem: null
        }
      }
      rotated: [{
        path: string
        bytes: int
      }]
    }
  }
}
cr0_log_clean 0 {
  schema: int
  ok: bool
  run: string
  duration_ms: int
  logs: {
    irc: {
      state: string
      reason: null
      files: [{
        path: string
        bytes: int
        age_days: int
        keep: bool
        reason: string
      }]
      warnings: []
    }
  }
}
cr0_log_verify 2 {
  schema: int
  ok: bool
  run: string
  duration_ms: int
  logs: {
    irc: {
      state: string
      reason: string
      ranges: int
      bytes: int
      gone_bytes: int
      unmerged_bytes: int
      first_bad: null
    }
  }
}
