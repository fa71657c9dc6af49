/*
 * The clock, and what is printed of many measured times.
 *
 * Shared by the floors, so that every figure of a table is made in the same way.
 */
#ifndef SAMPLES_H
#define SAMPLES_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Nanoseconds of a clock that nobody sets. */
static inline int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static inline _Noreturn void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, errno ? strerror(errno) : "not as expected");
    exit(1);
}

static inline void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        fail("memory");
    return memory;
}

/* A whole number of at least `least`, from the command line. */
static inline size_t number(const char *text, size_t least)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno || end == text || *end || value < least || value > 1000000000) {
        fprintf(stderr, "not a number of at least %zu: %s\n", least, text);
        exit(2);
    }
    return value;
}

static inline int by_size(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* Sorts the samples in place, and prints them in one line of key=value. */
static inline void print_samples(int64_t *samples, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)samples[i];
    qsort(samples, count, sizeof *samples, by_size);
    long long p50 = samples[count / 2], p99 = samples[count * 99 / 100];
    printf("count=%zu p50_ns=%lld mean_ns=%.0f p99_ns=%lld\n", count, p50,
           sum / (double)count, p99);
}

#endif
