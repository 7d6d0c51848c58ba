<?php

/**
 * The signatures of the extension cr0sync, for editors and analysers. A test compares them with the built extension.
 *
 * Options are one array. The keys that every function but cr0_call() and cr0_version() knows:
 *
 *   config        string: the configuration file; else the environment variable CR0SYNC_CONFIG, the ini setting
 *                 cr0sync.config, cr0sync.json below the root, or the shipped configuration
 *   root          string: where relative paths begin, whatever the file says; the ini setting cr0sync.root stands in
 *                 where neither says it
 *
 * Paths are byte strings. null is the same as leaving a key out. An unknown key is a ValueError, a wrong type a
 * TypeError. Everything that goes wrong with databases, logs, files and configuration is a Cr0Sync\Cr0SyncException.
 *
 * Reports are arrays in the shape of the documented JSON. An empty JSON object and an empty list are both [];
 * cr0_call() has the JSON itself.
 *
 * The examples name no configuration, as the ini setting cr0sync.config does. Their last comments are what they print.
 * A test runs each of them.
 */

namespace {
    /**
     * What is known of every side; changes nothing.
     *
     * @param array{config?: ?string, root?: ?string, database?: string|list<string>|null, explain?: ?bool} $options
     *     database: name patterns; explain: also how every table is matched and merged
     *
     * @return array{schema: int, databases: array<string, array{
     *     state: 'new'|'absent'|'changed'|'synced'|'held'|'problem', held: ?array{reason: string, since: string},
     *     paused: array<string, array{reason: string, since: string}>,
     *     quarantined: array<string, array{reason: string, since: string}>, last_run: ?string, last_change: ?string,
     *     open_conflicts: int,
     *     sides: array<string, array{path: string, exists: bool, bytes: int, journal_mode: ?string, owner: ?string,
     *         lag: int, problem: ?string, unseen: ?string}>,
     *     tables?: array<string, array{identity: list<string>, rule: string, columns: array<string, string>,
     *         references: array<string, string>, on_delete_update: string, append_only: bool, paused: ?string}>}>}
     *
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     foreach (cr0_db_status()['databases'] as $name => $database) {
     *         echo "{$name}: {$database['state']}, {$database['open_conflicts']} open conflict\n";
     *     }
     *     // users: changed, 1 open conflict
     */
    function cr0_db_status(array $options = []): array {}

    /**
     * Merges all sides. Before that, the user who runs the sync carries out what cr0_db_enqueue() asked for.
     *
     * @param array{config?: ?string, root?: ?string, database?: string|list<string>|null, dry_run?: ?bool,
     *     force?: ?bool, verify?: ?bool, progress?: ?callable(array{database: string, number: int, databases: int,
     *         phase: 'looking'|'copying'|'comparing'|'planning'|'writing', side: ?string, table: ?string, rows: int,
     *         of: ?int}): (bool|null|void)} $options
     *     dry_run: plans and changes nothing; force: goes on where a guard waits for a person; verify: compares all
     *     rows beside what the pages of the files tell, as is done once a day anyway; progress: is told how far it is
     *     (database number of databases; about rows of of the table), at the beginning of each phase and at most ten
     *     times a second within one. false stops the run, and so does an exception, which comes through; then the
     *     database at hand is as it was. It is never called while anything is locked for writing
     *
     * @return array{schema: int, ok: bool, run: string, duration_ms: int, conflicts: int,
     *     databases: array<string, array{
     *         state: 'unchanged'|'synced'|'absent'|'skipped'|'held'|'quarantined'|'failed',
     *         reason: ?string, conflicts: int,
     *         sides: array<string, array{inserted: int, updated: int, deleted: int, rekeyed: int, lock_ms: int}>,
     *         warnings: list<string>}>,
     *     requests: list<array{id: string, action: string, arguments: array<string, mixed>, by: string, at: string,
     *         state: 'pending'|'done'|'failed', result: ?array<string, mixed>, error: ?array{kind: string,
     *         message: string, path: ?string, hint: ?string}, finished_at: ?string}>}
     *     requests: what was carried out of the queue before, as cr0_db_queue() tells it; in a dry run what waits
     *     there. conflicts counts the new ones of requests too, databases do not
     *
     * @throws Cr0Sync\LockedException when another run is at work
     * @throws Cr0Sync\CancelledException when progress stopped it
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     try {
     *         $report = cr0_db_sync(['database' => 'users']);
     *     } catch (Cr0Sync\LockedException) {
     *         exit('Another run is at work; its result counts for us too.');
     *     }
     *     $users = $report['databases']['users'];
     *     echo "{$users['state']}: {$users['sides']['central']['inserted']} new row in central\n";
     *     // synced: 1 new row in central
     */
    function cr0_db_sync(array $options = []): array {}

    /**
     * Makes the hub equal to one side, deletes included, after an emergency copy of the hub.
     *
     * @param string $side the side that the hub is to be like
     * @param array{config?: ?string, root?: ?string, database?: string|list<string>|null, dry_run?: ?bool,
     *     force?: ?bool, progress?: ?callable(array{database: string, number: int, databases: int,
     *         phase: 'looking'|'copying'|'comparing'|'planning'|'writing', side: ?string, table: ?string, rows: int,
     *         of: ?int}): (bool|null|void)} $options as for cr0_db_sync()
     *
     * @return array{schema: int, ok: bool, run: string, duration_ms: int, conflicts: int,
     *     databases: array<string, array{
     *         state: 'unchanged'|'synced'|'absent'|'skipped'|'held'|'quarantined'|'failed',
     *         reason: ?string, conflicts: int,
     *         sides: array<string, array{inserted: int, updated: int, deleted: int, rekeyed: int, lock_ms: int}>,
     *         warnings: list<string>}>}
     *
     * @throws Cr0Sync\UsageException when no database has that side, or it is the hub
     * @throws Cr0Sync\LockedException when another run is at work
     * @throws Cr0Sync\CancelledException when progress stopped it
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     $plan = cr0_db_force_sync('website', ['database' => 'users', 'dry_run' => true]);
     *     ['inserted' => $new, 'updated' => $other] = $plan['databases']['users']['sides']['central'];
     *     echo "central would get {$new} row, and {$other} would change\n";
     *     // central would get 1 row, and 0 would change
     */
    function cr0_db_force_sync(string $side, array $options = []): array {}

    /**
     * The conflicts on record, oldest first.
     *
     * @param array{config?: ?string, root?: ?string, database?: string|list<string>|null,
     *     show_secrets?: ?bool, status?: string|list<string>|null, ids?: string|list<string>|null, skip?: ?int,
     *     limit?: ?int} $options show_secrets: passwords, hashes and tokens are hidden otherwise; status: only those
     *     that are open, held, acknowledged or resolved; ids: only these, where they are on record (an empty list is
     *     the same as leaving it out); skip, limit: a page of those that fit
     *
     * @return array{schema: int, total: int, conflicts: list<array{
     *     id: string, database: string, table: string, key: array<string, mixed>,
     *     kind: 'update_update'|'update_delete'|'insert_insert'|'unique'|'foreign_key'|'schema'|'adoption'|'uncertain'
     *         |'oscillation',
     *     columns: list<string>, base: ?array<string, mixed>, values: array<string, ?array<string, mixed>>,
     *     choices: list<string>, winner: string, reason: string, status: 'open'|'held'|'acknowledged'|'resolved',
     *     run: string, at: string}>} choices: what can be taken, nothing where it can only be acknowledged; total: how
     *     many fit, those on other pages too
     *
     * @throws Cr0Sync\UsageException when a name fits no database, or no conflict can be so
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     foreach (cr0_db_conflicts(['database' => 'users'])['conflicts'] as $conflict) {
     *         $theirs = $conflict['values']['website']['email'];
     *         echo "{$conflict['columns'][0]}: {$theirs}, but {$conflict['winner']} won\n";
     *     }
     *     $page = cr0_db_conflicts(['status' => ['open', 'held'], 'skip' => 0, 'limit' => 50]);
     *     echo count($page['conflicts']), " of {$page['total']} on the first page\n";
     *     // email: bob@website.example.org, but central won
     *     // 1 of 1 on the first page
     */
    function cr0_db_conflicts(array $options = []): array {}

