/* The whole contract between the C bridge and Swift: libfuse's low-level API with plain types.
 * The xsfs_on_* functions are implemented in Swift (FuseAdapter); all others here in C. */
#ifndef CFUSE_H
#define CFUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/* A mounted filesystem, and a request of the kernel that must be answered once. */
typedef struct xsfs_session xsfs_session;
typedef struct xsfs_request xsfs_request;
/* Somebody who waits for a file to become readable. */
typedef struct xsfs_poll xsfs_poll;

struct xsfs_attributes {
    uint64_t inode;
    uint64_t size;
    uint32_t mode; /* with the file's type */
    uint32_t links;
    uint32_t uid;
    uint32_t gid;
    int64_t modified_seconds;
    uint32_t modified_nanoseconds;
    int64_t changed_seconds;
    uint32_t changed_nanoseconds;
    double lifetime; /* seconds */
};

/* What the kernel may do with its own cache of a file or directory that is opened. */
enum xsfs_caching {
    XSFS_CACHE_NONE, /* each read asks */
    XSFS_CACHE_FRESH, /* it drops what it has, and keeps what it reads */
    XSFS_CACHE_KEPT, /* what it has is true */
};

struct xsfs_entry {
    struct xsfs_attributes attributes;
    double name_lifetime; /* seconds */
};

/* What a setattr changes: each value counts if its flag is set. */
struct xsfs_changes {
    bool has_mode, has_uid, has_gid, has_size, has_modified, modified_is_now, has_handle;
    uint32_t mode, uid, gid;
    uint64_t size;
    int64_t modified_seconds;
    uint32_t modified_nanoseconds;
    uint64_t handle;
};

/* The longest name that all kernels take. */
enum { XSFS_SHORT_NAME_MAX = 1024 };

/* --- Session ----------------------------------------------------------------------------- */

/* Makes a session with options as mount(8) writes them; NULL if libfuse refuses them. */
xsfs_session *_Nullable xsfs_session_new(const char *options, void *context);
/* Mounts; -1 on failure, of which libfuse has told the reason on stderr. */
int xsfs_session_mount(xsfs_session *session, const char *mountpoint);
int xsfs_session_descriptor(xsfs_session *session);
/* Whether the kernel takes names of more than XSFS_SHORT_NAME_MAX bytes. To be asked after
 * xsfs_on_init; does not block. */
bool xsfs_session_takes_long_names(xsfs_session *session);
/* Reads one request and calls its xsfs_on_ function. Returns 1 if there was one, 0 if the mount
 * has ended, or a negative errno: -EAGAIN where no request waits. */
int xsfs_session_serve_one(xsfs_session *session);
/* Ends the mount, with errors for those who still use it. */
void xsfs_session_unmount(xsfs_session *session, const char *mountpoint);
void xsfs_session_free(xsfs_session *session);
/* Makes the kernel drop a name. Blocks while the kernel works in that directory: never to be called
 * on the thread that serves requests. */
int xsfs_session_inval_entry(xsfs_session *session, uint64_t directory, const char *name);
/* Makes the kernel drop attributes and content, or the names of a directory. Blocks while it waits
 * for a part of them. */
int xsfs_session_inval_inode(xsfs_session *session, uint64_t inode);

/* --- The kernel ---------------------------------------------------------------------------- */

/* Whether the kernel has a system call, and no sandbox refuses it. */
bool xsfs_kernel_has_openat2(void);
bool xsfs_kernel_has_open_tree(void);

/* --- Requests, as they come: implemented in Swift ---------------------------------------- */

/* The kernel has named its version of FUSE's protocol, 7.MINOR. No request comes before. */
void xsfs_on_init(void *context, uint32_t minor);
void xsfs_on_lookup(xsfs_request *request, uint64_t directory, const char *name);
void xsfs_on_forget(void *context, uint64_t inode, uint64_t count);
/* With the open file by which the kernel asks, if any: it names that for lseek(2). */
void xsfs_on_getattr(xsfs_request *request, uint64_t inode, bool has_handle, uint64_t handle);
/* access(2) and chdir(2), with rights as the bits of a mode. Not with default_permissions. */
void xsfs_on_access(xsfs_request *request, uint64_t inode, int32_t rights);
void xsfs_on_setattr(xsfs_request *request, uint64_t inode, const struct xsfs_changes *changes);
void xsfs_on_mknod(xsfs_request *request, uint64_t directory, const char *name, uint32_t mode);
void xsfs_on_mkdir(xsfs_request *request, uint64_t directory, const char *name);
void xsfs_on_unlink(xsfs_request *request, uint64_t directory, const char *name);
void xsfs_on_rmdir(xsfs_request *request, uint64_t directory, const char *name);
void xsfs_on_rename(xsfs_request *request, uint64_t directory, const char *name,
                    uint64_t new_directory, const char *new_name, uint32_t flags);
void xsfs_on_create(xsfs_request *request, uint64_t directory, const char *name, int32_t flags,
                    uint32_t mode);
void xsfs_on_open(xsfs_request *request, uint64_t inode, int32_t flags);
void xsfs_on_read(xsfs_request *request, uint64_t handle, int64_t offset, size_t size, bool waits,
                  bool fills_cache);
/* With a place for one who waits, which ends with xsfs_poll_end. */
void xsfs_on_poll(xsfs_request *request, uint64_t handle, xsfs_poll *_Nullable poll);
void xsfs_on_write(xsfs_request *request, uint64_t handle, int64_t offset, const uint8_t *bytes,
                   size_t size);
