#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/xattr.h>

#include "MountCalls.h"

int call_rename(const char *path, const char *new_path, unsigned flags)
{
    return renameat2(AT_FDCWD, path, AT_FDCWD, new_path, flags);
}

ssize_t call_getxattr(const char *path, const char *name, void *buffer, size_t size)
{
    return getxattr(path, name, buffer, size);
}

int call_removexattr(const char *path, const char *name)
{
    return removexattr(path, name);
}

int call_setxattr(const char *path, const char *name, const void *value, size_t size)
{
    return setxattr(path, name, value, size, 0);
}