    /**
     * Decides a conflict differently.
     *
     * @param string $id a conflict as cr0_db_conflicts() lists it
     * @param string $take a side, 'base' for what was there before, or 'both' for both rows
     * @param array{config?: ?string, root?: ?string, dry_run?: ?bool, force?: ?bool} $options as for cr0_db_sync()
     *
     * @return array{schema: int, ok: bool, run: string, duration_ms: int, conflicts: int,
     *     databases: array<string, array{
     *         state: 'unchanged'|'synced'|'absent'|'skipped'|'held'|'quarantined'|'failed',
     *         reason: ?string, conflicts: int,
     *         sides: array<string, array{inserted: int, updated: int, deleted: int, rekeyed: int, lock_ms: int}>,
     *         warnings: list<string>}>}
     *
     * @throws Cr0Sync\UsageException for an unknown id, or a choice that makes no sense
     * @throws Cr0Sync\StaleException when the row has changed since
     * @throws Cr0Sync\LockedException when another run is at work
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     [$conflict] = cr0_db_conflicts()['conflicts'];
     *     cr0_db_resolve($conflict['id'], 'website');
     *     echo cr0_db_conflicts()['conflicts'][0]['status'], "\n";
     *     // resolved
     */
    function cr0_db_resolve(string $id, string $take, array $options = []): array {}

    /**
     * Marks conflicts as seen; all of them, or none when one is unknown. What is resolved stays so.
     *
     * @param list<string> $ids
     * @param array{config?: ?string, root?: ?string, dry_run?: ?bool} $options
     *
     * @return array{schema: int, acknowledged: list<string>, resolved: list<string>}
     *
     * @throws Cr0Sync\UsageException for an unknown id
     * @throws Cr0Sync\LockedException when another run is at work
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     $ids = array_column(cr0_db_conflicts()['conflicts'], 'id');
     *     echo count(cr0_db_acknowledge($ids)['acknowledged']), " seen\n";
     *     // 1 seen
     */
    function cr0_db_acknowledge(array $ids, array $options = []): array {}

    /**
     * The runs that did something, newest first.
     *
     * @param array{config?: ?string, root?: ?string, database?: string|list<string>|null, limit?: ?int} $options
     *     limit: at most so many, 50 unless given
     *
     * @return array{schema: int, runs: list<array{run: string, at: string, kind: string, duration_ms: int,
     *     databases: array<string, array{
     *         state: 'unchanged'|'synced'|'absent'|'skipped'|'held'|'quarantined'|'failed',
     *         reason: ?string, conflicts: int,
     *         sides: array<string, array{inserted: int, updated: int, deleted: int, rekeyed: int, lock_ms: int}>,
     *         warnings: list<string>}>}>}
     *
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     foreach (cr0_db_history(['limit' => 2])['runs'] as $run) {
     *         echo "{$run['kind']}: {$run['databases']['users']['conflicts']} new conflicts\n";
     *     }
     *     // bidirectional: 1 new conflicts
     *     // bidirectional: 0 new conflicts
     */
    function cr0_db_history(array $options = []): array {}

    /**
     * Takes a run back, as a new one: the rows it touched are set to what they were before it, on every side. Rows that
     * have changed since are left, and listed in the warnings.
     *
     * @param string $run a run as cr0_db_history() lists it
     * @param array{config?: ?string, root?: ?string, database?: string|list<string>|null, dry_run?: ?bool} $options
     *
     * @return array{schema: int, ok: bool, run: string, duration_ms: int, conflicts: int,
     *     databases: array<string, array{
     *         state: 'unchanged'|'synced'|'absent'|'skipped'|'held'|'quarantined'|'failed',
     *         reason: ?string, conflicts: int,
     *         sides: array<string, array{inserted: int, updated: int, deleted: int, rekeyed: int, lock_ms: int}>,
     *         warnings: list<string>}>}
     *
     * @throws Cr0Sync\UsageException for a run that has nothing that can be taken back
     * @throws Cr0Sync\LockedException when another run is at work
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     $last = cr0_db_sync();
     *     $undone = cr0_db_undo($last['run']);
     *     echo $undone['databases']['users']['sides']['central']['deleted'], " row taken back\n";
     *     // 1 row taken back
     */
    function cr0_db_undo(string $run, array $options = []): array {}

    /**
     * Makes a verified backup of every reachable side.
     *
     * @param array{config?: ?string, root?: ?string, database?: string|list<string>|null, dry_run?: ?bool} $options
     *     dry_run: says where they would go
     *
     * @return array{schema: int, ok: bool, backups: list<array{id: string, database: string, side: string,
     *     path: string, created_at: string, bytes: int, verified: bool, kept_because: list<string>}>,
     *     warnings: list<string>}
     *
     * @throws Cr0Sync\LockedException when another run is at work
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     $report = cr0_db_backup(['database' => 'users']);
     *     foreach ($report['backups'] as $backup) {
     *         echo $backup['side'], $backup['verified'] ? " is safe\n" : " could not be verified\n";
     *     }
     *     // central is safe
     *     // website is safe
     */
    function cr0_db_backup(array $options = []): array {}

    /**
     * The backups there are, by database and side, the newest first, and why the next cleaning keeps each.
     *
     * @param array{config?: ?string, root?: ?string, database?: string|list<string>|null} $options
     *
     * @return array{schema: int, backups: list<array{id: string, database: string, side: string, path: string,
     *     created_at: string, bytes: int, verified: bool, kept_because: list<string>}>}
     *
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     cr0_db_backup();
     *     [$newest] = cr0_db_backups(['database' => 'users'])['backups'];
     *     $why = $newest['kept_because'] === [] ? 'the next cleaning removes it' : 'a rule keeps it';
     *     echo "{$newest['database']} of {$newest['side']}: {$why}\n";
     *     // users of central: a rule keeps it
     */
    function cr0_db_backups(array $options = []): array {}

    /**
     * Writes the content of a backup into live files, after an emergency copy of each. The next run brings it to the
     * other sides.
     *
     * @param string $backup an id as cr0_db_backups() lists them, or the path of a file, of any bytes
     * @param array{config?: ?string, root?: ?string, database?: string|list<string>|null, dry_run?: ?bool,
     *     force?: ?bool, side?: ?string, all_sides?: ?bool} $options side, all_sides: into that side, or into all,
     *     instead of the side that the backup is of; dry_run: only checks the backup and counts the rows that would
     *     come, change and go, by table in the warnings; force: overwrites a damaged file, and takes a backup that has
     *     no table in common with it; database: needed for a file that
     *     cr0_db_backups() does not list
     *
     * @return array{schema: int, ok: bool, run: string, duration_ms: int, conflicts: int,
     *     databases: array<string, array{
     *         state: 'restored', reason: ?string, conflicts: int,
     *         sides: array<string, array{inserted: int, updated: int, deleted: int, rekeyed: int, lock_ms: int}>,
     *         warnings: list<string>}>}
     *
     * @throws Cr0Sync\UsageException for an unknown backup or side
     * @throws Cr0Sync\CorruptException when the backup is not sound
     * @throws Cr0Sync\BusyException when others keep the file locked
     * @throws Cr0Sync\StaleException while an interrupted run is to be finished
     * @throws Cr0Sync\LockedException when another run is at work
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     [$backup] = cr0_db_backup()['backups'];
     *     $report = cr0_db_restore($backup['id'], ['dry_run' => true]);
     *     echo $report['ok'] ? "{$backup['side']} can be restored\n" : "look at the warnings\n";
     *     // central can be restored
     */
    function cr0_db_restore(string $backup, array $options = []): array {}

    /**
     * Removes the backups that no rule of the configuration keeps.
     *
     * @param array{config?: ?string, root?: ?string, database?: string|list<string>|null, dry_run?: ?bool} $options
     *     dry_run: only says which would go, and why
     *
     * @return array{schema: int, ok: bool, freed_bytes: int, kept: list<array{id: string, database: string,
     *     side: string, path: string, created_at: string, bytes: int, verified: bool, kept_because: list<string>}>,
     *     removed: list<array{id: string, database: string, side: string, path: string, created_at: string,
     *     bytes: int, removed_because: string}>, warnings: list<string>}
     *
     * @throws Cr0Sync\LockedException when another run is at work
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     $report = cr0_db_clean_backups(['dry_run' => true]);
     *     echo count($report['removed']), " backups would go\n";
     *     // 0 backups would go
     */
    function cr0_db_clean_backups(array $options = []): array {}

    /**
     * Checks the newest backups of each side, the state, the sides and the copies of what was merged last, and that
     * all of these agree. `id` is a backup, or `state`, or `DATABASE:SIDE:` with `live`, `base` or `agreement`.
     *
     * @param array{config?: ?string, root?: ?string, database?: string|list<string>|null, dry_run?: ?bool} $options
     *     dry_run: does not note what was found
     *
     * @return array{schema: int, ok: bool, checked: list<array{id: string, database: string, side: string,
     *     path: string, ok: bool, problem: ?string}>, warnings: list<string>}
     *
     * @throws Cr0Sync\LockedException when another run is at work
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     foreach (cr0_db_verify()['checked'] as $one) {
     *         if (!$one['ok']) {
     *             echo "{$one['id']}: {$one['problem']}\n";
     *         }
     *     }
     *     echo "that is all\n";
     *     // that is all
     */
    function cr0_db_verify(array $options = []): array {}

