/* What is done now and then: backups, requests, rotation, baselines, the periodic jobs. ROOT holds cr0sync.json. */
#include "check.h"

static int32_t stop(const char *news, void *user) {
    CHECK(strstr(news, "\"watches\"") != NULL);
    ++*(int *)user;
    return 1;
}

/* Where somebody writes another line. */
static void append(const char *path, const char *line) {
    FILE *file = fopen(path, "a");
    CHECK(file != NULL);
    CHECK(fputs(line, file) >= 0);
    CHECK(fclose(file) == 0);
}

static void databases(cr0_system *system) {
    char id[128];
    cr0_report *report = NULL;
    cr0_error *error = NULL;
    cr0_options *options = cr0_options_new(), *one = cr0_options_new(), *rehearsal = cr0_options_new();

    CHECK(cr0_options_add_database(one, "d*") == CR0_OK);
    CHECK(cr0_options_set_verify(one, 1) == CR0_OK);
    WORKS(cr0_db_sync(system, one, &report, &error), error);
    CHECK(cr0_options_set_verify(one, 0) == CR0_OK);
    CHECK(cr0_report_count(report, CR0_COUNT_INSERTED) == 2);
    cr0_report_free(report);
    CHECK(cr0_options_set_explain(options, 1) == CR0_OK);
    WORKS(cr0_db_status(system, options, &report, &error), error);
    CHECK(strstr(cr0_report_json(report), "\"synced\"") != NULL);
    /* It counts no rows, and says so. */
    CHECK(cr0_report_count(report, CR0_COUNT_INSERTED) == -1);
    CHECK(cr0_report_count(report, CR0_COUNT_WARNINGS) == -1);
    cr0_report_free(report);
    CHECK(cr0_options_set_show_secrets(one, 1) == CR0_OK);
    CHECK(cr0_options_add_status(one, "open") == CR0_OK);
    CHECK(cr0_options_add_id(one, "1") == CR0_OK);
    CHECK(cr0_options_add_id(one, NULL) == CR0_ERROR_USAGE);
    CHECK(cr0_options_set_skip(one, 0) == CR0_OK);
    CHECK(cr0_options_set_limit(one, 50) == CR0_OK);
    WORKS(cr0_db_conflicts(system, one, &report, &error), error);
    CHECK(cr0_report_count(report, CR0_COUNT_CONFLICTS) == 0);
    CHECK(strstr(cr0_report_json(report), "\"total\":0") != NULL);
    cr0_report_free(report);
    CHECK(cr0_options_add_status(one, "shut") == CR0_OK);
    FAILS(cr0_db_conflicts(system, one, &report, &error), CR0_ERROR_USAGE, error, "shut");

    WORKS(cr0_db_backup(system, NULL, &report, &error), error);
    CHECK(cr0_report_exit_code(report) == 0);
    cr0_report_free(report);
    WORKS(cr0_db_backups(system, NULL, &report, &error), error);
    member(report, "id", id, sizeof id);
    cr0_report_free(report);
    CHECK(cr0_options_set_dry_run(rehearsal, 1) == CR0_OK);
    CHECK(cr0_options_set_side(rehearsal, "bot") == CR0_OK);
    WORKS(cr0_db_restore(system, id, rehearsal, &report, &error), error);
    CHECK(cr0_report_exit_code(report) == 0);
    cr0_report_free(report);
    /* A path may be any bytes. */
    FAILS(cr0_db_restore(system, "/nowhere/\xff.db", rehearsal, &report, &error), CR0_ERROR_USAGE, error, "no backup");
    CHECK(cr0_options_set_all_sides(rehearsal, 1) == CR0_OK);
    FAILS(cr0_db_restore(system, id, rehearsal, &report, &error), CR0_ERROR_USAGE, error, "exclude each other");
    WORKS(cr0_db_verify(system, NULL, &report, &error), error);
    CHECK(cr0_report_exit_code(report) == 0);
    cr0_report_free(report);
    WORKS(cr0_db_clean_backups(system, NULL, &report, &error), error);
    CHECK(strstr(cr0_report_json(report), id) != NULL);
    cr0_report_free(report);

    WORKS(cr0_db_enqueue(system, "backup", "{\"database\":\"d\"}", "a program in C", &report, &error), error);
    cr0_report_free(report);
    WORKS(cr0_db_queue(system, &report, &error), error);
    CHECK(strstr(cr0_report_json(report), "a program in C") != NULL);
    cr0_report_free(report);
    FAILS(cr0_db_enqueue(system, "undo", "{}", "me", &report, &error), CR0_ERROR_USAGE, error, "run");
    FAILS(cr0_db_enqueue(system, "fly", "{}", "me", &report, &error), CR0_ERROR_USAGE, error, "fly");
    FAILS(cr0_db_force_sync(system, "nobody", NULL, &report, &error), CR0_ERROR_USAGE, error, "nobody");

    cr0_options_free(rehearsal);
    cr0_options_free(one);
    cr0_options_free(options);
}

