/* The life of a mount. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/uio.h>

#include "internal.h"

struct xsfs_session {
    struct fuse_session *fuse;
    struct fuse_buf buffer; /* libfuse allocates it at the first request, and reuses it */
};

/* What libfuse says has paths and options in it. */
__attribute__((format(printf, 2, 0)))
static void on_log(enum fuse_log_level level, const char *format, va_list arguments)
{
    (void)level;
    char text[4096];
    vsnprintf(text, sizeof text, format, arguments);
    xsfs_on_log(text);
}

xsfs_session *xsfs_session_new(const char *options, void *context)
{
    char *arguments[] = {"xsfs", "-o", strdup(options), NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, arguments);
    xsfs_session *session = calloc(1, sizeof *session);
    fuse_set_log_func(on_log);
    if (session && arguments[2])
        session->fuse = fuse_session_new(&args, &xsfs_operations, sizeof xsfs_operations, context);
    fuse_opt_free_args(&args);
    free(arguments[2]);
    if (session && !session->fuse) {
        free(session);
        session = NULL;
    }
    return session;
}

int xsfs_session_mount(xsfs_session *session, const char *mountpoint)
{
    if (fuse_session_mount(session->fuse, mountpoint) != 0)
        return -1;
    int descriptor = fuse_session_fd(session->fuse);
    int flags = fcntl(descriptor, F_GETFL);
    return fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
}

int xsfs_session_descriptor(xsfs_session *session) { return fuse_session_fd(session->fuse); }

int xsfs_session_serve_one(xsfs_session *session)
{
    int size = fuse_session_receive_buf(session->fuse, &session->buffer);
    if (size > 0) {
        fuse_session_process_buf(session->fuse, &session->buffer);
        return 1;
    }
    if (size == -EINTR)
        return -EAGAIN;
    return size;
}

void xsfs_session_unmount(xsfs_session *session, const char *mountpoint)
{
    /* Frees all that still wait for an answer, our own thread for invalidations among them; only
     * root may. A mount that is in use stays then, dead, and libfuse would leave it: it goes as
     * soon as it is free. */
    if (!fuse_session_exited(session->fuse) && umount2(mountpoint, MNT_FORCE) != 0)
        umount2(mountpoint, MNT_DETACH);
    fuse_session_unmount(session->fuse);
}

void xsfs_session_free(xsfs_session *session)
{
    fuse_session_destroy(session->fuse);
    free(session->buffer.mem);
    free(session);
}

int xsfs_session_inval_entry(xsfs_session *session, uint64_t directory, const char *name)
{
    return fuse_lowlevel_notify_inval_entry(session->fuse, directory, name, strlen(name));
}

/* Not by libfuse, which would print the error. The kernel looks at the length first, and knows no
 * such directory: it locks nothing. */
bool xsfs_session_takes_long_names(xsfs_session *session)
{
    const uint32_t length = XSFS_SHORT_NAME_MAX + 1;
    char name[XSFS_SHORT_NAME_MAX + 2];
    memset(name, 'x', length);
    name[length] = 0;
    struct fuse_notify_inval_entry_out entry = {.parent = UINT64_MAX, .namelen = length};
    struct fuse_out_header head = {
        .len = (uint32_t)(sizeof head + sizeof entry + length + 1),
        .error = FUSE_NOTIFY_INVAL_ENTRY,
    };
    const struct iovec parts[] = {
        {&head, sizeof head}, {&entry, sizeof entry}, {name, length + 1}};
    return writev(fuse_session_fd(session->fuse), parts, 3) >= 0 || errno != ENAMETOOLONG;
}

int xsfs_session_inval_inode(xsfs_session *session, uint64_t inode)
{
    return fuse_lowlevel_notify_inval_inode(session->fuse, inode, 0, 0);
}