    /**
     * Asks for something that only the user who runs the sync can do. The next run carries it out, in the order of
     * asking; cr0_db_queue() tells what came of it. Needs no right but to write to the queue.
     *
     * @param 'resolve'|'acknowledge'|'restore'|'force'|'sync-from'|'backup'|'clean-backups'|'verify'|'undo' $action
     * @param array{conflict?: string, take?: string, conflicts?: list<string>, backup?: string, side?: ?string,
     *     all_sides?: ?bool, database?: ?string, force?: ?bool, run?: string} $arguments resolve: conflict, take,
     *     force; acknowledge: conflicts; restore: backup (an id, no path), side or all_sides, force; force (a sync that
     *     goes on where a guard waits): database; sync-from: side, database, force; undo: run, database; backup,
     *     clean-backups and verify (which is failed where something is not sound): database
     * @param array{config?: ?string, root?: ?string, by?: ?string} $options by: who asks, at most 200 bytes
     *
     * @return array{schema: int, id: string}
     *
     * @throws Cr0Sync\UsageException for an action or argument that makes no sense
     * @throws Cr0Sync\BusyException when too many requests wait
     * @throws Cr0Sync\AccessException for a user who may not write to the queue
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     // In a web page, whose user may not write the databases.
     *     $request = cr0_db_enqueue('backup', ['database' => 'users'], ['by' => 'admin page']);
     *     // Each minute, in cron.
     *     cr0_db_sync();
     *     foreach (cr0_db_queue()['requests'] as $one) {
     *         echo $one['action'], $one['id'] === $request['id'] ? ": {$one['state']}\n" : " of somebody else\n";
     *     }
     *     // backup: done
     */
    function cr0_db_enqueue(string $action, array $arguments, array $options = []): array {}

    /**
     * What was asked for by cr0_db_enqueue(), the newest first; results are kept for a week.
     *
     * @param array{config?: ?string, root?: ?string} $options
     *
     * @return array{schema: int, requests: list<array{id: string, action: string, arguments: array<string, mixed>,
     *     by: string, at: string, state: 'pending'|'done'|'failed', result: ?array<string, mixed>,
     *     error: ?array{kind: string, message: string, path: ?string, hint: ?string}, finished_at: ?string}>}
     *     result: the report of what was done; action is 'unknown' for a file that was no request
     *
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     cr0_db_enqueue('clean-backups', []);
     *     [$newest] = cr0_db_queue()['requests'];
     *     echo "{$newest['action']} is {$newest['state']}\n";
     *     // clean-backups is pending
     */
    function cr0_db_queue(array $options = []): array {}

    /**
     * How far each copy of each log is; changes nothing.
     *
     * @param array{config?: ?string, root?: ?string, logs?: string|list<string>|null} $options
     *     logs: names of logs, or patterns with * and ?
     *
     * @return array{schema: int, ok: bool, logs: array<string, array{last_merge: ?string, unfinished: bool,
     *     problems: list<array{kind: 'directory_missing'|'unreadable'|'passed_over'|'archive_gone'|'ledger'|'unsettled'
     *         |'unwritable'|'same_file'|'missing',
     *         side: ?string, message: string}>,
     *     sides: array<string, array{path: string, mirror: bool, exists: bool, bytes: int, cursor: int,
     *         unread_bytes: int, lag_bytes: int, foreign_bytes: int, weak: bool, merged: ?string, problem: ?string}>,
     *     rotated: list<array{path: string, bytes: int}>}>}
     *     ok: nothing is wrong, but for what is unsettled or missing; unfinished: a run or a rotation was ended in its
     *     midst, and the next one finishes it; problems: everything that is wrong; side: null where it is the whole
     *     log; cursor: up to where a copy was read; unread_bytes: of its own that are not merged yet; lag_bytes: of
     *     others that it does not have yet; foreign_bytes: of others that were written into it, ever; weak: what it had
     *     at first was found in the archive by less than 8 lines and 1 KiB; merged: the file beside it in which it gets
     *     what others write, as its writer does not append whole lines; rotated: files of the archive, oldest first
     *
     * @throws Cr0Sync\UsageException when a name fits no log
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     foreach (cr0_log_status()['logs']['rizon_bot']['sides'] as $side => $copy) {
     *         echo "{$side}: {$copy['unread_bytes']} bytes to merge\n";
     *     }
     *     // bot: 45 bytes to merge
     *     // central: 0 bytes to merge
     *     // website: 0 bytes to merge
     */
    function cr0_log_status(array $options = []): array {}

    /**
     * Brings the new lines of every copy to all others. An archive that is past its size limit is rotated.
     *
     * @param array{config?: ?string, root?: ?string, logs?: string|list<string>|null, dry_run?: ?bool, force?: ?bool,
     *     progress?: ?callable(array{log: string, number: int, logs: int, phase: 'looking'|'writing'|'rotating'}):
     *     mixed} $options dry_run: says what would be done; force: looks at every file, also where nothing seems to
     *     have changed; progress: is told where the run is, number counts the logs that are looked at; false stops it
     *     between two logs, or before what was found of one is written
     *
     * @return array{schema: int, ok: bool, run: string, duration_ms: int, hub: string, logs: array<string, array{
     *     state: 'unchanged'|'merged'|'skipped'|'failed', reason: ?string,
     *     sides: array<string, array{read_bytes: int, appended_bytes: int, lines: int, lag_bytes: int,
     *         adopted: null|'overlap'|'contained'|'diverged'|'weak', known_bytes: int}>,
     *     adopted: null|'overlap'|'contained'|'diverged'|'weak', rotated: ?string, warnings: list<string>}>}
     *     run: when it began, in milliseconds since 1970; hub: the side of the archives; lines: that were appended;
     *     adopted: how a copy that is new lay to the archive, which had known_bytes of it already, of a log the last
     *     copy's; rotated: where the archive was rotated to
     *
     * @throws Cr0Sync\UsageException when a name fits no log
     * @throws Cr0Sync\LockedException when another run is at work
     * @throws Cr0Sync\CancelledException when progress said false
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     $report = cr0_log_merge(['logs' => 'rizon_*']);
     *     foreach ($report['logs'] as $name => $log) {
     *         echo "{$name}: {$log['state']}, {$log['sides']['website']['lines']} lines to the website\n";
     *     }
     *     // rizon_bot: merged, 2 lines to the website
     */
    function cr0_log_merge(array $options = []): array {}

    /**
     * Merges, rotates the archives that are large, and packs what was rotated.
     *
     * @param array{config?: ?string, root?: ?string, logs?: string|list<string>|null, dry_run?: ?bool, force?: ?bool,
     *     progress?: ?callable(array{log: string, number: int, logs: int, phase: 'looking'|'writing'|'rotating'}):
     *     mixed} $options dry_run: says what would be done; force: archives of any size;
     *     progress: is told where the run is, number counts the logs that are looked at; false stops it between two
     *     logs, or before what was found of one is written
     *
     * @return array{schema: int, ok: bool, run: string, duration_ms: int, logs: array<string, array{
     *     state: 'unchanged'|'rotated'|'skipped'|'failed', reason: ?string, file: ?string, bytes: int,
     *     method: null|'rename'|'in-place'|'copytruncate', compressed: list<string>, warnings: list<string>}>}
     *     file, bytes: what was rotated; skipped: it cannot be rotated now without losing something
     *
     * @throws Cr0Sync\UsageException when a name fits no log
     * @throws Cr0Sync\LockedException when another run is at work
     * @throws Cr0Sync\CancelledException when progress said false
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     cr0_log_merge();
     *     $log = cr0_log_rotate(['force' => true])['logs']['rizon_bot'];
     *     echo "{$log['state']}: {$log['bytes']} bytes, by {$log['method']}\n";
     *     // rotated: 45 bytes, by rename
     */
    function cr0_log_rotate(array $options = []): array {}

    /**
     * Removes the rotated files of archives that are past their age and that every copy has got, oldest first.
     *
     * @param array{config?: ?string, root?: ?string, logs?: string|list<string>|null, dry_run?: ?bool} $options
     *     dry_run: only says which would go, and why
     *
     * @return array{schema: int, ok: bool, run: string, duration_ms: int, logs: array<string, array{
     *     state: 'unchanged'|'cleaned'|'failed', reason: ?string,
     *     files: list<array{path: string, bytes: int, age_days: int, keep: bool, reason: string}>,
     *     warnings: list<string>}>}
     *
     * @throws Cr0Sync\UsageException when a name fits no log
     * @throws Cr0Sync\LockedException when another run is at work
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     cr0_log_rotate(['force' => true]);
     *     foreach (cr0_log_clean(['dry_run' => true])['logs']['rizon_bot']['files'] as $file) {
     *         echo $file['keep'] ? 'stays' : 'goes', " after {$file['age_days']} days\n";
     *     }
     *     // stays after 0 days
     */
    function cr0_log_clean(array $options = []): array {}

