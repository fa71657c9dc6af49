/* refuse ERRNO NUMBER... -- COMMAND...: runs a command whose system calls of these numbers fail with
 * that error, as on a kernel that does not have them (ENOSYS), or in a sandbox (EPERM). */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { most = 64 };

int main(int argc, char **argv)
{
    struct sock_filter filter[most];
    unsigned short count = 0;
    int next = 2;
    if (argc < 3)
        return 2;
    const unsigned error = strcmp(argv[1], "EPERM") == 0 ? EPERM : ENOSYS;
    filter[count++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                                   offsetof(struct seccomp_data, nr));
    for (; next < argc && strcmp(argv[next], "--") != 0 && count < most - 2; next++) {
        const unsigned number = (unsigned)strtoul(argv[next], NULL, 10);
        filter[count++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
        filter[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error);
    }
    filter[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {count, filter};
    if (next + 1 >= argc || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        perror("refuse");
        return 3;
    }
    execvp(argv[next + 1], argv + next + 1);
    perror(argv[next + 1]);
    return 127;
}
