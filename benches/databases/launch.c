/*
 * Runs one command and says what it cost, as one line of JSON: launch RESULT OUTPUT COMMAND [ARGUMENT...]
 *
 * A program of its own, as a process begins with the peak memory of the one that started it: behind a Python of 30 MB
 * nothing is ever seen to need less. It is the parent of all that the command leaves behind, so that work which goes on
 * after the command has ended is waited for and counted. What the command prints goes to OUTPUT, errors too.
 *
 * Time is from before the start to the end of the last process. Memory is the peak of the largest of them. Bytes written are
 * what the kernel calls write_bytes in /proc/PID/io, pages made dirty in the page cache, by all of them: from wait4, which
 * counts the same in blocks of 512, since that file can only be read by root when a process has ended.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void become(char **command, const char *output)
{
    int to = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    int from = open("/dev/null", O_RDONLY);
    if (to < 0 || from < 0 || dup2(from, 0) < 0 || dup2(to, 1) < 0 || dup2(to, 2) < 0) _exit(126);
    close(to);
    close(from);
    execvp(command[0], command);
    dprintf(2, "%s: %s\n", command[0], strerror(errno));
    _exit(127);
}

int main(int count, char **words)
{
    if (count < 4) {
        fputs("usage: launch RESULT OUTPUT COMMAND [ARGUMENT...]\n", stderr);
        return 64;
    }
    struct timespec start, end;
    int code = -1;
    long peak = 0;
    double processor = 0;
    long long written = 0;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
        perror("launch: PR_SET_CHILD_SUBREAPER");
        return 71;
    }
    clock_gettime(CLOCK_MONOTONIC, &start);
    pid_t child = fork();
    if (child < 0) {
        perror("launch: fork");
        return 71;
    }
    if (child == 0) become(words + 3, words[2]);
    for (;;) {
        struct rusage usage;
        int status;
        pid_t ended = wait4(-1, &status, 0, &usage);
        if (ended < 0 && errno == EINTR) continue;
        if (ended < 0) break;
        clock_gettime(CLOCK_MONOTONIC, &end);
        /* Those that it has waited for itself are in its own count. */
        written += usage.ru_oublock * 512LL;
        if (usage.ru_maxrss > peak) peak = usage.ru_maxrss;
        processor += usage.ru_utime.tv_sec + usage.ru_stime.tv_sec;
        processor += (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
        if (ended == child) code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    FILE *result = fopen(words[1], "w");
    if (result == NULL) {
        perror(words[1]);
        return 73;
    }
    double took = (end.tv_sec - start.tv_sec) * 1e3 + (end.tv_nsec - start.tv_nsec) / 1e6;
    fprintf(result, "{\"code\": %d, \"ms\": %.3f, \"processor_ms\": %.3f, \"peak_kib\": %ld, \"written\": %lld}\n", code, took,
            processor * 1e3, peak, written);
    return fclose(result) == 0 ? 0 : 74;
}