    /**
     * Proves that the archives are what was merged: each range against the digest that was written down when it came.
     *
     * @param array{config?: ?string, root?: ?string, logs?: string|list<string>|null} $options
     *
     * @return array{schema: int, ok: bool, run: string, duration_ms: int, logs: array<string, array{
     *     state: 'ok'|'bad'|'unknown'|'failed', reason: ?string, ranges: int, bytes: int, gone_bytes: int,
     *     unmerged_bytes: int,
     *     first_bad: ?array{from: int, length: int, origin: string, offset: int, at: string}}>}
     *     unknown: nothing was merged; bytes: that were compared; gone_bytes: written down, in files that were cleaned
     *     away; unmerged_bytes: behind what was merged; first_bad: length bytes at from in the archive, which came from
     *     offset in the file of origin
     *
     * @throws Cr0Sync\UsageException when a name fits no log
     * @throws Cr0Sync\LockedException when another run is at work
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     cr0_log_merge();
     *     $log = cr0_log_verify()['logs']['rizon_bot'];
     *     echo "{$log['state']}: {$log['bytes']} bytes are what was merged\n";
     *     // ok: 45 bytes are what was merged
     */
    function cr0_log_verify(array $options = []): array {}

    /**
     * Puts something that happened on record, in the security event log.
     *
     * Whatever is in it, the line is one line of printable ASCII. Values under names like password, token or api_key
     * are hidden, long texts are cut. Each line holds the digest of what was written since the event before, so that
     * cr0_event_verify finds lines that were changed or taken out. HIGH and CRITICAL ones are on disk when this
     * returns.
     *
     * @param string $type what happened, in a word of letters, digits, _, . and -
     * @param array<mixed> $details text of any bytes (the first 1024), numbers, booleans, arrays of such, and objects,
     *     as json_encode writes them
     * @param 'INFO'|'LOW'|'MEDIUM'|'HIGH'|'CRITICAL' $severity
     * @param string $ip from where; empty where nobody knows
     * @param string $session in which session; empty where there is none
     * @param array{config?: ?string, root?: ?string} $options
     *
     * @return array{schema: int, seq: int, timestamp: string} seq: its number
     *
     * @throws Cr0Sync\UsageException when the type is no word
     * @throws Cr0Sync\LockedException when another process has been writing for seconds
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     $event = cr0_event('LOGIN_FAILED', ['user' => 'bob', 'password' => '12345'], 'HIGH', '192.0.2.7');
     *     [$newest] = cr0_event_query(['type' => 'LOGIN_FAILED'])['events'];
     *     echo $newest['seq'] === $event['seq'] ? json_encode($newest['details']) : 'something else', "\n";
     *     // {"user":"bob","password":"(hidden)"}
     */
    function cr0_event(
        string $type,
        array $details = [],
        string $severity = 'INFO',
        string $ip = '',
        string $session = '',
        array $options = [],
    ): array {}

    /**
     * Looks for events, the newest first, in the log and then in its archives.
     *
     * @param array{type?: string|list<string>, severity?: string, since?: string|int, until?: string|int,
     *     ip?: string, session?: string, text?: string, skip?: int, limit?: int} $filter severity: at least so bad;
     *     since, until: like 2025-07-14 or 2025-07-14T09:31:02Z, or seconds since 1970; text: anywhere in it; skip:
     *     so many first; limit: 100 unless told, at most 10000, and less where these have more than 16 MiB
     * @param array{config?: ?string, root?: ?string} $options
     *
     * @return array{schema: int, events: list<array<string, mixed>>, more: bool, problems: list<string>} events: as
     *     they are in the log; more: whether there are older ones
     *
     * @throws Cr0Sync\UsageException when a time cannot be understood
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     cr0_event('LOGIN_FAILED', ['user' => 'bob'], 'HIGH', '192.0.2.7');
     *     $page = cr0_event_query(['severity' => 'MEDIUM', 'ip' => '192.0.2.7', 'limit' => 50]);
     *     foreach ($page['events'] as $event) {
     *         echo "{$event['severity']} {$event['type']} {$event['details']['user']}\n";
     *     }
     *     // HIGH LOGIN_FAILED bob
     */
    function cr0_event_query(array $filter = [], array $options = []): array {}

    /**
     * Moves the lines of past days (UTC) out of the event log, into a packed file for each day, and removes archives
     * that are older than the configuration keeps. What a call that died had begun is finished by the next one. Whoever
     * writes events goes on meanwhile.
     *
     * @param array{config?: ?string, root?: ?string} $options
     *
     * @return array{schema: int, ok: bool, archived: list<array{file: string, lines: int, bytes: int}>,
     *     removed: list<string>, warnings: list<string>}
     *
     * @throws Cr0Sync\CorruptException when something else lies in the place of an archive
     * @throws Cr0Sync\LockedException while another process archives or verifies
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     cr0_event('LOGIN', ['user' => 'bob']);
     *     echo count(cr0_event_archive()['archived']), " days archived\n";   // Of today nothing is.
     *     // 0 days archived
     */
    function cr0_event_archive(array $options = []): array {}

    /**
     * Follows the chain of the event log, from its oldest archive to its last line, and through the event that was the
     * last one when it was verified before. Called by the user of the cron jobs, it is what cr0_integrity_status tells
     * from then on.
     *
     * @param array{config?: ?string, root?: ?string, acknowledge?: ?bool} $options acknowledge: what is wrong is known:
     *     it stays, and is no news any more; an event says who did that
     *
     * @return array{schema: int, ok: bool, events: int, others: int, unheld: int,
     *     first_unheld: ?array{file: string, line: int}, archives: int,
     *     first_break: ?array{file: string, line: int, seq: int,
     *     kind: 'missing'|'again'|'inserted'|'moved'|'changed'|'cut'|'end'|'long'|'archive'|'rewritten', reason:
     *     string}, breaks: int, acknowledged: int, aside: ?string} others: lines of the site's own pages, of which
     *     unheld are held by no event; seq: the event concerned; cut: the end is missing; end: nobody knows whether it
     *     is; rewritten: events are not those that were verified before; breaks: how many there are, of which
     *     acknowledged are known; aside: why status does not tell of this, and it was not compared with what was
     *     verified before
     *
     * @throws Cr0Sync\LockedException while another process archives or verifies; to acknowledge, while a run is at
     *     work
     * @throws Cr0Sync\AccessException to acknowledge, for everybody but the user of the cron jobs and root
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     cr0_event('LOGIN', ['user' => 'bob']);
     *     $report = cr0_event_verify();
     *     echo $report['ok'] ? "whole\n" : "{$report['first_break']['file']}: {$report['first_break']['reason']}\n";
     *     // whole
     */
    function cr0_event_verify(array $options = []): array {}

    /**
     * Lets a request in and counts it, or refuses it and counts nothing. Exact under any number of processes, by a
     * clock that nobody can set. The configuration is read again when its file has changed, within 20 milliseconds.
     *
     * @param string $key whose limit: an address, a user, a key, with or without an endpoint (`192.0.2.7_search`). Any
     *     bytes. Of an IPv6 address, also before a `_`, the first 64 bits count
     * @param string $tier a name of `access.tiers` in the configuration
     * @param array{config?: ?string, root?: ?string, cost?: ?int,
     *     policy?: ?array{limit: int, period_seconds?: ?int, burst?: ?int},
     *     also?: ?list<array{key?: ?string, tier?: ?string,
     *         policy?: ?array{limit: int, period_seconds?: ?int, burst?: ?int}, cost?: ?int}>} $options
     *     cost: for so many requests, 1 unless given; 0 counts nothing and tells whether one would be let in;
     *     policy: these numbers instead of a tier: so many in each period (an hour unless given), and so many at once
     *     (as many as the limit unless given); a limit of 0 lets nobody in;
     *     also: further limits for the same request, each with the key and tier of the first where it names none, and a
     *     cost of 1. All let it in and count it, or none does
     *
     * @return array{schema: int, allowed: bool, limit: int, remaining: int, retry_after_ms: ?int, reset: int,
     *     limits?: list<array{allowed: bool, limit: int, remaining: int, retry_after_ms: ?int, reset: int}>}
     *     remaining: so many more would be let in right now; retry_after_ms: when the same request would be, 0 when it
     *     is, null when it never will be; reset: seconds until the whole burst is there again. With `also` that is what
     *     the limit says that refuses for the longest, or leaves the least, and limits what each says, in their order.
     *     cr0_call() gives the code 1 for a request that is refused
     *
     * @throws Cr0Sync\UsageException for an unknown tier, numbers that make no sense, or a cost that is more than the
     *     burst, which could never be let in
     * @throws Cr0Sync\AccessException when this user may not use the table
     * @throws Cr0Sync\Cr0SyncException whenever it cannot be decided: never take that for a yes
     *
     * @example
     *     $policy = ['limit' => 2, 'period_seconds' => 60];
     *     foreach (['first', 'second', 'third'] as $request) {
     *         $limit = cr0_rate_limit('192.0.2.7_search', 'default', ['policy' => $policy]);
     *         if ($limit['allowed']) {
     *             echo "{$request}: welcome, {$limit['remaining']} left\n";
     *         } else {
     *             // As the header Retry-After; with the code 429.
     *             $seconds = (int) ceil($limit['retry_after_ms'] / 1000);
     *             echo "{$request}: ", $seconds <= 30 ? 'try again within half a minute' : 'try again later', "\n";
     *         }
     *     }
     *     // first: welcome, 1 left
     *     // second: welcome, 0 left
     *     // third: try again within half a minute
     */
    function cr0_rate_limit(string $key, string $tier = 'default', array $options = []): array {}

