/* Two sides of a database become one: the shortest whole program. ROOT holds cr0sync.json.
 *
 *     cc sync.c $(pkg-config --cflags --libs cr0sync) -o sync && ./sync ROOT
 */
#include "check.h"

static int32_t tell(const char *progress, void *user) {
    CHECK(strstr(progress, "\"phase\"") != NULL);
    ++*(int *)user;
    return 0;
}

static int32_t stop(const char *progress, void *user) {
    (void)progress;
    (void)user;
    return 1;
}

int main(int count, char **arguments) {
    cr0_system *system = NULL;
    cr0_report *report = NULL;
    cr0_error *error = NULL;
    cr0_options *options = cr0_options_new();
    int told = 0;

    CHECK(count == 2);
    WORKS(cr0_system_open(NULL, arguments[1], &system, &error), error);

    /* What a call would do. */
    CHECK(cr0_options_set_dry_run(options, 1) == CR0_OK);
    WORKS(cr0_db_sync(system, options, &report, &error), error);
    CHECK(cr0_report_count(report, CR0_COUNT_INSERTED) == 2);
    cr0_report_free(report);

    /* A callback that says stop: nothing is done. */
    CHECK(cr0_options_set_dry_run(options, 0) == CR0_OK);
    CHECK(cr0_options_set_progress(options, stop, NULL) == CR0_OK);
    FAILS(cr0_db_sync(system, options, &report, &error), CR0_ERROR_CANCELLED, error, "stop");
    CHECK(report == NULL);

    /* And now it is done. */
    CHECK(cr0_options_set_progress(options, tell, &told) == CR0_OK);
    WORKS(cr0_db_sync(system, options, &report, &error), error);
    CHECK(error == NULL);
    CHECK(told > 0);
    CHECK(cr0_report_exit_code(report) == 0);
    CHECK(cr0_report_count(report, CR0_COUNT_INSERTED) == 2);
    CHECK(cr0_report_count(report, CR0_COUNT_DELETED) == 0);
    CHECK(cr0_report_count(report, CR0_COUNT_CONFLICTS) == 0);
    CHECK(cr0_report_count(report, CR0_COUNT_EVENTS) == -1);
    CHECK(strstr(cr0_report_json(report), "\"schema\":1") != NULL);
    cr0_report_free(report);

    /* Once is enough. */
    WORKS(cr0_db_sync(system, NULL, &report, &error), error);
    CHECK(cr0_report_count(report, CR0_COUNT_INSERTED) == 0);
    cr0_report_free(report);

    WORKS(cr0_db_history(system, NULL, &report, &error), error);
    CHECK(strstr(cr0_report_json(report), "bidirectional") != NULL);
    cr0_report_free(report);

    WORKS(cr0_log_merge(system, NULL, &report, &error), error);
    CHECK(cr0_report_count(report, CR0_COUNT_LINES) == 2);
    cr0_report_free(report);

    cr0_options_free(options);
    cr0_system_free(system);
    return 0;
}
