/* What the files of the bridge share: libfuse, and the casts to the types that Swift sees. */
#ifndef CFUSE_INTERNAL_H
#define CFUSE_INTERNAL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define FUSE_USE_VERSION 312

#include <fuse3/fuse_lowlevel.h>

#include "CFuse.h"

static inline xsfs_request *wrap(fuse_req_t request) { return (xsfs_request *)request; }
static inline fuse_req_t unwrap(xsfs_request *request) { return (fuse_req_t)request; }

extern const struct fuse_lowlevel_ops xsfs_operations;

/* The device of a path, without asking anything of the daemon that serves it; 0 for none. */
uint64_t device_of(int directory, const char *path);

/* Looks the status of the mount with this device up, so that the kernel knows its names. */
void look_at_status(const char *mountpoint, uint64_t device);

/* Makes the calls that come over the socket, until that ends. */
void serve_inotify_calls(int socket, const char *mountpoint) __attribute__((noreturn));

#endif