    /**
     * Takes away what no limit needs any more: buckets that are full again, and old requests in api_rate_limits.json.
     * Gives the table the size of the configuration (`access.clients`), with all that is in it.
     *
     * @param array{config?: ?string, root?: ?string} $options
     *
     * @return array{schema: int, ok: bool,
     *     table: array{path: string, removed: int, kept: int, resized: bool},
     *     legacy: array{path: string, removed: int, kept: int, requests: int, problem: ?string}}
     *     removed, kept: buckets of the table, clients of the file; requests: that went; problem: why the file was left
     *     as it is
     *
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     cr0_rate_limit('192.0.2.7');
     *     $report = cr0_rate_limit_cleanup();
     *     echo "{$report['table']['kept']} in use\n";
     *     // 1 in use
     */
    function cr0_rate_limit_cleanup(array $options = []): array {}

    /**
     * How full the table is, what each tier allows, and which clients are in api_rate_limits.json. Makes and changes
     * nothing. The table has nothing but digests of clients; cr0_rate_limit() with cost 0 tells of one.
     *
     * @param array{config?: ?string, root?: ?string, skip?: ?int, limit?: ?int} $options skip, limit: a page of the
     *     clients in the file, 100 unless given
     *
     * @return array{schema: int,
     *     table: array{path: string, exists: bool, clients: int, slots: int, in_use: int, problem: ?string},
     *     tiers: array<string, array{limit: int, period_seconds: int, burst: int}>,
     *     legacy: array{path: string, clients: list<array{key: string, requests: int, blocked_until: ?string}>,
     *         total: int, problem: ?string}}
     *     exists: the first request makes it; clients: for so many a new table is made; slots, in_use: so many it has
     *     room for, and so many are taken, by those whose burst is not all there again; legacy: those that are blocked
     *     first, then those with the most requests within the longest period of a tier; blocked_until: null for one
     *     that is not; problem: why nobody can say
     *
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     cr0_rate_limit('192.0.2.7', 'critical');
     *     ['table' => $table, 'tiers' => ['critical' => $tier]] = cr0_rate_limit_status();
     *     echo "{$table['in_use']} in use, critical allows {$tier['limit']} in {$tier['period_seconds']} seconds\n";
     *     // 1 in use, critical allows 10 in 3600 seconds
     */
    function cr0_rate_limit_status(array $options = []): array {}

    /**
     * Whether the baseline can be believed, what the last whole check found, and whether a watcher is at work.
     *
     * @param array{config?: ?string, root?: ?string} $options
     *
     * @return array{schema: int, ok: bool,
     *     baseline: array{ok: bool, problem: ?string, generation: int, created: ?string, entries: int},
     *     last_check: ?array<string, mixed>,
     *     watch: array{running: bool, heartbeat: ?string, stale: bool, problem?: string},
     *     locks: list<array{name: string, path: string, process: ?int, since: ?string}>,
     *     roots: list<string>, excluded: list<array{path: string, path_b64?: string, reason: string}>,
     *     problems: list<array{problem: string, first: ?string, next: string}>, warnings: list<string>,
     *     last_runs: array<'check'|'limits'|'sessions'|'archive'|'verify_events', ?string>, chain:
     *     'whole'|'broken'|'acknowledged'|null} problems: what is not as it should be, with what a person does first,
     *     where that is needed, and the command of the script that comes next. chain: what the last look at the chain
     *     of events came to. last_check: what cr0_integrity_check gave, at, when it did, and source: private where only
     *     the cron user can have written it, else site or own; each of its findings has silenced (bool), see
     *     cr0_integrity_silence(). locks: those that somebody holds now,
     *     and since when as the holder wrote it down. last_runs: when cr0_security_run did each job; null where it
     *     never did, and for those who may not know
     *
     * @throws Cr0Sync\ConfigException when the list of what to watch makes no sense
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     $status = cr0_integrity_status();
     *     $baseline = $status['baseline'];
     *     echo $baseline['ok'] ? "{$baseline['entries']} files are known\n" : "{$baseline['problem']}\n";
     *     // 2 files are known
     */
    function cr0_integrity_status(array $options = []): array {}

    /**
     * Compares watched files with the baseline, and tells of what is new in the alerts and the event log.
     *
     * @param array{config?: ?string, root?: ?string, full?: ?bool, budget_ms?: ?int,
     *     paths?: string|list<string>|null} $options
     *     full: read every file again; budget_ms: stop reading after so long, the next call goes on; paths: only these,
     *     with all that is below them
     *
     * @return array{schema: int, ok: bool, exit_bits: int, checked: int, hashed_bytes: int, complete: bool,
     *     guarantee: string, findings: list<array{
     *     kind: 'added'|'removed'|'modified'|'moved'|'unreadable'|'unstable'|'baseline', path: string, path_b64?:
     *     string, from?: string, from_b64?: string, changes: list<string>, before?: array<string, mixed>, after?:
     *     array<string, mixed>, severity: 'LOW'|'MEDIUM'|'HIGH'|'CRITICAL', reason?: string}>,
     *     new_findings: int, generation: int, oldest_reading: ?string, not_read: int,
     *     excluded: list<array{path: string, path_b64?: string, reason: string}>,
     *     warnings: list<string>, duration_ms: int}
     *     exit_bits: 1 new, 2 removed, 4 changed, 8 unreadable or unstable, 16 baseline; path_b64: the path where path
     *     is not exactly that; before, after: of what changed or moved these attributes, of what is new or gone all
     *     that are known: type, mode ("4755"), uid, gid, size, mtime, ctime, inode, nlink, device, mount, target,
     *     target_b64, sha256; not_read: databases, of which only attributes are compared
     *
     * @throws Cr0Sync\ConfigException when the list of what to watch makes no sense
     * @throws Cr0Sync\UsageException when a path is not watched, or is nowhere
     * @throws Cr0Sync\LockedException when another check is at work
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     file_put_contents('web/index.html', '<h1>Defaced</h1>');
     *     foreach (cr0_integrity_check()['findings'] as $finding) {
     *         echo "{$finding['severity']}: {$finding['kind']} ", basename($finding['path']), "\n";
     *     }
     *     // HIGH: modified index.html
     */
    function cr0_integrity_check(array $options = []): array {}

    /**
     * Reads every watched file, accepts it as it is, and signs that. For the user of the cron jobs only.
     *
     * @param array{config?: ?string, root?: ?string, import?: ?string} $options
     *     import: a file_hashes.json that the site's pages wrote: files are accepted as that says
     *
     * @return array{schema: int, ok: bool, generation: int, sha256: string, entries: int, hashed_bytes: int,
     *     imported: int, findings: list<array{
     *     kind: 'added'|'removed'|'modified'|'moved'|'unreadable'|'unstable'|'baseline', path: string, path_b64?:
     *     string, from?: string, from_b64?: string, changes: list<string>, before?: array<string, mixed>, after?:
     *     array<string, mixed>, severity: 'LOW'|'MEDIUM'|'HIGH'|'CRITICAL', reason?: string}>,
     *     changed: list<array<string, mixed>>, changed_count: int, compared_with: ?int, new_key: bool,
     *     resolved_alerts: int, excluded: list<array{path: string, path_b64?: string, reason: string}>,
     *     warnings: list<string>, duration_ms: int}
     *     findings: what could not be read; changed: what is otherwise than in the baseline compared_with, as findings,
     *     the first thousand of changed_count; resolved_alerts: open alerts that it has closed
     *
     * @throws Cr0Sync\AccessException for another user
     * @throws Cr0Sync\ConfigException when there is nothing to watch
     * @throws Cr0Sync\CorruptException when import is no such list
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     file_put_contents('web/new.php', '<?php // written by us');
     *     $report = cr0_integrity_baseline();
     *     echo "{$report['changed_count']} accepted that was otherwise, {$report['entries']} known\n";
     *     // 1 accepted that was otherwise, 3 known
     */
    function cr0_integrity_baseline(array $options = []): array {}

