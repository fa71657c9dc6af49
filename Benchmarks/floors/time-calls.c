/*
 * Times the system calls of one file, from outside, as a program that uses the mount sees them.
 *
 *     time-calls stat|open-read-close|make-rename PATH COUNT WARM-UP [PAUSE]
 *
 * `make-rename` makes the directory `t` in the directory PATH and renames it to `commit`, from
 * within PATH: on xsfs, an empty transaction.
 *
 * Makes the call WARM-UP times unmeasured, then COUNT times, and prints in nanoseconds
 *
 *     count=... p50_ns=... mean_ns=... p99_ns=...
 *
 * With PAUSE, it sleeps as many microseconds before each call, so that the filesystem has gone
 * idle when the call comes, however slow a tracer makes it. The times are then of no use.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "samples.h"

static void call_stat(const char *path)
{
    struct stat attributes;
    if (stat(path, &attributes) != 0)
        fail(path);
}

static void call_open_read_close(const char *path)
{
    char value[4096];
    int file = open(path, O_RDONLY);
    if (file < 0)
        fail(path);
    /* Zero bytes would be an end of file without a value: nothing that is worth timing. */
    if (read(file, value, sizeof value) <= 0)
        fail(path);
    close(file);
}

static void call_make_rename(const char *path)
{
    /* Names without a way: what leads there is looked up once and not each time. */
    (void)path;
    if (mkdir("t", 0700) != 0)
        fail("mkdir");
    if (rename("t", "commit") != 0)
        fail("rename");
}

int main(int argc, char **argv)
{
    void (*call)(const char *) = NULL;
    int has_arguments = argc == 5 || argc == 6;
    if (has_arguments && strcmp(argv[1], "stat") == 0)
        call = call_stat;
    else if (has_arguments && strcmp(argv[1], "open-read-close") == 0)
        call = call_open_read_close;
    else if (has_arguments && strcmp(argv[1], "make-rename") == 0)
        call = call_make_rename;
    if (!call) {
        fprintf(stderr, "usage: time-calls stat|open-read-close|make-rename PATH COUNT WARM-UP "
                        "[PAUSE]\n");
        return 2;
    }
    const char *path = argv[2];
    if (call == call_make_rename && chdir(path) != 0)
        fail(path);
    size_t count = number(argv[3], 1), warm_up = number(argv[4], 0);
    useconds_t pause = argc == 6 ? (useconds_t)number(argv[5], 0) : 0;
    int64_t *samples = allocate(count, sizeof *samples);

    for (size_t i = 0; i < warm_up; i++)
        call(path);
    /* One reading of the clock ends a call and begins the next. */
    int64_t begin = now();
    for (size_t i = 0; i < count; i++) {
        if (pause)
            usleep(pause);
        call(path);
        int64_t end = now();
        samples[i] = end - begin;
        begin = end;
    }
    print_samples(samples, count);
    return 0;
}
