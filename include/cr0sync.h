/*
 * cr0sync for C: databases and logs that are equal on all sides, and a watch over files, keys and events.
 *
 * Results. A function that can fail returns CR0_OK or one of the CR0_ERROR_ numbers, and hands out a cr0_error that
 * says what, where, and what to do next. What went wrong with one database, log or file is no error: it stands in the
 * report. Every operation may fail with CR0_ERROR_USAGE (an argument that must lead somewhere is NULL, a text is not
 * UTF-8, an option is set that the function does not know, the system was opened before a fork), CR0_ERROR_IO and
 * CR0_ERROR_ACCESS (a file cannot be read or written) and CR0_ERROR_INTERNAL (a bug); what else, is said at each. No
 * function ends the process or prints.
 *
 * Ownership. What a function hands out through a pointer to a pointer belongs to the caller, who frees it with the
 * function of its type. Texts that are returned belong to what they were asked of, and live as long. Arguments are
 * read during the call only. Whatever is handed out is NULL where the call failed; freeing NULL does nothing.
 *
 * Threads and processes. One thread at a time for each object; different objects at the same time. Objects are not
 * for a child of fork. Any number of processes, PHP among them, may work on the same system. While a cr0_db_ function
 * works, the umask of the process is 002, so that what SQLite makes beside a database is for its group; callbacks see
 * that of the process. The first rate limit installs a handler of SIGBUS, which passes on what is not about its
 * table. A library that was loaded stays loaded.
 *
 * Texts are UTF-8 that ends with a zero byte; paths, and what clients send, may be any bytes. A length counts bytes,
 * without a zero byte at the end.
 *
 * Units. Times in reports are RFC 3339 in UTC, ids are texts. Numbers are seconds unless their name says _ms, and
 * sizes are bytes.
 *
 * Made of src/ffi by cbindgen; change it there.
 */

#ifndef CR0SYNC_H
#define CR0SYNC_H

#include <stddef.h>
#include <stdint.h>

#define CR0SYNC_VERSION "0.1.0"

/**
 * It worked.
 */
#define CR0_OK 0

/**
 * A bug in this library.
 */
#define CR0_ERROR_INTERNAL 1

/**
 * The caller asked for something that does not exist or makes no sense.
 */
#define CR0_ERROR_USAGE 2

/**
 * The configuration is wrong.
 */
#define CR0_ERROR_CONFIG 3

/**
 * Another run holds the lock.
 */
#define CR0_ERROR_LOCKED 4

/**
 * A database stayed busy for longer than allowed.
 */
#define CR0_ERROR_BUSY 5

/**
 * A file is not what it should be.
 */
#define CR0_ERROR_CORRUPT 6

/**
 * This user may not do that.
 */
#define CR0_ERROR_ACCESS 7

/**
 * The operating system failed.
 */
#define CR0_ERROR_IO 8

/**
 * The row or file changed since the caller looked at it.
 */
#define CR0_ERROR_STALE 9

/**
 * The caller's callback asked to stop.
 */
#define CR0_ERROR_CANCELLED 10

/**
 * New conflicts of a run, or the conflicts of a list.
 */
#define CR0_COUNT_CONFLICTS 1

/**
 * Rows that are new on some side, over all sides.
 */
#define CR0_COUNT_INSERTED 2

/**
 * Rows that changed on some side, over all sides.
 */
#define CR0_COUNT_UPDATED 3

/**
 * Rows that are gone from some side, over all sides.
 */
#define CR0_COUNT_DELETED 4

/**
 * Lines that were appended to some copy of a log, over all copies.
 */
#define CR0_COUNT_LINES 5

/**
 * Findings of a check of files.
 */
#define CR0_COUNT_FINDINGS 6

/**
 * Events that were found.
 */
#define CR0_COUNT_EVENTS 7

/**
 * Warnings for people, wherever they stand in the report.
 */
#define CR0_COUNT_WARNINGS 8

/**
 * What a new baseline accepted that the one before it did not.
 */
#define CR0_COUNT_CHANGED 9

/**
 * Places at which the chain of events does not hold, those that are acknowledged too.
 */
#define CR0_COUNT_BREAKS 10

/**
 * Findings of a run of the periodic jobs, or of a check, that are new since the check before.
 */
#define CR0_COUNT_NEW_FINDINGS 11

/**
 * A failure: what, where, and what to do next.
 *
 * A function that fails returns a status other than `CR0_OK` and puts a new error where the caller said, which the
 * caller frees with `cr0_error_free`. Where it succeeds it puts `NULL` there. A caller who passes `NULL` gets the
 * status alone.
 */
typedef struct cr0_error cr0_error;

/**
 * What a call is asked for beside its arguments. Belongs to the caller, who frees it with `cr0_options_free`; may be
 * used for any number of calls, one at a time. What is set to what it is without being set (no, nobody) asks for nothing.
 */
typedef struct cr0_options cr0_options;

/**
 * What an operation returned. It belongs to the caller, who frees it with `cr0_report_free`.
 */
typedef struct cr0_report cr0_report;

/**
 * A configuration, opened. It belongs to the caller, who frees it with `cr0_system_free`.
 *
 * Used by one thread at a time. A child of `fork` opens its own. What the configuration file says is read once, when
 * it is opened.
 */
typedef struct cr0_system cr0_system;

/**
 * Whoever is told how far a long call is.
 *
 * `progress` is a JSON document, UTF-8, that lives until the callback returns; `user` is what was given with the
 * callback. 0 goes on, anything else stops the call, which then returns `CR0_ERROR_CANCELLED` (but for
 * `cr0_integrity_watch`, which is done then). The callback runs in the thread of the call, must return (not jump), and
 * must not use the system or the options of the call. A child that is forked in there must end there, with `_exit`, or `exec`
 * another program: one that returns is aborted, before it takes from its parent what the call has open and locked.
 */
