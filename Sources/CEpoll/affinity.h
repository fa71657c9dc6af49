/* sched_getaffinity(2): glibc declares it only to those who define _GNU_SOURCE. The set is a
 * cpu_set_t, whose header would define here what Swift has from its module of the C library. */
extern int sched_getaffinity(int process, unsigned long size, void *set);
