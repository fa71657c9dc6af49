/*
 * What a store does when there is much of it: many nodes, many watchers.
 *
 *     store-scale fill        SOCKET PATH COUNT BRANCHES
 *     store-scale write       SOCKET PATH COUNT WARM-UP
 *     store-scale transaction SOCKET PATH COUNT WARM-UP
 *     store-scale commit      SOCKET PATH COUNT WARM-UP
 *     store-scale fan-out     SOCKET PATH COUNT WATCHERS
 *     store-scale idle        SOCKET PATH COUNT CONNECTIONS
 *
 * `fill` makes COUNT nodes below PATH, each with a value of eight bytes, BRANCHES at most in each,
 * with 64 requests on their way, and prints  count=... writes_per_second=...
 *
 * `write` times WRITEs of PATH, `transaction` the start of one and its end, `commit` the start and
 * the commit of an empty one, each one at a time. `fan-out` opens WATCHERS connections that watch PATH, and times from a WRITE of a
 * node below it until its reply and the events of all have come. `idle` opens CONNECTIONS that ask
 * nothing, and times WRITEs of PATH beside them. They print, in nanoseconds,
 *     count=... p50_ns=... mean_ns=... p99_ns=...
 */
#define _GNU_SOURCE
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "samples.h"

enum {
    XS_WATCH = 4,
    XS_TRANSACTION_START = 6,
    XS_TRANSACTION_END = 7,
    XS_WRITE = 11,
    XS_WATCH_EVENT = 15,
    PAYLOAD_MAX = 4096,
    DEPTH = 64,
    READY_MAX = 256
};

struct header {
    uint32_t type, request, transaction, size;
};

struct message {
    struct header header;
    char payload[PAYLOAD_MAX + 1];
};

static int connect_store(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        fail(path);
    }
    strcpy(address.sun_path, path);
    int store = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (store < 0 || connect(store, (struct sockaddr *)&address, sizeof address) != 0)
        fail(path);
    return store;
}

static void send_request(int store, uint32_t type, uint32_t transaction, const char *payload,
                         size_t size)
{
    struct message message = {{type, 0, transaction, (uint32_t)size}, {0}};
    memcpy(message.payload, payload, size);
    if (send(store, &message, sizeof message.header + size, MSG_NOSIGNAL) !=
        (ssize_t)(sizeof message.header + size))
        fail("send");
}

static void receive_exactly(int store, void *bytes, size_t size)
{
    if (size && recv(store, bytes, size, MSG_WAITALL) != (ssize_t)size)
        fail("recv");
}

/* Waits for a message of that type. */
static void receive(int store, uint32_t type, struct message *message)
{
    receive_exactly(store, &message->header, sizeof message->header);
    if (message->header.type != type || message->header.size > PAYLOAD_MAX) {
        errno = 0;
        fail("reply");
    }
    receive_exactly(store, message->payload, message->header.size);
    message->payload[message->header.size] = 0;
}

/* ---- Many nodes ------------------------------------------------------------------------------ */

static const char value[] = "12345678";

static void send_write(int store, const char *path)
{
    char payload[PAYLOAD_MAX];
    int size = snprintf(payload, sizeof payload, "%s", path) + 1;
    memcpy(payload + size, value, sizeof value - 1);
    send_request(store, XS_WRITE, 0, payload, (size_t)size + sizeof value - 1);
}

static void fill(int store, const char *root, size_t count, size_t branches)
{
    struct message reply;
    size_t sent = 0, received = 0;
    int64_t begin = now();
    while (received < count) {
        /* Half of the depth at a time, so that requests and replies meet in large pieces. */
        while (sent < count && sent - received < DEPTH) {
            char path[256];
            size_t leaf = sent % branches, middle = sent / branches % branches;
            snprintf(path, sizeof path, "%s/%zu/%zu/%zu", root, sent / branches / branches, middle,
                     leaf);
            send_write(store, path);
            sent++;
        }
        for (size_t i = 0; i < DEPTH / 2 && received < sent; i++, received++)
            receive(store, XS_WRITE, &reply);
    }
    printf("count=%zu writes_per_second=%.0f\n", count,
           (double)count * 1e9 / (double)(now() - begin));
}

static void write_once(int store, const char *path)
{
    struct message reply;
    send_write(store, path);
    receive(store, XS_WRITE, &reply);
}

static void begin_and_end(int store, const char *how)
{
    struct message reply;
    send_request(store, XS_TRANSACTION_START, 0, "", 1);
    receive(store, XS_TRANSACTION_START, &reply);
    uint32_t number = (uint32_t)strtoul(reply.payload, NULL, 10);
    send_request(store, XS_TRANSACTION_END, number, how, 2);
    receive(store, XS_TRANSACTION_END, &reply);
}

