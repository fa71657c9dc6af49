/* Replies: plain values into libfuse's structures. */
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "internal.h"

static struct stat make_stat(const struct xsfs_attributes *attributes)
{
    const struct timespec modified = {
        .tv_sec = attributes->modified_seconds,
        .tv_nsec = attributes->modified_nanoseconds,
    };
    const struct timespec changed = {
        .tv_sec = attributes->changed_seconds,
        .tv_nsec = attributes->changed_nanoseconds,
    };
    return (struct stat){
        .st_ino = attributes->inode,
        .st_mode = attributes->mode,
        .st_nlink = attributes->links,
        .st_uid = attributes->uid,
        .st_gid = attributes->gid,
        .st_size = (off_t)attributes->size,
        .st_blksize = 4096,
        .st_blocks = (blkcnt_t)((attributes->size + 511) / 512),
        .st_atim = modified,
        .st_mtim = modified,
        .st_ctim = changed,
    };
}

static struct fuse_entry_param make_entry(const struct xsfs_entry *entry)
{
    return (struct fuse_entry_param){
        .ino = entry->attributes.inode,
        .attr = make_stat(&entry->attributes),
        .attr_timeout = entry->attributes.lifetime,
        .entry_timeout = entry->name_lifetime,
    };
}

static struct fuse_file_info make_file(uint64_t handle, bool needs_flush,
                                       enum xsfs_caching caching)
{
    return (struct fuse_file_info){
        .fh = handle,
        .direct_io = caching == XSFS_CACHE_NONE,
        .keep_cache = caching == XSFS_CACHE_KEPT,
        .noflush = !needs_flush,
    };
}

void *xsfs_request_context(xsfs_request *request) { return fuse_req_userdata(unwrap(request)); }

int32_t xsfs_request_caller(xsfs_request *request) { return fuse_req_ctx(unwrap(request))->pid; }

uint32_t xsfs_request_user(xsfs_request *request) { return fuse_req_ctx(unwrap(request))->uid; }

bool xsfs_request_is_in_group(xsfs_request *request, uint32_t group)
{
    if (fuse_req_ctx(unwrap(request))->gid == group)
        return true;
    const int count = fuse_req_getgroups(unwrap(request), 0, NULL);
    gid_t *groups = count > 0 ? calloc((size_t)count, sizeof *groups) : NULL;
    const int found = groups ? fuse_req_getgroups(unwrap(request), count, groups) : 0;
    bool is_in = false;
    for (int i = 0; i < found && i < count; i++)
        is_in |= groups[i] == group;
    free(groups);
    return is_in;
}

static void on_interrupt(fuse_req_t request, void *id)
{
    xsfs_on_interrupt(fuse_req_userdata(request), (uint64_t)(uintptr_t)id);
}

void xsfs_request_tell_interrupt(xsfs_request *request, uint64_t id)
{
    fuse_req_interrupt_func(unwrap(request), on_interrupt, (void *)(uintptr_t)id);
}

void xsfs_reply_error(xsfs_request *request, int32_t error)
{
    fuse_reply_err(unwrap(request), error);
}

void xsfs_reply_entry(xsfs_request *request, const struct xsfs_entry *entry)
{
    const struct fuse_entry_param parameters = make_entry(entry);
    fuse_reply_entry(unwrap(request), &parameters);
}

void xsfs_reply_attributes(xsfs_request *request, const struct xsfs_attributes *attributes)
{
    const struct stat status = make_stat(attributes);
    fuse_reply_attr(unwrap(request), &status, attributes->lifetime);
}

void xsfs_reply_open(xsfs_request *request, uint64_t handle, bool needs_flush,
                     enum xsfs_caching caching)
{
    const struct fuse_file_info info = make_file(handle, needs_flush, caching);
    fuse_reply_open(unwrap(request), &info);
}

void xsfs_reply_open_stream(xsfs_request *request, uint64_t handle)
{
    struct fuse_file_info info = make_file(handle, false, XSFS_CACHE_NONE);
    info.nonseekable = 1;
    fuse_reply_open(unwrap(request), &info);
}

void xsfs_reply_poll(xsfs_request *request, bool is_readable)
{
    /* All but a stream can be read and written at any time, as files can. */
    fuse_reply_poll(unwrap(request), is_readable ? POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM : 0);
}

void xsfs_poll_end(xsfs_poll *poll, bool notifies)
{
    if (notifies)
        fuse_lowlevel_notify_poll((struct fuse_pollhandle *)poll);
    fuse_pollhandle_destroy((struct fuse_pollhandle *)poll);
}

void xsfs_reply_opendir(xsfs_request *request, uint64_t handle, enum xsfs_caching caching)
{
    const struct fuse_file_info info = {
        .fh = handle,
        .cache_readdir = caching != XSFS_CACHE_NONE,
        .keep_cache = caching == XSFS_CACHE_KEPT,
    };
    fuse_reply_open(unwrap(request), &info);
}

void xsfs_reply_create(xsfs_request *request, const struct xsfs_entry *entry, uint64_t handle)
{
    const struct fuse_entry_param parameters = make_entry(entry);
    const struct fuse_file_info info = make_file(handle, true, XSFS_CACHE_NONE);
    fuse_reply_create(unwrap(request), &parameters, &info);
}

void xsfs_reply_bytes(xsfs_request *request, const uint8_t *bytes, size_t size)
{
    fuse_reply_buf(unwrap(request), (const char *)bytes, size);
}

void xsfs_reply_written(xsfs_request *request, size_t size)
{
    fuse_reply_write(unwrap(request), size);
}

void xsfs_reply_xattr_size(xsfs_request *request, size_t size)
{
    fuse_reply_xattr(unwrap(request), size);
}

size_t xsfs_listing_entry_size(const char *name)
{
    /* libfuse does not look at the request when there is no buffer. */
    return fuse_add_direntry_plus(NULL, NULL, 0, name, NULL, 0);
}

size_t xsfs_listing_add(xsfs_request *request, uint8_t *buffer, size_t room, const char *name,
                        const struct xsfs_entry *entry, int64_t next_offset)
{
    const struct fuse_entry_param parameters = make_entry(entry);
    return fuse_add_direntry_plus(unwrap(request), (char *)buffer, room, name, &parameters,
                                  next_offset);
}

size_t xsfs_listing_add_name(xsfs_request *request, uint8_t *buffer, size_t room, const char *name,
                             uint64_t inode, uint32_t mode, int64_t next_offset)
{
    /* The kernel takes no reference without a node. Programs skip a name whose number is 0. */
    struct fuse_entry_param parameters = {0};
    parameters.attr.st_ino = inode ? inode : UINT32_MAX;
    parameters.attr.st_mode = mode;
    return fuse_add_direntry_plus(unwrap(request), (char *)buffer, room, name, &parameters,
                                  next_offset);
}