typedef int32_t (*cr0_progress_callback)(const char *progress, void *user);

/**
 * What a rate limit says to a request.
 */
typedef struct {
  /**
   * 1 when it is let in, and was counted; 0 when not.
   */
  int32_t allowed;
  /**
   * So many are, in each period.
   */
  uint32_t limit;
  /**
   * So many more would be right now.
   */
  uint32_t remaining;
  /**
   * When the same request would be, in milliseconds from now; 0 when it is, -1 when it never will be.
   */
  int64_t retry_after_ms;
  /**
   * When the whole burst is there again, in seconds from now.
   */
  int64_t reset;
} cr0_rate_verdict;

/**
 * A limit that a request is measured by.
 */
typedef struct {
  /**
   * Whose bucket, of any bytes: an address, a user, an API key, with or without the name of an endpoint.
   */
  const char *client;
  /**
   * How many bytes `client` has.
   */
  size_t client_length;
  /**
   * The name of a tier of the configuration; `NULL` where the numbers below count.
   */
  const char *tier;
  /**
   * So many requests in each period.
   */
  uint32_t limit;
  /**
   * How long a period is, in seconds.
   */
  uint32_t period_seconds;
  /**
   * So many at once; 0 is as many as `limit`.
   */
  uint32_t burst;
  /**
   * How many requests it counts for; 0 takes nothing, and tells whether one would be let in.
   */
  uint32_t cost;
} cr0_rate_check;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Says which kind of error it is: one of the `CR0_ERROR_` numbers, or `CR0_OK` for `NULL`.
 *
 * The caller sees to it:
 * `error` must be `NULL` or an error that was not freed.
 */
int32_t cr0_error_code(const cr0_error *error);

/**
 * Says in one sentence what went wrong, with the file concerned and the cause, UTF-8. `NULL` for `NULL`.
 *
 * The text belongs to the error and lives as long.
 *
 * The caller sees to it:
 * `error` must be `NULL` or an error that was not freed.
 */
const char *cr0_error_message(const cr0_error *error);

/**
 * Names the file concerned, as the bytes of its path; `NULL` where there is none.
 *
 * The text belongs to the error and lives as long.
 *
 * The caller sees to it:
 * `error` must be `NULL` or an error that was not freed.
 */
const char *cr0_error_path(const cr0_error *error);

/**
 * Says what a person can do about it, UTF-8; `NULL` where there is nothing to say.
 *
 * The text belongs to the error and lives as long.
 *
 * The caller sees to it:
 * `error` must be `NULL` or an error that was not freed.
 */
const char *cr0_error_hint(const cr0_error *error);

/**
 * Frees an error. Does nothing for `NULL`.
 *
 * The caller sees to it:
 * `error` must be `NULL` or an error that was not freed; no text of it may be used afterwards.
 */
void cr0_error_free(cr0_error *error);

/**
 * Opens a configuration.
 *
 * `config` is the path of its file; `NULL` is the one that the environment variable `CR0SYNC_CONFIG` names, else
 * `cr0sync.json` below the root if it is there, else the shipped one. `root` is where relative paths begin, instead of
 * what the file says; `NULL` is what it says, else `/data/cr0_system`. Paths may be any bytes. No database is opened.
 *
 * Fails with `CR0_ERROR_CONFIG` when the file cannot be read or makes no sense; the message names the place in it.
 *
 * The caller sees to it:
 * `config` and `root` must be `NULL` or end with a zero byte; `system` must lead to where a pointer may be written,
 * `error` too, or be `NULL`.
 */
int32_t cr0_system_open(const char *config,
                        const char *root,
                        cr0_system **system,
                        cr0_error **error);

/**
 * Closes a system and frees it. Does nothing for `NULL`.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system that was not freed, and that no call is using.
 */
void cr0_system_free(cr0_system *system);

/**
 * Tells the configuration in force, with the path of the file that it was read from, as the member `config` and
 * `source` of the report.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system; `report` and `error` must be `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_config(const cr0_system *system,
                   cr0_report **report,
                   cr0_error **error);

/**
 * Tells how everything is: the members `databases`, `logs` and `security` are what `cr0_db_status`, `cr0_log_status` and
 * `cr0_integrity_status` tell. Changes nothing.
 *
 * A part that cannot be told is null, `problems` says why, and the exit code of the report is 2. It is 0 otherwise; the
 * member `ok` says whether all is well.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system; `report` and `error` must be `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_status(const cr0_system *system,
                   cr0_report **report,
                   cr0_error **error);

/**
 * Says the version of the library that is loaded, as in `0.1.0`. Lives as long as the process.
 */
const char *cr0_version(void);

/**
 * Says the version of SQLite that it uses, as in `3.40.1`. Lives as long as the process.
 */
const char *cr0_sqlite_version(void);

/**
 * Makes options that ask for nothing. Never `NULL`.
 */
cr0_options *cr0_options_new(void);

/**
 * Frees options. Does nothing for `NULL`.
 *
 * The caller sees to it:
 * `options` must be `NULL` or options that were not freed.
 */
void cr0_options_free(cr0_options *options);

/**
 * Chooses a database by name, `*` and `?` being understood; may be called more than once. All are chosen otherwise.
 *
 * Returns `CR0_ERROR_USAGE` where an argument is `NULL` or the name is not UTF-8.
 *
 * The caller sees to it:
 * `options` must be `NULL` or options; `name` must be `NULL` or end with a zero byte.
 */
int32_t cr0_options_add_database(cr0_options *options,
                                 const char *name);

/**
 * Chooses a log by name, `*` and `?` being understood; may be called more than once. All are chosen otherwise.
 *
 * Returns `CR0_ERROR_USAGE` where an argument is `NULL` or the name is not UTF-8.
 *
 * The caller sees to it:
 * `options` must be `NULL` or options; `name` must be `NULL` or end with a zero byte.
 */
