/*
 * The floor of a mount: a filesystem that holds a tree in memory and asks nobody.
 *
 *     null-filesystem MOUNTPOINT DIRECTORY [keep]
 *
 * Shows what DIRECTORY held when it was started. Runs in the foreground until it is unmounted, or
 * ended by SIGTERM or SIGINT.
 *
 * It is as fast as libfuse's low-level API allows in the loop that a daemon with other
 * descriptors must have: one thread, poll, no session loop of libfuse's. What the kernel may
 * cache is what xsfs allows it in `cache=strict`, so that the kernel sends both the same
 * requests: names for long, attributes never, contents never, no FLUSH of what was only read. A
 * stat is then one GETATTR; open, read and close are OPEN, READ, and a RELEASE for which nobody
 * waits. Listings come with their entries, and an ACL is asked for and is not there. A directory
 * that is made and renamed is LOOKUP, MKDIR, LOOKUP, RENAME.
 *
 * With `keep` the kernel may keep attributes and contents, too, as in `cache=watch`: what was read
 * once costs an OPEN and a RELEASE.
 */
#define _GNU_SOURCE
#define FUSE_USE_VERSION 314
#include <dirent.h>
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

static const double ENTRY_TIMEOUT = 3600;
static double attribute_timeout = 0;

/* A node's number is its place in the table: the root is 1, as FUSE wants it; 0 is none. */
struct node {
    char *name;
    fuse_ino_t parent, first_child, next;
    char *value; /* NULL for a directory */
    size_t size;
};

static struct node *nodes;
static size_t count = 1, capacity;

/* Made once: a getuid for every answer would be a system call more than it needs. */
static uid_t user;
static gid_t group;

static struct stat attributes_of(fuse_ino_t number)
{
    /* What mkdir has made has no node. */
    int is_file = number < count && nodes[number].value;
    return (struct stat){
        .st_ino = number,
        .st_mode = is_file ? S_IFREG | 0600 : S_IFDIR | 0700,
        .st_nlink = is_file ? 1 : 2,
        .st_size = is_file ? (off_t)nodes[number].size : 0,
        .st_uid = user,
        .st_gid = group,
    };
}

static struct fuse_entry_param entry_of(fuse_ino_t number)
{
    return (struct fuse_entry_param){
        .ino = number,
        .entry_timeout = ENTRY_TIMEOUT,
        .attr = attributes_of(number),
        .attr_timeout = attribute_timeout,
    };
}

static void null_init(void *context, struct fuse_conn_info *connection)
{
    (void)context;
    connection->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
}

static void null_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    fuse_ino_t child = parent < count ? nodes[parent].first_child : 0;
    while (child && strcmp(nodes[child].name, name) != 0)
        child = nodes[child].next;
    if (!child) {
        fuse_reply_err(request, ENOENT);
        return;
    }
    struct fuse_entry_param entry = entry_of(child);
    fuse_reply_entry(request, &entry);
}

static void null_getattr(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *info)
{
    (void)info;
    struct stat attributes = attributes_of(node);
    fuse_reply_attr(request, &attributes, attribute_timeout);
}

static void null_open(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *info)
{
    (void)node;
    if ((info->flags & O_ACCMODE) != O_RDONLY) {
        fuse_reply_err(request, EROFS);
        return;
    }
    info->keep_cache = attribute_timeout > 0;
    info->direct_io = !info->keep_cache;
    info->noflush = 1;
    fuse_reply_open(request, info);
}

static void null_read(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
                      struct fuse_file_info *info)
{
    (void)info;
    const struct node *node = &nodes[number];
    size_t start = (size_t)offset < node->size ? (size_t)offset : node->size;
    size_t left = node->size - start;
    fuse_reply_buf(request, node->value + start, left < size ? left : size);
}

/* An offset says which entry comes: 0 is `.`, 1 is `..`, then it is a child's number and one; at
 * the end it is that of a child that there is not. */
