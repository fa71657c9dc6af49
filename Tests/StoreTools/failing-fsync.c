/*
 * To be preloaded: while the file that $FAILING_FSYNC names exists, fsync(2) of a directory fails.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int fsync(int descriptor)
{
    const char *flag = getenv("FAILING_FSYNC");
    struct stat status;
    if (flag && access(flag, F_OK) == 0 && fstat(descriptor, &status) == 0 &&
        S_ISDIR(status.st_mode)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, descriptor);
}