static void logs(cr0_system *system) {
    cr0_report *report = NULL;
    cr0_error *error = NULL;
    cr0_options *options = cr0_options_new();

    CHECK(cr0_options_add_log(options, "d") == CR0_OK);
    WORKS(cr0_log_status(system, options, &report, &error), error);
    CHECK(cr0_report_count(report, CR0_COUNT_LINES) == -1);
    cr0_report_free(report);
    WORKS(cr0_log_verify(system, options, &report, &error), error);
    CHECK(cr0_report_exit_code(report) == 0);
    cr0_report_free(report);
    CHECK(cr0_options_set_force(options, 1) == CR0_OK);
    WORKS(cr0_log_rotate(system, options, &report, &error), error);
    CHECK(cr0_report_exit_code(report) == 0);
    cr0_report_free(report);
    cr0_options_free(options);
    WORKS(cr0_log_clean(system, NULL, &report, &error), error);
    CHECK(cr0_report_exit_code(report) == 0);
    cr0_report_free(report);
}

static void files(cr0_system *system, const char *page) {
    const char *paths[1];
    int told = 0;
    cr0_report *report = NULL;
    cr0_error *error = NULL;
    cr0_options *options = cr0_options_new(), *watching = cr0_options_new();
    paths[0] = page;

    WORKS(cr0_integrity_baseline(system, NULL, &report, &error), error);
    CHECK(cr0_report_exit_code(report) == 0);
    cr0_report_free(report);
    CHECK(cr0_options_set_full(options, 1) == CR0_OK);
    WORKS(cr0_integrity_check(system, options, &report, &error), error);
    CHECK(cr0_report_count(report, CR0_COUNT_FINDINGS) == 0);
    cr0_report_free(report);
    append(page, "exec($_GET['x']);\n");
    CHECK(cr0_options_add_path(options, page) == CR0_OK);
    CHECK(cr0_options_set_budget_ms(options, 60000) == CR0_OK);
    WORKS(cr0_integrity_check(system, options, &report, &error), error);
    CHECK(cr0_report_count(report, CR0_COUNT_FINDINGS) == 1);
    CHECK(cr0_report_count(report, CR0_COUNT_NEW_FINDINGS) == 1);
    CHECK(cr0_report_exit_code(report) == 1);
    cr0_report_free(report);
    WORKS(cr0_integrity_silence(system, paths, 1, "a program in C", &report, &error), error);
    CHECK(strstr(cr0_report_json(report), "\"unknown\":[]") != NULL);
    cr0_report_free(report);
    FAILS(cr0_integrity_silence(system, paths, 0, "me", &report, &error), CR0_ERROR_USAGE, error, "named");
    WORKS(cr0_integrity_accept(system, paths, 1, NULL, &report, &error), error);
    CHECK(cr0_report_exit_code(report) == 0);
    cr0_report_free(report);

    /* Changed again, and accepted with all the rest: the report says what that was. */
    append(page, "phpinfo();\n");
    WORKS(cr0_integrity_baseline(system, NULL, &report, &error), error);
    CHECK(cr0_report_count(report, CR0_COUNT_CHANGED) == 1);
    cr0_report_free(report);

    CHECK(cr0_options_set_seconds(watching, 60) == CR0_OK);
    CHECK(cr0_options_set_progress(watching, stop, &told) == CR0_OK);
    WORKS(cr0_integrity_watch(system, watching, &report, &error), error);
    CHECK(told == 1);
    cr0_report_free(report);
    cr0_options_free(watching);
    cr0_options_free(options);
}

