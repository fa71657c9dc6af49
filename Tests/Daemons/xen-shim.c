/*
 * Lets Debian's xenstored and oxenstored run on a machine without Xen.
 *
 * Both daemons speak to the hypervisor only to find out which domains exist, to be told that a
 * domain died, and to share one page of memory with each domain. This library is loaded with
 * LD_PRELOAD and answers those questions itself, so that all of the daemons' own code (protocol,
 * permissions, quotas, watches, transactions, even the rings) runs unchanged.
 *
 * The stand-ins are plain files in one directory, $XEN_SHIM_DIR, so that a test can play the
 * hypervisor, or a guest, from outside with ordinary file operations:
 *
 *   domains     the domains that exist besides 0, such as "1,2,5s,6d": `s` has shut down, `d` is
 *               dying. Read at every question. Without the file, $XEN_SHIM_DOMAINS says the same.
 *   ring-<N>    the page shared with domain N. Made anew whenever a daemon maps it.
 *   evtchn      a FIFO, the event channel device: each 32-bit number written to it is the port
 *               that an event arrived on. 1 = "some domain changed state, go and look"
 *               (VIRQ_DOM_EXC), 16 + N = "domain N has touched its ring".
 *   notify-<N>  a FIFO that a test may make and read: one byte for each event sent to domain N.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xengnttab.h>

/* The signatures are the libraries', most of their arguments mean nothing here. */
#pragma GCC diagnostic ignored "-Wunused-parameter"
enum {
    PAGE = 4096,
    PATH_SIZE = 4096,
    PORT_VIRQ = 1,     /* the port that bind_virq hands out */
    PORT_DOMAIN_0 = 16 /* domain N has port PORT_DOMAIN_0 + N: a test can tell it without asking */
};

/* The handles that the libraries hand out are opaque: any address that is not NULL will do. */
static char handle;
static int evtchn_fd = -1;

/* Goes around our own `open` below. */
static int real_open(const char *path, int flags, mode_t mode)
{
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* $XEN_SHIM_DIR/name, or with a domain's number $XEN_SHIM_DIR/name-N. */
static void shim_path(char *buffer, const char *name, int domid)
{
    const char *directory = getenv("XEN_SHIM_DIR");
    int used = snprintf(buffer, PATH_SIZE, "%.4000s/%s", directory ? directory : ".", name);
    if (domid >= 0)
        snprintf(buffer + used, PATH_SIZE - (size_t)used, "-%d", domid);
}

/* A parent that died before `setpriv --pdeathsig` armed the signal is never told of: look again. */
__attribute__((constructor)) static void end_without_parent(void)
{
    const char *parent = getenv("XEN_SHIM_PARENT");
    if (parent && *parent && getppid() != (pid_t)atol(parent))
        _exit(1);
}

/* ---- Which domains exist -------------------------------------------------------------------- */

/* '\0' no such domain, 'a' alive, 's' shut down, 'd' dying. Domain 0 is always alive. */
static char domain_state(uint32_t wanted)
{
    char path[PATH_SIZE], text[8192], *end;
    const char *list = getenv("XEN_SHIM_DOMAINS");
    if (wanted == 0)
        return 'a';
    shim_path(path, "domains", -1);
    int fd = real_open(path, O_RDONLY | O_CLOEXEC, 0);
    if (fd >= 0) {
        ssize_t length = read(fd, text, sizeof text - 1);
        text[length < 0 ? 0 : length] = '\0';
        list = text;
        close(fd);
    }
    while (list && *list) {
        unsigned long domid = strtoul(list, &end, 10);
        if (end != list && domid == wanted)
            return *end == 's' || *end == 'd' ? *end : 'a';
        list = end != list ? end : list + 1; /* step over a comma, a blank, a letter */
    }
    return '\0';
}

static uint32_t domain_flags(char state)
{
    return state == 'a' ? XEN_DOMINF_running
         : state == 's' ? XEN_DOMINF_shutdown : XEN_DOMINF_dying;
}

/* Both daemons end when this fails. */
xc_interface *xc_interface_open(xentoollog_logger *log, xentoollog_logger *builder, unsigned flags)
{
    return (xc_interface *)&handle;
}

int xc_interface_close(xc_interface *xch) { return 0; }

/* C xenstored asks at INTRODUCE, when a permission names a new domain, and on VIRQ_DOM_EXC. */
int xc_domain_getinfo(xc_interface *xch, uint32_t domid, unsigned int max, xc_dominfo_t *info)
{
    char state = domain_state(domid);
    if (!state)
        return 0;
    memset(info, 0, sizeof *info);
    info->domid = domid;
    info->running = state == 'a';
    info->shutdown = state == 's';
    info->dying = state == 'd';
    return 1;
}

/*
 * The same question as C xenstored puts it from 4.18 on, and oxenstored 4.20 by its plugin. How long
 * the structure is differs by version; no daemon reads more than these two members.
 */
int xc_domain_getinfo_single(xc_interface *xch, uint32_t domid, xc_domaininfo_t *info)
{
    char state = domain_state(domid);
    if (!state) {
        errno = ESRCH;
        return -1;
    }
    info->domain = (domid_t)domid;
    info->flags = domain_flags(state);
    return 0;
}

/* The same question as oxenstored 4.17 puts it. */
int xc_domain_getinfolist(xc_interface *xch, uint32_t domid, unsigned max, xc_domaininfo_t *info)
{
    char state = domain_state(domid);
    if (!state)
        return 0;
    memset(info, 0, sizeof *info);
    info->domain = (domid_t)domid;
    info->flags = domain_flags(state);
    return 1;
}

/* ---- The page shared with each domain ------------------------------------------------------- */

/* A new, zeroed file each time: in an old ring the next daemon would find old requests. */
static int new_ring(int domid)
{
    char path[PATH_SIZE];

    shim_path(path, "ring", domid);
    unlink(path);
    int fd = real_open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd >= 0 && ftruncate(fd, PAGE) == 0 ? fd : -1;
}

static void *map_ring(uint32_t domid)
{
    int fd = domain_state(domid) ? new_ring((int)domid) : -1;
    if (fd < 0) {
        errno = ESRCH; /* what the hypervisor says of a domain that it does not know */
        return NULL;
    }
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return page == MAP_FAILED ? NULL : page;
}

/* C xenstored maps a guest's page through the grant table. */
xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned flags)
{
    return (xengnttab_handle *)&handle;
}

