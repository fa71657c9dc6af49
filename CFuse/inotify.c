/* The inotify agent: the process that makes system calls on the mount, so that the kernel raises
 * inotify's events for what other clients of the store have done.
 *
 * It holds neither /dev/fuse nor a lock of the daemon's: whatever is killed, nobody stays stuck. It
 * says its number when it starts, and the number of calls after each batch that it was sent. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A system call that the kernel does not have is ENOSYS, and EPERM where a sandbox refuses those
 * that it does not know. */
static bool is_missing(long result)
{
    if (result >= 0)
        close((int)result);
    return result < 0 && (errno == ENOSYS || errno == EPERM);
}

bool xsfs_kernel_has_openat2(void)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC};
    return !is_missing(syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof how));
}

bool xsfs_kernel_has_open_tree(void)
{
    return !is_missing(syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLOEXEC));
}

/* The mount's root, by a descriptor that does not keep the mount from being unmounted: one of a
 * copy of it. Where the right for that is missing the mount itself has to do. */
static int open_root(const char *mountpoint, uint64_t device)
{
    int root = (int)syscall(SYS_open_tree, AT_FDCWD, mountpoint,
                            OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (root < 0)
        root = open(mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return -1;
    /* What is below an unmounted place is a real directory, where a call would make real files.
     * Nothing is asked of the daemon for this. */
    if (device_of(root, "") == device)
        return root;
    close(root);
    return -1;
}

/* Opens a name, and never what somebody has mounted on it. */
static int open_name(int directory, const char *name, int flags, uint64_t device)
{
    const int is_directory = flags & O_DIRECTORY;
    int place = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC | is_directory);
    if (place < 0)
        return -1;
    int opened = -1;
    if (device_of(place, "") == device) {
        if (flags & O_PATH)
            return place;
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", place);
        opened = open(path, flags | O_CLOEXEC);
    }
    close(place);
    return opened;
}

/* What openat2 does for open_below, a name at a time. */
static int walk_below(int root, const char *path, int flags, uint64_t device)
{
    char names[PATH_MAX];
    if (strlen(path) >= sizeof names)
        return -1;
    strcpy(names, path);
    char *rest = names, *slash;
    int directory = root;
    while (directory >= 0 && (slash = strchr(rest, '/'))) {
        *slash = 0;
        int next = open_name(directory, rest, O_PATH | O_DIRECTORY, device);
        if (directory != root)
            close(directory);
        directory = next;
        rest = slash + 1;
    }
    if (directory < 0)
        return -1;
    int opened = open_name(directory, rest, flags, device);
    if (directory != root)
        close(directory);
    return opened;
}

/* Opens below the root, and never on what somebody has mounted there. */
static int open_below(int root, const char *path, int flags, uint64_t device)
{
    static int has_openat2 = -1;
    if (has_openat2 < 0)
        has_openat2 = xsfs_kernel_has_openat2();
    if (!has_openat2)
        return walk_below(root, path, flags, device);
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
    };
    return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

/* An error means that the mount is ending, or that the kernel has no use for the call. */
static void make_call(int root, char kind, char *path, uint64_t device)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_NOW}};
    char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (slash)
        *slash = 0;
    int directory = slash ? open_below(root, path, O_PATH | O_DIRECTORY, device) : root;
    if (directory < 0)
        return;
    switch (kind) {
    case XSFS_INOTIFY_MODIFY:
        /* MODIFY first: whoever waits for it is told by one request. It fails where the content
         * has not changed after all. */
        if (utimensat(directory, name, times, AT_SYMLINK_NOFOLLOW) != 0)
            break;
        int file = open_below(directory, name, O_WRONLY, device);
        if (file >= 0)
            close(file);
        break;
    case XSFS_INOTIFY_CREATE: mknodat(directory, name, S_IFREG | 0600, 0); break;
    case XSFS_INOTIFY_MAKE_DIRECTORY: mkdirat(directory, name, 0700); break;
    case XSFS_INOTIFY_ATTRIBUTES: fchmodat(directory, name, 0600, 0); break;
    case XSFS_INOTIFY_REMOVE: unlinkat(directory, name, 0); break;
    case XSFS_INOTIFY_REMOVE_DIRECTORY: unlinkat(directory, name, AT_REMOVEDIR); break;
    }
    if (slash)
        close(directory);
}

/* A batch: the mount's device, the batch's own number, and for each call its kind and its path with
 * a zero behind it. */
struct batch {
    uint64_t device;
    int64_t number;
    char calls[XSFS_INOTIFY_BATCH_SIZE + 1];
};

static void perform(const char *mountpoint, struct batch *batch, size_t size)
{
    int root = open_root(mountpoint, batch->device);
    if (root < 0)
        return;
    for (char *next = batch->calls; next < batch->calls + size;) {
        char *path = next + 1, kind = *next;
        next = path + strlen(path) + 1;
        make_call(root, kind, path, batch->device);
    }
    close(root);
}

/* A program that makes a name in a directory holds it until it is answered, and keeps those out who
 * look for a name that the kernel does not know: also from the status, which says who waits. */
void look_at_status(const char *mountpoint, uint64_t device)
{
    int root = open_root(mountpoint, device);
    if (root < 0)
        return;
    struct statx status;
    /* An error means that the mount is ending. */
    statx(root, ".xsfs/status", AT_STATX_DONT_SYNC, 0, &status);
    close(root);
}

void serve_inotify_calls(int socket, const char *mountpoint)
{
    static struct batch batch;
    const size_t head = offsetof(struct batch, calls);
    prctl(PR_SET_NAME, "xsfs-inotify");
    /* What one before this has left is sent again. */
    while (recv(socket, &batch, sizeof batch, MSG_DONTWAIT) > 0)
        ;
    int64_t answer = getpid();
    while (send(socket, &answer, sizeof answer, MSG_NOSIGNAL) >= 0) {
        ssize_t size = recv(socket, &batch, sizeof batch - 1, 0);
        if (size < (ssize_t)head)
            break;
        batch.calls[(size_t)size - head] = 0;
        perform(mountpoint, &batch, (size_t)size - head);
        answer = -batch.number;
    }
    _exit(0);
}
