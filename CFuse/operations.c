/* libfuse's table of operations: each takes a request apart and hands it to Swift. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

static void on_init(void *context, struct fuse_conn_info *connection)
{
    /* Every listing brings the attributes along; the kernel's guess when to ask for them is wrong
     * for find(1). */
    connection->want |= connection->capable & FUSE_CAP_READDIRPLUS;
    connection->want &= ~FUSE_CAP_READDIRPLUS_AUTO;
    /* Values are small: a copy is cheaper than two pipes. */
    connection->want &= ~(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
    xsfs_on_init(context, connection->proto_minor);
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    xsfs_on_lookup(wrap(req), parent, name);
}

static void on_forget(fuse_req_t req, fuse_ino_t inode, uint64_t count)
{
    xsfs_on_forget(fuse_req_userdata(req), inode, count);
    fuse_reply_none(req);
}

static void on_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    for (size_t i = 0; i < count; i++)
        xsfs_on_forget(fuse_req_userdata(req), forgets[i].ino, forgets[i].nlookup);
    fuse_reply_none(req);
}

static void on_getattr(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *info)
{
    xsfs_on_getattr(wrap(req), inode, info != NULL, info ? info->fh : 0);
}

static void on_access(fuse_req_t req, fuse_ino_t inode, int rights)
{
    xsfs_on_access(wrap(req), inode, rights);
}

static void on_setattr(fuse_req_t req, fuse_ino_t inode, struct stat *new, int set,
                       struct fuse_file_info *info)
{
    struct xsfs_changes changes = {
        .has_mode = set & FUSE_SET_ATTR_MODE,
        .has_uid = set & FUSE_SET_ATTR_UID,
        .has_gid = set & FUSE_SET_ATTR_GID,
        .has_size = set & FUSE_SET_ATTR_SIZE,
        .has_modified = set & FUSE_SET_ATTR_MTIME,
        .modified_is_now = set & FUSE_SET_ATTR_MTIME_NOW,
        .has_handle = info != NULL,
        .mode = new->st_mode,
        .uid = new->st_uid,
        .gid = new->st_gid,
        .size = (uint64_t)new->st_size,
        .modified_seconds = new->st_mtim.tv_sec,
        .modified_nanoseconds = (uint32_t)new->st_mtim.tv_nsec,
        .handle = info ? info->fh : 0,
    };
    xsfs_on_setattr(wrap(req), inode, &changes);
}

static void on_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
    (void)device;
    xsfs_on_mknod(wrap(req), parent, name, mode);
}

static void on_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    (void)mode;
    xsfs_on_mkdir(wrap(req), parent, name);
}

static void on_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    xsfs_on_unlink(wrap(req), parent, name);
}

static void on_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    xsfs_on_rmdir(wrap(req), parent, name);
}

/* The store has no links and no special files. */
static void on_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
    (void)target, (void)parent, (void)name;
    fuse_reply_err(req, EPERM);
}

static void on_link(fuse_req_t req, fuse_ino_t inode, fuse_ino_t parent, const char *name)
{
    (void)inode, (void)parent, (void)name;
    fuse_reply_err(req, EPERM);
}

static void on_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                      const char *new_name, unsigned flags)
{
    xsfs_on_rename(wrap(req), parent, name, new_parent, new_name, flags);
}

static void on_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                      struct fuse_file_info *info)
{
    xsfs_on_create(wrap(req), parent, name, info->flags, mode);
}

static void on_open(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *info)
{
    xsfs_on_open(wrap(req), inode, info->flags);
}

static void on_read(fuse_req_t req, fuse_ino_t inode, size_t size, off_t offset,
                    struct fuse_file_info *info)
{
    (void)inode;
    /* The kernel names whose read(2) it is, and nobody where it fills its page cache. */
    xsfs_on_read(wrap(req), info->fh, offset, size, !(info->flags & O_NONBLOCK),
                 info->lock_owner == 0);
}