int32_t cr0_options_add_log(cr0_options *options,
                            const char *name);

/**
 * Chooses a file or directory to check, of any bytes; may be called more than once. All are chosen otherwise.
 *
 * Returns `CR0_ERROR_USAGE` where an argument is `NULL`.
 *
 * The caller sees to it:
 * `options` must be `NULL` or options; `path` must be `NULL` or end with a zero byte.
 */
int32_t cr0_options_add_path(cr0_options *options,
                             const char *path);

/**
 * Chooses conflicts that are so: `open`, `held`, `acknowledged` or `resolved`; may be called more than once. All are chosen
 * otherwise.
 *
 * Returns `CR0_ERROR_USAGE` where an argument is `NULL` or the word is not UTF-8.
 *
 * The caller sees to it:
 * `options` must be `NULL` or options; `status` must be `NULL` or end with a zero byte.
 */
int32_t cr0_options_add_status(cr0_options *options,
                               const char *status);

/**
 * Chooses a conflict by its id; may be called more than once. All are chosen otherwise.
 *
 * Returns `CR0_ERROR_USAGE` where an argument is `NULL` or the id is not UTF-8.
 *
 * The caller sees to it:
 * `options` must be `NULL` or options; `id` must be `NULL` or end with a zero byte.
 */
int32_t cr0_options_add_id(cr0_options *options, const char *id);

/**
 * Names the side that a backup goes into, instead of the one that it was made of.
 *
 * Returns `CR0_ERROR_USAGE` where an argument is `NULL` or the name is not UTF-8.
 *
 * The caller sees to it:
 * `options` must be `NULL` or options; `side` must be `NULL` or end with a zero byte.
 */
int32_t cr0_options_set_side(cr0_options *options, const char *side);

/**
 * Says whether a backup goes into every side that can be reached: 0 is no, anything else yes.
 *
 * The caller sees to it:
 * `options` must be `NULL` or options.
 */
int32_t cr0_options_set_all_sides(cr0_options *options, int32_t yes);

/**
 * Says whether a call only tells what it would do: 0 is no, anything else yes.
 *
 * The caller sees to it:
 * `options` must be `NULL` or options.
 */
int32_t cr0_options_set_dry_run(cr0_options *options, int32_t yes);

/**
 * Says whether what waits for a person is done all the same: 0 is no, anything else yes.
 *
 * The caller sees to it:
 * `options` must be `NULL` or options.
 */
int32_t cr0_options_set_force(cr0_options *options, int32_t yes);

/**
 * Says whether secret values are shown: 0 is no, anything else yes.
 *
 * The caller sees to it:
 * `options` must be `NULL` or options.
 */
int32_t cr0_options_set_show_secrets(cr0_options *options, int32_t yes);

/**
 * Says whether a run compares all rows of all sides with what was merged, beside what the pages of their files tell: 0 is
 * no, which is once a day, anything else yes.
 *
 * The caller sees to it:
 * `options` must be `NULL` or options.
 */
int32_t cr0_options_set_verify(cr0_options *options,
                               int32_t yes);

/**
 * Says whether a status tells the rules of every table: 0 is no, anything else yes.
 *
 * The caller sees to it:
 * `options` must be `NULL` or options.
 */
int32_t cr0_options_set_explain(cr0_options *options, int32_t yes);

/**
 * Says whether a check reads every file again: 0 is no, anything else yes.
 *
 * The caller sees to it:
 * `options` must be `NULL` or options.
 */
int32_t cr0_options_set_full(cr0_options *options, int32_t yes);

/**
 * Says whether what is wrong with the chain of events is known from now on: it stays, and is no news any more. 0 is no,
 * anything else yes.
 *
 * The caller sees to it:
 * `options` must be `NULL` or options.
 */
int32_t cr0_options_set_acknowledge(cr0_options *options,
                                    int32_t yes);

/**
 * Says how many a list tells of at most; of runs a history tells of 50 otherwise, other lists of as many as their function
 * says.
 *
 * The caller sees to it:
 * `options` must be `NULL` or options.
 */
int32_t cr0_options_set_limit(cr0_options *options,
                              uint64_t limit);

/**
 * Says how many of a list are left out first, for a page after the first one; none otherwise.
 *
 * The caller sees to it:
 * `options` must be `NULL` or options.
 */
int32_t cr0_options_set_skip(cr0_options *options, uint64_t skip);

/**
 * Says after how many milliseconds a check stops reading, for the next call to go on.
 *
 * The caller sees to it:
 * `options` must be `NULL` or options.
 */
int32_t cr0_options_set_budget_ms(cr0_options *options, uint64_t milliseconds);

/**
 * Says after how many seconds watching ends.
 *
 * The caller sees to it:
 * `options` must be `NULL` or options.
 */
int32_t cr0_options_set_seconds(cr0_options *options, uint64_t seconds);

/**
 * Says for how many seconds a new key counts; for good otherwise.
 *
 * The caller sees to it:
 * `options` must be `NULL` or options.
 */
int32_t cr0_options_set_expires_in(cr0_options *options, uint64_t seconds);

/**
 * Hands over the table of cron of the user who runs the jobs, as `crontab -l` prints it; it is not looked at otherwise.
 *
 * Returns `CR0_ERROR_USAGE` where an argument is `NULL` or the text is not UTF-8.
 *
 * The caller sees to it:
 * `options` must be `NULL` or options; `text` must be `NULL` or end with a zero byte.
 */
int32_t cr0_options_set_crontab(cr0_options *options,
                                const char *text);

/**
 * Names a file that what is told is written into, whole or not at all, of any bytes.
 *
 * Returns `CR0_ERROR_USAGE` where an argument is `NULL`.
 *
 * The caller sees to it:
 * `options` must be `NULL` or options; `path` must be `NULL` or end with a zero byte.
 */
