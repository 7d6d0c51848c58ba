/* Two threads with a system each, and a child that is forked inside a callback. ROOT holds cr0sync.json. */
#define _XOPEN_SOURCE 700
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { ROUNDS = 20 };

/* A system of its own: a thread shares nothing with others but the library. */
static void *work(void *root) {
    cr0_system *system = NULL;
    cr0_error *error = NULL;
    int round;

    WORKS(cr0_system_open(NULL, root, &system, &error), error);
    for (round = 0; round < ROUNDS; round++) {
        cr0_report *report = NULL;
        WORKS(cr0_db_sync(system, NULL, &report, &error), error);
        cr0_report_free(report);
        WORKS(cr0_event(system, "round", NULL, "LOW", NULL, NULL, NULL, &error), error);
    }
    cr0_system_free(system);
    return NULL;
}

/* Nothing of the process is changed by that: files that it makes later have the modes that it asks for. */
static void threads(const char *root) {
    pthread_t threads[2];
    char roots[2][4096], file[4200];
    int number;

    umask(077);
    for (number = 0; number < 2; number++) {
        FILE *configuration;
        snprintf(roots[number], sizeof roots[number], "%s/thread%d", root, number);
        CHECK(mkdir(roots[number], 0700) == 0);
        snprintf(file, sizeof file, "%s/cr0sync.json", roots[number]);
        CHECK((configuration = fopen(file, "w")) != NULL);
        fputs("{\"version\": 1, \"logs\": {}, \"databases\": {\"notes\": {\"replicas\": "
              "{\"central\": \"central.db\", \"website\": \"website.db\"}}}}", configuration);
        CHECK(fclose(configuration) == 0);
    }
    for (number = 0; number < 2; number++) {
        CHECK(pthread_create(&threads[number], NULL, work, roots[number]) == 0);
    }
    for (number = 0; number < 2; number++) {
        CHECK(pthread_join(threads[number], NULL) == 0);
    }
    CHECK(umask(077) == 077);
}

/* Forks; the child returns, which it must not. */
static int32_t forks(const char *progress, void *user) {
    int status = 0;
    pid_t child;
    (void)progress;
    child = fork();
    if (child == 0) {
        fclose(stderr);
        return 1;
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    ++*(int *)user;
    return 0;
}

/* The child is aborted before it takes anything from the run, which goes on. */
static void fork_in_callback(const char *root) {
    cr0_system *system = NULL;
    cr0_options *options = cr0_options_new();
    cr0_report *report = NULL;
    cr0_error *error = NULL;
    int count = 0;

    WORKS(cr0_system_open(NULL, root, &system, &error), error);
    CHECK(cr0_options_set_progress(options, forks, &count) == CR0_OK);
    WORKS(cr0_db_sync(system, options, &report, &error), error);
    CHECK(count > 0);
    CHECK(cr0_report_exit_code(report) == 0);
    cr0_report_free(report);
    cr0_options_free(options);
    cr0_system_free(system);
}

int main(int count, char **arguments) {
    CHECK(count == 2);
    fork_in_callback(arguments[1]);
    threads(arguments[1]);
    return 0;
}
