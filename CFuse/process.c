/* What a daemon needs of the system and Swift does not offer. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "internal.h"

int32_t xsfs_fork(void) { return fork(); }

int xsfs_detach_mount(const char *mountpoint) { return umount2(mountpoint, MNT_DETACH); }

/* Whether a dead process still has a thread besides its first: one that is stuck in the kernel
 * keeps /dev/fuse open, and with it everybody who waits for the mount. */
static int has_stuck_threads(pid_t process)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", process);
    DIR *tasks = opendir(path);
    if (!tasks)
        return 0;
    int count = 0;
    for (struct dirent *entry; (entry = readdir(tasks));)
        count += entry->d_name[0] != '.' && atoi(entry->d_name) != process;
    closedir(tasks);
    return count > 0;
}

int32_t xsfs_guard_start(const char *mountpoint)
{
    const pid_t parent = getpid();
    sigset_t signals, old;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    sigprocmask(SIG_BLOCK, &signals, &old);
    pid_t child = fork();
    if (child != 0) {
        sigprocmask(SIG_SETMASK, &old, NULL);
        return child;
    }
    /* Whoever waits for the end of a pipe of the daemon's must not wait for the guard, and a
     * directory that it keeps could not be unmounted. */
    closefrom(0);
    if (chdir("/") != 0)
        _exit(1);
    /* A terminal's interrupt is for the daemon, which ends the guard when it has unmounted. */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    prctl(PR_SET_NAME, "xsfs-guard");
    /* The signal comes when the parent's first thread dies, even if others cannot. */
    prctl(PR_SET_PDEATHSIG, SIGUSR1);
    if (getppid() == parent)
        sigwaitinfo(&signals, NULL);
    /* Threads of a killed process need a moment to go: only what stays is stuck. */
    for (int tries = 0; tries < 20 && has_stuck_threads(parent); tries++)
        usleep(10000);
    /* Aborts the connection even where the mount is in use and stays. */
    if (has_stuck_threads(parent))
        umount2(mountpoint, MNT_FORCE);
    _exit(0);
}