int32_t cr0_options_set_file(cr0_options *options, const char *path);

/**
 * Says who is told how far a long call is; `NULL` is nobody. `user` is handed to the callback as it is.
 *
 * The caller sees to it:
 * `options` must be `NULL` or options; `callback` must be `NULL` or a function as `cr0_progress_callback` says, and
 * stay callable with `user` as long as the options are used.
 */
int32_t cr0_options_set_progress(cr0_options *options,
                                 cr0_progress_callback callback,
                                 void *user);

/**
 * Hands out the whole report as one JSON document, UTF-8, with its version in the member `schema`. `NULL` for `NULL`.
 *
 * The text belongs to the report and lives as long. Its shapes are those of the PHP functions and of the scripts'
 * `--json`.
 *
 * The caller sees to it:
 * `report` must be `NULL` or a report that was not freed.
 */
const char *cr0_report_json(const cr0_report *report);

/**
 * Says what a script would end with: 0 where everything is well, 1 where somebody should look at it (conflicts,
 * findings, a key that is refused), 2 where a part failed. -1 for `NULL`.
 *
 * The caller sees to it:
 * `report` must be `NULL` or a report that was not freed.
 */
int32_t cr0_report_exit_code(const cr0_report *report);

/**
 * Counts something in a report, `what` being one of the `CR0_COUNT_` numbers. -1 where such a report does not tell; 0 where
 * it does, also when it lists no database or log.
 *
 * The caller sees to it:
 * `report` must be `NULL` or a report that was not freed.
 */
int64_t cr0_report_count(const cr0_report *report,
                         int32_t what);

/**
 * Frees a report. Does nothing for `NULL`.
 *
 * The caller sees to it:
 * `report` must be `NULL` or a report that was not freed; its JSON may not be used afterwards.
 */
void cr0_report_free(cr0_report *report);

/**
 * Tells what is known of every side of every database, and changes nothing.
 *
 * Options: database, explain.
 *
 * Fails with `CR0_ERROR_USAGE` where a name fits no database, `CR0_ERROR_CONFIG` when a policy names what is not
 * there.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
 * where a pointer may be written.
 */
int32_t cr0_db_status(const cr0_system *system,
                      const cr0_options *options,
                      cr0_report **report,
                      cr0_error **error);

/**
 * Merges all sides of the databases, both ways.
 *
 * What is wrong with one database is in the report, and the others go on. Options: database, dry_run, force,
 * verify, progress.
 *
 * Fails with `CR0_ERROR_LOCKED` while another run is at work, `CR0_ERROR_USAGE` where a name fits no database,
 * `CR0_ERROR_CANCELLED` when the callback said stop: the database that it was at is as it was, those before it are
 * merged.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
 * where a pointer may be written.
 */
int32_t cr0_db_sync(const cr0_system *system,
                    const cr0_options *options,
                    cr0_report **report,
                    cr0_error **error);

/**
 * Makes the hub equal to one side, deletions included, after an emergency copy.
 *
 * Options: database, dry_run, force, progress.
 *
 * Fails with `CR0_ERROR_LOCKED` while another run is at work, `CR0_ERROR_USAGE` where a name fits no database or the
 * side is not configured, `CR0_ERROR_CANCELLED` when the callback said stop.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; texts must be `NULL` or end with a zero byte;
 * `report` and `error` must be `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_db_force_sync(const cr0_system *system,
                          const char *side,
                          const cr0_options *options,
                          cr0_report **report,
                          cr0_error **error);

/**
 * Lists the conflicts on record, oldest first; the member `total` of the report says how many fit, those on other pages
 * too.
 *
 * Options: database, show_secrets, status, ids, skip, limit (all unless given).
 *
 * Fails with `CR0_ERROR_USAGE` where a name fits no database, or no conflict can be so.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
 * where a pointer may be written.
 */
int32_t cr0_db_conflicts(const cr0_system *system,
                         const cr0_options *options,
                         cr0_report **report,
                         cr0_error **error);

/**
 * Decides a conflict differently: `take` is the name of a side, `base` or `both`.
 *
 * Options: dry_run, force.
 *
 * Fails with `CR0_ERROR_STALE` when the row has changed since, `CR0_ERROR_LOCKED` while another run is at work,
 * `CR0_ERROR_USAGE` for an id that is unknown or a choice that makes no sense; the hint says what can be taken.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; texts must be `NULL` or end with a zero byte;
 * `report` and `error` must be `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_db_resolve(const cr0_system *system,
                       const char *id,
                       const char *take,
                       const cr0_options *options,
                       cr0_report **report,
                       cr0_error **error);

/**
 * Marks conflicts as seen; `ids` are `count` of them.
 *
 * Options: dry_run.
 *
 * Fails with `CR0_ERROR_LOCKED` while another run is at work, `CR0_ERROR_USAGE` for an id that is unknown: nothing is
 * marked then.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; `ids` must be `NULL` or lead to `count` texts that
 * end with a zero byte; `report` and `error` must be `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_db_acknowledge(const cr0_system *system,
                           const char *const *ids,
                           size_t count,
                           const cr0_options *options,
                           cr0_report **report,
                           cr0_error **error);

/**
 * Lists the runs that did something, newest first.
 *
 * Options: database, limit.
 *
 * Fails with `CR0_ERROR_USAGE` where a name fits no database.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
 * where a pointer may be written.
 */
int32_t cr0_db_history(const cr0_system *system,
                       const cr0_options *options,
                       cr0_report **report,
                       cr0_error **error);