static void by_the_clock(cr0_system *system) {
    cr0_report *report = NULL;
    cr0_error *error = NULL;

    WORKS(cr0_security_run(system, &report, &error), error);
    CHECK(cr0_report_exit_code(report) == 0);
    CHECK(cr0_report_count(report, CR0_COUNT_NEW_FINDINGS) == 0);
    cr0_report_free(report);
    WORKS(cr0_integrity_status(system, &report, &error), error);
    CHECK(strstr(cr0_report_json(report), "\"chain\":\"whole\"") != NULL);
    cr0_report_free(report);
}

static void watching_over_it(cr0_system *system) {
    const char *token;
    char given[64] = "";
    cr0_report *report = NULL;
    cr0_error *error = NULL;
    cr0_options *options = cr0_options_new();

    CHECK(cr0_options_set_crontab(options, "") == CR0_OK);
    WORKS(cr0_doctor(system, options, &report, &error), error);
    CHECK(cr0_report_exit_code(report) == 2);
    CHECK(strstr(cr0_report_json(report), "nothing calls us") != NULL);
    cr0_report_free(report);
    WORKS(cr0_metrics(system, NULL, &report, &error), error);
    CHECK(strstr(cr0_report_json(report), "cr0sync_build_info{") != NULL);
    cr0_report_free(report);
    CHECK(cr0_metrics(system, options, NULL, NULL) == CR0_ERROR_USAGE);
    cr0_options_free(options);
    options = cr0_options_new();
    CHECK(cr0_options_set_file(options, "/") == CR0_OK);
    CHECK(cr0_metrics(system, options, NULL, NULL) == CR0_ERROR_USAGE);
    cr0_options_free(options);

    WORKS(cr0_event(system, "DOOR_FORCED", NULL, "CRITICAL", NULL, NULL, &report, &error), error);
    cr0_report_free(report);
    WORKS(cr0_alerts(system, &report, &error), error);
    token = strstr(cr0_report_json(report), "\"token\":\"");
    CHECK(token != NULL && sscanf(token, "\"token\":\"%16[0-9a-f]", given) == 1);
    cr0_report_free(report);
    CHECK(cr0_alerts_told(system, "another", NULL, NULL) == CR0_ERROR_USAGE);
    WORKS(cr0_alerts_told(system, given, &report, &error), error);
    CHECK(strstr(cr0_report_json(report), "\"told\":") != NULL);
    cr0_report_free(report);
}

int main(int count, char **arguments) {
    char page[4096];
    cr0_system *system = NULL;
    cr0_report *report = NULL;
    cr0_error *error = NULL;
    cr0_options *options = cr0_options_new();

    CHECK(count == 2);
    /* The site lies beside ROOT. */
    snprintf(page, sizeof page, "%.*s/site/index.php", (int)(strrchr(arguments[1], '/') - arguments[1]), arguments[1]);
    WORKS(cr0_system_open(NULL, arguments[1], &system, &error), error);
    WORKS(cr0_config(system, &report, &error), error);
    CHECK(strstr(cr0_report_json(report), "\"source\":\"") != NULL);
    cr0_report_free(report);
    WORKS(cr0_status(system, &report, &error), error);
    CHECK(strstr(cr0_report_json(report), "\"logs\":{\"schema\"") != NULL);
    CHECK(strstr(cr0_report_json(report), "\"problems\":[]}") != NULL);
    CHECK(cr0_report_exit_code(report) == 0);
    cr0_report_free(report);
    databases(system);
    logs(system);
    files(system, page);
    by_the_clock(system);
    watching_over_it(system);
    CHECK(cr0_options_set_limit(options, 1) == CR0_OK);
    WORKS(cr0_db_history(system, options, &report, &error), error);
    cr0_report_free(report);
    cr0_options_free(options);
    cr0_system_free(system);
    return 0;
}
