/* System calls that Swift's Glibc module lacks, for tests of a mount. Each returns -1 and sets errno
 * where it fails. */
#include <stddef.h>
#include <sys/types.h>

#pragma clang assume_nonnull begin

int call_rename(const char *path, const char *new_path, unsigned flags);
ssize_t call_getxattr(const char *path, const char *name, void *buffer, size_t size);
int call_removexattr(const char *path, const char *name);
int call_setxattr(const char *path, const char *name, const void *value, size_t size);

#pragma clang assume_nonnull end
