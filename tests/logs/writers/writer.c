/* Writes numbered lines as C programs do, through a buffer that is full in the middle of a line: `writer PATH NAME COUNT`. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv)
{
    static char buffer[4096];
    const struct timespec pause = {0, 10 * 1000 * 1000};
    FILE *log = argc == 4 ? fopen(argv[1], "a") : NULL;
    long count = log ? atol(argv[3]) : 0;

    if (!log || setvbuf(log, buffer, _IOFBF, sizeof buffer) != 0)
        return 1;
    for (long n = 0; n < count; n++) {
        fprintf(log, "%s %07ld lorem ipsum dolor sit amet\n", argv[2], n);
        if (n % 20 == 19)
            nanosleep(&pause, NULL);
    }
    return fclose(log) != 0;
}
