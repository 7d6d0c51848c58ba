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

#endif
