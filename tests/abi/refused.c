/* What a caller gets wrong is an error for people, never a crash. ROOT holds cr0sync.json. */
#define _POSIX_C_SOURCE 200809L
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static void nothing(void) {
    cr0_error_free(NULL);
    cr0_report_free(NULL);
    cr0_options_free(NULL);
    cr0_system_free(NULL);
    CHECK(cr0_error_code(NULL) == CR0_OK);
    CHECK(cr0_error_message(NULL) == NULL);
    CHECK(cr0_error_path(NULL) == NULL);
    CHECK(cr0_error_hint(NULL) == NULL);
    CHECK(cr0_report_json(NULL) == NULL);
    CHECK(cr0_report_exit_code(NULL) == -1);
    CHECK(cr0_report_count(NULL, CR0_COUNT_LINES) == -1);
    CHECK(cr0_options_set_force(NULL, 1) == CR0_ERROR_USAGE);
    CHECK(cr0_db_sync(NULL, NULL, NULL, NULL) == CR0_ERROR_USAGE);
    CHECK(cr0_system_open(NULL, NULL, NULL, NULL) == CR0_ERROR_USAGE);
}

static void no_configuration(void) {
    cr0_system *system = NULL;
    cr0_error *error = NULL;
    CHECK(cr0_system_open("/nowhere/cr0sync.json", NULL, &system, &error) == CR0_ERROR_CONFIG);
    CHECK(system == NULL);
    CHECK(strcmp(cr0_error_path(error), "/nowhere/cr0sync.json") == 0);
    CHECK(cr0_error_hint(error) != NULL);
    cr0_error_free(error);
}

static void arguments_of(cr0_system *system) {
    cr0_report *report = NULL;
    cr0_error *error = NULL;
    cr0_options *options = cr0_options_new();
    const char *ids[] = {"1", NULL};

    FAILS(cr0_db_resolve(system, NULL, "bot", NULL, &report, &error), CR0_ERROR_USAGE, error, "id must not be NULL");
    FAILS(cr0_db_resolve(system, "1", "\xff", NULL, &report, &error), CR0_ERROR_USAGE, error, "take must be valid UTF-8");
    FAILS(cr0_db_resolve(system, "1", "bot", NULL, &report, &error), CR0_ERROR_USAGE, error, "conflict");
    FAILS(cr0_db_acknowledge(system, ids, 2, NULL, &report, &error), CR0_ERROR_USAGE, error, "ids must not be NULL");
    FAILS(cr0_event_query(system, "[1]", &report, &error), CR0_ERROR_USAGE, error, "JSON object");
    FAILS(cr0_event_query(system, "{\"tpye\":\"x\"}", &report, &error), CR0_ERROR_USAGE, error, "no key \"tpye\"");
    FAILS(cr0_event(system, "x", NULL, "BAD", NULL, NULL, &report, &error), CR0_ERROR_USAGE, error, "severity");
    CHECK(cr0_options_add_database(options, "\xff") == CR0_ERROR_USAGE);

    /* An option that a function would not heed is refused: a dry run that is none would be worse. */
    CHECK(cr0_options_set_dry_run(options, 1) == CR0_OK);
    FAILS(cr0_db_status(system, options, &report, &error), CR0_ERROR_USAGE, error, "dry_run");
    CHECK(report == NULL);
    /* Taken back, it asks for nothing; so does nobody who is to be told. */
    CHECK(cr0_options_set_dry_run(options, 0) == CR0_OK);
    CHECK(cr0_options_set_progress(options, NULL, NULL) == CR0_OK);
    WORKS(cr0_db_status(system, options, &report, &error), error);
    cr0_report_free(report);
    report = NULL;
    cr0_options_free(options);

    FAILS(cr0_event(system, NULL, NULL, NULL, NULL, NULL, &report, &error), CR0_ERROR_USAGE, error, "kind must not be");

    options = cr0_options_new();
    CHECK(cr0_options_add_database(options, "nothing_like_it") == CR0_OK);
    FAILS(cr0_db_sync(system, options, &report, &error), CR0_ERROR_USAGE, error, "nothing_like_it");
    cr0_options_free(options);

    /* Who wants no error gets the status. */
    CHECK(cr0_db_undo(system, "1000000", NULL, NULL, NULL) == CR0_ERROR_USAGE);
}

/* A child must not go on with what its parent opened. */
static void after_fork(cr0_system *system) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        cr0_report *report = NULL;
        cr0_error *error = NULL;
        FAILS(cr0_db_status(system, NULL, &report, &error), CR0_ERROR_USAGE, error, "before a fork");
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(int count, char **arguments) {
    cr0_system *system = NULL;
    cr0_error *error = NULL;

    CHECK(count == 2);
    nothing();
    no_configuration();
    WORKS(cr0_system_open(NULL, arguments[1], &system, &error), error);
    arguments_of(system);
    after_fork(system);
    cr0_system_free(system);
    return 0;
}