int xengnttab_close(xengnttab_handle *xgt) { return 0; }
int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t count) { return 0; }
void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot)
{
    return map_ring(domid);
}

int xengnttab_unmap(xengnttab_handle *xgt, void *page, uint32_t n) { return munmap(page, PAGE); }

/* oxenstored maps a guest's page by its frame number. */
void *xc_map_foreign_range(xc_interface *xch, uint32_t domid, int size, int prot, unsigned long mfn)
{
    return map_ring(domid);
}

/*
 * Domain 0's own page and port come from two files of xenfs. The page is an ordinary ring file;
 * the port is a number that the daemons only hand back to us. C xenstored is linked to `open`,
 * the OCaml runtime to `open64`.
 */
int open(const char *path, int flags, ...)
{
    va_list arguments;

    va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (!strcmp(path, "/proc/xen/xsd_kva"))
        return new_ring(0);
    if (!strcmp(path, "/proc/xen/xsd_port")) {
        int fd = memfd_create("xsd_port", MFD_CLOEXEC);
        return fd >= 0 && pwrite(fd, "1", 1, 0) == 1 ? fd : -1;
    }
    return real_open(path, flags, mode);
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));

/* ---- Event channels ------------------------------------------------------------------------- */

/* For reading and writing, so that the FIFO is not at its end whenever a writer leaves. */
xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
    char path[PATH_SIZE];
    shim_path(path, "evtchn", -1);
    unlink(path);
    if (mkfifo(path, 0600) != 0)
        return NULL;
    evtchn_fd = real_open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC, 0);
    return evtchn_fd < 0 ? NULL : (xenevtchn_handle *)&handle;
}

int xenevtchn_close(xenevtchn_handle *xce) { return close(evtchn_fd); }
int xenevtchn_fd(xenevtchn_handle *xce) { return evtchn_fd; }
int xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned int virq) { return PORT_VIRQ; }
int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port) { return 0; }
int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port) { return 0; }
int xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid, evtchn_port_t remote)
{
    return PORT_DOMAIN_0 + (int)domid;
}
int xenevtchn_pending(xenevtchn_handle *xce)
{
    int port;
    return read(evtchn_fd, &port, sizeof port) == (ssize_t)sizeof port ? port : -1;
}

/* Nobody has to listen: an event to a domain that no test plays is simply lost. */
int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
    char path[PATH_SIZE];
    shim_path(path, "notify", (int)port - PORT_DOMAIN_0);
    int fd = real_open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC, 0);
    (void)!write(fd, "!", 1); /* a full FIFO already says all there is to say */
    return fd >= 0 && close(fd);
}

/* oxenstored raises its limit of open files and gives up when it may not, as in a container. */
int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit) { return 0; }
int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit) { return 0; }

/* After SIGTERM oxenstored would wait for its guests, for ever if need be. A test wants it gone. */
int sigaction(int number, const struct sigaction *new, struct sigaction *old)
{
    extern int __sigaction(int, const struct sigaction *, struct sigaction *);
    return __sigaction(number, number == SIGTERM ? NULL : new, old);
}
