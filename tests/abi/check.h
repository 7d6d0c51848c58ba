/* What the programs of this directory check with. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cr0sync.h"

#define CHECK(what)                                                                                                     \
    do {                                                                                                                \
        if (!(what)) {                                                                                                  \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);                                          \
            exit(1);                                                                                                    \
        }                                                                                                               \
    } while (0)

/* That a call worked; else what its error says. */
#define WORKS(call, error)                                                                                              \
    do {                                                                                                                \
        if ((call) != CR0_OK) {                                                                                         \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, cr0_error_message(error));                    \
            exit(1);                                                                                                    \
        }                                                                                                               \
    } while (0)

/* That a call fails in this way, with these words in its message; frees the error. */
#define FAILS(call, code, error, words)                                                                                 \
    do {                                                                                                                \
        CHECK((call) == (code));                                                                                        \
        CHECK(cr0_error_code(error) == (code));                                                                         \
        if (strstr(cr0_error_message(error), (words)) == NULL) {                                                        \
            fprintf(stderr, "%s:%d: says: %s\n", __FILE__, __LINE__, cr0_error_message(error));                         \
            exit(1);                                                                                                    \
        }                                                                                                               \
        cr0_error_free(error);                                                                                          \
        (error) = NULL;                                                                                                 \
    } while (0)

/* Copies the text of a member of a JSON document, where it stands as "name":"text". */
static inline void member(const cr0_report *report, const char *name, char *into, size_t size) {
    char quoted[64];
    const char *start;
    size_t length;
    snprintf(quoted, sizeof quoted, "\"%s\":\"", name);
    start = strstr(cr0_report_json(report), quoted);
    CHECK(start != NULL);
    start += strlen(quoted);
    length = strcspn(start, "\"");
    CHECK(length < size);
    memcpy(into, start, length);
    into[length] = 0;
}

#endif