static void on_poll(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *info,
                    struct fuse_pollhandle *poll)
{
    (void)inode;
    xsfs_on_poll(wrap(req), info->fh, (xsfs_poll *)poll);
}

static void on_write(fuse_req_t req, fuse_ino_t inode, const char *bytes, size_t size, off_t offset,
                     struct fuse_file_info *info)
{
    (void)inode;
    xsfs_on_write(wrap(req), info->fh, offset, (const uint8_t *)bytes, size);
}

static void on_flush(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *info)
{
    (void)inode;
    xsfs_on_flush(wrap(req), info->fh);
}

/* fsync(2) asks for no more than closing does: the store has taken every write already. */
static void on_fsync(fuse_req_t req, fuse_ino_t inode, int data_only, struct fuse_file_info *info)
{
    (void)inode, (void)data_only;
    xsfs_on_flush(wrap(req), info->fh);
}

static void on_fsyncdir(fuse_req_t req, fuse_ino_t inode, int data_only, struct fuse_file_info *info)
{
    (void)inode, (void)data_only, (void)info;
    fuse_reply_err(req, 0);
}

static void on_release(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *info)
{
    (void)inode;
    xsfs_on_release(wrap(req), info->fh);
}

static void on_opendir(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *info)
{
    (void)info;
    xsfs_on_opendir(wrap(req), inode);
}

static void on_readdirplus(fuse_req_t req, fuse_ino_t inode, size_t size, off_t offset,
                           struct fuse_file_info *info)
{
    xsfs_on_readdirplus(wrap(req), inode, info->fh, offset, size);
}

static void on_releasedir(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *info)
{
    (void)inode;
    xsfs_on_releasedir(wrap(req), info->fh);
}

static void on_statfs(fuse_req_t req, fuse_ino_t inode)
{
    (void)inode;
    /* A name may be as long as a path, less its slash (docs/misc/xenstore.txt). */
    const struct statvfs values = {.f_bsize = 4096, .f_frsize = 4096, .f_namemax = 3071};
    fuse_reply_statfs(req, &values);
}

static void on_getxattr(fuse_req_t req, fuse_ino_t inode, const char *name, size_t size)
{
    xsfs_on_getxattr(wrap(req), inode, name, size);
}

static void on_setxattr(fuse_req_t req, fuse_ino_t inode, const char *name, const char *value,
                        size_t size, int flags)
{
    xsfs_on_setxattr(wrap(req), inode, name, (const uint8_t *)value, size, flags);
}

static void on_listxattr(fuse_req_t req, fuse_ino_t inode, size_t size)
{
    xsfs_on_listxattr(wrap(req), inode, size);
}

static void on_removexattr(fuse_req_t req, fuse_ino_t inode, const char *name)
{
    xsfs_on_removexattr(wrap(req), inode, name);
}

const struct fuse_lowlevel_ops xsfs_operations = {
    .init = on_init,
    .lookup = on_lookup,
    .forget = on_forget,
    .forget_multi = on_forget_multi,
    .getattr = on_getattr,
    .access = on_access,
    .setattr = on_setattr,
    .mknod = on_mknod,
    .mkdir = on_mkdir,
    .unlink = on_unlink,
    .rmdir = on_rmdir,
    .symlink = on_symlink,
    .link = on_link,
    .rename = on_rename,
    .create = on_create,
    .open = on_open,
    .read = on_read,
    .poll = on_poll,
    .write = on_write,
    .flush = on_flush,
    .fsync = on_fsync,
    .release = on_release,
    .opendir = on_opendir,
    .readdirplus = on_readdirplus,
    .releasedir = on_releasedir,
    .fsyncdir = on_fsyncdir,
    .statfs = on_statfs,
    .getxattr = on_getxattr,
    .setxattr = on_setxattr,
    .listxattr = on_listxattr,
    .removexattr = on_removexattr,
};