static void null_readdirplus(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
                             struct fuse_file_info *info)
{
    (void)info;
    char buffer[65536];
    size_t used = 0, limit = size < sizeof buffer ? size : sizeof buffer;
    fuse_ino_t first = nodes[number].first_child, end = count + 2;
    for (;;) {
        struct fuse_entry_param entry;
        const char *name = ".";
        off_t next = offset + 1;
        if (offset < 2) {
            entry = entry_of(offset ? nodes[number].parent : number);
            if (offset) {
                name = "..";
                next = (off_t)(first ? first + 1 : end);
            }
        } else {
            fuse_ino_t child = (fuse_ino_t)offset - 1;
            if (child + 1 == end)
                break;
            entry = entry_of(child);
            name = nodes[child].name;
            next = (off_t)(nodes[child].next ? nodes[child].next + 1 : end);
        }
        size_t needed = fuse_add_direntry_plus(request, buffer + used, limit - used, name, &entry,
                                               next);
        if (needed > limit - used)
            break;
        used += needed;
        offset = next;
    }
    fuse_reply_buf(request, buffer, used);
}

static void null_getxattr(fuse_req_t request, fuse_ino_t number, const char *name, size_t size)
{
    (void)number, (void)size;
    /* Whoever is told that there are none asks once. */
    fuse_reply_err(request, strncmp(name, "security.", 9) == 0 ? ENOTSUP : ENODATA);
}

/* Takes any new directory, and any new name for one, and knows nothing of it afterwards. */
static void null_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode)
{
    static fuse_ino_t last;
    (void)parent, (void)name, (void)mode;
    struct fuse_entry_param entry = entry_of(count + ++last);
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
    .init = null_init,
    .lookup = null_lookup,
    .getattr = null_getattr,
    .mkdir = null_mkdir,
    .rename = null_rename,
    .open = null_open,
    .read = null_read,
    .readdirplus = null_readdirplus,
    .getxattr = null_getxattr,
};

static fuse_ino_t add_node(const char *name, fuse_ino_t parent)
{
    if (count + 1 >= capacity)
        nodes = realloc(nodes, (capacity = 2 * capacity + 64) * sizeof *nodes);
    if (!nodes)
        return 0;
    fuse_ino_t number = count++;
    nodes[number] = (struct node){.name = strdup(name), .parent = parent};
    if (number != FUSE_ROOT_ID) {
        nodes[number].next = nodes[parent].first_child;
        nodes[parent].first_child = number;
    }
    return number;
}

static int load_file(int descriptor, struct node *node)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return -1;
    node->size = (size_t)status.st_size;
    node->value = malloc(node->size + 1);
    return node->value && read(descriptor, node->value, node->size) == status.st_size ? 0 : -1;
}

/* Loads what is in a directory, and closes it. Returns 0, or -1 with errno. */
static int load(int descriptor, fuse_ino_t number)
{
    DIR *directory = fdopendir(descriptor);
    if (!directory)
        return -1;
    int result = 0;
    struct dirent *entry;
    while (result == 0 && (entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        fuse_ino_t child = add_node(entry->d_name, number);
        int opened = openat(descriptor, entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (!child || opened < 0) {
            result = -1;
        } else if (entry->d_type == DT_DIR) {
            result = load(opened, child);
        } else {
            result = load_file(opened, &nodes[child]);
            close(opened);
        }
    }
    closedir(directory);
    return result;
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
    int keeps = argc == 4 && strcmp(argv[3], "keep") == 0;
    if (argc != 3 && !keeps) {
        fprintf(stderr, "usage: null-filesystem MOUNTPOINT DIRECTORY [keep]\n");
        return 2;
    }
    if (keeps)
        attribute_timeout = ENTRY_TIMEOUT;
    user = getuid();
    group = getgid();
    int source = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (source < 0 || add_node("", FUSE_ROOT_ID) != FUSE_ROOT_ID || load(source, FUSE_ROOT_ID)) {
        perror(argv[2]);
        return 1;
    }

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