/**
 * Takes a run back, by its number in the history, after an emergency copy.
 *
 * Options: database, dry_run.
 *
 * Fails with `CR0_ERROR_LOCKED` while another run is at work, `CR0_ERROR_USAGE` where a name fits no database, or when
 * the run is unknown or cannot be taken back: then the hint says what can.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; texts must be `NULL` or end with a zero byte;
 * `report` and `error` must be `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_db_undo(const cr0_system *system,
                    const char *run,
                    const cr0_options *options,
                    cr0_report **report,
                    cr0_error **error);

/**
 * Makes a verified backup of every side.
 *
 * Options: database, dry_run.
 *
 * Fails with `CR0_ERROR_LOCKED` while another run is at work, `CR0_ERROR_USAGE` where a name fits no database. What
 * goes wrong with one side is in the report.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
 * where a pointer may be written.
 */
int32_t cr0_db_backup(const cr0_system *system,
                      const cr0_options *options,
                      cr0_report **report,
                      cr0_error **error);

/**
 * Lists the backups there are, and why each is kept.
 *
 * Options: database.
 *
 * Fails with `CR0_ERROR_USAGE` where a name fits no database.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
 * where a pointer may be written.
 */
int32_t cr0_db_backups(const cr0_system *system,
                       const cr0_options *options,
                       cr0_report **report,
                       cr0_error **error);

/**
 * Writes a backup, by its id or by a path, which may be any bytes, into a live file, after an emergency copy.
 *
 * Options: database, side, all_sides, dry_run, force.
 *
 * Fails with `CR0_ERROR_LOCKED` while another run is at work, `CR0_ERROR_USAGE` for a backup or side that is unknown,
 * `CR0_ERROR_CORRUPT` for a backup that is not sound, `CR0_ERROR_BUSY` when others keep the live file locked,
 * `CR0_ERROR_STALE` while a run that was interrupted is to be finished. Nothing is changed then.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; texts must be `NULL` or end with a zero byte;
 * `report` and `error` must be `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_db_restore(const cr0_system *system,
                       const char *backup,
                       const cr0_options *options,
                       cr0_report **report,
                       cr0_error **error);

/**
 * Removes the backups that no rule keeps.
 *
 * Options: database, dry_run.
 *
 * Fails with `CR0_ERROR_LOCKED` while another run is at work, `CR0_ERROR_USAGE` where a name fits no database.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
 * where a pointer may be written.
 */
int32_t cr0_db_clean_backups(const cr0_system *system,
                             const cr0_options *options,
                             cr0_report **report,
                             cr0_error **error);

/**
 * Checks the newest backups, the sides, and that what is remembered of them agrees.
 *
 * Options: database.
 *
 * Fails with `CR0_ERROR_LOCKED` while another run is at work, `CR0_ERROR_USAGE` where a name fits no database. A file
 * that is not sound is in the report.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
 * where a pointer may be written.
 */
int32_t cr0_db_verify(const cr0_system *system,
                      const cr0_options *options,
                      cr0_report **report,
                      cr0_error **error);

/**
 * Asks for something that the user who runs the sync will do with his next run: `action` and `arguments`, a JSON
 * object, are those of the PHP function `cr0_db_enqueue`; `by` says who asks, in his own words.
 *
 * Fails with `CR0_ERROR_USAGE` for an action, argument, database or side that makes no sense, `CR0_ERROR_BUSY` when
 * the queue is full, `CR0_ERROR_ACCESS` for a user who may not write to it.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system; texts must be `NULL` or end with a zero byte; `report` and `error` must be
 * `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_db_enqueue(const cr0_system *system,
                       const char *action,
                       const char *arguments,
                       const char *by,
                       cr0_report **report,
                       cr0_error **error);

/**
 * Lists what was asked for, and what came of it.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system; `report` and `error` must be `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_db_queue(const cr0_system *system,
                     cr0_report **report,
                     cr0_error **error);

/**
 * Tells how far each copy of each log is, and changes nothing.
 *
 * Options: logs.
 *
 * Fails with `CR0_ERROR_USAGE` where a name fits no log, `CR0_ERROR_CORRUPT` when what is known cannot be read.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
 * where a pointer may be written.
 */
int32_t cr0_log_status(const cr0_system *system,
                       const cr0_options *options,
                       cr0_report **report,
                       cr0_error **error);

/**
 * Merges logs both ways, each line exactly once.
 *
 * Options: logs, dry_run, force, progress.
 *
 * Fails with `CR0_ERROR_LOCKED` while another run is at work, `CR0_ERROR_USAGE` where a name fits no log,
 * `CR0_ERROR_CANCELLED` when the callback said stop: what is done by then stays done.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
 * where a pointer may be written.
 */
int32_t cr0_log_merge(const cr0_system *system,
                      const cr0_options *options,
                      cr0_report **report,
                      cr0_error **error);

/**
 * Merges logs, and rotates the archives that are due, or with force all.
 *
 * Options: logs, dry_run, force, progress.
 *
 * Fails as `cr0_log_merge` does.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
 * where a pointer may be written.
 */
int32_t cr0_log_rotate(const cr0_system *system,
                       const cr0_options *options,
                       cr0_report **report,
                       cr0_error **error);

/**
 * Removes rotated files that are old and that every copy has got.
 *
 * Options: logs, dry_run.
 *
 * Fails with `CR0_ERROR_LOCKED` while another run is at work, `CR0_ERROR_USAGE` where a name fits no log.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
 * where a pointer may be written.
 */
int32_t cr0_log_clean(const cr0_system *system,
                      const cr0_options *options,
                      cr0_report **report,
                      cr0_error **error);

/**
 * Proves that the archives are what was merged.
 *
 * Options: logs.
 *
 * Fails with `CR0_ERROR_LOCKED` while another run is at work, `CR0_ERROR_USAGE` where a name fits no log,
 * `CR0_ERROR_CORRUPT` when what is known cannot be read.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
 * where a pointer may be written.
 */
