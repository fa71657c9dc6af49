/* Writes with libxenstore, and reads through the mount at once: nothing may be stale.
 *
 *     fresh MOUNT PROCESSES ROUNDS
 *
 * Each process has keys of its own in a directory that all share. A look begins when the store has
 * acknowledged the change. Prints what was stale; the exit status is 1 then, and 2 where a call
 * failed that must not.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xenstore.h>

#define DIRECTORY "/fresh"

static struct xs_handle *store;
static const char *mount;
static int number, stale;

static void fail(const char *what)
{
    fprintf(stderr, "process %d: %s: %s\n", number, what, strerror(errno));
    exit(2);
}

static void expect(bool holds, int round, const char *what)
{
    if (holds)
        return;
    if (stale++ < 10)
        printf("process %d, round %d: stale %s\n", number, round, what);
}

static void put(const char *key, const char *value)
{
    char path[256];
    snprintf(path, sizeof path, DIRECTORY "/%s", key);
    if (!xs_write(store, XBT_NULL, path, value, strlen(value)))
        fail("xs_write");
}

static void take(const char *key)
{
    char path[256];
    snprintf(path, sizeof path, DIRECTORY "/%s", key);
    if (!xs_rm(store, XBT_NULL, path))
        fail("xs_rm");
}

static const char *file(const char *key)
{
    static char path[512];
    snprintf(path, sizeof path, "%s" DIRECTORY "/%s", mount, key);
    return path;
}

/* Whether the file has just this value, and the newline after it. */
static bool reads(const char *key, const char *value)
{
    char bytes[256];
    int descriptor = open(file(key), O_RDONLY);
    if (descriptor < 0)
        return false;
    ssize_t count = read(descriptor, bytes, sizeof bytes);
    close(descriptor);
    size_t length = strlen(value);
    return count == (ssize_t)length + 1 && memcmp(bytes, value, length) == 0
        && bytes[length] == '\n';
}

static off_t size(const char *key)
{
    struct stat status;
    return stat(file(key), &status) == 0 ? status.st_size : -1;
}

static bool is_gone(const char *key)
{
    struct stat status;
    int descriptor = open(file(key), O_RDONLY);
    if (descriptor >= 0 || errno != ENOENT)
        return false;
    return stat(file(key), &status) < 0 && errno == ENOENT;
}

static bool is_listed(const char *key)
{
    DIR *directory = opendir(file(""));
    if (!directory)
        fail("opendir");
    bool found = false;
    for (struct dirent *entry; !found && (entry = readdir(directory));)
        found = strcmp(entry->d_name, key) == 0;
    closedir(directory);
    return found;
}

static int work(int rounds)
{
    store = xs_open(0);
    if (!store)
        fail("xs_open");
    char value[128], kept[32], made[32];
    snprintf(kept, sizeof kept, "kept-%d", number);
    snprintf(made, sizeof made, "made-%d", number);
    for (int round = 0; round < rounds; round++) {
        int length = snprintf(value, sizeof value, "%d-%.*s", round, round % 40,
                              "........................................");
        put(kept, value);
        expect(reads(kept, value), round, "value");
        put(kept, value + 1);
        expect(size(kept) == (length == 1 ? 0 : length), round, "size");
        put(made, value);
        expect(size(made) == length + 1, round, "existence");
        expect(is_listed(made), round, "listing of a new key");
        take(made);
        expect(is_gone(made), round, "existence of a removed key");
        expect(!is_listed(made), round, "listing of a removed key");
    }
    xs_close(store);
    return stale ? 1 : 0;
}

int main(int count, char **arguments)
{
    if (count != 4)
        return 2;
    mount = arguments[1];
    int processes = atoi(arguments[2]), rounds = atoi(arguments[3]), result = 0;
    for (number = 0; number < processes; number++) {
        pid_t child = fork();
        if (child < 0)
            fail("fork");
        if (child == 0) {
            result = work(rounds);
            fflush(stdout);
            _exit(result);
        }
    }
    for (int status; wait(&status) > 0;)
        if (status != 0)
            result = WIFEXITED(status) ? WEXITSTATUS(status) : 2;
    return result;
}
