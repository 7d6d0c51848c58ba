/* Keys, sessions, rate limits and events, as a server in C would use them. ROOT holds cr0sync.json. */
#include "check.h"

static void keys(cr0_system *system) {
    const char *permissions[] = {"read", "write"};
    char key[256], id[64];
    cr0_report *report = NULL;
    cr0_error *error = NULL;
    cr0_options *options = cr0_options_new();

    WORKS(cr0_api_key_issue(system, "42", "bot", permissions, 2, NULL, &report, &error), error);
    member(report, "key", key, sizeof key);
    member(report, "id", id, sizeof id);
    cr0_report_free(report);

    WORKS(cr0_api_key_verify(system, key, strlen(key), "write", &report, &error), error);
    CHECK(cr0_report_exit_code(report) == 0);
    cr0_report_free(report);
    WORKS(cr0_api_key_verify(system, key, strlen(key), "admin", &report, &error), error);
    CHECK(cr0_report_exit_code(report) == 1);
    cr0_report_free(report);
    /* What a client sends may be anything. */
    WORKS(cr0_api_key_verify(system, "\0\xff'--", 6, "read", &report, &error), error);
    CHECK(cr0_report_exit_code(report) == 1);
    cr0_report_free(report);
    FAILS(cr0_api_key_verify(system, key, strlen(key), "fly", &report, &error), CR0_ERROR_USAGE, error, "permission");

    /* A new one in its place; both count for a minute. */
    CHECK(cr0_options_set_expires_in(options, 3600) == CR0_OK);
    WORKS(cr0_api_key_rotate(system, id, 60, options, &report, &error), error);
    CHECK(cr0_report_count(report, CR0_COUNT_WARNINGS) == 0);
    cr0_report_free(report);
    cr0_options_free(options);
    WORKS(cr0_api_key_verify(system, key, strlen(key), "read", &report, &error), error);
    CHECK(cr0_report_exit_code(report) == 0);
    cr0_report_free(report);

    WORKS(cr0_api_key_revoke(system, id, &report, &error), error);
    cr0_report_free(report);
    WORKS(cr0_api_key_verify(system, key, strlen(key), "read", &report, &error), error);
    CHECK(cr0_report_exit_code(report) == 1);
    cr0_report_free(report);
    WORKS(cr0_api_key_list(system, "42", &report, &error), error);
    CHECK(strstr(cr0_report_json(report), key) == NULL);
    cr0_report_free(report);
}

static void sessions(cr0_system *system) {
    const char *permissions[] = {"read"};
    char token[256];
    cr0_report *report = NULL;
    cr0_error *error = NULL;
    cr0_options *page = cr0_options_new();

    WORKS(cr0_session_open(system, "42", permissions, 1, "192.0.2.7", NULL, 5, &report, &error), error);
    member(report, "token", token, sizeof token);
    cr0_report_free(report);
    WORKS(cr0_session_verify(system, token, strlen(token), "read", &report, &error), error);
    CHECK(cr0_report_exit_code(report) == 0);
    cr0_report_free(report);
    CHECK(cr0_options_set_skip(page, 0) == CR0_OK);
    CHECK(cr0_options_set_limit(page, 1) == CR0_OK);
    WORKS(cr0_session_list(system, "42", page, &report, &error), error);
    CHECK(strstr(cr0_report_json(report), "\"state\":\"open\"") != NULL);
    CHECK(strstr(cr0_report_json(report), token) == NULL);
    cr0_report_free(report);
    CHECK(cr0_options_set_skip(page, 1) == CR0_OK);
    WORKS(cr0_session_list(system, NULL, page, &report, &error), error);
    CHECK(strstr(cr0_report_json(report), "\"sessions\":[],\"total\":1") != NULL);
    cr0_report_free(report);
    WORKS(cr0_session_close(system, token, strlen(token), &report, &error), error);
    cr0_report_free(report);
    WORKS(cr0_session_verify(system, token, strlen(token), "read", &report, &error), error);
    CHECK(cr0_report_exit_code(report) == 1);
    cr0_report_free(report);
    WORKS(cr0_session_cleanup(system, &report, &error), error);
    CHECK(cr0_report_exit_code(report) == 0);
    cr0_report_free(report);
    cr0_options_free(page);
}

