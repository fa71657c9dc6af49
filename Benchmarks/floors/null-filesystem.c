/*
 * The floor of a mount: a filesystem that holds one file in memory and asks nobody.
 *
 *     null-filesystem MOUNTPOINT PATH VALUE
 *
 * PATH is the only file, /local/domain/1/name for example; it holds VALUE and a newline. Runs in
 * the foreground until it is unmounted, or ended by SIGTERM or SIGINT.
 *
 * It is as fast as libfuse's low-level API allows in the loop that a daemon with other
 * descriptors must have: one thread, poll, no session loop of libfuse's. What the kernel may
 * cache is what xsfs allows it in `cache=strict`, so that the kernel sends both the same
 * requests: names for long, attributes never, contents never, no FLUSH of what was only read. A
 * stat is then one GETATTR; open, read and close are OPEN, READ, and a RELEASE for which nobody
 * waits. A directory that is made and renamed is LOOKUP, MKDIR, LOOKUP, RENAME.
 */
#define _GNU_SOURCE
#define FUSE_USE_VERSION 314
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    MAX_NODES = 64
};

static const double ENTRY_TIMEOUT = 3600;
static const double ATTRIBUTE_TIMEOUT = 0;

/*
 * Every directory has one child, so the tree is a list. A node's number is its place in it: the
 * root is 1, as FUSE wants it, and the child of node n is node n + 1.
 */
static const char *names[MAX_NODES];
static fuse_ino_t file;
static const char *value;
static size_t value_size;

/* Made once: a getuid for every answer would be a system call more than it needs. */
static struct stat directory_attributes = {.st_mode = S_IFDIR | 0700, .st_nlink = 2};
static struct stat file_attributes = {.st_mode = S_IFREG | 0600, .st_nlink = 1};

static struct stat attributes_of(fuse_ino_t node)
{
    struct stat attributes = node == file ? file_attributes : directory_attributes;
    attributes.st_ino = node;
    return attributes;
}

static void null_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    if (parent >= file || strcmp(names[parent + 1], name) != 0) {
        fuse_reply_err(request, ENOENT);
        return;
    }
    struct fuse_entry_param entry = {
        .ino = parent + 1,
        .entry_timeout = ENTRY_TIMEOUT,
        .attr = attributes_of(parent + 1),
        .attr_timeout = ATTRIBUTE_TIMEOUT,
    };
    fuse_reply_entry(request, &entry);
}

static void null_getattr(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *info)
{
    (void)info;
    struct stat attributes = attributes_of(node);
    fuse_reply_attr(request, &attributes, ATTRIBUTE_TIMEOUT);
}

static void null_open(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *info)
{
    (void)node;
    if ((info->flags & O_ACCMODE) != O_RDONLY) {
        fuse_reply_err(request, EROFS);
        return;
    }
    info->direct_io = 1;
    info->noflush = 1;
    fuse_reply_open(request, info);
}

static void null_read(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset,
                      struct fuse_file_info *info)
{
    (void)node, (void)info;
    size_t start = (size_t)offset < value_size ? (size_t)offset : value_size;
    size_t left = value_size - start;
    fuse_reply_buf(request, value + start, left < size ? left : size);
}

/* Takes any new directory, and any new name for one, and knows nothing of it afterwards. */
static void null_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode)
{
    static fuse_ino_t last = MAX_NODES;
    (void)parent, (void)name, (void)mode;
    struct fuse_entry_param entry = {
        .ino = ++last,
        .entry_timeout = ENTRY_TIMEOUT,
        .attr = attributes_of(last),
        .attr_timeout = ATTRIBUTE_TIMEOUT,
    };
    fuse_reply_entry(request, &entry);
}

static void null_rename(fuse_req_t request, fuse_ino_t parent, const char *name,
                        fuse_ino_t new_parent, const char *new_name, unsigned int flags)
{
    (void)parent, (void)name, (void)new_parent, (void)new_name, (void)flags;
    fuse_reply_err(request, 0);
}

/* What is missing here, libfuse answers: FORGET and RELEASE are taken, the rest is ENOSYS. */
static const struct fuse_lowlevel_ops operations = {
    .lookup = null_lookup,
    .getattr = null_getattr,
    .mkdir = null_mkdir,
    .rename = null_rename,
    .open = null_open,
    .read = null_read,
};

/* Takes PATH apart into `names`. */
static int build_tree(char *path)
{
    fuse_ino_t node = FUSE_ROOT_ID;
    for (char *name = strtok(path, "/"); name; name = strtok(NULL, "/")) {
        if (++node == MAX_NODES)
            return -1;
        names[node] = name;
    }
    file = node;
    return node == FUSE_ROOT_ID ? -1 : 0;
}

/*
 * Answers what the kernel has for us, until nothing is left. Returns 0; 1 after an unmount; or a
 * negative errno.
 */
static int serve_waiting(struct fuse_session *session, struct fuse_buf *buffer)
{
    for (;;) {
        int size = fuse_session_receive_buf(session, buffer);
        if (size == -EAGAIN || size == -EINTR)
            return 0;
        if (size <= 0)
            return size < 0 ? size : 1;
        fuse_session_process_buf(session, buffer);
    }
}

/* Serves until an unmount or a signal of `signals`. Returns 0, or a negative errno. */
static int serve(struct fuse_session *session, int signals)
{
    struct pollfd descriptors[] = {
        {.fd = fuse_session_fd(session), .events = POLLIN},
        {.fd = signals, .events = POLLIN},
    };
    struct fuse_buf buffer = {.mem = NULL};
    int result = 0;
    while (result == 0 && !descriptors[1].revents) {
        if (poll(descriptors, 2, -1) < 0)
            result = -errno;
        else if (descriptors[0].revents)
            result = serve_waiting(session, &buffer);
    }
    free(buffer.mem);
    return result < 0 ? result : 0;
}

int main(int argc, char **argv)
{
    if (argc != 4 || build_tree(argv[2]) != 0 ||
        asprintf((char **)&value, "%s\n", argv[3]) < 0) {
        fprintf(stderr, "usage: null-filesystem MOUNTPOINT PATH VALUE\n");
        return 2;
    }
    value_size = strlen(value);
    file_attributes.st_size = (off_t)value_size;
    file_attributes.st_uid = directory_attributes.st_uid = getuid();
    file_attributes.st_gid = directory_attributes.st_gid = getgid();

    char *options[] = {argv[0], "-o", "fsname=null-filesystem", NULL};
    struct fuse_args arguments = FUSE_ARGS_INIT(3, options);
    struct fuse_session *session =
        fuse_session_new(&arguments, &operations, sizeof operations, NULL);
    if (!session)
        return 1;
    /* A signal becomes one more descriptor: none can slip in between a test and the poll. */
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGHUP);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    int signals = signalfd(-1, &ends, SFD_CLOEXEC);
    if (signals < 0)
        return 1;

    if (fuse_session_mount(session, argv[1]) != 0)
        return 1;
    int device = fuse_session_fd(session);
    fcntl(device, F_SETFL, fcntl(device, F_GETFL) | O_NONBLOCK);
    int result = serve(session, signals);

    fuse_session_unmount(session);
    fuse_session_destroy(session);
    fuse_opt_free_args(&arguments);
    if (result)
        fprintf(stderr, "null-filesystem: %s\n", strerror(-result));
    return result != 0;
}