void xsfs_on_flush(xsfs_request *request, uint64_t handle);
void xsfs_on_release(xsfs_request *request, uint64_t handle);
void xsfs_on_opendir(xsfs_request *request, uint64_t inode);
void xsfs_on_readdirplus(xsfs_request *request, uint64_t inode, uint64_t handle, int64_t offset,
                         size_t size);
void xsfs_on_releasedir(xsfs_request *request, uint64_t handle);
void xsfs_on_getxattr(xsfs_request *request, uint64_t inode, const char *name, size_t size);
void xsfs_on_setxattr(xsfs_request *request, uint64_t inode, const char *name,
                      const uint8_t *bytes, size_t size, int32_t flags);
void xsfs_on_listxattr(xsfs_request *request, uint64_t inode, size_t size);
void xsfs_on_removexattr(xsfs_request *request, uint64_t inode, const char *name);
/* libfuse says something; a line break may stand at its end. Any thread. */
void xsfs_on_log(const char *text);
/* The program that waits for a request got a signal. */
void xsfs_on_interrupt(void *context, uint64_t id);

/* --- Replies: each ends its request ------------------------------------------------------ */

void *xsfs_request_context(xsfs_request *request);
/* The thread that waits for the answer. */
int32_t xsfs_request_caller(xsfs_request *request);
/* The user that the kernel checks rights for, and whether it is in a group. */
uint32_t xsfs_request_user(xsfs_request *request);
bool xsfs_request_is_in_group(xsfs_request *request, uint32_t group);
/* Makes xsfs_on_interrupt come with this id if the caller is interrupted. */
void xsfs_request_tell_interrupt(xsfs_request *request, uint64_t id);

void xsfs_reply_error(xsfs_request *request, int32_t error); /* 0 for success */
void xsfs_reply_entry(xsfs_request *request, const struct xsfs_entry *entry);
void xsfs_reply_attributes(xsfs_request *request, const struct xsfs_attributes *attributes);
/* A file; without a cache its reads and writes come here, not to the page cache. */
void xsfs_reply_open(xsfs_request *request, uint64_t handle, bool needs_flush,
                     enum xsfs_caching caching);
/* A file that cannot be sought in, and whose reads may wait. */
void xsfs_reply_open_stream(xsfs_request *request, uint64_t handle);
void xsfs_reply_poll(xsfs_request *request, bool is_readable);
/* Lets go of who waits for a file, after waking it if asked to. */
void xsfs_poll_end(xsfs_poll *poll, bool notifies);
void xsfs_reply_opendir(xsfs_request *request, uint64_t handle, enum xsfs_caching caching);
void xsfs_reply_create(xsfs_request *request, const struct xsfs_entry *entry, uint64_t handle);
void xsfs_reply_bytes(xsfs_request *request, const uint8_t *_Nullable bytes, size_t size);
void xsfs_reply_written(xsfs_request *request, size_t size);
void xsfs_reply_xattr_size(xsfs_request *request, size_t size);

/* The size of one name of a listing in a readdirplus reply. */
size_t xsfs_listing_entry_size(const char *name);
/* Writes one name of a listing to the buffer, and returns its size. */
size_t xsfs_listing_add(xsfs_request *request, uint8_t *buffer, size_t room, const char *name,
                        const struct xsfs_entry *entry, int64_t next_offset);
/* The same for a name that comes without a reference: `.`, `..`, or one of unknown kind (mode and
 * inode 0). */
size_t xsfs_listing_add_name(xsfs_request *request, uint8_t *buffer, size_t room, const char *name,
                             uint64_t inode, uint32_t mode, int64_t next_offset);

/* --- The process ------------------------------------------------------------------------- */

/* fork(2), which Swift does not offer. To be called before any task or thread exists. */
int32_t xsfs_fork(void);
/* Forks a process that outlives this one's death just as long as it takes to free the mount from
 * threads of this one that are stuck in the kernel, and to take it away. Returns its pid, or -1.
 *
 * With a place for a socket it also keeps a process at work that makes system calls on the mount
 * (see inotify.c), and the socket leads there. */
int32_t xsfs_guard_start(const char *mountpoint, int32_t *_Nullable agent_socket);
/* Names the device of the mount that the guard is to take away; 0 for none any more. The guard also
 * has the mount's status looked at once, as the kernel can then find it whatever waits. */
void xsfs_guard_mount(uint64_t device);
/* The number of the mounted filesystem's device; 0 if it cannot be told. Asks nothing of the
 * daemon that serves it. */
uint64_t xsfs_mount_device(const char *mountpoint);
/* Bytes of one batch for the agent. */
#define XSFS_INOTIFY_BATCH_SIZE 16384
#define XSFS_INOTIFY_CREATE 1
#define XSFS_INOTIFY_MAKE_DIRECTORY 2
#define XSFS_INOTIFY_MODIFY 3
#define XSFS_INOTIFY_ATTRIBUTES 4
#define XSFS_INOTIFY_REMOVE 5
#define XSFS_INOTIFY_REMOVE_DIRECTORY 6
/* Takes away the mount of a dead daemon. 1 if there was one, 0 if none, -1 with errno. */
int xsfs_detach_dead_mount(const char *mountpoint);

#pragma clang assume_nonnull end

#endif