int32_t cr0_log_verify(const cr0_system *system,
                       const cr0_options *options,
                       cr0_report **report,
                       cr0_error **error);

/**
 * Tells whether the baseline can be believed, what the last check found, and how it is with the periodic jobs; changes
 * nothing.
 *
 * The exit code of the report is always 0; the member `ok` says whether all is well, and `problems` what is not and
 * which command comes next.
 *
 * Fails with `CR0_ERROR_CONFIG` when the list of what to watch makes no sense.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system; `report` and `error` must be `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_integrity_status(const cr0_system *system,
                             cr0_report **report,
                             cr0_error **error);

/**
 * Compares watched files with the baseline.
 *
 * Options: full, budget_ms, paths.
 *
 * Fails with `CR0_ERROR_LOCKED` while another check is at work, `CR0_ERROR_CONFIG` when the list of what to watch
 * makes no sense, `CR0_ERROR_USAGE` when a path is not watched. What is wrong with a file or the baseline is a
 * finding.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
 * where a pointer may be written.
 */
int32_t cr0_integrity_check(const cr0_system *system,
                            const cr0_options *options,
                            cr0_report **report,
                            cr0_error **error);

/**
 * Accepts everything as it is, or as the list in the file `import` says where that is not `NULL`.
 *
 * Fails with `CR0_ERROR_ACCESS` for everybody but the user of the cron jobs and root, `CR0_ERROR_CORRUPT` when
 * `import` is no such list, `CR0_ERROR_LOCKED` while a check is at work. The baseline before is as it was then.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system; texts must be `NULL` or end with a zero byte; `report` and `error` must be
 * `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_integrity_baseline(const cr0_system *system,
                               const char *import,
                               cr0_report **report,
                               cr0_error **error);

/**
 * Accepts some paths as they are; `paths` are `count` of them, of any bytes.
 *
 * Options: dry_run.
 *
 * Fails with `CR0_ERROR_USAGE` without paths or when one is not watched, `CR0_ERROR_ACCESS` for everybody but the user
 * of the cron jobs and root, `CR0_ERROR_CORRUPT` when the baseline cannot be believed: only a new one helps then.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; `paths` must be `NULL` or lead to `count` texts
 * that end with a zero byte; `report` and `error` must be `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_integrity_accept(const cr0_system *system,
                             const char *const *paths,
                             size_t count,
                             const cr0_options *options,
                             cr0_report **report,
                             cr0_error **error);

/**
 * Silences findings: the open alerts about `count` paths, of any bytes, become `acknowledged`. They stay findings, and a file
 * that changes again is told of anew. `by` says who asks, in his own words; it is put on record.
 *
 * Fails with `CR0_ERROR_USAGE` without paths, and where `by` is longer than 200 bytes or more than a line;
 * `CR0_ERROR_ACCESS` or `CR0_ERROR_IO` where the event log or the alerts cannot be written. Nothing is silenced then.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system; `paths` must be `NULL` or lead to `count` paths that end with a zero byte, and `by`
 * must be `NULL` or end with a zero byte; `report` and `error` must be `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_integrity_silence(const cr0_system *system,
                              const char *const *paths,
                              size_t count,
                              const char *by,
                              cr0_report **report,
                              cr0_error **error);

/**
 * Watches over files, and checks at once what the kernel says has changed, until its time is over or the callback says
 * stop, which is called several times a second.
 *
 * Options: seconds, progress.
 *
 * Fails with `CR0_ERROR_LOCKED` while another watcher is at work, `CR0_ERROR_CONFIG` when the list of what to watch
 * makes no sense.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to
 * where a pointer may be written.
 */
int32_t cr0_integrity_watch(const cr0_system *system,
                            const cr0_options *options,
                            cr0_report **report,
                            cr0_error **error);

/**
 * Does what is due of the periodic jobs over files, keys and events; what cron calls each minute.
 *
 * Fails with `CR0_ERROR_LOCKED` while another run is at work, `CR0_ERROR_ACCESS` for everybody but the user of the
 * cron jobs and root. A job that fails is in the report, with exit code 2.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system; `report` and `error` must be `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_security_run(const cr0_system *system,
                         cr0_report **report,
                         cr0_error **error);

/**
 * Makes a key for a user; the report shows it, once. `permissions` are `count` of `read`, `write`, `admin`, `system`.
 *
 * Options: expires_in.
 *
 * Fails with `CR0_ERROR_USAGE` when the request makes no sense, `CR0_ERROR_LOCKED` when another process writes for
 * seconds. There is no key then.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; `permissions` must be `NULL` or lead to `count`
 * texts, and texts must be `NULL` or end with a zero byte; `report` and `error` must be `NULL` or lead to where a
 * pointer may be written.
 */
int32_t cr0_api_key_issue(const cr0_system *system,
                          const char *user_id,
                          const char *name,
                          const char *const *permissions,
                          size_t count,
                          const cr0_options *options,
                          cr0_report **report,
                          cr0_error **error);

