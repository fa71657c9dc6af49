/* What a daemon needs of the system and Swift does not offer. */
#include "internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

int32_t xsfs_fork(void) { return fork(); }

/* The device of the mount that the guard takes away; 0 while there is none. Both see it. */
static volatile uint64_t *guarded;
/* In the daemon: its guard. */
static pid_t guard_process;

uint64_t device_of(int directory, const char *path)
{
    struct statx status;
    if (statx(directory, path, AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &status) != 0)
        return 0;
    return makedev(status.stx_dev_major, status.stx_dev_minor);
}

uint64_t xsfs_mount_device(const char *mountpoint) { return device_of(AT_FDCWD, mountpoint); }

/* Who may not unmount has a program that may. */
static int run_fusermount(const char *mountpoint)
{
    pid_t child = fork();
    if (child == 0) {
        execlp("fusermount3", "fusermount3", "-u", "-q", "-z", "--", mountpoint, (char *)NULL);
        _exit(127);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child)
        return -1;
    errno = EPERM;
    return status == 0 ? 0 : -1;
}

/* Takes away the mount that a descriptor of its root leads to, and no other that lies on top of it
 * by now, or below. Those who use it keep it. */
static int detach(int root, const char *mountpoint)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", root);
    int result = umount2(path, MNT_DETACH);
    if (result != 0 && errno == ENOENT)
        result = umount2(mountpoint, MNT_DETACH);
    return result != 0 && errno == EPERM ? run_fusermount(mountpoint) : result;
}

int xsfs_detach_dead_mount(const char *mountpoint)
{
    int root = open(mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return -1;
    /* The kernel answers stat(2) by itself, but this never. */
    struct statfs status;
    int result = fstatfs(root, &status) == 0 ? 0 : -1;
    if (result != 0 && (errno == ENOTCONN || errno == ECONNABORTED))
        result = detach(root, mountpoint) == 0 ? 1 : -1;
    int error = errno;
    close(root);
    errno = error;
    return result;
}

void xsfs_guard_mount(uint64_t device)
{
    if (!guarded)
        return;
    *guarded = device;
    if (device != 0)
        kill(guard_process, SIGURG);
}

/* The daemon has died: what it has mounted goes, so that nobody finds it dead. */
static void detach_guarded(const char *mountpoint)
{
    int root = open(mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root >= 0 && *guarded != 0 && device_of(root, "") == *guarded)
        detach(root, mountpoint);
}

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

/* Forks a process that ends with the guard: the inotify agent, or, without a socket, one that looks
 * at the status of the mount and ends. */
static pid_t start_child(int socket, const char *mountpoint)
{
    const pid_t parent = getpid();
    pid_t child = fork();
    if (child != 0)
        return child;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGCHLD, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    if (socket >= 0)
        serve_inotify_calls(socket, mountpoint);
    look_at_status(mountpoint, *guarded);
    _exit(0);
}

/* Waits until the daemon has died, has the status looked at when it has mounted, and replaces the
 * agent when that dies. */
static void keep_children(const sigset_t *signals, int socket, const char *mountpoint)
{
    pid_t agent = socket >= 0 ? start_child(socket, mountpoint) : -1;
    pid_t looking = -1;
    for (int signal; (signal = sigwaitinfo(signals, NULL)) != SIGUSR1;) {
        if (signal == SIGURG && looking < 0)
            looking = start_child(-1, mountpoint);
        if (looking > 0 && waitpid(looking, NULL, WNOHANG) == looking)
            looking = -1;
        if (agent > 0 && waitpid(agent, NULL, WNOHANG) == agent) {
            /* So that one that cannot live does not keep a processor busy. */
            usleep(10000);
            agent = start_child(socket, mountpoint);
        }
    }
    if (looking > 0)
        kill(looking, SIGKILL);
    if (agent > 0)
        kill(agent, SIGKILL);
}

int32_t xsfs_guard_start(const char *mountpoint, int32_t *agent_socket)
{
    int ends[2] = {-1, -1};
    void *page = mmap(NULL, sizeof *guarded, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                      -1, 0);
    if (page == MAP_FAILED)
        return -1;
    guarded = page;
    if (agent_socket && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    const pid_t parent = getpid();
    sigset_t signals, old;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGURG);
    sigprocmask(SIG_BLOCK, &signals, &old);
    pid_t child = fork();
    if (child != 0) {
        sigprocmask(SIG_SETMASK, &old, NULL);
        if (agent_socket) {
            close(ends[1]);
            *agent_socket = ends[0];
        }
        guard_process = child;
        return child;
    }
    /* Whoever waits for the end of a pipe of the daemon's must not wait for the guard, and a
     * directory that it keeps could not be unmounted. */
    const int socket = agent_socket ? dup2(ends[1], 0) : -1;
    closefrom(agent_socket ? 1 : 0);
    if (chdir("/") != 0)
        _exit(1);
    /* A terminal's interrupt is for the daemon, which ends the guard when it has unmounted. */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    /* It toggles the daemon's trace; pkill(1) sends it to all processes of the name. */
    signal(SIGUSR2, SIG_IGN);
    prctl(PR_SET_NAME, "xsfs-guard");
    /* The signal comes when the parent's first thread dies, even if others cannot. */
    prctl(PR_SET_PDEATHSIG, SIGUSR1);
    if (getppid() == parent)
        keep_children(&signals, socket, mountpoint);
    /* Threads of a killed process need a moment to go: only what stays is stuck. */
    for (int tries = 0; tries < 20 && has_stuck_threads(parent); tries++)
        usleep(10000);
    /* Aborts the connection even where the mount is in use and stays. */
    if (has_stuck_threads(parent))
        umount2(mountpoint, MNT_FORCE);
    detach_guarded(mountpoint);
    _exit(0);
}
