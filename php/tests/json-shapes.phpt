--TEST--
The documents have exactly the documented members
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
$playground = Playground::inConflict();
$document = static function (string $function, mixed ...$arguments): void {
    $answer = cr0_call($function, $arguments);
    echo $function, ' ', $answer['exit_code'], ' ', shape(json_decode($answer['json'])), "\n";
    if (json_decode($answer['json'], true) !== $answer['report']) {
        echo "the array is not what the JSON says\n";
    }
};
$document('cr0_db_sync', $playground->options());
$document('cr0_db_conflicts', $playground->options());
$document('cr0_db_acknowledge', ['1'], $playground->options());
$document('cr0_db_status', $playground->options());
$document('cr0_db_resolve', '1', 'website', $playground->options());
$document('cr0_db_history', $playground->options(['limit' => 1]));
$document('cr0_db_sync', $playground->options(['database' => 'none']));
?>
--EXPECT--
cr0_db_sync 1 {
  schema: int
  ok: bool
  run: string
  duration_ms: int
  conflicts: int
  databases: {
    notes: {
      state: string
      reason: null
      conflicts: int
      sides: {
        central: {
          inserted: int
          updated: int
          deleted: int
          rekeyed: int
          lock_ms: int
        }
        website: {
          inserted: int
          updated: int
          deleted: int
          rekeyed: int
          lock_ms: int
        }
      }
      warnings: []
    }
  }
}
cr0_db_conflicts 0 {
  schema: int
  conflicts: [{
    id: string
    database: string
    table: string
    key: {
      name: string
    }
    kind: string
    columns: [string]
    base: {
      name: string
      text: string
    }
    values: {
      central: {
        name: string
        text: string
      }
      website: {
        name: string
        text: string
      }
    }
    winner: string
    reason: string
    status: string
    run: string
    at: string
  }]
}
cr0_db_acknowledge 0 {
  schema: int
  acknowledged: [string]
}
cr0_db_status 0 {
  schema: int
  databases: {
    notes: {
      state: string
      last_run: string
      last_change: string
      open_conflicts: int
      sides: {
        central: {
          path: string
          exists: bool
          bytes: int
          journal_mode: string
          owner: string
          lag: int
          problem: null
        }
        website: {
          path: string
          exists: bool
          bytes: int
          journal_mode: string
          owner: string
          lag: int
          problem: null
        }
      }
    }
  }
}
cr0_db_resolve 0 {
  schema: int
  ok: bool
  run: string
  duration_ms: int
  conflicts: int
  databases: {
    notes: {
      state: string
      reason: null
      conflicts: int
      sides: {
        central: {
          inserted: int
          updated: int
          deleted: int
          rekeyed: int
          lock_ms: int
        }
        website: {
          inserted: int
          updated: int
          deleted: int
          rekeyed: int
          lock_ms: int
        }
      }
      warnings: []
    }
  }
}
cr0_db_history 0 {
  schema: int
  runs: [{
    run: string
    at: string
    kind: string
    duration_ms: int
    databases: {
      notes: {
        state: string
        reason: null
        conflicts: int
        sides: {
          central: {
            inserted: int
            updated: int
            deleted: int
            rekeyed: int
            lock_ms: int
          }
          website: {
            inserted: int
            updated: int
            deleted: int
            rekeyed: int
            lock_ms: int
          }
        }
        warnings: []
      }
    }
  }]
}
cr0_db_sync 64 {
  schema: int
  ok: bool
  error: {
    kind: string
    message: string
    path: null
    hint: string
  }
}