/**
 * Says whether a key, of `length` bytes as a client sent it, may do something.
 *
 * The exit code of the report is 0 when it may and 1 when not; the reason in it is for the log, not for the client.
 *
 * Fails with `CR0_ERROR_USAGE` for a permission that is none, `CR0_ERROR_IO` or `CR0_ERROR_ACCESS` when the file of
 * keys cannot be read. Let nobody in then.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system; `key` must be `NULL` or lead to `length` bytes, and `permission` must be `NULL`
 * or end with a zero byte; `report` and `error` must be `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_api_key_verify(const cr0_system *system,
                           const char *key,
                           size_t length,
                           const char *permission,
                           cr0_report **report,
                           cr0_error **error);

/**
 * Takes a key back, by its id; every process refuses it from then on.
 *
 * Fails with `CR0_ERROR_USAGE` when no key has this id, `CR0_ERROR_LOCKED` when another process writes for seconds.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system; texts must be `NULL` or end with a zero byte; `report` and `error` must be
 * `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_api_key_revoke(const cr0_system *system,
                           const char *id,
                           cr0_report **report,
                           cr0_error **error);

/**
 * Makes a new key in place of another, which counts for `grace` seconds more. The report shows the new one, once.
 *
 * Options: expires_in.
 *
 * Fails with `CR0_ERROR_USAGE` when no key has this id or it counts no longer, `CR0_ERROR_LOCKED` when another process
 * writes for seconds.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; texts must be `NULL` or end with a zero byte;
 * `report` and `error` must be `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_api_key_rotate(const cr0_system *system,
                           const char *id,
                           uint64_t grace,
                           const cr0_options *options,
                           cr0_report **report,
                           cr0_error **error);

/**
 * Lists the keys, of one user where `user_id` is not `NULL`, without anything that could be used as one.
 *
 * Fails with `CR0_ERROR_CORRUPT` when the file makes no sense.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system; `user_id` must be `NULL` or end with a zero byte; `report` and `error` must be
 * `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_api_key_list(const cr0_system *system,
                         const char *user_id,
                         cr0_report **report,
                         cr0_error **error);

/**
 * Opens a session for a user; the report shows its token, once. `permissions` are as for keys; `ip` and `user_agent`
 * are what the client says, or `NULL`; `minutes` is how long it counts, 0 being what the configuration says.
 *
 * Fails with `CR0_ERROR_USAGE` when the request makes no sense, `CR0_ERROR_LOCKED` when another process writes for
 * seconds. There is no session then.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system; `permissions` must be `NULL` or lead to `count` texts, and texts must be `NULL`
 * or end with a zero byte; `report` and `error` must be `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_session_open(const cr0_system *system,
                         const char *user_id,
                         const char *const *permissions,
                         size_t count,
                         const char *ip,
                         const char *user_agent,
                         uint32_t minutes,
                         cr0_report **report,
                         cr0_error **error);

/**
 * Says whether a session, by its token of `length` bytes, may do something.
 *
 * The exit code of the report is 0 when it may and 1 when not.
 *
 * Fails with `CR0_ERROR_USAGE` for a permission that is none, `CR0_ERROR_IO` or `CR0_ERROR_ACCESS` when the file of
 * sessions cannot be read. Let nobody in then.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system; `token` must be `NULL` or lead to `length` bytes, and `permission` must be
 * `NULL` or end with a zero byte; `report` and `error` must be `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_session_verify(const cr0_system *system,
                           const char *token,
                           size_t length,
                           const char *permission,
                           cr0_report **report,
                           cr0_error **error);

/**
 * Ends a session, by its token or id of `length` bytes.
 *
 * Fails with `CR0_ERROR_IO` or `CR0_ERROR_ACCESS` when a file cannot be read or written; it may be closed already.
 * That there is no such session is no error.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system; `session` must be `NULL` or lead to `length` bytes; `report` and `error` must
 * be `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_session_close(const cr0_system *system,
                          const char *session,
                          size_t length,
                          cr0_report **report,
                          cr0_error **error);

/**
 * Lists the sessions, or those of a user, the newest first, without anything that lets somebody in; `NULL` as user is
 * everybody. The member `total` of the report says how many there are, those on other pages too.
 *
 * Options: skip, limit (all unless given). The exit code of the report is 1 when something of the file makes no sense.
 *
 * Fails with `CR0_ERROR_CORRUPT` when all of it makes none, `CR0_ERROR_IO` or `CR0_ERROR_ACCESS` when it cannot be read.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; `user_id` must be `NULL` or end with a zero byte;
 * `report` and `error` must be `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_session_list(const cr0_system *system,
                         const char *user_id,
                         const cr0_options *options,
                         cr0_report **report,
                         cr0_error **error);

/**
 * Removes the sessions whose time is over.
 *
 * Fails with `CR0_ERROR_IO` or `CR0_ERROR_ACCESS` when a file cannot be read or written.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system; `report` and `error` must be `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_session_cleanup(const cr0_system *system,
                            cr0_report **report,
                            cr0_error **error);

/**
 * Lets a request in and counts it, or refuses it, by a tier of the configuration; `NULL` is the tier `default`.
 *
 * `client` is whose bucket, of `length` bytes; `cost` is how many requests it counts for. Exact under any number of
 * processes and threads, the website's PHP among them.
 *
 * Fails as `cr0_rate_limits` does.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system; `client` must be `NULL` or lead to `length` bytes, `tier` must be `NULL` or end
 * with a zero byte; `verdict` and `error` must be `NULL` or lead to where one may be written.
 */
int32_t cr0_rate_limit(const cr0_system *system,
                       const char *client,
                       size_t length,
                       const char *tier,
                       uint32_t cost,
                       cr0_rate_verdict *verdict,
                       cr0_error **error);

/**
 * Lets a request in and counts it by all of `count` limits, or by none.
 *
 * `verdict` is of the limit that refuses for the longest, or else leaves the least; `each`, where it is not `NULL`, is
 * what every limit says, in the order of `checks`. Where the call fails, nothing is written to either.
 *
 * Fails with `CR0_ERROR_USAGE` for a tier that is not configured or numbers that make no limit, `CR0_ERROR_IO` or
 * `CR0_ERROR_ACCESS` when the table cannot be used. Nothing was counted then; whether to let the request in is for the
 * caller to say.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system; `checks` must be `NULL` or lead to `count` of them, whose pointers are as for
 * `cr0_rate_limit`; `verdict` and `error` must be `NULL` or lead to where one may be written, `each` `NULL` or to
 * where `count` may.
 */
