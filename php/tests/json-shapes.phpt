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
$document('cr0_db_backup', $playground->options());
$document('cr0_db_backups', $playground->options());
$document('cr0_db_verify', $playground->options());
$old = "{$playground->root}/central/notes.db.backup.2001-01-01_00-00-00";
copy($playground->path('central'), $old);
$playground->configure(['backups' => ['keep_weekly' => 0, 'keep_daily' => 0, 'keep_hourly' => 0, 'keep_min' => 0],
    'databases' => ['notes' => ['replicas' => ['central' => 'central/notes.db', 'website' => 'website/notes.db']]]]);
$document('cr0_db_clean_backups', $playground->options());
$document('cr0_db_enqueue', 'acknowledge', ['conflicts' => ['1']], $playground->options());
$document('cr0_db_queue', $playground->options());
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
  requests: []
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
    choices: [string]
    winner: string
    reason: string
    status: string
    run: string
    at: string
  }]
  total: int
}
cr0_db_acknowledge 0 {
  schema: int
  acknowledged: [string]
  resolved: []
}
cr0_db_status 0 {
  schema: int
  databases: {
    notes: {
      state: string
      held: null
      paused: {
      }
      quarantined: {
      }
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
          unseen: null
        }
        website: {
          path: string
          exists: bool
          bytes: int
          journal_mode: string
          owner: string
          lag: int
          problem: null
          unseen: null
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
cr0_db_backup 0 {
  schema: int
  ok: bool
  backups: [{
    id: string
    database: string
    side: string
    path: string
    created_at: string
    bytes: int
    verified: bool
    kept_because: [string]
  }]
  warnings: []
}
cr0_db_backups 0 {
  schema: int
  backups: [{
    id: string
    database: string
    side: string
    path: string
    created_at: string
    bytes: int
    verified: bool
    kept_because: [string]
  }]
}
cr0_db_verify 0 {
  schema: int
  ok: bool
  checked: [{
    id: string
    database: string
    side: string
    path: string
    ok: bool
    problem: null
  }]
  warnings: []
}
cr0_db_clean_backups 0 {
  schema: int
  ok: bool
  freed_bytes: int
  kept: [{
    id: string
    database: string
    side: string
    path: string
    created_at: string
    bytes: int
    verified: bool
    kept_because: [string]
  }]
  removed: [{
    id: string
    database: string
    side: string
    path: string
    created_at: string
    bytes: int
    removed_because: string
  }]
  warnings: []
}
cr0_db_enqueue 0 {
  schema: int
  id: string
}
cr0_db_queue 0 {
  schema: int
  requests: [{
    id: string
    action: string
    arguments: {
      conflicts: [string]
    }
    by: string
    at: string
    state: string
    result: null
    error: null
    finished_at: null
  }]
}