static void measure(void (*once)(int, const char *), int store, const char *what, size_t count,
                    size_t warm_up)
{
    int64_t *samples = allocate(count, sizeof *samples);
    for (size_t i = 0; i < warm_up; i++)
        once(store, what);
    for (size_t i = 0; i < count; i++) {
        int64_t begin = now();
        once(store, what);
        samples[i] = now() - begin;
    }
    print_samples(samples, count);
}

static void idle(const char *socket_path, const char *path, size_t count, size_t connections)
{
    int store = connect_store(socket_path);
    for (size_t i = 0; i < connections; i++) {
        connect_store(socket_path);
        /* Whoever connects waits in a short line: this lets the store take them out of it. */
        write_once(store, path);
    }
    measure(write_once, store, path, count, count / 10);
}

/* ---- Many watchers --------------------------------------------------------------------------- */

struct watcher {
    int store;
    size_t missing; /* bytes of the event that is to come */
};

static void watch(struct watcher *watcher, const char *socket_path, const char *root)
{
    struct message message;
    char payload[PAYLOAD_MAX];
    int size = snprintf(payload, sizeof payload, "%s%ctoken", root, 0) + 1;
    watcher->store = connect_store(socket_path);
    send_request(watcher->store, XS_WATCH, 0, payload, (size_t)size);
    receive(watcher->store, XS_WATCH, &message);
    receive(watcher->store, XS_WATCH_EVENT, &message);
}

/* Reads what has come for a watcher. Returns whether its event is whole. */
static int take(struct watcher *watcher)
{
    char bytes[PAYLOAD_MAX];
    ssize_t size = recv(watcher->store, bytes, sizeof bytes, MSG_DONTWAIT);
    if (size <= 0 || (size_t)size > watcher->missing) {
        errno = size < 0 ? errno : 0;
        fail("event");
    }
    watcher->missing -= (size_t)size;
    return watcher->missing == 0;
}

static void fan_out(const char *socket_path, const char *root, size_t count, size_t watchers)
{
    struct watcher *all = allocate(watchers, sizeof *all);
    int64_t *samples = allocate(count, sizeof *samples);
    int writer = connect_store(socket_path), poller = epoll_create1(EPOLL_CLOEXEC);
    char path[256];
    size_t event = sizeof(struct header) + sizeof "token" +
                   (size_t)snprintf(path, sizeof path, "%s/key", root) + 1;
    for (size_t i = 0; i < watchers; i++) {
        struct epoll_event interest = {.events = EPOLLIN, .data.ptr = &all[i]};
        watch(&all[i], socket_path, root);
        if (epoll_ctl(poller, EPOLL_CTL_ADD, all[i].store, &interest) != 0)
            fail("epoll");
    }
    for (size_t i = 0; i < count; i++) {
        struct message reply;
        for (size_t k = 0; k < watchers; k++)
            all[k].missing = event;
        int64_t begin = now();
        send_write(writer, path);
        for (size_t missing = watchers; missing;) {
            struct epoll_event ready[READY_MAX];
            int n = epoll_wait(poller, ready, READY_MAX, 60000);
            if (n <= 0)
                fail("events");
            for (int k = 0; k < n; k++)
                missing -= (size_t)take(ready[k].data.ptr);
        }
        receive(writer, XS_WRITE, &reply);
        samples[i] = now() - begin;
    }
    print_samples(samples, count);
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: store-scale fill|write|transaction|commit|fan-out|idle SOCKET PATH COUNT "
                        "N\n");
        return 2;
    }
    const char *mode = argv[1], *path = argv[3];
    size_t count = number(argv[4], 1), last = number(argv[5], 0);
    if (strcmp(mode, "fill") == 0)
        fill(connect_store(argv[2]), path, count, last ? last : 1);
    else if (strcmp(mode, "write") == 0)
        measure(write_once, connect_store(argv[2]), path, count, last);
    else if (strcmp(mode, "idle") == 0)
        idle(argv[2], path, count, last);
    else if (strcmp(mode, "transaction") == 0)
        measure(begin_and_end, connect_store(argv[2]), "F", count, last);
    else if (strcmp(mode, "commit") == 0)
        measure(begin_and_end, connect_store(argv[2]), "T", count, last);
    else if (strcmp(mode, "fan-out") == 0)
        fan_out(argv[2], path, count, last);
    else {
        fprintf(stderr, "unknown: %s\n", mode);
        return 2;
    }
    return 0;
}
