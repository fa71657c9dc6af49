/*
 * The floor of a client: READs of one key of a xenstore on a unix socket, without anything around.
 *
 *     store-loop round-trip SOCKET KEY COUNT WARM-UP
 *     store-loop batches    SOCKET KEY COUNT DEPTH
 *     store-loop window     SOCKET KEY COUNT DEPTH
 *
 * `round-trip` sends a request when the reply to the one before it has come, and prints, in
 * nanoseconds,  count=... p50_ns=... mean_ns=... p99_ns=...
 *
 * `batches` sends DEPTH requests in one write, waits for all replies, and begins again. `window`
 * keeps DEPTH requests on their way: for every reply that a recv brought, one request goes into
 * the next write. Both print  count=... depth=... reads_per_second=...
 *
 * The socket does not block, and every recv waits in a poll before it: a daemon, which has other
 * descriptors, can do no less. Every reply is checked for its type and its number.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "samples.h"

enum {
    XS_READ = 2,
    PAYLOAD_MAX = 4096,
    REPLIES_SIZE = 64 * 1024
};

struct header {
    uint32_t type, request, transaction, size;
};

static int store;
static const char *key;
static size_t key_size; /* with its NUL, as it goes over the wire */

/* Requests that are not sent yet, and the number that the next one gets. */
static char *requests;
static size_t requests_used;
static uint32_t next_request;

/* What was received and not looked at yet, and the number that the next reply must have. */
static char replies[REPLIES_SIZE];
static size_t replies_begin, replies_end;
static uint32_t next_reply;

static void connect_store(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        fail(path);
    }
    strcpy(address.sun_path, path);
    store = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (store < 0 || connect(store, (struct sockaddr *)&address, sizeof address) != 0)
        fail(path);
    fcntl(store, F_SETFL, O_NONBLOCK);
}

static void wait_for(short events)
{
    struct pollfd descriptor = {.fd = store, .events = events};
    if (poll(&descriptor, 1, -1) < 0)
        fail("poll");
}

static void add_request(void)
{
    struct header header = {XS_READ, next_request++, 0, (uint32_t)key_size};
    memcpy(requests + requests_used, &header, sizeof header);
    memcpy(requests + requests_used + sizeof header, key, key_size);
    requests_used += sizeof header + key_size;
}

static void send_requests(void)
{
    for (size_t sent = 0; sent < requests_used;) {
        ssize_t size = send(store, requests + sent, requests_used - sent, MSG_NOSIGNAL);
        if (size >= 0)
            sent += (size_t)size;
        else if (errno == EAGAIN)
            wait_for(POLLOUT);
        else
            fail("send");
    }
    requests_used = 0;
}

/* Takes the replies that are complete out of the buffer. Returns how many. */
static size_t take_replies(void)
{
    size_t taken = 0;
    struct header header;
    while (replies_end - replies_begin >= sizeof header) {
        memcpy(&header, replies + replies_begin, sizeof header);
        if (header.type != XS_READ || header.request != next_reply || header.size > PAYLOAD_MAX) {
            errno = 0;
            fail("reply");
        }
        if (replies_end - replies_begin < sizeof header + header.size)
            break;
        replies_begin += sizeof header + header.size;
        next_reply++;
        taken++;
    }
    return taken;
}

/* Waits until at least one reply has come. Returns how many have. */
static size_t receive_replies(void)
{
    for (;;) {
        wait_for(POLLIN);
        if (replies_begin == replies_end) {
            replies_begin = replies_end = 0;
        } else if (sizeof replies - replies_end < sizeof(struct header) + PAYLOAD_MAX) {
            memmove(replies, replies + replies_begin, replies_end - replies_begin);
            replies_end -= replies_begin;
            replies_begin = 0;
        }
        ssize_t size = recv(store, replies + replies_end, sizeof replies - replies_end, 0);
        if (size < 0 && errno == EAGAIN)
            continue;
        if (size <= 0)
            fail("recv");
        replies_end += (size_t)size;
        size_t taken = take_replies();
        if (taken)
            return taken;
    }
}

static void round_trip(void)
{
    add_request();
    send_requests();
    receive_replies();
}

static void measure_round_trips(size_t count, size_t warm_up)
{
    int64_t *samples = allocate(count, sizeof *samples);
    for (size_t i = 0; i < warm_up; i++)
        round_trip();
    int64_t begin = now();
    for (size_t i = 0; i < count; i++) {
        round_trip();
        int64_t end = now();
        samples[i] = end - begin;
        begin = end;
    }
    print_samples(samples, count);
}

static void read_in_batches(size_t count, size_t depth)
{
    while (count) {
        size_t batch = count < depth ? count : depth;
        for (size_t i = 0; i < batch; i++)
            add_request();
        send_requests();
        for (size_t missing = batch; missing;)
            missing -= receive_replies();
        count -= batch;
    }
}

static void read_in_window(size_t count, size_t depth)
{
    size_t unsent = count, room = depth;
    for (size_t missing = count; missing;) {
        for (; room && unsent; room--, unsent--)
            add_request();
        send_requests();
        size_t taken = receive_replies();
        missing -= taken;
        room += taken;
    }
}

static void measure_pipelined(void (*read_all)(size_t, size_t), size_t count, size_t depth)
{
    read_all(count / 10, depth); /* the warm-up */
    int64_t begin = now();
    read_all(count, depth);
    int64_t end = now();
    printf("count=%zu depth=%zu reads_per_second=%.0f\n", count, depth,
           (double)count * 1e9 / (double)(end - begin));
}

int main(int argc, char **argv)
{
    const char *mode = argc == 6 ? argv[1] : "";
    int trips = strcmp(mode, "round-trip") == 0;
    int batches = strcmp(mode, "batches") == 0;
    if (!trips && !batches && strcmp(mode, "window") != 0) {
        fprintf(stderr, "usage: store-loop round-trip SOCKET KEY COUNT WARM-UP\n"
                        "       store-loop batches|window SOCKET KEY COUNT DEPTH\n");
        return 2;
    }
    size_t count = number(argv[4], 1), last = number(argv[5], trips ? 0 : 1);
    key = argv[3];
    key_size = strlen(key) + 1;
    requests = allocate(trips ? 1 : last, sizeof(struct header) + key_size);
    connect_store(argv[2]);
    if (trips)
        measure_round_trips(count, last);
    else
        measure_pipelined(batches ? read_in_batches : read_in_window, count, last);
    return 0;
}
