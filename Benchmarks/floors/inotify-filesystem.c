/*
 * The floor of inotify for what others change: a filesystem of one file, DIRECTORY/KEY of the
 * store's /bench/key, that does what any such filesystem must, and nothing else.
 *
 *     inotify-filesystem MOUNTPOINT SOCKET
 *
 * The store tells of a change by an event, which says where, not what. So the store is asked for
 * the value and the permissions, and meanwhile another process, which may wait in the kernel, is
 * sent to touch the file. Its call is answered when the store has answered. Everything is here: one
 * thread, poll, fixed messages, no tree, no memory to ask for.
 *
 * Runs in the foreground until it is unmounted.
 */
#define _GNU_SOURCE
#define FUSE_USE_VERSION 314
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define DIRECTORY "/bench"
#define KEY "/bench/key"
enum { DIRECTORY_NODE = 2, KEY_NODE = 3 };
enum { READ = 2, GET_PERMS = 3, WATCH = 4, WATCH_EVENT = 15 };

struct header {
    uint32_t type, request, transaction, length;
};

static int store, agent;
/* Answers that are missing, and the touch that waits for them. */
static int missing;
static fuse_req_t waiting;

static struct stat attributes_of(fuse_ino_t node)
{
    return (struct stat){
        .st_ino = node,
        .st_mode = node == KEY_NODE ? S_IFREG | 0600 : S_IFDIR | 0700,
        .st_nlink = 1,
        .st_size = node == KEY_NODE ? 4 : 0,
    };
}

static void floor_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct fuse_entry_param entry = {.entry_timeout = 3600};
    if (parent == FUSE_ROOT_ID && strcmp(name, DIRECTORY + 1) == 0)
        entry.ino = DIRECTORY_NODE;
    else if (parent == DIRECTORY_NODE && strcmp(name, "key") == 0)
        entry.ino = KEY_NODE;
    else {
        fuse_reply_err(request, ENOENT);
        return;
    }
    entry.attr = attributes_of(entry.ino);
    fuse_reply_entry(request, &entry);
}

static void floor_getattr(fuse_req_t request, fuse_ino_t node, struct fuse_file_info *info)
{
    (void)info;
    struct stat attributes = attributes_of(node);
    fuse_reply_attr(request, &attributes, 0);
}

static void answer_touch(void)
{
    struct stat attributes = attributes_of(KEY_NODE);
    fuse_reply_attr(waiting, &attributes, 0);
    waiting = NULL;
}

static void floor_setattr(fuse_req_t request, fuse_ino_t node, struct stat *attributes, int set,
                          struct fuse_file_info *info)
{
    (void)node, (void)attributes, (void)set, (void)info;
    waiting = request;
    if (!missing)
        answer_touch();
}

static const struct fuse_lowlevel_ops operations = {
    .lookup = floor_lookup,
    .getattr = floor_getattr,
    .setattr = floor_setattr,
};

static size_t put(char *buffer, uint32_t type, const char *payload, uint32_t length)
{
    struct header header = {.type = type, .length = length};
    memcpy(buffer, &header, sizeof header);
    memcpy(buffer + sizeof header, payload, length);
    return sizeof header + length;
}

static void send_all(int descriptor, const void *bytes, size_t size)
{
    if (write(descriptor, bytes, size) != (ssize_t)size)
        exit(1);
}

static void ask(void)
{
    char buffer[128];
    size_t size = put(buffer, READ, KEY, sizeof KEY);
    size += put(buffer + size, GET_PERMS, KEY, sizeof KEY);
    missing += 2;
    send_all(store, buffer, size);
}

/* What has come from the store. */
static void take(void)
{
    static char buffer[65536];
    static size_t used;
    ssize_t count = read(store, buffer + used, sizeof buffer - used);
    if (count <= 0)
        exit(1);
    used += (size_t)count;
    size_t start = 0;
    int changed = 0;
    struct header header;
    while (used - start >= sizeof header) {
        memcpy(&header, buffer + start, sizeof header);
        if (used - start < sizeof header + header.length)
            break;
        if (header.type == WATCH_EVENT)
            changed |= strcmp(buffer + start + sizeof header, KEY) == 0;
        else if (header.type != WATCH && missing > 0)
            missing--;
        start += sizeof header + header.length;
    }
    memmove(buffer, buffer + start, used - start);
    used -= start;
    if (changed) {
        ask();
        send_all(agent, "", 1);
    } else if (!missing && waiting) {
        answer_touch();
    }
}

/* The process that touches the file. */
static _Noreturn void touch(int socket, const char *mountpoint)
{
    char path[4096], byte;
    snprintf(path, sizeof path, "%s" KEY, mountpoint);
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_NOW}};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (read(socket, &byte, 1) == 1)
        utimensat(AT_FDCWD, path, times, 0);
    _exit(0);
}

static void serve_waiting(struct fuse_session *session, struct fuse_buf *buffer)
{
    for (;;) {
        int size = fuse_session_receive_buf(session, buffer);
        if (size == -EAGAIN || size == -EINTR)
            return;
        if (size <= 0)
            exit(size < 0);
        fuse_session_process_buf(session, buffer);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (argc != 3 || strlen(argv[2]) >= sizeof address.sun_path) {
        fprintf(stderr, "usage: inotify-filesystem MOUNTPOINT SOCKET\n");
        return 2;
    }
    strcpy(address.sun_path, argv[2]);
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0 ||
        (store = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0 ||
        connect(store, (struct sockaddr *)&address, sizeof address) != 0) {
        perror(argv[2]);
        return 1;
    }
    agent = ends[0];
    pid_t child = fork();
    if (child == 0)
        touch(ends[1], argv[1]);

    char *options[] = {argv[0], "-o", "fsname=inotify-filesystem", NULL};
    struct fuse_args arguments = FUSE_ARGS_INIT(3, options);
    struct fuse_session *session =
        fuse_session_new(&arguments, &operations, sizeof operations, NULL);
    if (child < 0 || !session || fuse_session_mount(session, argv[1]) != 0)
        return 1;
    int device = fuse_session_fd(session);
    fcntl(device, F_SETFL, fcntl(device, F_GETFL) | O_NONBLOCK);
    char watch[64];
    static const char paths[] = DIRECTORY "\0floor";
    send_all(store, watch, put(watch, WATCH, paths, sizeof paths));

    struct pollfd descriptors[] = {
        {.fd = device, .events = POLLIN},
        {.fd = store, .events = POLLIN},
    };
    struct fuse_buf buffer = {.mem = NULL};
    while (poll(descriptors, 2, -1) >= 0) {
        if (descriptors[1].revents)
            take();
        if (descriptors[0].revents)
            serve_waiting(session, &buffer);
    }
    return 1;
}