static void limits(cr0_system *system) {
    cr0_rate_check checks[2];
    cr0_rate_verdict verdict, each[2];
    cr0_report *report = NULL;
    cr0_error *error = NULL;
    int i, allowed = 0;

    memset(checks, 0, sizeof checks);
    checks[0].client = checks[1].client = "192.0.2.7";
    checks[0].client_length = checks[1].client_length = 9;
    checks[0].limit = 5;
    checks[1].limit = 3;
    checks[0].period_seconds = checks[1].period_seconds = 3600;
    checks[0].cost = checks[1].cost = 1;
    for (i = 0; i < 10; i++) {
        WORKS(cr0_rate_limits(system, checks, 2, &verdict, each, &error), error);
        allowed += verdict.allowed;
    }
    CHECK(allowed == 3);
    CHECK(verdict.allowed == 0 && verdict.retry_after_ms > 0 && verdict.limit == 3);
    CHECK(each[0].allowed == 1 && each[0].limit == 5 && each[0].remaining == 2);
    CHECK(each[1].allowed == 0 && each[1].limit == 3 && each[1].remaining == 0);
    /* The other limit lost no more than those. */
    checks[0].cost = 0;
    WORKS(cr0_rate_limits(system, checks, 1, &verdict, each, &error), error);
    CHECK(verdict.remaining == 2 && each[0].remaining == 2);

    WORKS(cr0_rate_limit(system, "a bot", 5, NULL, 1, &verdict, &error), error);
    CHECK(verdict.allowed == 1);
    FAILS(cr0_rate_limit(system, "a bot", 5, "no such tier", 1, &verdict, &error), CR0_ERROR_USAGE, error, "tier");
    FAILS(cr0_rate_limit(system, NULL, 5, NULL, 1, &verdict, &error), CR0_ERROR_USAGE, error, "client");
    WORKS(cr0_rate_limit_cleanup(system, &report, &error), error);
    cr0_report_free(report);
    WORKS(cr0_rate_limit_status(system, NULL, &report, &error), error);
    CHECK(strstr(cr0_report_json(report), "\"default\":{\"limit\":5,") != NULL);
    CHECK(strstr(cr0_report_json(report), "\"exists\":true") != NULL);
    cr0_report_free(report);
}

static void events(cr0_system *system) {
    cr0_report *report = NULL;
    cr0_error *error = NULL;

    WORKS(cr0_event(system, "bot_started", "{\"network\":\"rizon\",\"password\":\"hunter2\"}", "LOW", "192.0.2.7", NULL, &report, &error), error);
    cr0_report_free(report);
    WORKS(cr0_event_query(system, "{\"type\":\"bot_started\"}", &report, &error), error);
    CHECK(cr0_report_count(report, CR0_COUNT_EVENTS) == 1);
    CHECK(strstr(cr0_report_json(report), "rizon") != NULL);
    CHECK(strstr(cr0_report_json(report), "hunter2") == NULL);
    cr0_report_free(report);
    WORKS(cr0_event_archive(system, &report, &error), error);
    cr0_report_free(report);
    WORKS(cr0_event_verify(system, NULL, &report, &error), error);
    CHECK(cr0_report_exit_code(report) == 0);
    cr0_report_free(report);
}

/* Somebody changes an event: that is found, and stays, but is no news once a person knows. */
static void forged(cr0_system *system, const char *root) {
    char path[4096], line[4096], *word;
    FILE *log;
    size_t length;
    cr0_report *report = NULL;
    cr0_error *error = NULL;
    cr0_options *options = cr0_options_new();

    WORKS(cr0_event(system, "bot_stopped", NULL, NULL, NULL, NULL, &report, &error), error);
    cr0_report_free(report);
    snprintf(path, sizeof path, "%s/logs/security/security_events.json", root);
    log = fopen(path, "r+");
    CHECK(log != NULL);
    length = fread(line, 1, sizeof line - 1, log);
    line[length] = 0;
    word = strstr(line, "rizon");
    CHECK(word != NULL);
    memcpy(word, "RIZON", 5);
    rewind(log);
    CHECK(fwrite(line, 1, length, log) == length);
    CHECK(fclose(log) == 0);

    WORKS(cr0_event_verify(system, NULL, &report, &error), error);
    CHECK(cr0_report_exit_code(report) == 1);
    CHECK(cr0_report_count(report, CR0_COUNT_BREAKS) == 1);
    cr0_report_free(report);
    CHECK(cr0_options_set_acknowledge(options, 1) == CR0_OK);
    WORKS(cr0_event_verify(system, options, &report, &error), error);
    CHECK(cr0_report_exit_code(report) == 0);
    CHECK(cr0_report_count(report, CR0_COUNT_BREAKS) == 1);
    cr0_report_free(report);
    cr0_options_free(options);
}

int main(int count, char **arguments) {
    cr0_system *system = NULL;
    cr0_error *error = NULL;

    CHECK(count == 2);
    WORKS(cr0_system_open(NULL, arguments[1], &system, &error), error);
    keys(system);
    sessions(system);
    limits(system);
    events(system);
    forged(system, arguments[1]);
    cr0_system_free(system);
    return 0;
}