int32_t cr0_rate_limits(const cr0_system *system,
                        const cr0_rate_check *checks,
                        size_t count,
                        cr0_rate_verdict *verdict,
                        cr0_rate_verdict *each,
                        cr0_error **error);

/**
 * Takes away what no limit needs any more.
 *
 * Fails with `CR0_ERROR_IO` or `CR0_ERROR_ACCESS` when the table cannot be used.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system; `report` and `error` must be `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_rate_limit_cleanup(const cr0_system *system,
                               cr0_report **report,
                               cr0_error **error);

/**
 * Says how full the table is, what each tier allows, and which clients are in the file that today's pages write; makes and
 * changes nothing. The table has nothing but digests of clients: `cr0_rate_limit` with a cost of 0 tells of one.
 *
 * Options: skip, limit (of the clients in the file: 100 unless given).
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to where a
 * pointer may be written.
 */
int32_t cr0_rate_limit_status(const cr0_system *system,
                              const cr0_options *options,
                              cr0_report **report,
                              cr0_error **error);

/**
 * Puts something that happened on record.
 *
 * `kind` is a word; `details` a JSON object, or `NULL`; `severity` is `INFO`, `LOW`, `MEDIUM`, `HIGH` or `CRITICAL`,
 * `NULL` being `INFO`; `ip` and `session` are what is known, or `NULL`. Values under names that say that they are
 * secret are hidden.
 *
 * Fails with `CR0_ERROR_USAGE` when `kind` is no word or `details` no object, `CR0_ERROR_LOCKED` when another
 * process writes for seconds, `CR0_ERROR_IO` or `CR0_ERROR_ACCESS` when it cannot be written. Nothing of it is on
 * record then.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system; texts must be `NULL` or end with a zero byte; `report` and `error` must be
 * `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_event(const cr0_system *system,
                  const char *kind,
                  const char *details,
                  const char *severity,
                  const char *ip,
                  const char *session,
                  cr0_report **report,
                  cr0_error **error);

/**
 * Looks for events, the newest first.
 *
 * `filter` is a JSON object with any of `type` (a word or a list), `severity` (at least), `since` and `until` (as
 * `2025-07-14` or `2025-07-14T09:31:02Z`), `ip`, `session`, `text` (anywhere in it), `skip` and `limit` (1 to 10,000);
 * `NULL` is the newest hundred. Archives are looked through for half a minute at most; the member `problems` of the
 * report says what was not.
 *
 * Fails with `CR0_ERROR_USAGE` when the filter or a time in it makes no sense.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system; texts must be `NULL` or end with a zero byte; `report` and `error` must be
 * `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_event_query(const cr0_system *system,
                        const char *filter,
                        cr0_report **report,
                        cr0_error **error);

/**
 * Moves the lines of past days from the log into its archive.
 *
 * Fails with `CR0_ERROR_LOCKED` while another process archives or verifies. Nothing is lost then, and the next call
 * goes on.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system; `report` and `error` must be `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_event_archive(const cr0_system *system,
                          cr0_report **report,
                          cr0_error **error);

/**
 * Proves that the log and its archives are what was written, and holds the event that was the last one when they were
 * verified before. Called by the user of the cron jobs, it is what `cr0_integrity_status` tells from then on.
 *
 * Options: acknowledge. The exit code of the report is 1 where something is wrong that nobody has acknowledged.
 *
 * Fails with `CR0_ERROR_LOCKED` while another process archives or verifies; to acknowledge, also while a run is at work,
 * and with `CR0_ERROR_ACCESS` for everybody but the user of the cron jobs and root. What is wrong in the log is in the
 * report.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to where
 * a pointer may be written.
 */
int32_t cr0_event_verify(const cr0_system *system,
                         const cr0_options *options,
                         cr0_report **report,
                         cr0_error **error);

/**
 * Looks at the whole installation, and says of each thing how it is, and what to do; changes nothing.
 *
 * Options: crontab. The exit code of the report is 1 with warnings and 2 with problems.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to where
 * a pointer may be written.
 */
int32_t cr0_doctor(const cr0_system *system,
                   const cr0_options *options,
                   cr0_report **report,
                   cr0_error **error);

/**
 * Says how it is, as the member `text` of the report, in the text format of Prometheus.
 *
 * Options: file. It is replaced, whole or not at all, and everybody may read it.
 *
 * Fails with `CR0_ERROR_USAGE` when the path is no file's, `CR0_ERROR_IO` or `CR0_ERROR_ACCESS` when it cannot be written.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system, `options` `NULL` or options; `report` and `error` must be `NULL` or lead to where
 * a pointer may be written.
 */
int32_t cr0_metrics(const cr0_system *system,
                    const cr0_options *options,
                    cr0_report **report,
                    cr0_error **error);

/**
 * Says which events somebody is to be told of who was not told yet, as bad as the section `alerts` of the configuration
 * says; and of no more than it allows in an hour. The same are given again until `cr0_alerts_told` is called with the
 * member `token` of the report.
 *
 * Fails with `CR0_ERROR_ACCESS` for everybody but the user of the cron jobs and root.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system; `report` and `error` must be `NULL` or lead to where a pointer may be written.
 */
int32_t cr0_alerts(const cr0_system *system,
                   cr0_report **report,
                   cr0_error **error);

/**
 * Writes down that somebody was told of what `cr0_alerts` gave with this token.
 *
 * Fails with `CR0_ERROR_USAGE` when it was not the last that was given, `CR0_ERROR_ACCESS` for everybody but the user of
 * the cron jobs and root.
 *
 * The caller sees to it:
 * `system` must be `NULL` or a system; `token` must be `NULL` or end with a zero byte; `report` and `error` must be `NULL`
 * or lead to where a pointer may be written.
 */
int32_t cr0_alerts_told(const cr0_system *system,
                        const char *token,
                        cr0_report **report,
                        cr0_error **error);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* CR0SYNC_H */