    /**
     * Accepts what is under some paths as it is now, and signs that. For the user of the cron jobs only.
     *
     * @param list<string> $paths of findings; the list of what to watch is accepted by its own path
     * @param array{config?: ?string, root?: ?string, dry_run?: ?bool} $options
     *     dry_run: only shows what would be accepted
     *
     * @return array{schema: int, ok: bool, dry_run: bool, generation: int, accepted: list<array{
     *     kind: 'added'|'removed'|'modified'|'moved'|'unreadable'|'unstable'|'baseline', path: string, path_b64?:
     *     string, from?: string, from_b64?: string, changes: list<string>, before?: array<string, mixed>, after?:
     *     array<string, mixed>, severity: 'LOW'|'MEDIUM'|'HIGH'|'CRITICAL', reason?: string}>,
     *     refused: list<array{
     *     kind: 'added'|'removed'|'modified'|'moved'|'unreadable'|'unstable'|'baseline', path: string, path_b64?:
     *     string, from?: string, from_b64?: string, changes: list<string>, before?: array<string, mixed>, after?:
     *     array<string, mixed>, severity: 'LOW'|'MEDIUM'|'HIGH'|'CRITICAL', reason?: string}>,
     *     resolved_alerts: int, warnings: list<string>}
     *     refused: what could not be read, and is as it was; resolved_alerts: open alerts that it has closed
     *
     * @throws Cr0Sync\UsageException when a path is not watched or is nowhere, or none was given
     * @throws Cr0Sync\AccessException for another user
     * @throws Cr0Sync\CorruptException when the baseline cannot be believed
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     file_put_contents('web/index.html', '<h1>Welcome back</h1>');
     *     $report = cr0_integrity_accept([realpath('web/index.html')]);
     *     echo count($report['accepted']), " accepted\n";
     *     // 1 accepted
     */
    function cr0_integrity_accept(array $paths, array $options = []): array {}

    /**
     * Silences what was found of some files: somebody has seen it. Their open alerts become `acknowledged`, and the
     * event log says who asked. They stay findings, and what is wrong stays wrong; a file that changes again, in
     * another way, has a new alert, which is open. Needs no right but to write the alerts and the event log: what is
     * accepted is for cr0_integrity_accept() alone.
     *
     * @param list<string> $paths of findings: path as it is shown, or the path itself
     * @param array{config?: ?string, root?: ?string, by?: ?string} $options by: who asks, a line of at most 200 bytes
     *
     * @return array{schema: int, silenced: list<string>, unknown: list<string>, warnings: list<string>}
     *     silenced: also those that were before; unknown: of which no alert is open
     *
     * @throws Cr0Sync\UsageException when no path was given
     * @throws Cr0Sync\LockedException when another program changes the alerts for seconds
     * @throws Cr0Sync\Cr0SyncException when the event log or the alerts cannot be written; nothing is silenced then
     *
     * @example
     *     file_put_contents('web/index.html', '<h1>Under construction</h1>');
     *     cr0_integrity_check();
     *     cr0_integrity_silence([realpath('web/index.html')], ['by' => 'ann']);
     *     $status = cr0_integrity_status();
     *     [$finding] = $status['last_check']['findings'];
     *     echo $finding['silenced'] ? 'silenced' : 'open', ', and all is ', $status['ok'] ? 'well' : 'not well', "\n";
     *     // silenced, and all is not well
     */
    function cr0_integrity_silence(array $paths, array $options = []): array {}

    /**
     * Watches over files: what the kernel says has changed is checked at once. Looks at everything when it begins, when
     * more changed at once than the kernel keeps, and when it cannot watch all directories. It is missed (see
     * cr0_security_run) when it is killed; time limits, signals, exceptions and a progress that returns false end it in
     * order.
     *
     * @param array{config?: ?string, root?: ?string, seconds?: ?int, progress?: ?callable} $options
     *     seconds: for so long, else until it is told to stop; progress: called several times a second, and whenever
     *     there is something to tell, with array{watches: int, report: ?array<string, mixed>, warning: ?string}:
     *     directories that are watched, what cr0_integrity_check gives of a check that was just made, and what people
     *     should know. false ends it.
     *
     * @return array{schema: int, ok: bool, ended: 'time'|'asked', watches: int, events: int, checks: int, rescans: int,
     *     overflows: int, exit_bits: int, new_findings: int, findings: list<array{
     *     kind: 'added'|'removed'|'modified'|'moved'|'unreadable'|'unstable'|'baseline', path: string, path_b64?:
     *     string, from?: string, from_b64?: string, changes: list<string>, before?: array<string, mixed>, after?:
     *     array<string, mixed>, severity: 'LOW'|'MEDIUM'|'HIGH'|'CRITICAL', reason?: string}>,
     *     warnings: list<string>, duration_ms: int}
     *     events: what the kernel told; rescans: checks of everything; overflows: how often more changed at once than
     *     the kernel keeps; findings: each once, the first thousand
     *
     * @throws Cr0Sync\LockedException when another watcher is at work
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     $report = cr0_integrity_watch(['seconds' => 60, 'progress' => static function (array $news): bool {
     *         foreach ($news['report']['findings'] ?? [] as $finding) {
     *             echo "{$finding['kind']} {$finding['path']}\n";
     *         }
     *
     *         return false;   // It is told to stop, as soon as it has something to say.
     *     }]);
     *     echo "{$report['ended']}\n";
     *     // asked
     */
    function cr0_integrity_watch(array $options = []): array {}

    /**
     * Issues an API key. It is in the answer, and nowhere else: the file has its SHA-256.
     *
     * @param string $user_id a number is written down as one
     * @param string $name what the key is for, for people
     * @param list<'read'|'write'|'admin'|'system'> $permissions admin may read and write too, system everything
     * @param array{config?: ?string, root?: ?string, expires_in?: ?int} $options expires_in: seconds; else it never
     *     expires
     *
     * @return array{schema: int, id: string, key: string, warnings: list<string>}
     *
     * @throws Cr0Sync\UsageException when the request makes no sense
     * @throws Cr0Sync\CorruptException when nobody can say which keys were revoked
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     $new = cr0_api_key_issue('7', 'my bot', ['read'], ['expires_in' => 90 * 86_400]);
     *     echo substr($new['key'], 0, 4), "... is shown this once\n";
     *     // crk_... is shown this once
     */
    function cr0_api_key_issue(string $user_id, string $name, array $permissions, array $options = []): array {}

    /**
     * Whether somebody who sends a key may do something. Any bytes may be sent; none of them make the call fail. The
     * configuration is read again when its file has changed, within a second.
     *
     * @param string $key what the client sent
     * @param 'read'|'write'|'admin'|'system' $permission what it is to be allowed
     * @param array{config?: ?string, root?: ?string} $options
     *
     * @return array{schema: int, granted: bool,
     *     reason: null|'malformed'|'unknown'|'expired'|'revoked'|'forbidden'|'unavailable',
     *     key: ?array{id: string, user_id: null|int|string, name: string, permissions: list<string>, created_at:
     *     ?string,
     *         expires_at: ?string}, warnings: list<string>}
     *     only granted is for the one who sent it; the rest is for your log. user_id: as the file has it; an int beyond
     *     64 bits as a string. unavailable: the file made no sense, and was moved aside; or nobody can say which keys
     *     were revoked, and warnings say what to do
     *
     * @throws Cr0Sync\UsageException when no permission has this name
     * @throws Cr0Sync\Cr0SyncException when the files cannot be read; then nobody may come in
     *
     * @example
     *     $key = cr0_api_key_issue('7', 'my bot', ['read'])['key'];
     *     foreach ([[$key, 'read'], [$key, 'write'], ["\xFF'; --", 'read']] as [$sent, $permission]) {
     *         $answer = cr0_api_key_verify($sent, $permission);
     *         echo $answer['granted'] ? "let in\n" : "401, as it is {$answer['reason']}\n";
     *     }
     *     // let in
     *     // 401, as it is forbidden
     *     // 401, as it is malformed
     */
    function cr0_api_key_verify(#[\SensitiveParameter] string $key, string $permission, array $options = []): array {}

    /**
     * Takes a key back, for good: it is refused at the next call in every process.
     *
     * @param string $id a key as cr0_api_key_list() lists it
     * @param array{config?: ?string, root?: ?string} $options
     *
     * @return array{schema: int, id: string, revoked: bool, warnings: list<string>} revoked: whether it counted until
     *     now
     *
     * @throws Cr0Sync\UsageException when no key has this id
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     $new = cr0_api_key_issue('7', 'my bot', ['read']);
     *     cr0_api_key_revoke($new['id']);
     *     echo cr0_api_key_verify($new['key'], 'read')['reason'], "\n";
     *     // revoked
     */
    function cr0_api_key_revoke(#[\SensitiveParameter] string $id, array $options = []): array {}

    /**
     * Issues a key in place of another, with the same user, name and permissions.
     *
     * @param string $id a key as cr0_api_key_list() lists it
     * @param array{config?: ?string, root?: ?string, grace?: ?int, expires_in?: ?int} $options grace: the old one
     *     counts for so many seconds more, a day unless told; expires_in: seconds; else the new one lives as long as
     *     the old one was to
     *
     * @return array{schema: int, id: string, key: string, replaces: string, replaced_until: string,
     *     warnings: list<string>}
     *
     * @throws Cr0Sync\UsageException when no key has this id, or it counts no longer
     * @throws Cr0Sync\CorruptException when nobody can say which keys were revoked
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     $old = cr0_api_key_issue('7', 'my bot', ['read']);
     *     $new = cr0_api_key_rotate($old['id'], ['grace' => 3600]);
     *     foreach ([$old['key'], $new['key']] as $key) {
     *         echo cr0_api_key_verify($key, 'read')['granted'] ? "let in\n" : "refused\n";
     *     }
     *     // let in
     *     // let in
     */
    function cr0_api_key_rotate(#[\SensitiveParameter] string $id, array $options = []): array {}

    /**
     * All API keys, without anything that lets somebody in.
     *
     * @param array{config?: ?string, root?: ?string, user_id?: ?string} $options user_id: only that user's
     *
     * @return array{schema: int, keys: list<array{id: string, user_id: mixed, name: string,
     *     permissions: list<string>, created_at: ?string, expires_at: ?string, last_used_at: ?string, usage_count: int,
     *     state: 'active'|'expired'|'revoked', revoked_at: ?string, replaced_until: ?string}>, warnings: list<string>}
     *     user_id: as the file has it, where it is an int, a string or null; anything else lets nobody in.
     *     last_used_at: to a minute; usage_count: at least so often; replaced_until: until when it counts beside the
     *     one that was issued in its place. warnings: what of the file makes no sense; it stays as it is, and lets
     *     nobody in
     *
     * @throws Cr0Sync\CorruptException when the file makes no sense
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     cr0_api_key_issue('7', 'my bot', ['read', 'write']);
     *     foreach (cr0_api_key_list(['user_id' => '7'])['keys'] as $key) {
     *         echo "{$key['name']} ({$key['state']}): ", implode(', ', $key['permissions']), "\n";
     *     }
     *     // my bot (active): read, write
     */
    function cr0_api_key_list(array $options = []): array {}

    /**
     * Opens a session of the API for somebody whom you have let in. The configuration is read again when its file has
     * changed, within a second.
     *
     * @param string $user_id a number is written down as one
     * @param list<'read'|'write'|'admin'|'system'> $permissions
     * @param array{config?: ?string, root?: ?string, minutes?: ?int, ip?: ?string, user_agent?: ?string} $options
     *     minutes: else what the configuration says; ip, user_agent: of the client, any bytes, cut to 64 and 256
     *     characters
     *
     * @return array{schema: int, id: string, token: string, expires_at: string, warnings: list<string>}
     *
     * @throws Cr0Sync\UsageException when the request makes no sense
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     $session = cr0_session_open('7', ['read'], ['minutes' => 30, 'ip' => '192.0.2.7']);
     *     echo cr0_session_verify($session['token'], 'read')['session']['user_id'], "\n";
     *     // 7
     */
    function cr0_session_open(string $user_id, array $permissions, array $options = []): array {}

    /**
     * Whether somebody who sends the token of a session may do something. Any bytes may be sent. The configuration is
     * read again when its file has changed, within a second.
     *
     * @param string $token what the client sent
     * @param 'read'|'write'|'admin'|'system' $permission what it is to be allowed
     * @param array{config?: ?string, root?: ?string} $options
     *
     * @return array{schema: int, granted: bool,
     *     reason: null|'malformed'|'unknown'|'expired'|'revoked'|'forbidden'|'unavailable',
     *     session: ?array{id: string, user_id: int|string, permissions: list<string>, created_at: ?string,
     *         expires_at: ?string, ip: ?string, user_agent: ?string}, warnings: list<string>}
     *     only granted is for the one who sent it; the rest is for your log
     *
     * @throws Cr0Sync\UsageException when no permission has this name
     * @throws Cr0Sync\Cr0SyncException when the files cannot be read; then nobody may come in
     *
     * @example
     *     $token = cr0_session_open('7', ['read'])['token'];
     *     $answer = cr0_session_verify($token, 'admin');
     *     echo $answer['granted'] ? 'let in' : "refused: {$answer['reason']}", "\n";
     *     // refused: forbidden
     */
    function cr0_session_verify(#[\SensitiveParameter] string $token, string $permission, array $options = []): array {}

    /**
     * Closes a session, named by its token or its id; no matter if there is none. The configuration is read again when
     * its file has changed, within a second.
     *
     * @param string $session a token, or the id of a session
     * @param array{config?: ?string, root?: ?string} $options
     *
     * @return array{schema: int, closed: bool, id: ?string, warnings: list<string>}
     *
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     $session = cr0_session_open('7', ['read']);
     *     cr0_session_close($session['token']);
     *     echo cr0_session_verify($session['token'], 'read')['granted'] ? 'still open' : 'closed', "\n";
     *     // closed
     */
    function cr0_session_close(#[\SensitiveParameter] string $session, array $options = []): array {}

    /**
     * The sessions of the API, the newest first, without anything that lets somebody in. One that was closed is none.
     *
     * @param array{config?: ?string, root?: ?string, user_id?: ?string, skip?: ?int, limit?: ?int} $options user_id:
     *     only that user's; skip, limit: a page of those that fit
     *
     * @return array{schema: int, sessions: list<array{id: string, user_id: null|int|string, permissions: list<string>,
     *     created_at: ?string, expires_at: ?string, ip: ?string, user_agent: ?string, state: 'open'|'expired'}>,
     *     total: int, warnings: list<string>}
     *     ip, user_agent: cut where they are long; total: how many fit, those on other pages too; warnings: what of the
     *     file makes no sense; it lets nobody in
     *
     * @throws Cr0Sync\CorruptException when the file makes no sense
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     cr0_session_open('7', ['read'], ['ip' => '192.0.2.7']);
     *     foreach (cr0_session_list(['user_id' => '7', 'limit' => 50])['sessions'] as $session) {
     *         echo "{$session['user_id']} from {$session['ip']}: {$session['state']}\n";
     *     }
     *     // 7 from 192.0.2.7: open
     */
    function cr0_session_list(array $options = []): array {}

    /**
     * Removes the sessions whose time is over.
     *
     * @param array{config?: ?string, root?: ?string} $options
     *
     * @return array{schema: int, ok: bool, removed: int, open: int, warnings: list<string>}
     *     ok: whether nothing was damaged, missing or refused as a whole; the warnings say what
     *
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     cr0_session_open('7', ['read']);
     *     $report = cr0_session_cleanup();
     *     echo "{$report['removed']} removed, {$report['open']} open\n";
     *     // 0 removed, 1 open
     */
    function cr0_session_cleanup(array $options = []): array {}

    /**
     * Does what is due of the periodic jobs: cron calls it each minute, as the user who signs baselines. The check runs
     * as often as the configuration says (every 5 minutes), cleanups each hour, the archive of events and the look at
     * their chain each day (UTC). A time that was missed is made up for once, and a job that fails stops no other. Says
     * once that a watcher is missed, and that the chain of events is broken as long as the break is the same.
     *
     * @param array{config?: ?string, root?: ?string} $options
     *
     * @return array{schema: int, ok: bool, exit_bits: int, new_findings: int,
     *     new_break: ?array{file: string, line: int, seq: int, kind: string, reason: string},
     *     jobs: array<'check'|'limits'|'sessions'|'archive'|'verify_events', array{state:
     *     'ran'|'not_due'|'skipped'|'failed', reason: ?string, next: ?string, report: ?array<string, mixed>}>,
     *     watch: array{running: bool, heartbeat: ?string, stale: bool, problem?: string}, missed: ?string,
     *     warnings: list<string>, new_warnings: list<string>, problems: list<string>, duration_ms: int}
     *     exit_bits, new_findings: as of cr0_integrity_check, where it ran; next: null for the next minute; report:
     *     what cr0_integrity_check, cr0_rate_limit_cleanup, cr0_session_cleanup, cr0_event_archive or cr0_event_verify
     *     gives; new_break: where the chain of events is broken, where this run is the first to say it; missed: what is
     *     to be said of a watcher, where this run is the first to say it; warnings: those of the jobs too;
     *     new_warnings: those of the jobs that were not said when they ran before; problems: what went wrong beside the
     *     jobs
     *
     * @throws Cr0Sync\LockedException when another run is at work
     * @throws Cr0Sync\AccessException for another user
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     foreach (cr0_security_run()['jobs'] as $name => $job) {
     *         echo "{$name}: {$job['state']}\n";
     *     }
     *     // archive: ran
     *     // check: ran
     *     // limits: ran
     *     // sessions: ran
     *     // verify_events: ran
     */
    function cr0_security_run(array $options = []): array {}

    /**
     * How everything is, by one call: what cr0_db_status(), cr0_log_status() and cr0_integrity_status() tell. Changes
     * nothing.
     *
     * @param array{config?: ?string, root?: ?string} $options
     *
     * @return array{schema: int, ok: bool, databases: ?array<string, mixed>, logs: ?array<string, mixed>,
     *     security: ?array<string, mixed>, problems: list<string>} databases, logs, security: the report of each of
     *     these functions; null where that cannot be told, and problems says why. ok: all of them could be told, no
     *     database is held or has a problem, a table that is left alone or a side that is not touched, and logs and
     *     security are ok. Conflicts do not count, as they are decided
     *
     * @throws Cr0Sync\ConfigException
     *
     * @example
     *     $status = cr0_status();
     *     foreach ($status['problems'] as $problem) {
     *         echo "{$problem}\n";
     *     }
     *     foreach ($status['databases']['databases'] ?? [] as $name => $database) {
     *         echo "{$name}: {$database['open_conflicts']} open conflict\n";
     *     }
     *     foreach ($status['logs']['logs'] ?? [] as $name => $log) {
     *         echo "{$name}: ", $log['last_merge'] ?? 'never merged', "\n";
     *     }
     *     // users: 1 open conflict
     *     // rizon_bot: never merged
     */
    function cr0_status(array $options = []): array {}

    /**
     * Looks at the whole installation, and says of each thing how it is, and what to do; changes nothing. As root it
     * sees more than as another user.
     *
     * @param array{config?: ?string, root?: ?string, crontab?: ?string, program?: ?string,
     *     script?: ?string, mailer?: ?string} $options
     *     crontab: the table of cron of the user who runs the jobs, as crontab -l prints it (empty where he has none);
     *     it is not looked at otherwise; program: which program asks, for the finding about versions; script: the
     *     path of database_sync_script.php, for what it advises and whether pages may exchange it; mailer: the
     *     program that takes mail
     *
     * @return array{schema: int, ok: bool, warnings: int, problems: int, findings: list<array{check:
     *     'root'|'versions'|'sqlite'|'access'|'state'|'scripts'|'filesystems'|'space'|'clock'|'cron'|'alerts'|
     *     'databases'|'conflicts'|'queue'|'backups'|'logs'|'locks'|'security', state: 'ok'|'warning'|'problem',
     *     what: string, where: ?string, do: ?string}>}
     *     warnings, problems: how many findings are that; where: the file or directory that it is about; do: what to do
     *
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     foreach (cr0_doctor(['crontab' => ''])['findings'] as $one) {
     *         if ($one['check'] === 'cron' && $one['state'] !== 'ok') {
     *             echo $one['what'], "\n";
     *             break;
     *         }
     *     }
     *     // nothing calls us yet: the table of cron has no block of ours
     */
    function cr0_doctor(array $options = []): array {}

    /**
     * How it is, in the text format of Prometheus: for a page that it asks, or for a file that its node exporter reads.
     *
     * @param array{config?: ?string, root?: ?string, file?: ?string} $options
     *     file: is replaced by the text, whole or not at all, and everybody may read it
     *
     * @return string what Prometheus reads
     *
     * @throws Cr0Sync\UsageException when file is a directory
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     echo strtok(cr0_metrics(), "\n"), "\n";
     *     // # HELP cr0sync_build_info Versions of cr0sync and of the SQLite that it uses.
     */
    function cr0_metrics(array $options = []): string {}

    /**
     * Which events somebody is to be told of who was not told yet: as bad as the section alerts of the configuration
     * says, and no more often than it allows in an hour; then they wait, and none is dropped. The same are given again
     * until cr0_alerts_told() says that they were delivered. `security_monitoring_script.php run` does that.
     *
     * @param array{config?: ?string, root?: ?string} $options
     *
     * @return array{schema: int, severity: string, events: list<array<string, mixed>>, left_out: int, more: bool,
     *     waiting: int, next: ?string, token: ?string, problems: list<string>}
     *     severity: at least so bad they are; events: the oldest first, of more than a hundred the first fifty and the
     *     last fifty; left_out: how many there are beside them, which the next calls give; more: whether there are even
     *     more; waiting: how many wait because of the limit, until next; token: for cr0_alerts_told(), null where there
     *     is nothing to tell
     *
     * @throws Cr0Sync\AccessException for everybody but the user of the cron jobs and root
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     cr0_event('DOOR_FORCED', ['door' => 'back'], 'CRITICAL');
     *     $alerts = cr0_alerts();
     *     echo implode(' ', array_column($alerts['events'], 'type')), "\n";
     *     cr0_alerts_told($alerts['token']);
     *     // DOOR_FORCED
     */
    function cr0_alerts(array $options = []): array {}

    /**
     * Writes down that somebody was told of what cr0_alerts() gave with this token.
     *
     * @param string $token the last one
     * @param array{config?: ?string, root?: ?string} $options
     *
     * @return array{schema: int, told: int}
     *
     * @throws Cr0Sync\UsageException when it was not the last
     * @throws Cr0Sync\AccessException for everybody but the user of the cron jobs and root
     * @throws Cr0Sync\Cr0SyncException
     *
     * @example
     *     cr0_event('DOOR_FORCED', [], 'CRITICAL');
     *     echo cr0_alerts_told(cr0_alerts()['token'])['told'], ' told, ', count(cr0_alerts()['events']), " left\n";
     *     // 1 told, 0 left
     */
    function cr0_alerts_told(string $token, array $options = []): array {}

    /**
     * The configuration in force, with every default spelled out, and the file it came from (null: as shipped).
     *
     * @param array{config?: ?string, root?: ?string} $options
     *
     * @return array{schema: int, source: ?string, config: array<string, mixed>}
     *
     * @throws Cr0Sync\ConfigException
     *
     * @example
     *     $config = cr0_config()['config'];
     *     echo $config['hub'], ', ', implode(' ', array_keys($config['databases'])), "\n";
     *     // central, users
     */
    function cr0_config(array $options = []): array {}

    /**
     * Calls one of the functions above and gives what a script needs: what to exit with, and the report as an array
     * and as exact JSON. A Cr0Sync\Cr0SyncException of the function becomes a report:
     * {"schema": 1, "ok": false, "error": {"kind", "message", "path", "hint"}}.
     *
     * @param string $function its name
     * @param list<mixed> $arguments of that function, in their order
     *
     * @return array{exit_code: int, json: string, report: array<string, mixed>}
     *
     * @throws \ValueError for anything but one of these functions
     *
     * @example
     *     $answer = cr0_call('cr0_db_undo', ['no such run']);
     *     echo "{$answer['exit_code']}: {$answer['report']['error']['kind']}\n";
     *     // 64: usage
     */
    function cr0_call(string $function, #[\SensitiveParameter] array $arguments = []): array {}

    /**
     * The version of the extension.
     *
     * @return string such as 0.1.0
     *
     * @example
     *     echo version_compare(cr0_version(), '0.1', '>=') ? 'new enough' : 'too old', "\n";
     *     // new enough
     */
    function cr0_version(): string {}
}

namespace Cr0Sync {
    /**
     * Everything that can go wrong; the code is the number of the kind.
     */
    class Cr0SyncException extends \Exception
    {
        /** The file concerned; bytes. */
        public ?string $path = null;
        /** What a person can do. */
        public ?string $hint = null;
    }

    /** 1: a bug of cr0sync. */
    class InternalException extends Cr0SyncException {}

    /** 2: something was asked for that does not exist or makes no sense. */
    class UsageException extends Cr0SyncException {}

    /** 3: the configuration is wrong. */
    class ConfigException extends Cr0SyncException {}

    /** 4: another run holds the lock. */
    class LockedException extends Cr0SyncException {}

    /** 5: a database stayed busy for longer than allowed. */
    class BusyException extends Cr0SyncException {}

    /** 6: a file is not what it should be. */
    class CorruptException extends Cr0SyncException {}

    /** 7: this user may not do that. */
    class AccessException extends Cr0SyncException {}

    /** 8: the operating system failed. */
    class IoException extends Cr0SyncException {}

    /** 9: the row or file has changed since it was looked at. */
    class StaleException extends Cr0SyncException {}

    /** 10: the caller asked to stop. */
    class CancelledException extends Cr0SyncException {}
}
